#!/bin/bash
# What would go past the hooks, inside libc: libraries that look libc up first, calls that connect or write by themselves.
# timeout: 60
# shellcheck disable=SC2154 # common.bash assigns python
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"

random_file hello 1000
web=$(free_port)
spawn web mesh server "$python" -m http.server "$web" --bind 127.0.0.1 --directory "$work/files"
wait_port "$web"

mkdir "$work/elsewhere"
${CC:-gcc} -D_GNU_SOURCE -shared -fPIC -o "$work/plugin.so" "$top/tests/integration/plugin.c" \
    -Wl,--enable-new-dtags,-rpath,"\$ORIGIN/elsewhere" || fail "cannot build the plug-in"
${CC:-gcc} -D_GNU_SOURCE -shared -fPIC -o "$work/elsewhere/libfound.so" "$top/tests/integration/plugin.c" || fail "cannot build"

plugin() { # HOW
    limit 20 mesh client "$B/tests/apps/programs/plugin_host" "$work/plugin.so" "$1" "$web" /hello >"$work/got" &&
        tail -c 1000 "$work/got" | cmp -s - "$work/files/hello"
}
# By the search path of the library that asks, which is not ours.
plugin_loads() {
    limit 20 mesh client "$B/tests/apps/programs/plugin_host" "$work/plugin.so" load libfound.so
}
plugin_fails_to_load() {
    ! limit 20 mesh client "$B/tests/apps/programs/plugin_host" "$work/plugin.so" load libnowhere.so 2>"$work/said" &&
        grep -q 'libnowhere.so: cannot open shared object file' "$work/said"
}

refused() {
    cat >"$work/expected" <<'END'
aio_write: ENOSYS
aio_write64: ENOSYS
lio_listio: ENOSYS
lio_listio64: ENOSYS
aio_read: ENOSYS
aio_read64: ENOSYS
io_submit: EINVAL
rcmd: EACCES
rcmd_af: EACCES
rexec: EACCES
rexec_af: EACCES
HTTP/1.0 200 OK
END
    limit 20 mesh client "$B/tests/apps/programs/refused" "$web" /hello >"$work/got" 2>"$work/said" &&
        diff "$work/expected" "$work/got" && grep -q 'rcmd would speak to 127.0.0.1 in the clear' "$work/mesh.log"
}

allocates() {
    [ "$(limit 20 mesh client "$B/tests/apps/programs/allocator")" = ready ]
}

[ "$slow" -eq 1 ] && try "surface/allocator: one that reads files at its first call" allocates
try "surface/dlopen: a library as usual" plugin shallow
if [ "$slow" -eq 1 ]; then # a sanitizer has a dlopen of its own before ours, which refuses the flag and is the caller
    try "surface/dlopen: RTLD_DEEPBIND" plugin deep
    try "surface/dlmopen: RTLD_DEEPBIND" plugin apart
    try "surface/dlopen: by the search path of who calls" plugin_loads
fi
try "surface/dlopen: the error is libc's" plugin_fails_to_load
try "surface/refused: asynchronous input and output, rcmd, rexec" refused
[ "$failures" -eq 0 ]
