#!/bin/bash
# MariaDB, whose server speaks first: questions, MBs in and out, dump and restore, ^C, a replica, threads and a pool of
# threads, and connections that end because they were idle.
# timeout: 120
# program: MariaDB
# packages: mariadb-server mariadb-client
# tsan: MariaDB's InnoDB does not start with the thread sanitizer's allocator
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

export PATH=$PATH:/usr/sbin
command -v mariadbd >/dev/null || skip "MariaDB is not installed"
version MariaDB "$(mariadbd --no-defaults --version | sed 's/.*Ver \([0-9.]*\).*/\1/')"
become mysql
random_file noise 2000000
od -An -v -tx4 -w40 "$work/files/noise" | awk '{print NR "\t" $0}' >"$work/rows"

limit 60 "${become[@]}" mariadb-install-db --no-defaults --datadir="$work/data" --auth-root-authentication-method=normal \
    --skip-test-db --innodb-log-file-size=8M --innodb-fast-shutdown=1 >"$work/install.log" 2>&1 || fail "mariadb-install-db did not work"
cp -a "$work/data" "$work/replica"

# serve NAME WORKLOAD DIRECTORY PORT OPTION…
serve() {
    local name=$1 workload=$2 directory=$3 number=$4
    shift 4
    spawn "$name" mesh "$workload" "${become[@]}" mariadbd --no-defaults --datadir="$directory" --bind-address=127.0.0.1 \
        --port="$number" --socket="$work/$name.sock" --pid-file="$work/$name.pid" --innodb-log-file-size=8M \
        --innodb-buffer-pool-size=32M --innodb-flush-log-at-trx-commit=0 --max-allowed-packet=64M --skip-name-resolve \
        --local-infile=1 "$@"
    wait_port "$number"
    wait_until 20 grep -q "ready for connections" "$work/$name.log" || fail "$name does not start"
}
port=$(free_port)
serve mariadbd server "$work/data" "$port" --server-id=1 --log-bin="$work/data/log"
server=$spawned
client=client

tool() {
    local program=$1
    shift
    limit 30 mesh "$client" "${become[@]}" "$program" --no-defaults --protocol=tcp -h 127.0.0.1 -P "$port" -u root "$@"
}

sql() {
    tool mariadb -B -N -r --local-infile=1 --max-allowed-packet=64M "$@"
}

says() {
    local expected=$1 got
    got=$(sql -e "$2") || return 1
    echo "got $got"
    [ "$got" = "$expected" ]
}

loads() {
    sql -e "create database if not exists shop; use shop; create or replace table big (n int primary key, t text);
        load data local infile '$work/rows' into table big" &&
        sql --quick -e "select * from shop.big order by n" >"$work/copied" && same "$work/rows" "$work/copied"
}

blob() {
    { printf "create table shop.blobs (b longblob); insert into shop.blobs values (0x" && od -An -v -tx1 "$work/files/noise" | tr -d ' \n' &&
        echo "); insert into shop.blobs select repeat(b, 10) from shop.blobs;"; } >"$work/blob.sql" &&
        sql <"$work/blob.sql" && sql -e "select b from shop.blobs where length(b) = 2000000" | head -c 2000000 >"$work/got" &&
        same "$work/files/noise" "$work/got" || return 1
    [ "$(sql --compress -e "select b from shop.blobs where length(b) = 20000000" | head -c 20000000 | md5sum | cut -c1-32)" = \
        "$(sql -e "select md5(b) from shop.blobs where length(b) = 20000000")" ]
}

# A packet larger than the server takes: it answers and hangs up in the middle of it.
too_large() {
    { printf "select length('" && head -c 70000000 /dev/zero | tr '\0' a && echo "');"; } |
        tool mariadb --max-allowed-packet=128M >"$work/large.out" 2>&1 && return 1
    cat "$work/large.out"
    grep -qE 'ERROR (1153|2006|2013|2026)' "$work/large.out" && says 1 "select 1"
}

restores() {
    tool mariadb-dump --single-transaction --hex-blob --max-allowed-packet=64M shop >"$work/dump.sql" &&
        sql -e "create database again" && sql again <"$work/dump.sql" || return 1
    [ "$(sql -e "checksum table shop.big, shop.blobs" | cut -f2)" = "$(sql -e "checksum table again.big, again.blobs" | cut -f2)" ]
}

slaps() {
    tool mariadb-slap --silent --create-schema=slap --auto-generate-sql --auto-generate-sql-load-type=mixed \
        --concurrency=8 --number-of-queries=2000 "$@"
}

# What the client does at ^C: a second connection that kills the query.
cancelled() {
    sql -e "select sleep(60)" &
    local job=$!
    wait_until 10 says 1 "select count(*) from information_schema.processlist where info = 'select sleep(60)'" >/dev/null || return 1
    kill -INT "$(pgrep -f -n "^mariadb .*-P $port .*select sleep\(60\)")" || return 1
    wait "$job"
    says 0 "select count(*) from information_schema.processlist where info = 'select sleep(60)'"
}

# The server ends a connection that was silent for a second; the client hears of it at its next question.
idle_ends() {
    mkfifo "$work/questions"
    exec {questions}<>"$work/questions"
    (spawning=1 && mesh "$client" "${become[@]}" mariadb --no-defaults --skip-reconnect --protocol=tcp -h 127.0.0.1 -P "$port" \
        -u root -B -N -n) <&"$questions" >"$work/answers" 2>&1 &
    pids+=($!)
    local asking=$!
    echo "set session wait_timeout = 1; select 'set';" >&"$questions"
    wait_until 10 grep -q set "$work/answers" || return 1
    wait_until 10 says 1 "select count(*) from information_schema.processlist where user = 'root'" || return 1
    echo "select 2;" >&"$questions"
    exec {questions}>&-
    gone "$asking" 10
    cat "$work/answers"
    grep -qE 'ERROR (2006|2013|4031)' "$work/answers"
}

# A replica is a server and a client in one process, under the name of the client.
replicates() {
    sed 's,^allow .*,allow = default/client,' "$work/client.ini" >"$work/replica.ini"
    sed 's,^identity .*,identity = default/client,' "$work/client.ini" >"$work/reader.ini"
    follower=$(free_port)
    serve replica replica "$work/replica" "$follower" --server-id=2 --skip-log-bin
    of_replica "change master to master_host = '127.0.0.1', master_port = $port, master_user = 'root',
        master_use_gtid = slave_pos; start slave" && wait_until 15 followed
}
of_replica() {
    local port=$follower client=reader
    sql -e "$1" 2>&1
}
followed() {
    [ "$(of_replica "checksum table shop.big, shop.blobs")" = \
        "$(sql -e "checksum table shop.big, shop.blobs")" ]
}

# Many connections on few threads: the server waits with epoll.
pool() {
    kill "$server" && gone "$server" 15 || return 1
    serve pool server "$work/data" "$port" --thread-handling=pool-of-threads --thread-pool-size=2
    slaps && says 2 "select count(*) from shop.blobs" && slaps --detach=20
}

try "MariaDB: the client asks" says 2 "select 1 + 1"
try "MariaDB: some MB in by LOAD DATA, and out" loads
try "MariaDB: blobs of 2 MB and 20 MB, plain and compressed" blob
try "MariaDB: a packet that is too large" too_large
try "MariaDB: what is dumped can be restored" restores
try "MariaDB: eight clients at once" slaps
try "MariaDB: ^C in the client kills its query" cancelled
try "MariaDB: an idle connection ends in its time" idle_ends
try "MariaDB: both sides are proved" both_proved "$port"
try "MariaDB: a replica copies" replicates
try "MariaDB: a pool of threads" pool
stop "${pids[@]}"

works() {
    local port
    port=$(free_port)
    serve again server "$work/data" "$port" --innodb-fast-shutdown=2
    loads && slaps && sql -e "checksum table shop.big, shop.blobs"
}
try "MariaDB: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
