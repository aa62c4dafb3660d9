#!/bin/bash
# An open connection goes on in the program that is started on it, however it is started; what cannot be protected there
# does not get it.
# timeout: 300
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
    printf '%s' "$1" | timeout $((20 * slow)) env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/client.ini" \
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
# whole N: of how many of N connections one reads to the end.
whole() {
    timeout $((60 * slow)) env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/client.ini" "$python" - "$port" "$1" >"$work/answer" 2>"$work/client.err" <<'PY'
import socket, sys
whole = 0
for _ in range(int(sys.argv[2])):
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    answer = b""
    while data := connection.recv(100):
        answer += data
    whole += answer == b"the end\n"
print(whole)
PY
}

serve replace
whole 1
check "handover: exec closes what is close-on-exec, with a goodbye" 1
for way in aside aside-fork; do
    serve "$way"
    whole 1
    check "handover: closed while a program is started that does not get it: a goodbye ($way)" 1
done

# ---- processes that are killed ----
serve killed
timeout $((20 * slow)) env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/client.ini" "$python" - "$port" >"$work/answer" 2>"$work/client.err" <<'PY'
import socket, sys
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
connection.sendall(b"one")
connection.recv(6, socket.MSG_WAITALL)
connection.sendall(b"two")
while data := connection.recv(100):
    print(data.decode())
PY
check "handover: a reader is killed, its parent reads on" two

# ---- one thread forks, another one serves ----
cat >"$work/forks.c" <<'C'
#include <arpa/inet.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
static void spawn_some(int n)
{
    char *argv[] = { "true", NULL };
    pid_t child;
    for (int i = 0; i < n; i++)
        if (posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ) == 0)
            waitpid(child, NULL, 0);
}
static void *forks(void *unused)
{
    for (;;) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        waitpid(child, NULL, 0);
    }
    return unused;
}
int main(int argc, char **argv)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[argc - 1])) };
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pthread_t thread;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 5) ||
        (argc == 2 && pthread_create(&thread, NULL, forks, NULL)))
        return 1;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (write(fd, "the end\n", 8) != 8)
            return 1;
        if (argc > 2)
            spawn_some(atoi(argv[1]));
        close(fd);
    }
}
C
gcc -D_GNU_SOURCE -o "$work/forks" "$work/forks.c" -lpthread || fail "no program that forks"
# served N [SPAWNS]: by how many of N connections the answer comes whole.
served() {
    port=$(free_port)
    spawn server mesh server "$work/forks" "${@:2}" "$port"
    wait_port "$port"
    whole "$1"
}
served 100
check "handover: one thread forks, another one closes connections, with goodbyes" 100
served 1 1100
check "handover: a goodbye after more programs than a family has places" 1

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

# Who made a stranger's socket may be gone, and is no more of the family for that.
goes_to_no_stranger() {
    local name=$1 socket=$work/stranger-$2
    "$python" - "$socket" "$2" <<'PY' >"$work/stranger.log" 2>&1 &
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
while sys.argv[2] == "orphan" and os.fork():
    os._exit(0)
other, _ = listener.accept()
print("got", socket.recv_fds(other, 1, 1)[1])
PY
    pids+=("$!")
    wait_until 5 test -S "$socket"
    [ "$2" = living ] || gone "$!" 5
    serve stranger "$socket"
    say "onetwothree"
    check "handover: $name" "Operation not permitted"
    told "$name" "does not share its keys"
}
goes_to_no_stranger "a message to a stranger" living
goes_to_no_stranger "a message to a stranger whose socket's maker is gone" orphan

# But a daemon's socket may have been made by the process that has left it alone.
serve heir "$work/heir"
say "onetwothree"
check "handover: a message to one of the family whose socket's maker is gone" "twothree"

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
