#!/bin/bash
# A thousand silent clients while another is served, and a handshake cut off at each of its bytes.
# timeout: 180
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/peers/peers.sh
. "$top/tests/peers/peers.sh"
quick_mesh 4000
ulimit -n 8192 2>/dev/null || skip "this shell may not open 8192 files"
export MESHSHIM_LOG_FILE=$work/mesh.log

for mode in epoll edge; do
    port=$(free_port)
    spawn "victim-$mode" mesh server "$victim" server "$port" "$mode"
    server=$spawned
    wait_port "$port"
    spawn "silent-$mode" "$badpeer" --role client --port "$port" --hold 1000 --until "$work/let-go-$mode"
    silent=$spawned
    wait_until 20 grep -q '^holding 1000' "$work/silent-$mode.log" || fail "not a thousand connections"
    start=$SECONDS
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        timeout 10 "$badpeer" --role client --port "$port" --ca "$work/ca" --case honest | grep -q '^exchanged' || break
        served=$_
    done
    if [ "${served:-0}" = 10 ] && [ $((SECONDS - start)) -le $((2 * slow)) ]; then
        ok "silent/$mode: ten others were served at once"
    else
        not_ok "silent/$mode: ${served:-0} of ten others were served, in $((SECONDS - start)) s"
    fi
    timed_out() {
        [ "$(grep -c 'recv = -1 ETIMEDOUT' "$work/victim-$mode.log")" -ge 1000 ]
    }
    if wait_until 20 timed_out; then
        ok "silent/$mode: each was given up at its deadline"
    else
        not_ok "silent/$mode: $(grep -c ETIMEDOUT "$work/victim-$mode.log") of 1000 were given up"
    fi
    touch "$work/let-go-$mode"
    gone "$silent" 10
    kill "$server"
    gone "$server" 10
done

port=$(free_port)
spawn victim mesh server "$victim" server "$port" blocking
server=$spawned
wait_port "$port"
timeout $((60 * slow)) "$badpeer" --role client --port "$port" --ca "$work/ca" --case cut_at_every_byte >"$work/cut.log" 2>&1
places=$(sed -n 's/^cut at \([0-9]*\) places/\1/p' "$work/cut.log")
ended() {
    [ "$(grep -c '^peer ' "$work/victim.log")" -ge "${places:-1}" ]
}
if [ "${places:-0}" -gt 500 ] && wait_until 20 ended && ! grep -qE 'peer [0-9]+: [1-9]' "$work/victim.log"; then
    ok "cut: a handshake cut at each of $places places is an end and nothing else"
else
    not_ok "cut: ${places:-no} places, $(grep -c '^peer ' "$work/victim.log") ends"
fi
if timeout 10 "$badpeer" --role client --port "$port" --ca "$work/ca" --case honest | grep -q '^exchanged'; then
    ok "cut: an honest client is served afterwards"
else
    not_ok "cut: an honest client is not served afterwards"
fi
kill "$server"
if ! { gone "$server" 10 && wait "$server"; }; then
    not_ok "cut: the victim ended badly"
fi
[ "$failures" -eq 0 ]
