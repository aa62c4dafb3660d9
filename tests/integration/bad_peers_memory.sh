#!/bin/bash
# The same peers, with the victim under valgrind: no leak, no bad access, whatever they do.
# timeout: 600
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/peers/peers.sh
. "$top/tests/peers/peers.sh"
case $(basename "$B") in asan | tsan) skip "the sanitizer build checks this in bad_peers" ;; esac
command -v valgrind >/dev/null || skip "valgrind is not installed: make deps"
slow=5
quick_mesh 1000
export MESHSHIM_LOG_FILE=$work/mesh.log
memcheck=(valgrind -q --leak-check=full "--suppressions=$top/tests/peers/valgrind.supp" --errors-for-leak-kinds=definite --error-exitcode=99 --fair-sched=yes)

few=() # all of them once
for mode in blocking edge; do
    port=$(free_port)
    spawn "victim-$mode" mesh server "${memcheck[@]}" "$victim" server "$port" "$mode"
    server=$spawned
    wait_port "$port" 30
    while read -r case _; do
        case $case in silence | half_hello_silence | slow_loris | key_update_many | expires_meanwhile) continue ;; esac
        timeout $((60 * slow)) "$badpeer" --role client --port "$port" --ca "$work/ca" --case "$case" >"$work/peer.log" 2>&1
        own=$(sed -n 's/^port //p' "$work/peer.log")
        wait_until 10 grep -q "^peer $own:" "$work/victim-$mode.log" || not_ok "memory/client/$mode/$case: no end"
    done < <(cases client "${few[@]}")
    few=(--few)
    kill "$server"
    if gone "$server" 20 && wait "$server"; then
        ok "memory/client/$mode"
    else
        not_ok "memory/client/$mode"
        grep -A 30 '^==' "$work/victim-$mode.log" | head -n 80 | sed 's/^/#   /'
    fi
done

for case in honest plaintext close_at_once foreign_ca wrong_name flipped_bit truncated_mid_record oversize_record fatal_alert session_tickets; do
    port=$(free_port)
    spawn badserver "$badpeer" --role server --port "$port" --ca "$work/ca" --case "$case"
    wait_port "$port"
    mesh client "${memcheck[@]}" "$victim" client "$port" blocking "$secret" 2 >"$work/client.log" 2>&1
    if [ $? -ne 99 ] && ! grep -q '^==[0-9]*== ' "$work/client.log"; then
        ok "memory/server/$case"
    else
        not_ok "memory/server/$case"
        head -n 60 "$work/client.log" | sed 's/^/#   /'
    fi
    kill "$spawned" 2>/dev/null
done
[ "$failures" -eq 0 ]
