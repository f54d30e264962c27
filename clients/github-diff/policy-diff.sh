# Compare policy files with those in force at a gate, and show the difference in one comment of a pull or merge request.
# The comment is renewed by each run. POSIX shell, curl and jq; the GitLab job contains this very text.
set -u
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT || exit 1

# Print text as one line that can't begin a command of the CI system. UTF-8 is kept.
harmless() {
    printf '%s' "$1" | tr '\000-\037\177' ' ' | sed -e 's/::/: :/g' -e 's/##\[/# #[/g'
}

annotate() {
    if [ "$GATE_FORGE" = github ]; then
        printf '::%s title=Policies::%s\n' "$1" "$(harmless "$2" | sed 's/%/%25/g')"
    else
        printf '%s: %s\n' "$1" "$(harmless "$2")" >&2
    fi
}

stop() {
    annotate error "$1"
    exit 1
}

# Print a secret without the line ends that it may have from a file.
trimmed() {
    printf '%s' "$1" | tr -d '\r\n'
}

# Succeed if a secret has only characters of keys and tokens. A quote could end the value in curl's configuration and
# add options, such as a proxy that receives the secret.
fits() {
    [ "$(printf '%s|' "$1" | LC_ALL=C tr -d 'A-Za-z0-9._~+/=:-')" = '|' ]
}

# Send a request; a header with a secret comes on standard input, because arguments show in the process list.
# The reply goes to "$work/reply", its head to "$work/head", its status to $status: 000 if there is no complete one.
exchange() { # method, URL, accepted type, file of a JSON body or nothing
    : > "$work/reply"
    : > "$work/head"
    status=$(curl --silent --show-error --globoff --max-time 45 --max-filesize 16000000 --proto '=http,https' \
        --config - --request "$1" --header "Accept: $3" ${4:+--header "Content-Type: application/json"} \
        ${4:+--data-binary "@$4"} --dump-header "$work/head" --output "$work/reply" \
        --write-out '%{http_code}' --url "$2") || status=000
}

# Succeed if the same request may do better later: no answer, a limit of requests, an error of the server.
is_passing() {
    case $status in
        000 | 408 | 425 | 429 | 5??) return 0 ;;
        403) grep -qiE '^(retry-after:|x-ratelimit-remaining: *0)' "$work/head" ;;
        *) return 1 ;;
    esac
}

# Wait as long as the server asks for, a minute at most.
pause() {
    seconds=$(sed -nE 's/^[Rr]etry-[Aa]fter: *([0-9]{1,5}).*$/\1/p' "$work/head" | head -n 1)
    [ "${seconds:-5}" -le 60 ] || seconds=60
    sleep "${GATE_POLL_SECONDS:-${seconds:-5}}"
}

# Ask the gate, up to three times.
ask() { # accepted type
    for try in 1 2 3; do
        exchange POST "${GATE_URL%/}/policies/diff" "$1" "$work/candidate" << HEADER
$gate_header
HEADER
        is_passing && [ "$try" -lt 3 ] || return 0
        pause
    done
}

# Call the API of the forge.
forge() { # method, URL, file of a JSON body or nothing
    exchange "$1" "$2" application/json "${3:-}" << HEADER
header = "$forge_header$forge_token"
HEADER
}

# Print one file as a JSON object of its name and text.
file_as_json() {
    jq -n --arg name "$1" --rawfile text "$2" '{($name): $text}'
}

# Write the files of a candidate, with calendars beside them or below, as the body of the request.
write_candidate() {
    case $GATE_POLICIES in /*) path=$GATE_POLICIES ;; *) path=./$GATE_POLICIES ;; esac
    path=${path%/}
    if [ -d "$path" ]; then
        folder=$path
        set -- "$path"/*.yaml
    else
        folder=${path%/*}
        set -- "$path"
    fi
    for file in "$@"; do
        # A link could lead to a file that isn't meant for the gate.
        { [ -f "$file" ] && [ ! -L "$file" ]; } || stop "there is no policy file ${file#./}"
        file_as_json "${file##*/}" "$file" >> "$work/policies" || stop "${file#./} can't be read"
    done
    : > "$work/calendars"
    if grep -q icalendar "$@"; then
        find "$folder" -name .git -prune -o -type f -name '*.ics' -print > "$work/names"
        while IFS= read -r file; do
            file_as_json "${file#"$folder"/}" "$file" >> "$work/calendars" || stop "${file#./} can't be read"
        done < "$work/names"
    fi
    jq -n --slurpfile policies "$work/policies" --slurpfile calendars "$work/calendars" \
        '{policies: ($policies | add), calendars: ($calendars | add // {})}' > "$work/candidate" ||
        stop "jq can't put the policies together"
}

# Compare; the difference goes to "$work/markdown", its flags to $differs, $opens and $closes. Fail with errors in it.
compare() {
    ask application/json
    if [ "$status" = 422 ] && jq -e '.problems | length > 0' "$work/reply" > "$work/null" 2>&1; then
        differs=true opens=false closes=false complete=true
        write_problems
        return 1
    fi
    flags=$(jq -r 'if ([.differs, .opens, .closes, .complete] | all(type == "boolean"))
        then "\(.differs) \(.opens) \(.closes) \(.complete)" else error("no difference") end' "$work/reply" 2> "$work/null") || flags=
    { [ "$status" = 200 ] && [ -n "$flags" ]; } || refused
    differs=${flags%% *} complete=${flags##* }
    flags=${flags#* } flags=${flags% *}
    opens=${flags% *} closes=${flags#* }
    ask text/markdown
    [ "$status" = 200 ] || refused
    cp "$work/reply" "$work/markdown"
}

refused() {
    detail=$(jq -r '.detail // empty | tostring' "$work/reply" 2> "$work/null" | head -c 500)
    stop "the gate gave no usable answer (status $status${detail:+: $detail})"
}

# Write the errors of the policies as an indented block, in which nothing is markup.
write_problems() {
    printf '### The policies have errors\n\nNothing was compared.\n\n' > "$work/markdown"
    jq -r '.problems[:50][] | "    \(.file):\(.line):\(.column): \(.path): \(.message)"
        | gsub("[\\x00-\\x1f\\x7f]"; " ")' "$work/reply" | cut -c 1-500 >> "$work/markdown"
    jq -r '.problems[:20][] | "\(.file):\(.line): \(.message)" | gsub("[\\x00-\\x1f\\x7f]"; " ")' "$work/reply" |
        while IFS= read -r line; do annotate error "$line"; done
}

# Find the comments of earlier runs: the first is $own, the others are left over from runs at the same time.
find_comments() {
    own='' others='' page=1
    while :; do
        forge GET "$comments?per_page=100&page=$page"
        [ "$status" = 200 ] || return 1
        # Only our own: everyone may write a comment that begins with the marker.
        found=$(jq -r --arg marker "$marker" --arg author "$author" '.[]
            | select((.body | type == "string" and startswith($marker)) and .'"$author_at"' == $author)
            | .id | numbers' "$work/reply" 2> "$work/null") || return 1
        for id in $found; do
            if [ -z "$own" ]; then own=$id; else others="$others $id"; fi
        done
        [ "$(jq length "$work/reply")" -ge 100 ] && [ "$page" -lt 50 ] || return 0
        page=$((page + 1))
    done
}

# Renew the comment, or write the first one. Without a difference there is none to write.
put_comment() {
    find_comments || return 1
    status=200
    [ -n "$own" ] || [ "$differs" = true ] || return 0
    if [ -n "$own" ]; then
        forge "$renew" "$one_comment/$own" "$work/comment"
        # It was deleted in the meantime.
        [ "$status" != 404 ] || own=''
    fi
    [ -n "$own" ] || forge POST "$comments" "$work/comment"
    case $status in 200 | 201) ;; *) return 1 ;; esac
    for id in $others; do forge DELETE "$one_comment/$id"; done
    status=200
}

# Set the addresses and the names of the forge's API.
choose_forge() {
    if [ "$GATE_FORGE" = github ]; then
        forge_header='Authorization: Bearer ' renew=PATCH author_at=user.login author=$GATE_AUTHOR
        comments=$GATE_FORGE_API/repos/$GATE_REPOSITORY/issues/$GATE_NUMBER/comments
        one_comment=$GATE_FORGE_API/repos/$GATE_REPOSITORY/issues/comments
        return
    fi
    forge_header='PRIVATE-TOKEN: ' renew=PUT author_at=author.username
    comments=$GATE_FORGE_API/projects/$GATE_REPOSITORY/merge_requests/$GATE_NUMBER/notes
    one_comment=$comments
    forge GET "$GATE_FORGE_API/user"
    author=$(jq -r '.username | strings' "$work/reply" 2> "$work/null")
}

comment() {
    marker="<!-- freezegate-diff $(printf '%s' "$GATE_POLICIES" | tr -c 'A-Za-z0-9._/' '_') -->"
    jq -n --arg marker "$marker" --arg commit "$(printf '%s' "$GATE_COMMIT" | tr -cd '0-9a-f')" \
        --rawfile text "$work/markdown" \
        '{body: (($marker + "\n" + $text)[:65000] + "\n\nPolicies of " + $commit[:12] + ", compared with those in force.")}' \
        > "$work/comment"
    for try in 1 2 3; do
        # All of it again: a comment whose answer was lost is there.
        choose_forge
        { [ -n "$author" ] && put_comment; } && return 0
        is_passing && [ "$try" -lt 3 ] || break
        pause
    done
    annotate warning "the difference could not be put into a comment (status $status)"
}

command -v jq > "$work/null" || stop "this needs jq"
gate_key=$(trimmed "${GATE_API_KEY:-}")
forge_token=$(trimmed "${GATE_COMMENT_TOKEN:-}")
fits "$gate_key" || stop "the key of the gate holds characters that no key has"
fits "$forge_token" || stop "the token for comments holds characters that no token has"
gate_header=''
[ -z "$gate_key" ] || gate_header="header = \"Authorization: Bearer $gate_key\""
case ${GATE_FAIL_ON:-} in '' | opens | closes | any) ;; *) stop "fail-on is opens, closes or any" ;; esac
write_candidate
failure=''
compare || failure="the policies have errors"
cat "$work/markdown" >> "${GATE_SUMMARY:-/dev/null}"
printf 'differs=%s\nopens=%s\ncloses=%s\n' "$differs" "$opens" "$closes" >> "${GITHUB_OUTPUT:-/dev/null}"
harmless "$(sed -n 's/^### //p;q' "$work/markdown")" && echo
if [ -n "${GATE_NUMBER:-}" ] && [ -n "$forge_token" ]; then comment; fi
case "${GATE_FAIL_ON:-} $opens $closes $complete" in
    'opens true '* | 'any true '*) failure="hours open, which fail-on forbids" ;;
    'closes '*' true '* | 'any '*' true '*) failure="hours close, which fail-on forbids" ;;
    [a-z]*' false') failure="not all was compared, so fail-on can't be judged" ;;
esac
[ -z "$failure" ] || stop "$failure"
