#!/bin/bash
# RabbitMQ: epmd, a node of Erlang, rabbitmqctl as another node, and AMQP by two clients; every port is strict.
# timeout: 180
# program: RabbitMQ
# packages: rabbitmq-server amqp-tools python3-pika
# tsan: Erlang holds more locks at once than the thread sanitizer counts
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

bin=/usr/lib/rabbitmq/bin
[ -x "$bin/rabbitmq-server" ] || skip "RabbitMQ is not installed"
version RabbitMQ "$(dpkg-query -W -f '${Version}' rabbitmq-server | sed 's/-.*//')"
# A node of Erlang is a client of epmd and of other nodes, too, under its own name.
mesh_ini server | sed 's,^allow .*,allow = default/client\, default/server,; s,^identity .*,identity = default/server,' >"$work/server.ini"
become rabbitmq
random_file 5m 5000000
random_file 10k 10000

echo '[].' >"$work/plugins"
export HOME=$work RABBITMQ_CONF_ENV_FILE=/dev/null RABBITMQ_NODENAME=mesh@localhost \
    RABBITMQ_LOGS=- RABBITMQ_LOG_BASE=$work RABBITMQ_ENABLED_PLUGINS_FILE=$work/plugins RABBITMQ_PID_FILE=$work/rabbitmq.pid \
    RABBITMQ_CONFIG_FILE=$work/none RABBITMQ_ADVANCED_CONFIG_FILE=$work/none.config RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"

# broker: on ports of its own, $port, $names and $nodes, with nothing in it.
broker() {
    port=$(free_port) names=$(free_port) nodes=$(free_port)
    export RABBITMQ_MNESIA_BASE=$work/mnesia.$port RABBITMQ_NODE_PORT=$port RABBITMQ_DIST_PORT=$nodes ERL_EPMD_PORT=$names
    # Pika is connected to itself as well, on a port that the kernel chooses: only RabbitMQ's is named.
    sed "s,^host .*,&\nport = $port," "$work/client.ini" >"$work/pika.ini"
    spawn epmd mesh server "${become[@]}" epmd -port "$names" -address 127.0.0.1
    wait_port "$names"
    spawn rabbitmq mesh server "${become[@]}" "$bin/rabbitmq-server"
    wait_until 60 grep -q "Server startup complete" "$work/rabbitmq.log" || fail "RabbitMQ does not start"
}

cat >"$work/ask.py" <<'PY'
import sys, threading
import pika

port, job, payload = int(sys.argv[1]), sys.argv[2], open(sys.argv[3], "rb").read()

def connect():
    return pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, heartbeat=30))

def confirmed():
    """Each message is acknowledged by the broker, and comes back in its order."""
    connection = connect()
    channel = connection.channel()
    channel.queue_declare("work", durable=True)
    channel.confirm_delivery()
    for i in range(300):
        channel.basic_publish("", "work", b"%d " % i + payload, pika.BasicProperties(delivery_mode=2))
    for i, (method, _, body) in enumerate(channel.consume("work", inactivity_timeout=10)):
        if method is None or body != b"%d " % i + payload:
            sys.exit(f"message {i} is missing or another")
        channel.basic_ack(method.delivery_tag)
        if i == 299:
            break
    channel.cancel()
    connection.close()

def large():
    connection = connect()
    channel = connection.channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.basic_publish("", queue, payload)
    method, _, body = next(channel.consume(queue, auto_ack=True, inactivity_timeout=10))
    connection.close()
    if body != payload:
        sys.exit("the large message is missing or changed")

def fan_out():
    """One publisher, and eight threads that wait with a connection each."""
    heard, ready = [], threading.Barrier(9)
    def listen():
        connection = connect()
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, "amq.fanout")
        ready.wait(20)
        for n, (method, _, body) in enumerate(channel.consume(queue, auto_ack=True, inactivity_timeout=10), 1):
            if method is None or body != payload:
                break
            heard.append(body)
            if n == 20:
                break
        connection.close()
    threads = [threading.Thread(target=listen) for _ in range(8)]
    for thread in threads:
        thread.start()
    ready.wait(20)
    connection = connect()
    channel = connection.channel()
    for _ in range(20):
        channel.basic_publish("amq.fanout", "", payload)
    connection.close()
    for thread in threads:
        thread.join()
    if len(heard) != 160:
        sys.exit(f"{len(heard)} of 160 messages came")

globals()[job]()
PY
asks() {
    limit 40 mesh pika "${become[@]}" "$python" "$work/ask.py" "$port" "$@"
}

# rabbitmq-c: clients that block, and one that starts a program for each message.
tools() {
    local url=amqp://guest:guest@127.0.0.1:$port
    limit 10 mesh client "${become[@]}" amqp-declare-queue --url="$url" -q tools &&
        limit 10 mesh client "${become[@]}" amqp-publish --url="$url" -r tools <"$work/files/10k" &&
        limit 10 mesh client "${become[@]}" amqp-get --url="$url" -q tools >"$work/got" && same "$work/files/10k" "$work/got" &&
        seq 100 >"$work/numbers" && limit 10 mesh client "${become[@]}" amqp-publish --url="$url" -r tools -l <"$work/numbers" &&
        limit 20 mesh client "${become[@]}" amqp-consume --url="$url" -q tools -c 100 cat >"$work/got" &&
        same "$work/numbers" "$work/got"
}

# rabbitmqctl is a node that joins the broker for a moment.
control() {
    limit 40 mesh client "${become[@]}" "$bin/rabbitmqctl" -q "$@"
}
evaluates() {
    control eval 'binary:copy(<<"0123456789">>, 100000).' >"$work/evaluated" || return 1
    grep -o '0123456789' "$work/evaluated" | wc -l | grep -x 100000
}
counts() {
    control list_queues name messages >"$work/queues" && cat "$work/queues" && grep -qP '^work\t0$' "$work/queues"
}

broker
try "RabbitMQ: messages that are confirmed" asks confirmed "$work/files/10k"
try "RabbitMQ: a message of 5 MB" asks large "$work/files/5m"
try "RabbitMQ: eight threads that wait for messages" asks fan_out "$work/files/10k"
try "RabbitMQ: rabbitmq-c's tools" tools
try "RabbitMQ: rabbitmqctl counts" counts
try "RabbitMQ: rabbitmqctl has 1 MB evaluated" evaluates
try "RabbitMQ: both sides are proved" both_proved "$port"
try "RabbitMQ: both sides of the name server are proved" both_proved "$names"
try "RabbitMQ: both sides of the distribution are proved" both_proved "$nodes"

works() {
    broker && asks large "$work/files/5m" && tools && control list_queues name messages && sums <"$work/got"
}
# A broker takes its time to start.
ways="plain elsewhere meshed"
try "RabbitMQ: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
