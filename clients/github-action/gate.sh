#!/usr/bin/env bash
# Claim a deploy at the gate. Exit 0 only on a well-formed allow.
set -uo pipefail

readonly asked_at=$SECONDS
# Larger than any answer of the gate. Longer replies are cut off: matching them could take for ever.
readonly largest=262144
# Seconds that an allow's time may differ from this machine's clock, so that neither a cached nor an old answer lets a
# deploy through. Build machines are off by seconds; APIs of cloud providers reject more than 15 minutes as well.
readonly clock_tolerance=900
reply=$(mktemp) && trap 'rm -f "$reply"' EXIT

# Print a text as a JSON string; control characters become blanks.
quoted() {
    local text=${1//[[:cntrl:]]/ }
    text=${text//\\/\\\\}
    printf '"%s"' "${text//\"/\\\"}"
}

# Print the value of a top-level string member of the gate's reply, or nothing.
# No member before it holds an object, so the first match outside a string is the member itself.
member() {
    LC_ALL=C sed -nE 's/.*[,{] *"'"$1"'": *"(([^"\\]|\\.)*)".*/\1/p' "$reply" | head -n 1
}

# Print text as one line that can't begin a workflow command or another output. UTF-8 is kept.
harmless() {
    # An escaped backslash is set aside as a control character while the other escapes are removed.
    printf '%s' "$1" | tr -d '\000-\037\177' | LC_ALL=C sed -E -e $'s/\\\\\\\\/\001/g' \
        -e 's/\\u[0-9a-fA-F]{4}/?/g; s/\\[bfnrt]/ /g; s/\\//g; s/::/: :/g; s/##\[/# #[/g' | tr '\001' '\\'
}

# Print a secret without the line ends that it may have from a file.
trimmed() {
    printf '%s' "$(printf '%s' "$1" | tr '\r' '\n')"
}

# Succeed if a secret has only characters of keys and tokens. A quote could end the value in curl's configuration and
# add options, such as a proxy that receives the API key and allows everything.
fits() {
    [ "$(printf '%s|' "$1" | LC_ALL=C tr -d 'A-Za-z0-9._~+/=:-')" = '|' ]
}

# Print the members that the request body begins with, and that the answer repeats.
asked() {
    printf '"service": %s, "environment": %s, "change": %s' \
        "$(quoted "$GATE_SERVICE")" "$(quoted "$GATE_ENVIRONMENT")" "$(quoted "$GATE_CHANGE")"
}

body() {
    printf '{%s' "$(asked)"
    [ -z "${GATE_DURATION:-}" ] || printf ', "duration": %s' "$(quoted "$GATE_DURATION")"
    [ -z "$deploy_id" ] || printf ', "deploy_id": %s' "$(quoted "$deploy_id")"
    [ -z "${GATE_CONTINUES:-}" ] || printf ', "continues": %s' "$(quoted "$GATE_CONTINUES")"
    [ -z "${GATE_REF:-}" ] || printf ', "ref": %s' "$(quoted "$GATE_REF")"
    [ -z "${GATE_ACTOR:-}" ] || printf ', "actor": %s' "$(quoted "$GATE_ACTOR")"
    [ -z "${GATE_RUN_URL:-}" ] || printf ', "run_url": %s' "$(quoted "$GATE_RUN_URL")"
    printf '}'
}

# Get the job's identity token for an audience, to use as the key. It is valid for minutes.
identity_token() {
    exchange --config <(printf 'header = "Authorization: Bearer %s"\n' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN") \
        --url "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=$GATE_AUDIENCE"
    local token
    token=$(member value)
    [ "$status" = 200 ] && [ -n "$token" ] && fits "$token" || return 1
    printf '::add-mask::%s\n' "$token"
    api_key=$token
}

# Print curl's configuration for the headers. They go through a file descriptor: arguments show in the process list.
headers() {
    printf 'header = "Content-Type: application/json"\n'
    # A key for this step only: a later step with the same claim must get its own decision.
    printf 'header = "Idempotency-Key: %s-%s-%s"\n' "${key:0:80}" "$nonce" "$1"
    [ -z "$api_key" ] || printf 'header = "Authorization: Bearer %s"\n' "$api_key"
    [ -z "$override_token" ] || printf 'header = "X-Override-Token: %s"\n' "$override_token"
}

# Send a request. The reply goes to the file "$reply", its status to $status: 000 if it is incomplete.
exchange() {
    local code
    : > "$reply"
    code=$({
        curl --silent --show-error --globoff --max-time 15 --proto '=http,https' --write-out '\n%{http_code}' "$@"
        printf ' %s' "$?"
    } | head -c "$largest" | tee "$reply" | tail -n 1 | tr -d '\0')
    case $code in
        [0-9][0-9][0-9]' 0') status=${code% 0} ;;
        *) status=000 ;;
    esac
    sed '$d' "$reply" > "$reply.body"
    mv "$reply.body" "$reply"
}

claim() {
    exchange --config <(headers "$1") --data "$(body)" --url "${GATE_URL%/}/can-deploy"
}

# Succeed if the reply is one JSON value: remove its strings, then replace innermost brackets until one value is left.
# The gate's answers are four levels deep; more than eight fail.
is_whole() {
    local inner='s/(\{[^][{}]*\}|\[[^][{}]*\])/v/g'
    local twice="$inner;$inner"
    [ "$(LC_ALL=C sed -E -e 's/"([^"\\]|\\.)*"//g' -e "$twice;$twice;$twice;$twice" "$reply")" = v ]
}

# Print the seconds since 1970 of an instant such as 2026-11-27T13:05:00Z; fail for any other form.
seconds_of() {
    local digits='0?([0-9]+)'
    # shellcheck disable=SC2046 # six numbers
    set -- $(printf '%s\n' "$1" | LC_ALL=C sed -nE \
        "s/^([1-9][0-9]{3})-$digits-${digits}T$digits:$digits:${digits}Z\$/\\1 \\2 \\3 \\4 \\5 \\6/p")
    [ $# = 6 ] || return 1
    local year=$1 month=$2
    # Years start in March here, so that the leap day is their last.
    [ "$month" -gt 2 ] || { year=$((year - 1)) && month=$((month + 12)); }
    local days=$((365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + $3 - 719469))
    printf '%s' $((86400 * days + 3600 * $4 + 60 * $5 + $6))
}

# Succeed if the reply is current. A retried claim may get the answer to its first attempt.
is_current() {
    local at now
    at=$(seconds_of "$(member at)") || return 1
    now=$(date -u +%s)
    [ "$at" -ge $((first_asked - clock_tolerance)) ] && [ "$at" -le $((now + clock_tolerance)) ]
}

# Accept only the gate's own complete reply, beginning with the members of an allow for this question, each once.
is_allow() {
    [ "$1" = 200 ] && is_whole || return 1
    local text
    text=$(cat "$reply")
    case $text in
        # If anything blocks, only an override allows.
        '{"allowed": true, "outcome": "allow", '"$(asked), "*', "blocking": [], '*) ;;
        '{"allowed": true, "outcome": "warn", '"$(asked), "*', "blocking": [], '*) ;;
        '{"allowed": true, "outcome": "override", '"$(asked), "*', "blocking": ['*) ;;
        *) return 1 ;;
    esac
    case $text in *', "policy_revision": "'*', "decision_id": "dec_'*'"}') ;; *) return 1 ;; esac
    case ${text#*"$(asked), "} in
        *'"allowed":'* | *'"outcome":'* | *'"service":'* | *'"environment":'* | *'"change":'*) return 1 ;;
    esac
    case ${text#*', "blocking": '} in *'"blocking":'*) return 1 ;; esac
    case ${text#*', "at": '} in *', "at":'*) return 1 ;; esac
    is_current || { stale=1 && return 1; }
}

is_deny() {
    [ "$1" = 423 ] || return 1
    case $(cat "$reply") in '{"allowed": false, "outcome": "deny", '*'}') return 0 ;; esac
    return 1
}

# Succeed if a retry can't help: redirects, and client errors other than 408, 423, 425 and 429.
is_final() {
    case $1 in
        408 | 423 | 425 | 429) return 1 ;;
        3?? | 4??) return 0 ;;
    esac
    return 1
}

tell() {
    local allowed=$1 opens_at=$2 message=$3
    {
        printf 'allowed=%s\n' "$allowed"
        printf 'opens_at=%s\n' "$opens_at"
        printf 'message=%s\n' "$message"
        printf 'decision_id=%s\n' "${decision_id:-}"
    } >> "${GITHUB_OUTPUT:-/dev/null}"
    {
        if [ "$allowed" = true ]; then printf '### Deploy allowed\n\n'; else printf '### Deploy stopped\n\n'; fi
        printf '%s\n' "$message" | sed 's/&/\&amp;/g; s/</\&lt;/g; s/[][`*_|#!]/\\&/g'
    } >> "${GITHUB_STEP_SUMMARY:-/dev/null}"
}

stop() {
    tell false "$1" "$2"
    printf '::error title=Deploy stopped::%s\n' "${2//%/%25}"
    exit 1
}

case ${GATE_WAIT_MINUTES:-0} in
    *[!0-9]* | ?????*) stop "" "wait is a number of minutes, 9999 at most." ;;
esac
api_key=$(trimmed "${GATE_API_KEY:-}")
override_token=$(trimmed "${GATE_OVERRIDE_TOKEN:-}")
fits "$api_key" || stop "" "api-key holds characters that no key has."
fits "$override_token" || stop "" "override-token holds characters that no token has."
audience=${GATE_AUDIENCE:-}
if [ -n "$audience" ]; then
    [ -z "$api_key" ] || stop "" "api-key and audience are two ways to say who asks: give one of them."
    fits "$audience" || stop "" "audience holds characters that an address does not need."
    [ -n "${ACTIONS_ID_TOKEN_REQUEST_URL:-}" ] && fits "${ACTIONS_ID_TOKEN_REQUEST_TOKEN:-}" ||
        stop "" "GitHub gives this job no identity token: the job needs the permission id-token: write."
fi
key=${GATE_KEY:-gate}
key=${key//[!0-9A-Za-z_-]/}
# The same in each attempt and each run of this job, so that they count as one deploy.
deploy_id=${GATE_DEPLOY_ID:-${GATE_RUN:-}}
deploy_id=${deploy_id//[!0-9A-Za-z._:-]/}
deploy_id=${deploy_id:0:128}
nonce=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
claims=1
first_asked=$(date -u +%s)
while :; do
    stale=""
    if [ -z "$audience" ] || identity_token; then claim "$claims"; else status="no identity token"; fi
    if [ "$status" = 422 ] && [ -n "$deploy_id" ] && grep -qF '"deploy_id"' "$reply"; then
        # A gate of before deploy ids: there, each claim counts by itself.
        deploy_id=""
        claims=$((claims + 1))
        continue
    fi
    if is_allow "$status"; then
        message=$(harmless "$(member message)")
        decision_id=$(member decision_id | grep -E '^dec_[0-9a-z]{1,36}$' || true)
        tell true "" "$message"
        printf '%s\n' "$message"
        exit 0
    fi
    opens_at=""
    if is_deny "$status"; then
        message=$(harmless "$(member message)")
        opens_at=$(member opens_at | grep -E '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$' || true)
        # This claim is settled; the next one needs a new key. A lost answer is retried under the same key instead, so
        # that it can't spend a token twice.
        claims=$((claims + 1))
        first_asked=$(date -u +%s)
    elif [ -n "$stale" ]; then
        message="The gate's answer is of $(harmless "$(member at)"), more than 15 minutes from this machine's clock, so nothing is deployed."
    else
        detail=$(harmless "$(member detail)")
        message="The gate at $(harmless "$GATE_URL") gave no usable answer (status $status${detail:+: $detail}), so nothing is deployed."
    fi
    if is_final "$status" || [ $((SECONDS - asked_at)) -ge $((10#${GATE_WAIT_MINUTES:-0} * 60)) ]; then
        stop "$opens_at" "$message"
    fi
    printf 'waiting: %s\n' "$message"
    sleep "${GATE_POLL_SECONDS:-30}"
done
