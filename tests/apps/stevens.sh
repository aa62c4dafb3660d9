#!/bin/bash
# The textbook's echo: a parent that writes while its child reads, select, stdio; a process a connection.
# program: W. R. Stevens' echo
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
stevens=$B/tests/apps/programs/stevens
version "W. R. Stevens' echo" "in the style of UNIX Network Programming"
[ -x "$stevens" ] || fail "$stevens is not built: make $stevens"
random_file 3m 3000000
base64 "$work/files/3m" | head -n 20000 >"$work/files/lines"
# Of a kind that one process can send and receive without waiting for itself.
head -n 500 "$work/files/lines" >"$work/files/few"

serve() {
    port=$(free_port)
    spawn stevens mesh server "$stevens" server "$port"
    wait_port "$port"
}
# client HOW FILE: it comes back as it went.
client() {
    limit 30 mesh client "$stevens" "$1" "$port" <"$work/files/$2" >"$work/got" && same "$work/files/$2" "$work/got"
}
several() {
    local i jobs=()
    for i in 1 2 3 4 5; do
        limit 30 mesh client "$stevens" fork "$port" <"$work/files/lines" >"$work/got.$i" &
        jobs+=($!)
    done
    for i in 1 2 3 4 5; do
        wait "${jobs[i - 1]}" && same "$work/files/lines" "$work/got.$i" || return 1
    done
}
works() {
    serve && client fork 3m && client select few && client stdio few && sums <"$work/got"
}
serve
try "stevens: the parent writes 3 MB, the child reads" client fork 3m
try "stevens: five such at once" several
try "stevens: select" client select few
try "stevens: line by line through stdio" client stdio few
try "stevens: both sides are proved" both_proved "$port"
try "stevens: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
