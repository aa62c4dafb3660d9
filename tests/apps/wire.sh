#!/bin/bash
# What a capture of the wire holds: TLS records in both directions of every connection, and no word of what was said.
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

word=a-word-that-nobody-else-may-read
mkdir -p "$work/files"
yes "$word" | head -c 300000 >"$work/files/page"

# finished COUNT: the relay has seen the end of that many connections, and of no more.
finished() {
    [ "$(find "$work/wire" -name '*.done' | wc -l)" -eq "$1" ]
}

# captured COUNT: that many connections were seen, TLS records in both directions, the word in none.
captured() {
    local files
    wait_until 10 finished "$1" || { echo "the relay has not seen the end of $1 connections"; ls "$work/wire"; return 1; }
    files=("$work"/wire/*.up "$work"/wire/*.down)
    [ "${#files[@]}" -eq $((2 * $1)) ] || { echo "${#files[@]} streams were captured, expected $((2 * $1))"; return 1; }
    "$python" "$top/examples/demo/records.py" "${files[@]}" || return 1
    ! grep -la "$word" "${files[@]}"
}

web=$(free_port)
spawn web mesh server "$python" -m http.server "$web" --bind 127.0.0.1 --directory "$work/files"
wait_port "$web"
relay "$web"
try "wire: curl through the relay" limit 20 mesh client curl -sS --fail -H "X-Word: $word" -o "$work/got" "http://127.0.0.1:$relayed/page?$word"
try "wire: the page is the right one" same "$work/files/page" "$work/got"
try "wire: http.server and curl speak TLS records only" captured 1

redis=$(free_port)
spawn redis mesh server redis-server --port "$redis" --bind 127.0.0.1 --save '' --dir "$work"
wait_port "$redis"
relay "$redis"
say() {
    [ "$(limit 20 mesh client redis-cli -p "$relayed" set "$word" "$word")" = OK ] &&
        [ "$(limit 20 mesh client redis-cli -p "$relayed" get "$word")" = "$word" ]
}
try "wire: redis-cli through the relay" say
try "wire: redis and redis-cli speak TLS records only" captured 2

echo=$(free_port)
spawn echo mesh server "$python" "$top/tests/apps/echo.py" asyncio-server "$echo"
wait_port "$echo"
relay "$echo"
try "wire: 8 echoes through the relay" limit 20 mesh client "$python" "$top/tests/apps/echo.py" selectors-client "$relayed" 65536 8
try "wire: 8 connections speak TLS records only" captured 8

# The proof that the looking finds what it looks for: the same without the mesh.
web=$(free_port)
spawn bare "$python" -m http.server "$web" --bind 127.0.0.1 --directory "$work/files"
wait_port "$web"
relay "$web"
limit 20 curl -sS -o "$work/got" "http://127.0.0.1:$relayed/page?$word"
if captured 1 >"$work/try.out" 2>&1 || ! finished 1; then
    not_ok "wire: plain text went unnoticed"
else
    ok "wire: plain text is noticed where there is no mesh"
fi
[ "$failures" -eq 0 ]
