#!/usr/bin/env bash
# Claims a deploy at the gate. Exits 0 on a well-formed allow and on nothing else.
set -uo pipefail

readonly asked_at=$SECONDS
# No answer is larger; what is could take for ever to look through, and is not looked at.
readonly largest=262144
# Seconds that the time of an allow may be away from the clock of this machine: an answer from a cache, or of long
# ago, lets nothing through. Clocks of build machines are off by seconds; cloud providers refuse more than this, too.
readonly clock_tolerance=900
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
    LC_ALL=C sed -nE 's/.*[,{] *"'"$1"'": *"(([^"\\]|\\.)*)".*/\1/p' "$reply" | head -n 1
}

# One line of harmless text: nothing that could begin a workflow command or another output. UTF-8 stays as it is.
harmless() {
    # A backslash that is escaped waits as a control character, so that it escapes nothing itself.
    printf '%s' "$1" | tr -d '\000-\037\177' | LC_ALL=C sed -E -e $'s/\\\\\\\\/\001/g' \
        -e 's/\\u[0-9a-fA-F]{4}/?/g; s/\\[bfnrt]/ /g; s/\\//g; s/::/: :/g; s/##\[/# #[/g' | tr '\001' '\\'
}

# A secret without the line ends that it may have from the file it was kept in.
trimmed() {
    printf '%s' "$(printf '%s' "$1" | tr '\r' '\n')"
}

# Whether a secret is made of what keys and tokens are made of. Anything else could end its value in curl's
# configuration and go on with options: of a proxy, say, that allows everything and is sent the API key.
fits() {
    [ "$(printf '%s|' "$1" | LC_ALL=C tr -d 'A-Za-z0-9._~+/=:-')" = '|' ]
}

# What is asked, as the members with which a body begins, and an answer goes on.
asked() {
    printf '"service": %s, "environment": %s, "change": %s' \
        "$(quoted "$GATE_SERVICE")" "$(quoted "$GATE_ENVIRONMENT")" "$(quoted "$GATE_CHANGE")"
}

body() {
    printf '{%s' "$(asked)"
    [ -z "${GATE_DURATION:-}" ] || printf ', "duration": %s' "$(quoted "$GATE_DURATION")"
    [ -z "${GATE_REF:-}" ] || printf ', "ref": %s' "$(quoted "$GATE_REF")"
    [ -z "${GATE_ACTOR:-}" ] || printf ', "actor": %s' "$(quoted "$GATE_ACTOR")"
    [ -z "${GATE_RUN_URL:-}" ] || printf ', "run_url": %s' "$(quoted "$GATE_RUN_URL")"
    printf '}'
}

# The identity token that GitHub gives this job for an audience, in place of a key; it lives for minutes.
identity_token() {
    exchange --config <(printf 'header = "Authorization: Bearer %s"\n' "$ACTIONS_ID_TOKEN_REQUEST_TOKEN") \
        --url "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=$GATE_AUDIENCE"
    local token
    token=$(member value)
    [ "$status" = 200 ] && [ -n "$token" ] && fits "$token" || return 1
    printf '::add-mask::%s\n' "$token"
    api_key=$token
}

# Headers go through a file descriptor: an argument could be read in the list of processes.
headers() {
    printf 'header = "Content-Type: application/json"\n'
    # Of this one step: another that claims the same, later in the job, must get a decision of its own.
    printf 'header = "Idempotency-Key: %s-%s-%s"\n' "${key:0:80}" "$nonce" "$1"
    [ -z "$api_key" ] || printf 'header = "Authorization: Bearer %s"\n' "$api_key"
    [ -z "$override_token" ] || printf 'header = "X-Override-Token: %s"\n' "$override_token"
}

# Sends a request; the reply is in the file "$reply" then and its status in $status, 000 if it did not come whole.
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

# Whether the reply is one JSON value: without its strings, what is innermost is taken out until one is left.
# Our answers are four levels deep; whatever is deeper than eight is none.
is_whole() {
    local inner='s/(\{[^][{}]*\}|\[[^][{}]*\])/v/g'
    local twice="$inner;$inner"
    [ "$(LC_ALL=C sed -E -e 's/"([^"\\]|\\.)*"//g' -e "$twice;$twice;$twice;$twice" "$reply")" = v ]
}

# Seconds since 1970 of an instant as the gate writes it, such as 2026-11-27T13:05:00Z; nothing for anything else.
seconds_of() {
    local digits='0?([0-9]+)'
    # shellcheck disable=SC2046 # six numbers
    set -- $(printf '%s\n' "$1" | LC_ALL=C sed -nE \
        "s/^([1-9][0-9]{3})-$digits-${digits}T$digits:$digits:${digits}Z\$/\\1 \\2 \\3 \\4 \\5 \\6/p")
    [ $# = 6 ] || return 1
    local year=$1 month=$2
    # Years that begin in March have their odd day at the end.
    [ "$month" -gt 2 ] || { year=$((year - 1)) && month=$((month + 12)); }
    local days=$((365 * year + year / 4 - year / 100 + year / 400 + (153 * (month - 3) + 2) / 5 + $3 - 719469))
    printf '%s' $((86400 * days + 3600 * $4 + 60 * $5 + $6))
}

# Whether the reply is of now. One to a question that was asked before, and lost, is of then.
is_current() {
    local at now
    at=$(seconds_of "$(member at)") || return 1
    now=$(date -u +%s)
    [ "$at" -ge $((first_asked - clock_tolerance)) ] && [ "$at" -le $((now + clock_tolerance)) ]
}

# Only our own reply, whole, with the very members that an allow of this question begins with, and each but once.
is_allow() {
    [ "$1" = 200 ] && is_whole || return 1
    local text
    text=$(cat "$reply")
    case $text in
        # Only a token lets through what something blocks.
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

# Whether asking again would not help: a redirect, and every refusal but too slow, locked, too early, too often.
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
nonce=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
claims=1
first_asked=$(date -u +%s)
while :; do
    stale=""
    if [ -z "$audience" ] || identity_token; then claim "$claims"; else status="no identity token"; fi
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
        # This claim is settled. One whose answer was lost is made again under its key: it must spend nothing more.
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
