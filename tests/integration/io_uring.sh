#!/bin/bash
# io_uring would read and write a protected connection past the library: a program that asks for a ring by libc's syscall() is told that the
# kernel has none, and falls back, as libuv does. Where nothing is configured, it gets its ring. liburing makes its system calls itself, unseen:
# `meshctl run` says so in a sentence.
# packages: liburing-dev
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
make_mesh

cat >"$work/ring.c" <<'C'
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/io_uring.h>
int main(void)
{
    struct io_uring_params params;
    memset(&params, 0, sizeof params);
    long ring = syscall(SYS_io_uring_setup, 4, &params);
    printf("%s\n", ring >= 0 ? "a ring" : strerrorname_np(errno));
    return 0;
}
C
cat >"$work/library.c" <<'C'
#include <liburing.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    struct io_uring ring;
    int result = io_uring_queue_init(4, &ring, 0);
    printf("%s\n", result == 0 ? "a ring" : strerrorname_np(-result));
    return 0;
}
C
gcc -D_GNU_SOURCE -o "$work/ring" "$work/ring.c" && gcc -D_GNU_SOURCE -o "$work/library" "$work/library.c" -luring || fail "gcc"

# is NAME WANTED COMMAND…
is() {
    local name=$1 wanted=$2 got
    shift 2
    got=$("$@" 2>"$work/err")
    if [ "$got" = "$wanted" ]; then
        ok "io_uring: $name: $wanted"
    else
        not_ok "io_uring: $name: '$got', expected '$wanted'"
        sed 's/^/# /' "$work/err"
    fi
}

plain=$("$work/ring")
[ "$plain" = 'a ring' ] || skip "this kernel gives no rings ($plain)"
is "meshed, by syscall()" ENOSYS mesh client "$work/ring"
is "loaded, not configured" 'a ring' env -u MESHSHIM_CONFIG LD_PRELOAD="$mesh_preload" "$work/ring"
is "loaded, switched off" 'a ring' env MESHSHIM_DISABLE=1 MESHSHIM_CONFIG="$work/client.ini" LD_PRELOAD="$mesh_preload" "$work/ring"
is "by liburing, not configured" 'a ring' env -u MESHSHIM_CONFIG LD_PRELOAD="$mesh_preload" "$work/library"

# It may use the ring for files alone: that nobody can see beforehand, so it is said, and the program runs.
case $(basename "$B") in
asan | tsan) # their run-time library must be the first
    echo "skip io_uring/liburing: a sanitizer's library cannot be preloaded by meshctl run"
    "$meshctl" run --config "$work/client.ini" -- "$work/library" >"$work/out" 2>"$work/err"
    ;;
*) is "by liburing, under meshctl run" 'a ring' "$meshctl" run --config "$work/client.ini" -- "$work/library" ;;
esac
if grep -q 'uses io_uring (liburing.so.2)' "$work/err"; then
    ok "io_uring: meshctl run says that a program uses liburing"
else
    not_ok "io_uring: meshctl run says that a program uses liburing"
    sed 's/^/# /' "$work/err"
fi
[ "$failures" -eq 0 ]
