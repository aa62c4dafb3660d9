#!/bin/bash
# Debian's own kernel, booted in qemu: it has what this machine's may lack, kernel TLS. Plain and meshed sockets go through the scripts of
# the trace test there.
# packages: qemu-system-x86 busybox-static cpio
# timeout: 900
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/guest/guest.bash
. "$top/tests/guest/guest.bash"

case $(basename "$B") in asan | tsan) skip "sanitizers and an emulated machine are too slow together" ;; esac
guest_begin || skip "$guest_reason"
guest_add "$(command -v diff)" "$(gcc -print-file-name=libgcc_s.so.1)" \
    "$B/libmeshshim.so" "$meshctl" "$B/tests/trace/trace" "$B/tests/peers/badpeer"
guest_add_tree "$top/tests/integration"
guest_copy "$top/tests/lib.sh"
guest_modules tls aesni-intel gcm chacha20poly1305 chacha-x86_64 poly1305-x86_64

# Scripts that move and await bytes on connections that stand: what comes before is the same on every kernel, and takes an emulated machine
# longer than a handshake may last.
scripts() {
    awk '/^\/\*/ { wanted = $2 ~ /^(poll|epoll|epoll_edge|read|flags|write|full|dup|options|messages|fortified)\.c$/ }
         wanted && sub(/^SCRIPT\(/, "") { sub(/\).*/, ""); print }' "$top/tests/trace/scripts.def" |
        grep -vE '^(descriptor_|nonblock_)'
}

echo "# Linux $guest_release, $guest_accel"
guest_run 800 <<JOB
export B=$B PATH=$PATH
export TEST_SLOW=$guest_slow MESH_SERVICE_KEYS='handshake_grace = 5s'
cd $top
printf '%s\n' $(scripts | tr '\n' ' ') | xargs -n 20 -P 2 bash tests/integration/trace.sh 2>&1
JOB
ended=$?
grep -E '^(ok|not ok|skip|#)' "$work/guest.log"
[ $ended -eq 0 ] || { tail -n 20 "$work/console.log" | sed 's/^/# /'; not_ok "ktls: the guest did not come to its end"; }
[ "$failures" -eq 0 ] && ! grep -q '^not ok' "$work/guest.log"
