#!/bin/bash
# bash's /dev/tcp: the shell connects, and the programs that it starts read and write the connection.
# packages: bash coreutils socat
# program: bash
# timeout: 90
# tsan: dd does not start: the thread sanitizer refuses an aligned_alloc of less than its alignment
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
version bash "$(/bin/bash -c 'echo ${BASH_VERSION%%(*}')"
random_file 300k 300000
random_file 1m 1048576

echo_server() {
    port=$(free_port)
    spawn threads mesh server "$python" "$top/tests/apps/echo.py" threads-server "$port"
    wait_port "$port"
}
# shell SCRIPT ARGUMENT…: in a meshed shell, where $1 is the port.
shell() {
    limit 30 mesh client /bin/bash -c "set -e; $1" shell "$port" "${@:2}"
}
# shellcheck disable=SC2016 # the meshed shell's own dollars
{
    lines='exec 3<>"/dev/tcp/127.0.0.1/$1"
        echo "one line" >&3; read -r answer <&3; [ "$answer" = "one line" ]
        printf "%s\n" two three >&3; read -r a <&3; read -r b <&3; [ "$a $b" = "two three" ]
        exec 3>&-'
    turns='exec 3<>"/dev/tcp/127.0.0.1/$1"
        for i in 1 2 3 4 5; do
            echo "shell $i" >&3
            /usr/bin/head -c 2000 "$2" >&3
            read -r answer <&3; [ "$answer" = "shell $i" ]
            /usr/bin/dd bs=1 count=2000 status=none <&3 | /usr/bin/cmp - <(/usr/bin/head -c 2000 "$2")
        done'
    file='exec 3<>"/dev/tcp/127.0.0.1/$1"
        /bin/cat "$2" >&3 &
        /usr/bin/head -c "$(/usr/bin/stat -c %s "$2")" <&3 >"$3"
        wait $!'
    request='exec 3<>"/dev/tcp/localhost/$1"
        printf "GET /1m HTTP/1.0\r\n\r\n" >&3
        while read -r line <&3 && [ "$line" != $'"'\r'"' ]; do :; done
        /bin/cat <&3 >"$2"'
    inherited='/bin/cat "$2" > "/dev/tcp/127.0.0.1/$1"'
}

copies() {
    shell "$file" "$work/files/$1" "$work/got" && same "$work/files/$1" "$work/got"
}
fetches() {
    shell "$request" "$work/got" && same "$work/files/1m" "$work/got"
}
arrived() {
    same "$work/files/1m" "$work/arrived" 2>/dev/null
}
sends() {
    spawn sink mesh server socat -u "TCP-LISTEN:$port,bind=127.0.0.1" "CREATE:$work/arrived"
    wait_port "$port"
    shell "$inherited" "$work/files/1m" && wait_until 10 arrived
}
works() {
    echo_server && shell "$lines" && shell "$turns" "$work/files/1m" && copies 300k
}

echo_server
try "bash: lines there and back" shell "$lines"
try "bash: the shell and programs that it starts take turns" shell "$turns" "$work/files/1m"
try "bash: cat writes 300 kB while head reads them" copies 300k
try "bash: both sides are proved" both_proved "$port"
port=$(free_port)
spawn http mesh server "$python" -m http.server "$port" --bind 127.0.0.1 --directory "$work/files"
wait_port "$port"
try "bash: an HTTP request by hand, cat gets 1 MiB" fetches
try "bash: the shell with cat and the HTTP server are proved" both_proved "$port"
port=$(free_port)
try "bash: cat sends 1 MiB to a redirection" sends
try "bash: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
