#!/bin/bash
# Debian's own kernel, booted in qemu: it has what this machine's may lack, kernel TLS. Plain and meshed sockets go through the scripts of
# the trace test there, with the kernel at both ends or at one; files are sent by it, bad peers met. Statistics tell that it was the kernel.
# packages: qemu-system-x86 busybox-static cpio
# timeout: 900
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/guest/guest.bash
. "$top/tests/guest/guest.bash"

case $(basename "$B") in asan | tsan) skip "sanitizers and an emulated machine are too slow together" ;; esac
guest_begin || skip "$guest_reason"
guest_add "$(command -v diff)" "$(command -v sed)" "$(command -v grep)" "$(command -v awk)" "$(command -v sort)" "$(command -v tail)" \
    "$(command -v timeout)" /usr/bin/cat "$(gcc -print-file-name=libgcc_s.so.1)" \
    "$B/libmeshshim.so" "$meshctl" "$B/tests/trace/trace" "$B/tests/peers/badpeer" "$B/tests/peers/victim"
guest_add_python array encodings.idna fcntl hashlib json os select socket subprocess sys termios time
guest_add_tree "$top/tests/integration"
guest_add_tree "$top/tests/peers"
guest_copy "$top/tests/lib.sh"
guest_modules tls aesni-intel gcm chacha20poly1305 chacha-x86_64 poly1305-x86_64

# Scripts that move and await bytes on connections that stand: what comes before is the same on every kernel, and takes an emulated machine
# longer than a handshake may last. Not epoll_rdhup: the kernel raises one edge more, for the goodbye.
both="poll_after_partial_read select_life epoll_level epoll_oneshot epoll_level_small_parts epoll_edge epoll_edge_partial_read
    epoll_edge_rearm epoll_edge_out_after_full epoll_edge_until_short read_single_bytes read_over_several_sends read_zero_bytes
    readv_many recvmsg recv_efault eof_repeated splice_from_socket peek peek_over_several_sends waitall waitall_large dontwait
    trunc fionread fionread_several_sends rcvtimeo rcvlowat_recv rcvlowat_poll write_kinds writev_uneven sendfile
    splice_to_socket msg_more send_errors sendfile_nonblocking sndtimeo partial_write_continued blocking_write_large
    half_close_large_reply epipe_after_close reset_read_twice reset_poll_and_so_error reset_write close_with_unread_data
    close_partly_read fork_reads_in_turn exec_posix_spawn exec_partly_read pass_to_child sandbox_child zerocopy_set_before
    zerocopy_accepted"
mixed="epoll_edge_until_short peek fionread rcvlowat_poll writev half_close_large_reply"
# Those to which the kernel gives the answer that this library gives; before Linux 6.14, without changes of keys.
peers="honest data_with_finished flipped_bit truncated_mid_record oversize_record plaintext_later unknown_inner_type fatal_alert
    bad_key_update empty_handshake_record session_tickets padded_records largest_records"
[ "$(printf '%s\n' 6.14 "$guest_release" | sort -V | head -n 1)" = 6.14 ] && peers+=" key_update_sent key_update_requested"

echo "# Linux $guest_release, $guest_accel"
guest_run 800 <<JOB
export B=$B PATH=$PATH
export TEST_SLOW=$guest_slow MESH_SERVICE_KEYS='handshake_grace = 5s' LAYERS_BYTES=1000001 PEERS_LIMIT=2000
cd $top
{
    export MESH_CLIENT_KEYS='record_layer = user' MESH_SERVER_KEYS='record_layer = kernel'
    bash tests/integration/trace.sh $(xargs <<<"$mixed")
    export MESH_CLIENT_KEYS='record_layer = kernel' MESH_SERVER_KEYS='record_layer = user'
    bash tests/integration/trace.sh $(xargs <<<"$mixed")
    export MESH_CLIENT_KEYS= MESH_SERVER_KEYS=
    LAYERS_PAIRS='auto/auto kernel/kernel kernel/user user/kernel' bash tests/integration/record_layer.sh
    export MESH_WORKLOAD_KEYS='record_layer = kernel'
    bash tests/integration/bad_peers.sh $(xargs <<<"$peers")
} 2>&1 &
export MESH_WORKLOAD_KEYS='record_layer = kernel'
bash tests/integration/trace.sh $(xargs <<<"$both") 2>&1
bash tests/integration/begun.sh select poll 2>&1
cat /proc/net/tls_stat
wait
JOB
ended=$?
grep -E '^(ok|not ok|skip|#)' "$work/guest.log"
[ $ended -eq 0 ] || { tail -n 20 "$work/console.log" | sed 's/^/# /'; not_ok "ktls: the guest did not come to its end"; }
[ "$failures" -eq 0 ] && ! grep -q '^not ok' "$work/guest.log"
