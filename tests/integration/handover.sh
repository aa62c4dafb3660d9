#!/bin/bash
# An open connection goes on in the program that is started on it, however it is started; what cannot be protected there
# does not get it.
# timeout: 180
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
python=/usr/bin/python3
make_mesh
here=$top/tests/integration
export MESHSHIM_LOG_FILE=$work/mesh.log

# serve WAY [PROGRAM]: in the background; the port is in $port.
serve() {
    port=$(free_port)
    : >"$work/mesh.log"
    spawn server mesh server "$python" "$here/handover.py" "$port" "$@"
    wait_port "$port"
}

# say TEXT: what the server answers until it ends, in $work/answer.
say() {
    printf '%s' "$1" | timeout 20 env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/client.ini" \
        socat -t 10 - "TCP:127.0.0.1:$port" >"$work/answer" 2>"$work/client.err"
}

check() {
    local name=$1 expected=$2
    if [ "$(cat "$work/answer")" = "$expected" ]; then
        ok "$name"
    else
        not_ok "$name"
        { echo "answered:"; cat "$work/answer" "$work/client.err" "$work/mesh.log" "$work/server.log"; } | cut -c1-300 | sed 's/^/# /'
    fi
}

goes_on() {
    local way=$1 expected=$2
    serve "$way"
    say "onetwothree"
    check "handover: $way" "$expected"
    gone "$spawned" 10 || not_ok "handover: $way: the server ends"
}

goes_on exec onetwothree
goes_on used "taken
twothree"
goes_on bare twothree
goes_on vfork twothree
goes_on spawn twothree
goes_on system "the shell speaks
twothree
and we again"

goes_on failing "No such file or directory
onetwothree"

# ---- exec as the end of a connection ----
serve replace
say "" && check "handover: exec closes what is close-on-exec, with a goodbye" "the end"

# ---- what cannot be protected ----
# Nothing in the clear: the peer sees the end, or a refusal, and none of the bytes that cat would have sent back.
goes_nowhere() {
    local name=$1
    shift
    serve "$@"
    say "onetwothree"
    if grep -q two "$work/answer"; then
        not_ok "handover: $name"
        cat "$work/answer" "$work/mesh.log" | cut -c1-300 | sed 's/^/# /'
    else
        ok "handover: $name"
    fi
    gone "$spawned" 20 || kill "$spawned"
}

told() {
    if grep -q "$2" "$work/mesh.log"; then
        ok "handover: $1: a sentence says so"
    else
        not_ok "handover: $1: a sentence says so"
        sed 's/^/# /' "$work/mesh.log"
    fi
}

cat >"$work/echo.c" <<'C'
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char text[100];
    ssize_t n;
    int in = argc > 1 ? atoi(argv[1]) : 0, out = argc > 1 ? in : 1;
    while ((n = read(in, text, sizeof text)) > 0)
        if (write(out, text, (size_t)n) < 0)
            return 1;
    return 0;
}
C
gcc -static -o "$work/static" "$work/echo.c" || fail "no static program"
goes_nowhere "a static program" used "$work/static"
told "a static program" "cannot be meshed"
goes_nowhere "a static program, spawned" spawn "$work/static"
told "a static program, spawned" "cannot be meshed and is not started"
goes_nowhere "a static program, spawned with what is inheritable" inheritable "$work/static"
goes_nowhere "a program that is to have no mesh" disabled
goes_nowhere "an exec that nobody sees" raw
goes_nowhere "a shell without the library" cleared
told "a shell without the library" "cannot be meshed"
goes_nowhere "a shell that is to have no mesh" disabled-shell
mkdir "$work/copy"
cp "$B/libmeshshim.so" "$work/copy/"
mesh_preload=${mesh_preload/"$B/libmeshshim.so"/"$work/copy/libmeshshim.so"} goes_nowhere "a library that is not there any more" moved
told "a library that is not there any more" "cannot be meshed"

"$python" - "$work/stranger" <<'PY' >"$work/stranger.log" 2>&1 &
import socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
other, _ = listener.accept()
print("got", socket.recv_fds(other, 1, 1)[1])
PY
pids+=("$!")
wait_until 5 test -S "$work/stranger"
serve stranger "$work/stranger"
say "onetwothree"
check "handover: a message to a stranger" "Operation not permitted"
told "a message to a stranger" "does not share its keys"

# ---- a launcher that is not meshed ----
port=$(free_port)
cat >"$work/launched" <<SH
#!/bin/sh
exec env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG=$work/server.ini MESHSHIM_LOG_FILE=$work/mesh.log cat
SH
chmod +x "$work/launched"
spawn launcher socat "TCP-LISTEN:$port,reuseaddr,fork" "EXEC:$work/launched,nofork"
wait_port "$port"
say "from a meshed client"
check "handover: a launcher that is not meshed starts a program that is" "from a meshed client"
printf 'in the clear' | timeout 10 socat -t 5 - "TCP:127.0.0.1:$port" >"$work/answer" 2>&1
if grep -q clear "$work/answer"; then
    not_ok "handover: a launcher that is not meshed: a client that is not meshed is refused"
else
    ok "handover: a launcher that is not meshed: a client that is not meshed is refused"
fi

# ---- another user ----
if [ "$(id -u)" -eq 0 ]; then
    chmod 755 "$work" "$work/ca"
    chmod 644 "$work"/ca/*
    chmod 777 "$work/run"
    : >"$work/mesh.log"
    chmod 666 "$work/mesh.log"
    goes_on user onetwothree
    chmod 111 "$work/static"
    goes_nowhere "a program that may be executed but not read" unreadable "$work/static"
else
    echo "skip handover: user: only root can become somebody else"
fi
[ "$failures" -eq 0 ]
