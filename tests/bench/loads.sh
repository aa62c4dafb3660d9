# shellcheck shell=bash disable=SC2154 # variables of tests/lib.sh, machine.sh and servers.sh
# The loads. Each takes a kind (plain, own, meshed), runs once, and adds a line to the results:
#   load<tab>kind<tab>per second<tab>p50 in ms<tab>p99 in ms<tab>the server's processor time in us a request

# Nanoseconds that all threads of a process have run.
cpu_ns() {
    cat "/proc/$1/task/"*/schedstat | awk '{ sum += $1 } END { printf "%.0f", sum }'
}

# per_request PID NANOSECONDS_BEFORE REQUESTS
per_request() {
    awk "BEGIN { print ($(cpu_ns "$1") - $2) / 1000 / $3 }"
}

record() {
    local IFS=$'\t'
    echo "$*" >>"$results"
}

# run_client KIND COMMAND…
run_client() {
    local kind=$1
    shift
    if [ "$kind" = meshed ]; then
        mesh client "${client_cpu[@]}" "$@"
    else
        "${client_cpu[@]}" "$@"
    fi
}

# redis_load NAME KIND REQUESTS PIPELINE
redis_load() {
    local tls=() line before
    before=$(cpu_ns "${redis_pid[$2]}")
    [ "$2" = own ] && tls=(--tls --cert "$work/client/cert.pem" --key "$work/client/key.pem"
        --cacert "$work/client/ca.pem" --tls-ciphersuites "$ciphersuite")
    line=$(run_client "$2" redis-benchmark -h 127.0.0.1 -p "${redis_port[$2]}" "${tls[@]}" -c 32 -P "$4" \
        -n $(($3 * duration)) -t get --csv 2>"$work/client.log" | tail -n 1 | tr -d '"')
    # test,rps,avg,min,p50,p95,p99,max
    case $line in GET,*) ;; *) return 1 ;; esac
    record "$1" "$2" "$(cut -d, -f2 <<<"$line")" "$(cut -d, -f5 <<<"$line")" "$(cut -d, -f7 <<<"$line")" \
        "$(per_request "${redis_pid[$2]}" "$before" $(($3 * duration)))"
}

redis_get() {
    redis_load "Redis GET, 32 connections" "$1" 50000 1
}

redis_get_pipelined() {
    redis_load "Redis GET, 32 connections, -P 16" "$1" 400000 16
}

# wrk_load NAME KIND PATH. wrk can show no client certificate: the servers' own TLS is one-sided here.
wrk_load() {
    local scheme=http out before
    before=$(cpu_ns "${nginx_pid[$2]}")
    [ "$2" = own ] && scheme=https
    out=$(run_client "$2" wrk -t 1 -c 32 -d "${duration}s" --latency \
        "$scheme://127.0.0.1:${nginx_port[$2]}/$3" 2>"$work/client.log")
    if grep -q 'Socket errors\|Non-2xx' <<<"$out"; then
        echo "$out" >>"$work/client.log"
        return 1
    fi
    record "$1" "$2" "$(awk '$1 == "Requests/sec:" { print $2 }' <<<"$out")" \
        "$(awk '$1 == "50%" { print $2 }' <<<"$out")" "$(awk '$1 == "99%" { print $2 }' <<<"$out")" \
        "$(per_request "${nginx_pid[$2]}" "$before" "$(awk '$2 == "requests" { print $1 }' <<<"$out")")"
}

nginx_small() {
    wrk_load "nginx 1 KiB keep-alive, 32 connections" "$1" 1k
}

nginx_large() {
    wrk_load "nginx 1 MiB, 32 connections" "$1" 1m
}

# A connection for each request, one after the other: full handshakes, nothing resumed, both sides prove who they are.
nginx_new() {
    local out port=${nginx_mutual_port[$1]} count before
    before=$(cpu_ns "${nginx_pid[$1]}")
    if [ "$1" = own ]; then
        out=$("${client_cpu[@]}" openssl s_time -new -tls1_3 -ciphersuites "$ciphersuite" -connect "127.0.0.1:$port" \
            -cert "$work/client/cert.pem" -key "$work/client/key.pem" -CAfile "$work/client/ca.pem" -www /1k \
            -time "$duration" 2>"$work/client.log")
        # 1234 connections in 3 real seconds, 1258 bytes read per connection
        count=$(awk '/real seconds/ { print $1 / $4 }' <<<"$out")
    else
        count=$(run_client "$1" "$B/bench/conns" get "$port" "$duration" 2>"$work/client.log")
    fi
    [ -n "$count" ] || return 1
    record "nginx 1 KiB, a connection each" "$1" "$count" - - \
        "$(per_request "${nginx_pid[$1]}" "$before" "$(awk "BEGIN { print $count * $duration }")")"
}
