# shellcheck shell=bash disable=SC2154 # variables of tests/lib.sh, machine.sh and loads.sh
# What things cost by how many there are: connections of a process, processes of a host, services of a configuration. Lines in the
# results: what<tab>size<tab>figure<tab>number

scale() {
    local n kind
    build crowd "" "$bench/scale/crowd.c" "$bench/drive/clock.c"
    build lookup "-I$top/libmeshshim $B/libcore.a -l:libinih.a -lssl -lcrypto -lpthread" "$bench/scale/lookup.c"
    for kind in plain meshed; do
        for n in 100 1000 10000; do
            scale_connections "$kind" "$n"
        done
    done
    for n in 1 10 50 200; do
        scale_processes "$n"
    done
    for n in 10 100 1000; do
        scale_services "$n"
    done
}

# crowd_holds KIND FILE WORDS…: a crowd in the background that has said all its lines; let_go ends it.
crowd_holds() {
    local kind=$1 log=$2
    shift 2
    coproc CROWD { run_client "$kind" "$B/bench/crowd" "$@" >"$log"; }
    wait_until 300 grep -q '^woken' "$log" || fail "a crowd of $2 $kind connections came to no end"
}

let_go() {
    eval "exec ${CROWD[1]}>&-"
    wait "$CROWD_PID"
}

# each STEP FILE: microseconds for one.
each() {
    awk -v step="$1" '$1 == step && $2 { printf "%.2f", $3 / $2 }' "$2"
}

# N idle ones; what 300 more cost then, what a request costs on those, and what the server has kept for each.
scale_connections() {
    local kind=$1 n=$2 more=300 before after
    if [ "$(ulimit -Hn)" != unlimited ] && [ "$(ulimit -Hn)" -lt $((n + more + 100)) ]; then
        echo "$n connections are left out: a process may have $(ulimit -Hn) descriptors" >&2
        return
    fi
    start_echo "$kind"
    run_client "$kind" "$B/bench/crowd" "$echo_port" 1 0 0 </dev/null >/dev/null # the server's own first
    before=$(resident_kib "$echo_pid")
    crowd_holds "$kind" "$work/crowd" "$echo_port" "$n" "$more" 100 "$echo_pid"
    after=$(resident_kib "$echo_pid")
    let_go
    kill "$echo_pid"
    record "connections $kind" "$n" connect "$(each connects "$work/crowd")"
    record "connections $kind" "$n" request "$(each requests "$work/crowd")"
    record "connections $kind" "$n" memory $(((after - before) * 1024 / (n + more)))
}

# least COMMAND…: milliseconds of processor time, of five runs.
least() {
    local run TIMEFORMAT='%3U %3S'
    for ((run = 0; run < 5; run++)); do
        { time "$@" >/dev/null 2>&1; } 2>&1
    done | awk '{ ms = ($1 + $2) * 1000; if (NR == 1 || ms < least) least = ms } END { print least }'
}

# N processes with a connection each.
scale_processes() {
    local n=$1 i members=()
    rm -rf "$work/run" && mkdir "$work/run"
    start_echo meshed
    mkfifo "$work/hold"
    exec {hold}<>"$work/hold"
    for ((i = 0; i < n; i++)); do
        (
            # shellcheck disable=SC2034 # mesh looks at it
            spawning=1
            mesh client "${client_cpu[@]}" "$B/bench/crowd" "$echo_port" 1 1 0
        ) <&"$hold" >"$work/member.$i" 2>"$work/client.log" &
        members+=($!)
    done
    pids+=("${members[@]}")
    for ((i = 0; i < n; i++)); do
        wait_until 120 grep -q '^woken' "$work/member.$i" || fail "process $i of $n came to no end"
    done
    record processes "$n" first "$(cat "$work"/member.* | awk '$1 == "opened" { us += $3 } END { print us / NR * 4 }')"
    record processes "$n" memory "$(awk '$1 == "Private_Dirty:" { print $2 }' "/proc/${members[0]}/smaps_rollup")"
    record processes "$n" stats "$(least "$meshctl" stats -d "$work/run" -o json)"
    record processes "$n" identity "$(least "$meshctl" identity -d "$work/run" -o json)"
    kill "${members[@]}" "$echo_pid"
    wait "${members[@]}" "$echo_pid" 2>/dev/null
    exec {hold}>&-
    rm -f "$work/hold" "$work"/member.*
}

# N services with ten endpoints each.
scale_services() {
    local n=$1 figure number
    {
        write_ini client "$work/client" "$work/run" | sed '/^\[service/,$d'
        /usr/bin/python3 "$bench/scale/services.py" "$n" $((n * 10)) 8080
    } >"$work/services.ini"
    while read -r figure number; do
        record services "$n" "$figure" "$number"
    done < <("${client_cpu[@]}" "$B/bench/lookup" "$work/services.ini" "$n" 1000000)
    record services "$n" analyze "$(least "$meshctl" analyze "$work/services.ini")"
    record services "$n" start "$(least mesh services /bin/true)"
}
