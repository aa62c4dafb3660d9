#!/bin/bash
# Plain and meshed sockets go through the same scripts; every result, errno and event must be the same.
# tests/integration/trace.sh [NAME…]: these scripts alone.
# timeout: 400
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
alone "$@"

trace=$B/tests/trace/trace
# Scripts that fill a listener's queue wait for the kernel's retransmissions, which double each time, the first after a second: connect and
# the handshake may last as long, or the library would connect anew at the very moment when the kernel gets through.
export MESH_SERVICE_KEYS="${MESH_SERVICE_KEYS:-}"$'\n'"handshake_timeout = 15s"$'\n'"connect_timeout = 15s"
make_mesh
sed -i 's/^\[inbound\]$/&\nhandshake_timeout = 15s/' "$work"/*.ini
export MESHSHIM_LOG_FILE=$work/mesh.log
# What the thread sanitizer says stands in the trace: to keep it elsewhere, it sets errno before main.
[ -z "${TSAN_OPTIONS:-}" ] || export TSAN_OPTIONS=${TSAN_OPTIONS%:log_path=*}

# Equal traces prove nothing where nothing was meshed: with one side meshed alone, they must differ.
"$trace" half_close_then_reply >"$work/plain" 2>&1
"$trace" --patience $((20 * slow)) --preload "$mesh_preload" --server "$work/server.ini" half_close_then_reply >"$work/meshed" 2>&1
if cmp -s "$work/plain" "$work/meshed"; then
    not_ok "trace: a plain client can talk to a meshed server: nothing is meshed"
else
    ok "trace: a plain client cannot talk to a meshed server"
fi

[ $# -gt 0 ] || mapfile -t scripts < <("$trace" --list)
[ $# -gt 0 ] && scripts=("$@")
for script in "${scripts[@]}"; do
    # What sanitizers are known not to bear, with an empty library as well.
    case $(basename "$B")/$script in
    tsan/cancel*) why="the thread sanitizer does not follow a thread that is cancelled within it" ;;
    tsan/eintr_recv_restart | tsan/eintr_send_restart | tsan/eintr_accept_restart | tsan/eintr*each_restart | tsan/handler_closes | \
        tsan/handler_shuts_down | tsan/handler_writes* | tsan/handler_connects | tsan/handler_longjmp | tsan/handler_longjmp_first | \
        tsan/handler_longjmp_send | tsan/handler_forks_in_*)
        why="the thread sanitizer tells a handler of the signal when the call is over"
        ;;
    tsan/fork_while_connecting) why="the thread sanitizer takes a copy made by clone for the process itself, locks that it found held included" ;;
    ?san/bad_pointers_open) why="a sanitizer reads what a pointer leads to before the call does" ;;
    asan/cancel_connect* | asan/cancel_anywhere) why="the address sanitizer does not follow a thread that is cancelled within it" ;;
    tsan/sandbox_read_write | tsan/sandbox_by_seccomp | tsan/sandbox_nonblocking) why="the thread sanitizer sleeps at the end, which no rule allows" ;;
    ?san/sandbox_without_connection) why="a sanitizer makes calls of its own for a fork and at the end" ;;
    ?san/small_stack*) why="a sanitizer's frames are larger" ;;
    asan/exec_two_preloads) why="the address sanitizer wants to be the first of the libraries" ;;
    asan/no_more_memory) why="the address sanitizer ends a program that has no more memory" ;;
    ?san/dlclose_between) why="a sanitizer refuses RTLD_DEEPBIND" ;;
    *) why= ;;
    esac
    if [ -n "$why" ]; then
        echo "skip trace/$script $why"
        continue
    fi
    : >"$work/mesh.log"
    "$trace" "$script" >"$work/plain" 2>&1
    plain=$?
    "$trace" --patience $((20 * slow)) --preload "$mesh_preload" --client "$work/client.ini" --server "$work/server.ini" \
        "$script" >"$work/meshed" 2>&1
    if [ "$plain" -ne 0 ]; then
        not_ok "trace/$script: the plain run failed"
        sed 's/^/# /' "$work/plain"
    elif diff -U 2 --label plain --label meshed "$work/plain" "$work/meshed" >"$work/diff"; then
        ok "trace/$script"
    else
        not_ok "trace/$script"
        sed 's/^/# /' "$work/diff" "$work/mesh.log"
    fi
done
[ "$failures" -eq 0 ]
