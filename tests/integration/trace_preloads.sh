#!/bin/bash
# The same scripts with other libraries preloaded beside this one, before it and after it, and with everything bound at the start: with an
# allocator of their own, programs start, talk, fork, exec and end as they do without the mesh. Behind libc, where nothing comes to it, it says so.
# timeout: 200
# packages: libjemalloc2 libtcmalloc-minimal4 curl
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
[ "$slow" -eq 1 ] || skip "a sanitizer has an allocator of its own"

trace=$B/tests/trace/trace
make_mesh
export MESHSHIM_LOG_FILE=$work/mesh.log

scripts=(connect_blocking connect_epoll_edge duplex_threads_blocking fork_child_only fork_while_connecting exec_fork_execv
    exec_vfork cancel_anywhere handler_longjmp small_stack exit_talks dlclose_between reuse_threads)

# The library's path by the linker's cache.
path_of() {
    ldconfig -p | awk -v name="$1" '$1 == name { print $NF; exit }'
}

# compare NAME BESIDE ALL…: the scripts with BESIDE alone, and with ALL.
compare() {
    local name=$1 beside=$2 script bad=
    shift 2
    for script in "${scripts[@]}"; do
        : >"$work/mesh.log"
        LD_PRELOAD=$beside "$trace" "$script" >"$work/plain" 2>&1 || bad+=" $script(plain)"
        "$trace" --patience 12 --preload "$*" --client "$work/client.ini" --server "$work/server.ini" "$script" >"$work/meshed" 2>&1
        if ! diff -U 2 --label plain --label meshed "$work/plain" "$work/meshed" >"$work/diff"; then
            bad+=" $script"
            sed 's/^/# /' "$work/diff" "$work/mesh.log"
        fi
    done
    if [ -z "$bad" ]; then
        ok "preloads: $name"
    else
        not_ok "preloads: $name:$bad"
    fi
}

for allocator in libjemalloc.so.2 libtcmalloc_minimal.so.4; do
    path=$(path_of "$allocator")
    if [ -z "$path" ]; then
        not_ok "preloads: $allocator is not installed"
        continue
    fi
    compare "$allocator before" "$path" "$path" "$mesh_preload"
    compare "$allocator after" "$path" "$mesh_preload" "$path"
done

# The first program of a mesh cannot be helped; what it starts is put right.
libc_first="libc.so.6 $mesh_preload"
port=$(free_port)
spawn server mesh server python3 -m http.server "$port"
wait_port "$port"
: >"$work/mesh.log"
LD_PRELOAD=$libc_first MESHSHIM_CONFIG=$work/client.ini curl -s -m 10 "http://127.0.0.1:$port/" >/dev/null
if grep -q "names libc.so.6 in front" "$work/mesh.log"; then
    ok "preloads: libc in front is told"
else
    not_ok "preloads: libc in front is told"
fi
if mesh client env LD_PRELOAD="$libc_first" curl -sf -m 10 "http://127.0.0.1:$port/" >/dev/null; then
    ok "preloads: a program that would be started with libc in front is meshed"
else
    not_ok "preloads: a program that would be started with libc in front is meshed"
    sed 's/^/# /' "$work/mesh.log"
fi

export LD_BIND_NOW=1
compare "LD_BIND_NOW" "" "$mesh_preload"
[ "$failures" -eq 0 ]
