#!/bin/bash
# Redis with its own tools: values come back as they went, pipelines and large values pass, every command is answered.
# program: Redis
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

version Redis "$(redis-server --version | sed 's/.* v=\([^ ]*\).*/\1/')"
# server PORT DIRECTORY ARGUMENT…
server() {
    local number=$1 directory=$2
    shift 2
    mkdir -p "$directory"
    spawn redis mesh server redis-server --port "$number" --bind 127.0.0.1 --save '' --dir "$directory" --daemonize no "$@"
    wait_port "$number"
}
port=$(free_port)
server "$port" "$work/db" --appendonly no

cli() {
    limit 20 mesh client redis-cli -p "$port" "$@"
}

answers() {
    local expected=$1 got
    shift
    got=$(cli "$@") || return 1
    echo "got $got"
    [ "$got" = "$expected" ]
}

round_trip() {
    random_file value "$1"
    [ "$(cli -x set value <"$work/files/value")" = OK ] && cli --raw get value | head -c "$1" >"$work/got" &&
        same "$work/files/value" "$work/got" && rm "$work/files/value"
}

# A thousand commands through a pipe: redis-cli writes and reads at once.
pipe_mode() {
    local i
    # shellcheck disable=SC2016 # Redis's own dollars
    for i in $(seq 1000); do
        printf '*3\r\n$3\r\nSET\r\n$6\r\nk%05d\r\n$5\r\n%05d\r\n' "$i" "$i"
    done >"$work/commands"
    cli --pipe <"$work/commands" >"$work/piped" && cat "$work/piped" && grep -q 'errors: 0, replies: 1000' "$work/piped" &&
        answers 00777 get k00777
}

benchmark() {
    limit 40 mesh client redis-benchmark -h 127.0.0.1 -p "$port" -q --csv "$@" >"$work/bench" 2>&1 || return 1
    cat "$work/bench"
    ! grep -qiE 'error|reset|refused' "$work/bench" && grep -qE '^"GET","[1-9]' "$work/bench"
}

# The subscriber waits for what a second client publishes.
subscription() {
    local heard=$work/heard.log
    spawn heard mesh client redis-cli -p "$port" subscribe news
    wait_until 10 grep -q subscribe "$heard" && answers 1 publish news "good morning" &&
        wait_until 10 grep -q "good morning" "$heard" && kill "$spawned"
}

# Children of the server write everything down while it serves: they have its connections open, too, and end before it does.
writes_down() {
    local port digest status
    port=$(free_port)
    server "$port" "$work/aof" --appendonly yes --enable-debug-command yes
    benchmark -t set,get -r 20000 -n 60000 -c 16 -d 200 >"$work/busy" 2>&1 &
    local busy=$!
    wait_until 10 has_keys && [[ $(cli bgsave) == *started* ]] && wait_until 20 saved rdb_last_bgsave_status &&
        [[ $(cli bgrewriteaof) == *started* ]] && wait_until 20 saved aof_last_bgrewrite_status
    status=$?
    if ! wait "$busy" || [ "$status" -ne 0 ]; then
        cat "$work/busy"
        return 1
    fi
    digest=$(cli debug digest) && cli shutdown && gone "$spawned" 10 || return 1
    server "$port" "$work/aof" --appendonly yes --enable-debug-command yes
    wait_until 10 answers PONG ping && answers "$digest" debug digest && cli dbsize
}
has_keys() {
    [ "$(cli dbsize)" -gt 1000 ]
}
saved() {
    cli info persistence | tr -d '\r' >"$work/persistence"
    grep -q '^rdb_bgsave_in_progress:0$' "$work/persistence" && grep -q '^aof_rewrite_in_progress:0$' "$work/persistence" &&
        grep -q "^$1:ok$" "$work/persistence"
}

# A replica is a server and a client in one process, under the name of the client.
replication() {
    local second
    second=$(free_port)
    sed 's,^allow .*,allow = default/client,' "$work/client.ini" >"$work/replica.ini"
    spawn replica mesh replica redis-server --port "$second" --bind 127.0.0.1 --save '' --dir "$work" --dbfilename replica.rdb \
        --replicaof 127.0.0.1 "$port" --repl-diskless-load swapdb
    wait_port "$second"
    sed 's,^identity .*,identity = default/client,' "$work/client.ini" >"$work/reader.ini"
    wait_until 20 copied "$second"
}

copied() {
    [ "$(limit 10 mesh reader redis-cli -p "$1" get k00777)" = 00777 ]
}

try "redis: ping" answers PONG ping
try "redis: a value of 10 bytes comes back" round_trip 10
try "redis: a value of 100 kB comes back" round_trip 100000
try "redis: a value of 20 MB comes back" round_trip 20000000
try "redis: 1000 commands through --pipe" pipe_mode
try "redis: benchmark -P 1" benchmark -t set,get -n 20000 -c 32 -P 1
try "redis: benchmark -P 16" benchmark -t set,get -n 100000 -c 32 -P 16
try "redis: benchmark -d 100000" benchmark -t set,get -n 2000 -c 16 -d 100000
try "redis: benchmark, threads" benchmark -t get -n 20000 -c 16 --threads 2
try "redis: publish reaches a subscriber" subscription
try "redis: children save while it serves" writes_down
try "redis: a replica copies" replication
try "redis: both sides are proved" both_proved "$port"

# One that is not meshed gets nothing, and the server goes on.
if limit 10 redis-cli -p "$port" ping </dev/null 2>&1 | grep -q PONG; then
    not_ok "redis: a client without an identity was answered"
else
    ok "redis: a client without an identity is refused"
fi
try "redis: answers after that" answers PONG ping

works() {
    local port
    port=$(free_port)
    server "$port" "$work/again"
    answers PONG ping && round_trip 100000 && pipe_mode && benchmark -t set,get -n 2000 -c 8 >/dev/null
}
try "redis: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
