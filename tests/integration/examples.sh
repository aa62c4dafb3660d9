#!/bin/bash
# Every example runs as its README says, and leaves nothing behind.
# timeout: 300
# shellcheck disable=SC2015 # ok never fails
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

[ "$slow" -eq 1 ] || skip "the examples preload the library alone, without a sanitizer's"
mkdir "$work/tmp"
export TMPDIR=$work/tmp B

# example NAME WORDS…: it ends well and says each of the words.
example() {
    local name=$1 status word
    shift
    timeout -k 5 120 "$top/examples/$name/run" >"$work/$name.log" 2>&1 </dev/null
    status=$?
    if [ "$status" -eq 77 ]; then
        echo "skip examples/$name: $(tail -n 1 "$work/$name.log")"
        return
    elif [ "$status" -ne 0 ]; then
        not_ok "examples/$name: ends with status $status"
        tail -n 20 "$work/$name.log" | sed 's/^/# /'
        return
    fi
    for word in "$@"; do
        grep -qE -- "$word" "$work/$name.log" && ok "examples/$name: says '$word'" || not_ok "examples/$name: does not say '$word'"
    done
    [ -z "$(ls -A "$work/tmp")" ] && ok "examples/$name: leaves no file" || not_ok "examples/$name: leaves $(ls -A "$work/tmp")"
}

example redis 'reads: good morning' 'without an identity reads nothing' 'default/web +mutual_tls'
example nginx-curl 'shop +on the strict +port: served' 'guest +on the strict +port: refused' 'nobody +on the strict +port: refused' \
    'nobody +on the permissive port: served' 'default/shop +mutual_tls'
example dockerfile 'answers a meshed curl' 'refuses one without an identity'

for directory in "$top"/examples/*/; do
    name=$(basename "$directory")
    [ -x "$directory/run" ] && ok "examples/$name: has a run script" || not_ok "examples/$name: has no run script"
done
[ "$failures" -eq 0 ]
