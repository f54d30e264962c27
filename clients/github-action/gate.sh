#!/usr/bin/env bash
# Claims a deploy at the gate. Exits 0 on a well-formed allow and on nothing else.
set -uo pipefail

readonly asked_at=$SECONDS
reply=$(mktemp) && trap 'rm -f "$reply"' EXIT

# A text as a JSON string: what JSON escapes is escaped, control characters become blanks.
quoted() {
    local text=${1//[[:cntrl:]]/ }
    text=${text//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}

# The value of a member that is a string, at the top of our reply; empty if there is none.
# Members before it hold no objects, so the first match outside of a string is the member itself.
member() {
    sed -n 's/.*[,{] *"'"$1"'": *"\(\([^"\\]\|\\.\)*\)".*/\1/p' "$reply" | head -n 1
}

# One line of harmless text: nothing that could begin a workflow command or another output.
harmless() {
    printf '%s' "$1" | tr -d '\000-\037\177' | sed 's/\\u[0-9a-fA-F]\{4\}/?/g; s/\\\(.\)/\1/g; s/::/: :/g'
}

body() {
    printf '{"service": %s, "environment": %s, "change": %s' \
        "$(quoted "$GATE_SERVICE")" "$(quoted "$GATE_ENVIRONMENT")" "$(quoted "$GATE_CHANGE")"
    [ -z "${GATE_DURATION:-}" ] || printf ', "duration": %s' "$(quoted "$GATE_DURATION")"
    [ -z "${GATE_REF:-}" ] || printf ', "ref": %s' "$(quoted "$GATE_REF")"
    [ -z "${GATE_ACTOR:-}" ] || printf ', "actor": %s' "$(quoted "$GATE_ACTOR")"
    [ -z "${GATE_RUN_URL:-}" ] || printf ', "run_url": %s' "$(quoted "$GATE_RUN_URL")"
    printf '}'
}

# Headers go through a file descriptor: an argument could be read in the list of processes.
headers() {
    printf 'header = "Content-Type: application/json"\n'
    # Of this one step: another that claims the same, later in the job, must get a decision of its own.
    printf 'header = "Idempotency-Key: %s-%s-%s"\n' "${GATE_KEY:-gate}" "$nonce" "$1"
    [ -z "${GATE_API_KEY:-}" ] || printf 'header = "Authorization: Bearer %s"\n' "$GATE_API_KEY"
    [ -z "${GATE_OVERRIDE_TOKEN:-}" ] || printf 'header = "X-Override-Token: %s"\n' "$GATE_OVERRIDE_TOKEN"
}

claim() {
    curl --silent --show-error --max-time 15 --proto '=http,https' --config <(headers "$1") \
        --data "$(body)" --output "$reply" --write-out '%{http_code}' "${GATE_URL%/}/can-deploy"
}

# Only our own reply, whole, with the very members that an allow begins with.
is_allow() {
    [ "$1" = 200 ] || return 1
    local text
    text=$(cat "$reply")
    case $text in
        '{"allowed": true, "outcome": "'*'"policy_revision": "'*'"decision_id": "dec_'*'}') return 0 ;;
    esac
    return 1
}

is_deny() {
    [ "$1" = 423 ] || return 1
    case $(cat "$reply") in '{"allowed": false, "outcome": "deny", '*'}') return 0 ;; esac
    return 1
}

tell() {
    local allowed=$1 opens_at=$2 message=$3
    {
        printf 'allowed=%s\n' "$allowed"
        printf 'opens_at=%s\n' "$opens_at"
        printf 'message=%s\n' "$message"
    } >> "${GITHUB_OUTPUT:-/dev/null}"
    {
        if [ "$allowed" = true ]; then printf '### Deploy allowed\n\n'; else printf '### Deploy stopped\n\n'; fi
        printf '%s\n' "$message" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/[][`*_|#!]/\\&/g'
    } >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
}

case ${GATE_WAIT_MINUTES:-0} in
    *[!0-9]* | ?????*)
        tell false "" "wait is a number of minutes, 9999 at most."
        printf '::error title=Deploy stopped::wait is a number of minutes, 9999 at most.\n'
        exit 1
        ;;
esac
nonce=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
attempt=0
while :; do
    attempt=$((attempt + 1))
    : > "$reply"
    status=$(claim "$attempt") || status=000
    if is_allow "$status"; then
        message=$(harmless "$(member message)")
        tell true "" "$message"
        printf '%s\n' "$message"
        exit 0
    fi
    opens_at=""
    if is_deny "$status"; then
        message=$(harmless "$(member message)")
        opens_at=$(member opens_at | grep -E '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$' || true)
    else
        message="The gate at $(harmless "$GATE_URL") gave no usable answer (status $status), so nothing is deployed."
    fi
    if [ $((SECONDS - asked_at)) -ge $((10#${GATE_WAIT_MINUTES:-0} * 60)) ]; then
        tell false "$opens_at" "$message"
        printf '::error title=Deploy stopped::%s\n' "${message//%/%25}"
        exit 1
    fi
    printf 'waiting: %s\n' "$message"
    sleep "${GATE_POLL_SECONDS:-30}"
done
