# shellcheck shell=bash disable=SC2154 # variables of tests/lib.sh, machine.sh and loads.sh
# The small costs. Lines in the results: cost<tab>plain or meshed<tab>number

costs() {
    cost_of_calls
    cost_of_loading
    cost_of_first_socket
    cost_of_idle_connections
}

# A call on a descriptor that is not meshed, in three processes by turns: without the library; with it and no configuration;
# with it and a configuration that concerns other ports. Where it is loaded, the hook stands beside libc's own function in the
# same process, so that its share is known well. (A process that has a second thread, ours, pays in libc too.)
cost_of_calls() {
    local round kind name libc hooked
    [ ! -e /etc/meshshim/mesh.ini ] || fail "/etc/meshshim/mesh.ini is there, so no program is without configuration; move it away"
    for ((round = 1; round <= rounds; round++)); do
        for kind in plain unconfigured elsewhere; do
            while read -r name libc hooked; do
                record "call $name" "$kind" "$hooked"
                record "hook $name" "$kind" "$(awk "BEGIN { print $hooked - $libc }")"
            done < <(run_calls "$kind" 2>"$work/client.log")
        done
    done
}

run_calls() {
    case $1 in
    plain) "${client_cpu[@]}" "$B/bench/calls" ;;
    unconfigured) env -u MESHSHIM_CONFIG LD_PRELOAD="$mesh_preload" "${client_cpu[@]}" "$B/bench/calls" ;;
    *) mesh "$1" "${client_cpu[@]}" "$B/bench/calls" ;;
    esac
}

# Starting a process, and what it then keeps for itself.
cost_of_loading() {
    local kind us
    while read -r kind us; do
        record "load us" "$kind" "$us"
    done < <("${client_cpu[@]}" "$B/bench/load" 300 "$mesh_preload" "$work/elsewhere.ini")
    record "load private KiB" plain "$(private_kib cat /proc/self/smaps_rollup)"
    record "load private KiB" meshed "$(private_kib mesh elsewhere cat /proc/self/smaps_rollup)"
}

private_kib() {
    "$@" 2>"$work/client.log" | awk '$1 == "Private_Dirty:" { print $2 }'
}

start_echo() {
    local prefix=()
    [ "$1" = meshed ] && prefix=(mesh server)
    echo_port=$(free_port)
    spawn "echo-$1" "${prefix[@]}" "${server_cpu[@]}" "$B/bench/echo" "$echo_port"
    echo_pid=$spawned
    wait_port "$echo_port"
}

# The first connection of a process makes contexts and reads certificates; the second does not.
cost_of_first_socket() {
    local kind round first second
    for kind in plain meshed; do
        start_echo "$kind"
        run_client "$kind" "$B/bench/conns" first "$echo_port" >/dev/null 2>"$work/client.log" # the server's own first
        for ((round = 1; round <= 20; round++)); do
            read -r first second < <(run_client "$kind" "$B/bench/conns" first "$echo_port" 2>"$work/client.log")
            [ -n "${second:-}" ] || fail "no $kind connection to the echo server"
            record "first socket us" "$kind" "$first"
            record "second socket us" "$kind" "$second"
        done
        kill "$echo_pid"
    done
}

resident_kib() {
    awk '$1 == "VmRSS:" { print $2 }' "/proc/$1/status"
}

# Resident memory of the server, growth over connections that have each said one byte and then nothing.
cost_of_idle_connections() {
    local kind before after count=2000
    for kind in plain meshed; do
        start_echo "$kind"
        run_client "$kind" "$B/bench/conns" first "$echo_port" >/dev/null 2>"$work/client.log"
        before=$(resident_kib "$echo_pid")
        coproc HOLD { run_client "$kind" "$B/bench/conns" hold "$echo_port" $count 2>"$work/hold.log"; }
        read -r -t 60 _ <&"${HOLD[0]}" || fail "$count $kind connections were not made"
        after=$(resident_kib "$echo_pid")
        eval "exec ${HOLD[1]}>&-"
        wait "$HOLD_PID"
        kill "$echo_pid"
        record "idle bytes" "$kind" $(((after - before) * 1024 / count))
    done
}
