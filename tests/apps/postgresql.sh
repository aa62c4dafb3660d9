#!/bin/bash
# PostgreSQL: psql, pgbench, COPY, notifications, parallel workers, cancelling (a second connection, made in a signal handler),
# a standby that streams, and a shutdown that says goodbye to its clients.
# timeout: 120
# program: PostgreSQL
# packages: postgresql python3-psycopg2
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
[ -x "$bin/initdb" ] || skip "PostgreSQL is not installed"
version PostgreSQL "$("$bin/postgres" --version | awk '{print $3}')"
become postgres
random_file noise 3000000
od -An -v -tx4 -w40 "$work/files/noise" | awk '{print NR "\t" $0}' >"$work/rows"
export PGHOST=127.0.0.1 PGUSER=test PGDATABASE=postgres PGCONNECT_TIMEOUT=10 PGAPPNAME=meshed

data=$work/data
limit 60 "${become[@]}" "$bin/initdb" -D "$data" -U test -A trust --no-sync -E UTF8 --locale=C >"$work/initdb.log" 2>&1 ||
    fail "initdb did not work"
cat >>"$data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
fsync = off
shared_buffers = 32MB
max_connections = 30
CONF

# serve NAME WORKLOAD DIRECTORY PORT
serve() {
    spawn "$1" mesh "$2" "${become[@]}" "$bin/postgres" -D "$3" -p "$4"
    wait_port "$4"
    wait_until 10 grep -q "ready to accept" "$work/$1.log" || fail "$1 does not start"
}
port=$(free_port)
serve postgres server "$data" "$port"
postmaster=$spawned
client=client

# sql TEXT: the answer, bare.
sql() {
    limit 20 mesh "$client" "${become[@]}" "$bin/psql" -X -A -t -q -v ON_ERROR_STOP=1 -p "$port" -c "$1"
}

says() {
    local expected=$1 got
    got=$(sql "$2") || return 1
    echo "got $got"
    [ "$got" = "$expected" ]
}

# Some MB in by COPY, and the same bytes out.
copies() {
    sql "drop table if exists big; create table big (n int, t text)" &&
        limit 20 mesh "$client" "${become[@]}" "$bin/psql" -X -q -p "$port" -c "copy big from stdin" <"$work/rows" &&
        sql "copy (select * from big order by n) to stdout" >"$work/copied" && same "$work/rows" "$work/copied"
}

# One value of 8 MB as an answer, and one as a question.
large_values() {
    says "$(printf 'x%.0s' {1..1000} | md5sum | cut -c1-32)" "select md5(repeat('x', 1000))" &&
        [ "$(sql "select repeat('0123456789', 800000)" | wc -c)" -eq 8000001 ] &&
        { printf "select length('" && head -c 4000000 /dev/zero | tr '\0' a && printf "');"; } >"$work/long.sql" &&
        [ "$(limit 20 mesh "$client" "${become[@]}" "$bin/psql" -X -A -t -q -p "$port" -f "$work/long.sql")" = 4000000 ]
}

bench() {
    limit 30 mesh "$client" "${become[@]}" "$bin/pgbench" -p "$port" "$@" >"$work/pgbench.out" 2>&1
    local status=$?
    tail -n 12 "$work/pgbench.out"
    return $status
}

# bench_counts TRANSACTIONS ARGUMENT…: all of them were done and none failed.
bench_counts() {
    local number=$1
    shift
    bench "$@" && grep -q "actually processed: $number/$number" "$work/pgbench.out" &&
        grep -q "failed transactions: 0 " "$work/pgbench.out"
}

# What the accounts hold is what the history says.
tpcb() {
    bench_counts 800 -c 4 -j 2 -t 200 &&
        says "800|t" "select count(*), sum(delta) = (select sum(abalance) from pgbench_accounts) from pgbench_history"
}

parallel() {
    sql "set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
         set min_parallel_table_scan_size = 0; explain (analyze, costs off) select sum(aid) from pgbench_accounts" |
        tee "$work/plan" | grep -q "Workers Launched: 2" || { cat "$work/plan"; return 1; }
    says 5000050000 "set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
         set min_parallel_table_scan_size = 0; select sum(aid) from pgbench_accounts"
}

# psql's handler of ^C connects a second time.
cancelled() {
    sql "select pg_sleep(60)" &
    local job=$!
    wait_until 10 says 1 "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'" >/dev/null || return 1
    kill -INT "$(pgrep -f -n "psql .*-p $port -c select pg_sleep")" || return 1
    wait "$job"
    [ $? -eq 1 ] && grep -q "canceling statement due to user request" "$work/try.out"
}

asks() {
    limit 20 mesh "$client" "${become[@]}" "$python" "$work/ask.py" "$port" "$1"
}
cat >"$work/ask.py" <<'PY'
import hashlib, os, select, sys, threading, time
import psycopg2, psycopg2.extensions

port, job = sys.argv[1:]
dsn = f"host=127.0.0.1 port={port} user=test dbname=postgres gssencmode=disable"

def wait(connection):
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        lists = ([connection], []) if state == psycopg2.extensions.POLL_READ else ([], [connection])
        if not any(select.select(*lists, [], 10)):
            sys.exit("nothing came in 10 seconds")

def notified():
    listener = psycopg2.connect(dsn)
    listener.autocommit = True
    listener.cursor().execute("listen news")
    if select.select([listener], [], [], 0)[0]:
        sys.exit("readable before anything was said")
    speaker = psycopg2.connect(dsn)
    speaker.autocommit = True
    for text in ("good morning", "good night"):
        speaker.cursor().execute("select pg_notify('news', %s)", (text,))
        if not select.select([listener], [], [], 10)[0]:
            sys.exit("no notification in 10 seconds")
        listener.poll()
        if [n.payload for n in listener.notifies] != [text]:
            sys.exit(f"got {listener.notifies}")
        listener.notifies.clear()

def many():
    """Connections that never block, all made at once."""
    connections = [psycopg2.connect(dsn, async_=1) for _ in range(10)]
    for c in connections:
        wait(c)
    cursors = [c.cursor() for c in connections]
    blob = os.urandom(300000)
    for cursor in cursors:
        cursor.execute("select md5(%s), %s", (psycopg2.Binary(blob), psycopg2.Binary(blob)))
    for c, cursor in zip(connections, cursors):
        wait(c)
        digest, back = cursor.fetchone()
        if digest != hashlib.md5(blob).hexdigest() or bytes(back) != blob:
            sys.exit("another answer than the question")

def cancel():
    """From another thread, while the first one waits."""
    connection = psycopg2.connect(dsn)
    threading.Timer(0.2, connection.cancel).start()
    start = time.monotonic()
    try:
        connection.cursor().execute("select pg_sleep(15)")
    except psycopg2.extensions.QueryCanceledError:
        took = time.monotonic() - start
        sys.exit(0 if took < 10 else f"cancelled only after {took} s")
    sys.exit("was not cancelled")

globals()[job]()
PY

standby() {
    local second=$work/standby
    limit 30 mesh client "${become[@]}" "$bin/pg_basebackup" -h 127.0.0.1 -p "$port" -D "$second" -R -X stream -c fast --no-sync || return 1
    sed 's,^allow .*,allow = default/client,' "$work/client.ini" >"$work/standby.ini"
    sed 's,^identity .*,identity = default/client,' "$work/client.ini" >"$work/reader.ini"
    follower=$(free_port)
    serve standby standby "$second" "$follower"
    wait_until 10 says 'async|streaming' "select sync_state, state from pg_stat_replication where state = 'streaming'" &&
        sql "create table followed as select generate_series(1, 100000) as n" && wait_until 10 followed
}
followed() {
    local port=$follower client=reader
    [ "$(sql "select sum(n) from followed" 2>&1)" = 5000050000 ]
}

# A client that waits for an answer is told why there will be none.
stops() {
    sql "do \$\$ begin perform pg_sleep(30); end \$\$" &
    local job=$!
    wait_until 10 says 1 "select count(*) from pg_stat_activity where wait_event = 'PgSleep'" >/dev/null || return 1
    kill -INT "$postmaster" && gone "$postmaster" 10 || return 1
    wait "$job"
    [ $? -eq 2 ] && grep -q "terminating connection due to administrator command" "$work/try.out" &&
        grep -q "database system is shut down" "$work/postgres.log"
}

try "PostgreSQL: psql asks" says 2 "select 1 + 1"
try "PostgreSQL: COPY of some MB in and out" copies
try "PostgreSQL: values and questions of MBs" large_values
try "PostgreSQL: pgbench -i" bench -i -q
try "PostgreSQL: pgbench, select only" bench_counts 2000 -S -c 4 -j 2 -t 500
try "PostgreSQL: pgbench, prepared, a connection each" bench_counts 40 -S -M prepared -C -c 4 -j 2 -t 10
try "PostgreSQL: pgbench, read and write" tpcb
try "PostgreSQL: a query with parallel workers" parallel
try "PostgreSQL: ^C in psql cancels" cancelled
try "PostgreSQL: a thread cancels another's query" asks cancel
try "PostgreSQL: LISTEN and NOTIFY" asks notified
try "PostgreSQL: asynchronous connections" asks many
try "PostgreSQL: both sides are proved" both_proved "$port"
try "PostgreSQL: a standby streams" standby
stop "$spawned" # the standby would look for its primary
try "PostgreSQL: clients of a fast shutdown are told" stops

# The same server on another port, with some of the same questions.
works() {
    local port
    port=$(free_port)
    serve again server "$data" "$port"
    copies && bench -S -c 4 -j 2 -t 50 >/dev/null && asks notified && asks many && sql "select count(*), md5(string_agg(t, '' order by n)) from big"
}
try "PostgreSQL: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
