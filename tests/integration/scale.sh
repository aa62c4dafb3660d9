#!/bin/bash
# Many of everything: connections of one process, processes of one host, services and endpoints of one configuration.
# timeout: 600
# shellcheck disable=SC2154 # common.bash assigns python
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
echo=$B/tests/bench/echo
crowd=$B/tests/bench/scale/crowd
scale=$top/tests/integration/scale.py
idle=$((10000 / slow)) busy=$((1000 / slow)) processes=$((200 / slow)) services=$((1000 / slow))

serve() {
    port=$(free_port)
    spawn "echo-$port" mesh server "$echo" "$port"
    server=$spawned
    wait_port "$port"
}

# count DIRECTION SERVICE PEER WORKLOAD WHAT=VALUE…
count() {
    "$meshctl" stats -d "$work/run" -o json >"$work/stats.json" &&
        "$python" "$top/tests/integration/counts.py" has "$work/stats.json" "$@"
}

both_count() {
    count inbound "inbound:$port" client server "$@" && count outbound peer server client "$@"
}

# come_to WHAT=VALUE…: the counters, in a while; what they are where they do not.
come_to() {
    wait_until 60 both_count "$@" 2>/dev/null || both_count "$@"
}

# step NAME COUNT: a line of the crowd's.
step() {
    grep -q "^$1 $2 " "$work/crowd.log"
}

woken_or_gone() {
    step woken "$idle" || not_running "$1"
}

# One process at each end. What crowd says is checked by itself: every answer is what was sent, the idle ones' at the end too.
connections() {
    local crowded status=0
    serve
    exec {hold}<>"$work/hold"
    # shellcheck disable=SC2016 # the inner shell's
    spawn crowd mesh client bash -c 'exec "$@" <"$0"' "$work/hold" "$crowd" "$port" "$idle" "$busy" 20 {hold}>&-
    crowded=$spawned
    wait_until 200 woken_or_gone "$crowded"
    step opened "$idle" && step connects "$busy" && step requests $((busy * 20)) && step woken "$idle" &&
        both_count connections.opened=$((idle + busy)) connections.active=$((idle + busy)) "latency_us.handshake.count=$((idle + busy))" &&
        "$meshctl" connections -d "$work/run" -o json >"$work/connections.json" &&
        "$python" "$scale" listed "$work/connections.json" $((idle + busy)) || status=1
    exec {hold}>&-
    gone "$crowded" 10 && come_to connections.active=0 && running "$server" || status=1
    kill "$server"
    cat "$work/crowd.log"
    return "$status"
}

members() {
    "$meshctl" identity -d "$work/run" -o json >"$work/identity.json" && "$python" "$scale" usable "$work/identity.json" "$1"
}

# Each with a connection of its own, all at once.
many_processes() {
    local status=0 crowds=() i
    rm -rf "$work/run" && mkdir "$work/run"
    serve
    exec {hold}<>"$work/hold"
    for ((i = 0; i < processes; i++)); do
        (spawning=1 mesh client "$crowd" "$port" 1 1 5) <&"$hold" >"$work/crowd.$i" 2>&1 &
        crowds+=($!)
    done
    pids+=("${crowds[@]}")
    come_to connections.active=$((2 * processes)) && members $((processes + 1)) || status=1
    # Half of them are killed: what they had open is closed, in the counters too.
    kill -9 "${crowds[@]:0:$((processes / 2))}"
    come_to connections.active=$((2 * (processes - processes / 2))) || status=1
    kill "${crowds[@]:$((processes / 2))}"
    wait "${crowds[@]}" 2>/dev/null
    come_to connections.active=0 connections.opened=$((2 * processes)) || status=1
    exec {hold}>&-
    kill "$server"
    return "$status"
}

# large PORT: the client's configuration with many services.
large() {
    {
        mesh_ini client | sed '/^\[service/,$d'
        "$python" "$top/tests/bench/scale/services.py" "$services" $((services * 10)) "$1"
    } >"$work/large.ini"
}

# Named ones are all looked up first, then dialled.
many_services() {
    local status=0
    rm -rf "$work/run" && mkdir "$work/run"
    port=$(free_port)
    large "$port"
    spawn answers mesh server "$python" "$scale" serve "$port"
    wait_port "$port"
    limit 150 mesh large "$python" "$scale" dial "$services" "$work/large.ini" "$meshctl" "$work/run" || status=1
    kill "$spawned"
    return "$status"
}

# least MS COMMAND…: its processor time, the least of five runs.
least() {
    local most=$1 ms=1000000 run now TIMEFORMAT='%U %S'
    shift
    for ((run = 0; run < 5; run++)); do
        read -r now < <({ time "$@" >"$work/least.out" 2>&1; } 2>&1 | awk '{ print ($1 + $2) * 1000 }')
        [ "${now%.*}" -ge "$ms" ] || ms=${now%.*}
    done
    echo "$ms ms"
    [ "$ms" -lt "$most" ]
}

loads() {
    "$meshctl" analyze "$work/large.ini" | grep -v ' is this machine; ' && return 1
    least $((50 * slow)) mesh large /bin/true && least $((100 * slow)) "$meshctl" analyze "$work/large.ini"
}

mkfifo "$work/hold" # what crowds wait for the end of
limit=$(ulimit -Hn)
if [ "$limit" = unlimited ] || [ "$limit" -ge $((idle + busy + 100)) ]; then
    try "scale/$idle idle and $busy busy connections of one process" connections
else
    echo "skip scale/$idle idle and $busy busy connections of one process: it may have $limit descriptors only"
fi
try "scale/$processes processes of one host" many_processes
try "scale/$services services with ten endpoints each, by name and by address" many_services
try "scale/$services services are read in no time" loads
[ $failures -eq 0 ]
