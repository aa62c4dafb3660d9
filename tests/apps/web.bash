# shellcheck shell=bash
# For the tests of programs that speak HTTP. Sourced after common.bash.
# shellcheck disable=SC2154 # lib.sh and common.bash assign work, slow, python, spawned

# fetch URL FILE [ARGUMENT…]: curl gets exactly that file of $work/files.
fetch() {
    local url=$1 file=$2
    shift 2
    limit 40 mesh client curl -sS --fail --max-time $((30 * slow)) -o "$work/got" "$@" "$url" && same "$work/files/$file" "$work/got"
}

# put URL FILE WHERE [ARGUMENT…]: curl uploads that file, and it arrives.
put() {
    local url=$1 file=$2 where=$3
    shift 3
    limit 40 mesh client curl -sS --fail --max-time $((30 * slow)) -T "$work/files/$file" "$@" "$url" &&
        same "$work/files/$file" "$where" && rm "$where"
}

# many URL NUMBER: so many requests on as few connections as curl can do with; $connects is how many those were.
many() {
    connects=no
    limit 40 mesh client curl -sS --max-time $((30 * slow)) -o /dev/null -w '%{http_code} %{num_connects}\n' "$1?[1-$2]" >"$work/many" ||
        { sort "$work/many" | uniq -c; return 1; }
    connects=$(awk '{ n += $2 } END { print n }' "$work/many")
    [ "$(grep -c '^200 ' "$work/many")" -eq "$2" ] || { sort "$work/many" | uniq -c; return 1; }
}

# kept URL NUMBER: all of them on one connection.
kept() {
    many "$@" && [ "$connects" -eq 1 ] || { echo "$connects connections for $2 requests"; return 1; }
}

# bench ARGUMENT… URL: ab counts no failure.
bench() {
    limit 30 mesh client ab -q -s 10 "$@" >"$work/ab" 2>&1 || { cat "$work/ab"; return 1; }
    grep -E 'Complete|Failed|Keep-Alive|Write errors' "$work/ab"
    grep -qE '^Failed requests: *0$' "$work/ab" && ! grep -qE 'Non-2xx|Write errors: *[1-9]' "$work/ab"
}

# load CONNECTIONS URL [ARGUMENT…]: wrk for a second. It counts what fails; it must have done something, too.
load() {
    local connections=$1 url=$2
    shift 2
    limit 20 mesh client wrk -t 1 -c "$connections" -d 1s --timeout 10s "$@" "$url" >"$work/wrk" 2>&1 || return 1
    cat "$work/wrk"
    ! grep -qE 'Socket errors|Non-2xx' "$work/wrk" && [ "$(awk '/requests in/ { print $1 }' "$work/wrk")" -gt 0 ]
}

# under_load RELOAD JOB…: while the job goes on, RELOAD is done again and again, at least twice; both succeed.
under_load() {
    local reload=$1 times=0 job
    shift
    "$@" &
    job=$!
    while running "$job"; do
        "$reload" || { kill "$job"; echo "reload number $times did not come about"; return 1; }
        times=$((times + 1))
    done
    wait "$job" || { echo "the job failed, with $times reloads"; return 1; }
    echo "$times reloads"
    [ "$times" -ge 2 ]
}

# children PID: its child processes, one a line.
children() {
    pgrep -P "$1" | sort
}

# none_of PIDS: all of them have ended.
none_of() {
    local pid
    for pid in $1; do
        not_running "$pid" || return 1
    done
}

# A program in the middle is the server of its clients and a client of the server behind it. $work/middle.ini and
# $work/backend.ini: default/client to default/server to default/server.
middle_mesh() {
    sed 's,^identity .*,identity = default/server,' "$work/server.ini" >"$work/middle.ini"
    sed 's,^allow .*,allow = default/server,' "$work/server.ini" >"$work/backend.ini"
}

# passed_through FRONT BACK: both connections were mutual TLS, the second in the name of the program in the middle.
passed_through() {
    both_proved "$1" && proved inbound "inbound:$2" server
}

# backend: an nginx with the files, and /put/ to upload to, on port $backend.
backend() {
    backend=$(free_port)
    nginx_user
    nginx_conf "server { listen 127.0.0.1:$backend; location /put/ { dav_methods PUT; create_full_put_path on; client_max_body_size 1g; } $*}"
    spawn backend mesh "${backend_as:-backend}" nginx -c "$work/nginx.conf"
    wait_port "$backend"
}

# The body, the status and the headers that do not change from time to time.
answer() {
    limit 20 mesh client curl -sS --max-time 15 -D "$work/head" -o "$work/body" "$@" &&
        grep -iE '^(HTTP/|content-length|content-type|connection|accept-ranges|transfer-encoding)' "$work/head" | tr -d '\r' && sums <"$work/body"
}
