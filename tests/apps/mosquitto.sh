#!/bin/bash
# Mosquitto with its own clients: each quality of service, retained and large messages, a last will, WebSockets, a bridge
# between two brokers; the broker is started by root and becomes another user.
# timeout: 120
# program: Mosquitto
# packages: mosquitto mosquitto-clients python3-paho-mqtt
# tsan: a bridge of Mosquitto's looks its name up by a thread that libc starts by itself
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

export PATH=$PATH:/usr/sbin
command -v mosquitto >/dev/null || skip "Mosquitto is not installed"
version Mosquitto "$(mosquitto -h | sed -n 's/^mosquitto version //p')"
become mosquitto
random_file 5m 5000000
random_file 10k 10000
client=client

# broker NAME WORKLOAD PORT [LINE…]
broker() {
    local name=$1 workload=$2 number=$3
    shift 3
    {
        echo "listener $number 127.0.0.1"
        echo "allow_anonymous true"
        echo "max_queued_messages 0"
        printf '%s\n' "$@"
    } >"$work/$name.conf"
    spawn "$name" mesh "$workload" mosquitto -c "$work/$name.conf"
    wait_port "$number"
}
port=$(free_port) web=$(free_port)
broker mosquitto server "$port" "listener $web 127.0.0.1" "protocol websockets"

publish() {
    limit 20 mesh "$client" mosquitto_pub -h 127.0.0.1 -p "$port" "$@"
}
# subscribed NAME ARGUMENT…: in the background, and known to the broker; messages in $work/NAME.log
subscribed() {
    local name=$1
    shift
    spawn "$name" mesh "$client" mosquitto_sub -h 127.0.0.1 -p "$port" -i "$name" -t "ready/$name" "$@"
    subscriber=$spawned
    publish -t "ready/$name" -r -m "ready" && wait_until 10 grep -q ready "$work/$name.log"
}

# A thousand lines, each a message, in their order.
in_order() {
    seq 1000 >"$work/numbers"
    subscribed "q$1" -q "$1" -t "numbers/$1" -C 1001 && publish -q "$1" -t "numbers/$1" -l <"$work/numbers" &&
        gone "$subscriber" 20 || return 1
    sed '/^ready$/d' "$work/q$1.log" >"$work/heard"
    same "$work/numbers" "$work/heard"
}

retained() {
    publish -q 1 -r -t kept -m "good morning" &&
        [ "$(limit 10 mesh "$client" mosquitto_sub -h 127.0.0.1 -p "$port" -t kept -C 1)" = "good morning" ]
}

large() {
    publish -q 2 -r -t large -f "$work/files/5m" &&
        limit 20 mesh "$client" mosquitto_sub -h 127.0.0.1 -p "$port" -t large -C 1 -N >"$work/got" && same "$work/files/5m" "$work/got"
}

# One that is killed says nothing more; the broker tells its will.
last_will() {
    subscribed heir -t will -C 2 || return 1
    local heir=$subscriber
    subscribed mortal -t nothing --will-topic will --will-payload "all to my cat" || return 1
    kill -9 "$subscriber" && gone "$heir" 10 && grep -q "all to my cat" "$work/heir.log"
}

cat >"$work/web.py" <<'PY'
import sys, threading
import paho.mqtt.client as mqtt
port, number, payload = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "rb").read()
heard, done = [], threading.Event()
def on_connect(client, *_):
    client.subscribe("web/#", qos=1)
def on_subscribe(client, *_):
    for i in range(number):
        client.publish(f"web/{i}", payload, qos=1)
def on_message(client, _, message):
    if message.payload != payload:
        sys.exit("a message was changed")
    heard.append(message.topic)
    if len(heard) == number:
        done.set()
client = mqtt.Client(transport="websockets")
client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
client.connect("127.0.0.1", port)
client.loop_start()
came = done.wait(20)
client.disconnect()
client.loop_stop()
if not came or sorted(heard) != sorted(f"web/{i}" for i in range(number)):
    sys.exit(f"{len(heard)} of {number} came")
PY
# Paho wakes its own thread by a TCP connection to itself, on a port that the kernel chooses and no service names.
web_sockets() {
    sed "s,^host .*,&\nport = $web," "$work/client.ini" >"$work/paho.ini"
    limit 30 mesh paho "$python" "$work/web.py" "$web" 100 "$work/files/10k"
}

# A bridge is a server and a client in one process, under the name of the client.
bridge() {
    local far
    sed 's,^allow .*,allow = default/client,' "$work/client.ini" >"$work/bridge.ini"
    sed 's,^identity .*,identity = default/client,' "$work/client.ini" >"$work/reader.ini"
    far=$(free_port)
    broker bridge bridge "$far" "connection near" "address 127.0.0.1:$port" "topic # in 2" "topic # out 2"
    wait_until 10 across "$far"
}
across() {
    [ "$(limit 10 mesh reader mosquitto_sub -h 127.0.0.1 -p "$1" -t kept -C 1 -W 2)" = "good morning" ]
}

for quality in 0 1 2; do
    try "Mosquitto: 1000 messages, quality of service $quality" in_order "$quality"
done
try "Mosquitto: a retained message" retained
try "Mosquitto: a message of 5 MB" large
try "Mosquitto: a last will" last_will
try "Mosquitto: messages by WebSockets" web_sockets
try "Mosquitto: both sides are proved" both_proved "$port"
try "Mosquitto: both sides of the WebSockets are proved" both_proved "$web"
try "Mosquitto: a bridge between two brokers" bridge
stop "${pids[@]}"

works() {
    local port web
    port=$(free_port) web=$(free_port)
    broker again server "$port" "listener $web 127.0.0.1" "protocol websockets"
    in_order 2 && large && web_sockets && echo "all came"
}
try "Mosquitto: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
