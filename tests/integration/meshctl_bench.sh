#!/bin/bash
# meshctl bench: a service and a command, plain and meshed in turn; what cannot be compared is refused with what to do. How long
# anything takes is no result here.
# timeout: 120
# shellcheck disable=SC2015
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
make_mesh
cd "$work" || exit 1
unset MESHSHIM_CONFIG LD_PRELOAD
permissive=$(free_port) strict=$(free_port) off=$(free_port) closing=$(free_port) nobody=$(free_port) rubbish=$(free_port)

mkdir www && head -c 1024 /dev/zero | tr '\0' a >www/page && chmod 755 . www
cat >nginx.conf <<CONF
$([ "$(id -u)" -ne 0 ] || echo "user root;")
worker_processes 1; daemon off; pid $work/nginx.pid; error_log stderr error; events { }
http {
    access_log off;
    client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f; uwsgi_temp_path $work/u; scgi_temp_path $work/s;
    server {
        listen 127.0.0.1:$permissive; listen 127.0.0.1:$strict; listen 127.0.0.1:$off; root $work/www; keepalive_requests 50;
    }
    server { listen 127.0.0.1:$closing; root $work/www; keepalive_timeout 0; }
}
CONF
cat >>server.ini <<INI
[inbound $permissive]
mtls = permissive
[inbound $closing]
mtls = permissive
[inbound $off]
mtls = off
[inbound $rubbish]
mtls = permissive
INI
spawn nginx mesh server nginx -e stderr -p "$work" -c "$work/nginx.conf"
spawn rubbish mesh server socat "TCP-LISTEN:$rubbish,fork,reuseaddr,bind=127.0.0.1" "SYSTEM:head -n 3; echo what"
for port in "$permissive" "$strict" "$off" "$closing" "$rubbish"; do
    wait_port "$port"
done
sed 's/^identity *=.*/identity = default\/another/' client.ini >another.ini
sed "s/^host *=.*/&\nport = 1/" client.ini >elsewhere.ini

# bench NAME STATUS WORDS ARGUMENT…: exit status, and words on standard error, or on standard output where it is well.
bench() {
    local name=$1 status=$2 words=$3 got said=err
    shift 3
    timeout 60 "$meshctl" bench --library "$B/libmeshshim.so" --rounds 3 "$@" >out 2>err </dev/null
    got=$?
    [ "$status" -ne 0 ] || said=out
    if [ "$got" -eq "$status" ] && grep -q -- "$words" $said; then
        ok "meshctl_bench/$name"
    else
        not_ok "meshctl_bench/$name: exit status $got, expected $status and '$words'"
        sed 's/^/#   /' out err
    fi
}

# holds NAME CONDITION: of the JSON that came out.
holds() {
    if /usr/bin/python3 -c "import json; a = json.load(open('out')); assert $2, a" 2>why; then
        ok "meshctl_bench/$1"
    else
        not_ok "meshctl_bench/$1: $2: $(tail -n 1 why)"
    fi
}

# counted NAME DIRECTION SERVICE: connections of both kinds have been counted, or only those that are meshed.
counted() {
    "$meshctl" stats -d run -o json >stats.json
    if /usr/bin/python3 - "$2" "$3" <<'PY' 2>why; then
import json, sys
direction, service = sys.argv[1:]
seen = {e["security"] for e in json.load(open("stats.json"))["entries"]
        if (e["direction"], e["service"]) == (direction, service) and e["connections"]["opened"] > 0}
assert seen == ({"mutual_tls", "none"} if direction == "inbound" else {"mutual_tls"}), seen
PY
        ok "meshctl_bench/$1"
    else
        not_ok "meshctl_bench/$1: $(tail -n 1 why)"
    fi
}

service() {
    local quick=(--config client.ini --duration 150ms)
    bench table 0 "^Meshed, 127.0.0.1:$permissive answers .*interleaved rounds" "${quick[@]}" "127.0.0.1:$permissive/page"
    if grep -q 'paid for a handshake' out; then not_ok meshctl_bench/keeps; else ok meshctl_bench/keeps; fi
    counted both-came inbound "inbound:$permissive"
    counted meshed-went outbound peer
    bench json 0 verdict "${quick[@]}" -o json --connections 3 "http://localhost:$permissive/page"
    holds json-is-whole 'a["rounds"] == 3 and all(a[s]["answers"] > 100 and a[s]["errors"] == 0 and a[s]["p50_us"] > 0 and a[s]["requests_per_second"] > 0 for s in ("plain", "meshed")) and a["verdict"].startswith("Meshed, ") and a["within_noise"] in (True, False)'
    bench rate 0 "half of the answers of .* come" "${quick[@]}" --rate 300 "127.0.0.1:$permissive/page"
    bench rate-json 0 verdict "${quick[@]}" -o json --rate 300 "127.0.0.1:$permissive/page"
    holds rate-is-kept 'all(200 < a[s]["requests_per_second"] < 400 for s in ("plain", "meshed"))'
    bench closes 0 verdict "${quick[@]}" -o json --connections 2 "127.0.0.1:$closing/absent"
    holds errors-are-counted 'all(a[s]["answers"] == a[s]["errors"] > 0 for s in ("plain", "meshed"))'
    holds connections-are-counted 'all(a[s]["connections"] >= a[s]["answers"] for s in ("plain", "meshed"))'
    bench closes-is-said 0 "nearly every request paid for a handshake" "${quick[@]}" "127.0.0.1:$closing/page"
    bench strict 1 'mtls = strict.*--plain' "${quick[@]}" "127.0.0.1:$strict/page"
    bench strict-and-plain 0 "^Meshed, 127.0.0.1:$strict answers" "${quick[@]}" --plain "127.0.0.1:$off" "127.0.0.1:$strict/page"
}

service_refused() {
    bench not-claimed 1 "no service of .* claims 127.0.0.1:$permissive.*\[service NAME\]" --config elsewhere.ini "127.0.0.1:$permissive"
    bench identity 1 "a meshed request to .* failed.*'allow'" --config another.ini "127.0.0.1:$permissive/page"
    bench nobody 1 'cannot connect.*check that the service runs' --config client.ini "127.0.0.1:$nobody"
    bench not-http 1 'does not speak HTTP' --config client.ini "127.0.0.1:$rubbish"
    bench no-configuration 1 'cannot read the configuration' --config absent.ini "127.0.0.1:$permissive"
    bench unknown-host 1 'the address of .* is not known' --config client.ini nowhere.invalid:80
}

command() {
    local page="http://127.0.0.1:$permissive/page"
    if [ "$slow" -ne 1 ]; then
        echo "skip meshctl_bench/command meshctl cannot preload a sanitizer's library"
        return
    fi
    bench command 0 '^Meshed, curl .*interleaved rounds' --config client.ini -- curl -sSf "$page"
    bench command-json 0 verdict --config client.ini -o json -- curl -sSf "$page"
    holds command-is-whole 'all(a[s]["wall_us"] > 0 and a[s]["processor_us"] > 0 and a[s]["resident_kib"] > 500 for s in ("plain", "meshed"))'
    rm -rf run/*.shm
    bench command-fails 1 'curl ended with status 22 without the library' --config client.ini -- curl -sSf "$page/absent"
    bench command-refused 1 'with the library, so its time' --config another.ini -- curl -sSf "$page"
    bench command-strict 1 'without the library.*permissive' --config client.ini -- curl -sSf "http://127.0.0.1:$strict/page"
    bench command-not-found 1 'nonsense' --config client.ini -- ./nonsense
}

usage() {
    bench no-target 2 'a target is missing' --config client.ini
    bench bad-target 2 'is not HOST:PORT' --config client.ini localhost
    bench bad-port 2 'is not HOST:PORT' --config client.ini localhost:70000
    bench behind 2 'unexpected argument' --config client.ini "127.0.0.1:$permissive" more
    bench few-rounds 2 'expected a number from 3' --rounds 1 "127.0.0.1:$permissive"
    bench no-time 2 'expected up to an hour' --duration 0ms "127.0.0.1:$permissive"
    bench duration 2 'expected up to an hour' --duration 2h "127.0.0.1:$permissive"
    bench format 2 'unknown output format' -o prometheus "127.0.0.1:$permissive"
}

service
service_refused
command
usage
[ "$failures" -eq 0 ]
