# shellcheck shell=bash disable=SC2154 # variables of tests/lib.sh, machine.sh and servers.sh
# The loads. Each takes a way (plain, own, a sidecar, meshed), runs once, and adds a line to the results:
#   load<tab>way<tab>answers a second<tab>p50, p99, p99.9 in us<tab>processor time in us an answer, both nodes with all that runs there
# A load that a way does not do returns 0 and adds nothing. What each is called in the tables: report.py.

record() {
    local IFS=$'\t'
    echo "$*" >>"$results"
}

# run_client WAY COMMAND…: on the client's processor, meshed where that is the way.
run_client() {
    local way=$1
    shift
    case $way in
    meshed*) mesh "${client_ini:-client}" "${client_cpu[@]}" "$@" ;;
    *) "${client_cpu[@]}" "$@" ;;
    esac 2>"$work/client.log"
}

# drive_load LOAD WAY SERVICE OPTION… — WORDS: the load client, see drive/drive.c; %p in WORDS is the port.
drive_load() {
    local load=$1 way=$2 service=$3 options=() line
    shift 3
    [ -n "${port[$way:$service]:-}" ] || return 0
    [ "$way" = own ] && options=(-s "$work/client")
    [ "$way:$service" = own:resumed ] && options+=(-m)
    line=$(run_client "$way" "$B/bench/drive" "${options[@]}" -t "$(seconds_of "$way")" -p "${workers[$way:$service]}" \
        "${@//%p/${port[$way:$service]}}") || return 1
    # shellcheck disable=SC2086 # six numbers; the last is the share that was resumed, which is known of the own client alone
    set -- $line
    [ "$way:$service" != own:resumed ] || awk "BEGIN { exit $6 < 0.9 }" || fail "own TLS resumed only $6 of its connections"
    [ "$way" != meshed ] || prove_resumed "$service"
    record "$load" "$way" "$1" "$2" "$3" "$4" "$5"
}

# Sidecars are at a half of plain text and less; what differs by hundredths is looked at three times as long.
seconds_of() {
    case $1 in
    plain | own | meshed) awk "BEGIN { print 3 * $duration }" ;;
    *) echo "$duration" ;;
    esac
}

# The client's count of connections, and of those that were resumed.
client_connections() {
    "$meshctl" stats --runtime-dir "$work/run" -o json | /usr/bin/python3 -c '
import json, sys
ours = [e["connections"] for e in json.load(sys.stdin)["entries"] if e["direction"] == "outbound"]
print(sum(c["opened"] for c in ours), sum(c["resumed"] for c in ours))'
}

# prove_resumed SERVICE: of the meshed connections since the last time, nine of ten were resumed, or none.
opened_before=0 resumed_before=0
prove_resumed() {
    local opened resumed share
    read -r opened resumed <<<"$(client_connections)"
    share=$(awk "BEGIN { n = $opened - $opened_before; print n ? ($resumed - $resumed_before) / n : 0 }")
    opened_before=$opened resumed_before=$resumed
    case $1 in
    resumed) awk "BEGIN { exit $share < 0.9 }" || fail "meshed: only $share of its connections were resumed" ;;
    new) [ "$share" = 0 ] || fail "meshed: $share of its connections were resumed, of which none was to be" ;;
    esac
}

# What Redis is asked for must be there.
fill_redis() {
    local way options
    for way in plain own meshed; do
        options=()
        [ "$way" = own ] && options=(-s "$work/client")
        run_client "$way" "$B/bench/drive" "${options[@]}" -c 1 -t 0.02 set "${port[$way:redis]}" >/dev/null || fail "$way: Redis takes no value"
    done
}

http_1k_16() { drive_load http_1k_16 "$1" http -c 16 http %p /1k; }
http_1k_64() { drive_load http_1k_64 "$1" http -c 64 http %p /1k; }
http_256k() { drive_load http_256k "$1" http -c 16 http %p /256k; }
http_1m() { drive_load http_1m "$1" http -c 16 http %p /1m; }
http_rate() { drive_load http_rate "$1" http -c 16 -r "$rate" http %p /1k; }
new_full() { client_ini=client-full drive_load new_full "$1" new -c 16 -e http %p /1k; }
new_resumed() { drive_load new_resumed "$1" resumed -c 16 -e http %p /1k; }
redis_get() { drive_load redis_get "$1" redis -c 32 get %p; }
redis_get_16() { drive_load redis_get_16 "$1" redis -c 32 -n 16 get %p; }
redis_set() { drive_load redis_set "$1" redis -c 32 set %p; }
redis_set_16() { drive_load redis_set_16 "$1" redis -c 32 -n 16 set %p; }
redis_rate() { drive_load redis_rate "$1" redis -c 16 -r "$rate" get %p; }

# metered LOAD WAY SERVICE COMMAND…: a public tool, and the processor time that it costs. Its output is in $metered.
metered() {
    local way=$1 service=$2
    shift 2
    metered=$(run_client "$way" "$B/bench/meter" "${workers[$way:$service]}" "$@")
}

# Of the output: per_answer COUNT.
per_answer() {
    awk -v "count=$1" '$1 == "processor" { printf "%.3f", $2 / count }' <<<"$metered"
}

pgbench_select() {
    local way=$1 sslmode=disable client_ini=pg-client rate_now count
    [ -n "${port[$way:postgres]:-}" ] || return 0
    [ "$way" = own ] && sslmode=verify-ca
    metered "$way" postgres env PGSSLMODE="$sslmode" PGSSLCERT="$work/pg/client/cert.pem" PGSSLKEY="$work/pg/client/key.pem" \
        PGSSLROOTCERT="$work/pg/client/ca.pem" "${as_postgres[@]}" "$postgres/pgbench" -h 127.0.0.1 \
        -p "${port[$way:postgres]}" -U bench -n -S -c 8 -T "$(whole "$duration")" postgres || return 1
    rate_now=$(awk '/^tps/ { print $3 }' <<<"$metered")
    count=$(awk -F ': *' '/actually processed/ { print $2 + 0 }' <<<"$metered")
    # pgbench tells the mean alone.
    record pgbench_select "$way" "$rate_now" "$(awk '/^latency average/ { print $4 * 1000 }' <<<"$metered")" - - \
        "$(per_answer "$count")"
}

# pgbench and wrk count in whole seconds.
whole() {
    awk "BEGIN { t = int($1 + 0.5); print t < 1 ? 1 : t }"
}

# The same by public tools, so that nobody has to trust our own client. wrk can show no certificate, so it cannot ask a server's
# own TLS, which is mutual.
wrk_1k() {
    local way=$1
    [ "$way" != own ] || return 0
    metered "$way" http wrk -t 1 -c 64 -d "$(whole "$duration")s" --latency "http://127.0.0.1:${port[$way:http]}/1k" || return 1
    if grep -q 'Socket errors\|Non-2xx' <<<"$metered"; then
        return 1
    fi
    record wrk_1k "$way" "$(awk '$1 == "Requests/sec:" { print $2 }' <<<"$metered")" \
        "$(awk '$1 == "50%" { print microseconds($2) }'"$microseconds" <<<"$metered")" \
        "$(awk '$1 == "99%" { print microseconds($2) }'"$microseconds" <<<"$metered")" - \
        "$(per_answer "$(awk '$2 == "requests" { print $1 }' <<<"$metered")")"
}
microseconds='function microseconds(t) { return t ~ /us$/ ? t + 0 : t ~ /ms$/ ? t * 1000 : t * 1000000 }'

redis_benchmark_get() {
    local way=$1 tls=() line count
    [ -n "${port[$way:redis]:-}" ] || return 0
    [ "$way" = own ] && tls=(--tls --cert "$work/client/cert.pem" --key "$work/client/key.pem"
        --cacert "$work/client/ca.pem" --tls-ciphersuites "$ciphersuite")
    count=$(awk "BEGIN { print int(40000 * $duration) }")
    metered "$way" redis redis-benchmark -h 127.0.0.1 -p "${port[$way:redis]}" "${tls[@]}" -c 32 -n "$count" -t get --csv || return 1
    line=$(grep '^"GET"' <<<"$metered" | tr -d '"')
    # test,rps,avg,min,p50,p95,p99,max; milliseconds
    record redis_benchmark_get "$way" "$(cut -d, -f2 <<<"$line")" "$(cut -d, -f5 <<<"$line" | awk '{ print $1 * 1000 }')" \
        "$(cut -d, -f7 <<<"$line" | awk '{ print $1 * 1000 }')" - "$(per_answer "$count")"
}
