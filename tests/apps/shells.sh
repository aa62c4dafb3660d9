#!/bin/bash
# Shells and small tools with connections of their own: gawk, zsh, ksh, both netcats; what they start on them.
# packages: gawk ksh93u+m netcat-openbsd netcat-traditional zsh
# program: gawk
# program: zsh
# program: ksh93
# program: nc.openbsd
# program: nc.traditional
# timeout: 60
# tsan: zsh leaves its signal handlers by longjmp, where the thread sanitizer does not follow
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
for tool in gawk zsh ksh93 nc.openbsd nc.traditional; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
version gawk "$(gawk --version | sed -n '1s/GNU Awk \([^,]*\).*/\1/p')"
version zsh "$(zsh --version | cut -d ' ' -f 2)"
version ksh93 "$(dpkg-query -W -f '${Version}' ksh93u+m)"
version nc.openbsd "$(dpkg-query -W -f '${Version}' netcat-openbsd)"
version nc.traditional "$(dpkg-query -W -f '${Version}' netcat-traditional)"
random_file 300k 300000

echo_server() {
    port=$(free_port)
    spawn threads mesh server "$python" "$top/tests/apps/echo.py" threads-server "$port"
    wait_port "$port"
}
run() {
    limit 20 mesh client "$@"
}

cat >"$work/talk.awk" <<'AWK'
BEGIN {
    service = "/inet/tcp/0/127.0.0.1/" port
    PROCINFO[service, "READ_TIMEOUT"] = 10000
    for (i = 1; i <= 500; i++) {
        print "line", i |& service
        if ((service |& getline answer) <= 0 || answer != "line " i) {
            print "answer", i, "is", answer
            exit 1
        }
    }
    print "the last" |& service
    close(service, "to")
    while ((service |& getline answer) > 0)
        last = answer
    exit close(service) != 0 || last != "the last"
}
AWK
# A server of its own: one client, told by the request's first line.
cat >"$work/serve.awk" <<'AWK'
BEGIN {
    service = "/inet/tcp/" port "/0/0"
    while ((service |& getline) > 0 && $0 != "")
        print toupper($0) |& service
    close(service)
}
AWK
cat >"$work/talk.zsh" <<'ZSH'
zmodload zsh/net/tcp zsh/system
ztcp 127.0.0.1 $1 || exit 1
fd=$REPLY
print -u $fd "one line"
read -r -u $fd -t 10 line && [[ $line = "one line" ]] || exit 2
print -n -u $fd "without an end"
sysread -i $fd -t 10 part && [[ $part = "without an end" ]] || exit 3
/bin/echo "from echo" >&$fd
[[ "$(/usr/bin/head -n 1 <&$fd)" = "from echo" ]] || exit 4
ztcp -c $fd
ZSH
cat >"$work/serve.zsh" <<'ZSH'
zmodload zsh/net/tcp
ztcp -l $1 || exit 1
listener=$REPLY
while ztcp -a $listener; do
    fd=$REPLY
    while read -r -u $fd line; do print -u $fd ${(U)line}; done
    ztcp -c $fd
done
ZSH
cat >"$work/talk.ksh" <<'KSH'
exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
print -u3 "one line"
read -r -u3 line && [[ $line == "one line" ]] || exit 2
for i in {1..200}; do print -u3 "line $i"; done
for i in {1..200}; do read -r -u3 line && [[ $line == "line $i" ]] || exit 3; done
/bin/echo "from echo" >&3
[[ "$(/usr/bin/head -n 1 <&3)" == "from echo" ]] || exit 4
KSH

gawk_serves() {
    port=$(free_port)
    spawn gawk mesh server gawk -v port="$port" -f "$work/serve.awk"
    wait_port "$port"
    [ "$(printf 'hello\nthere\n\n' | run nc.openbsd 127.0.0.1 "$port")" = $'HELLO\nTHERE' ]
}
zsh_serves() {
    port=$(free_port)
    spawn zsh mesh server zsh -f "$work/serve.zsh" "$port"
    wait_port "$port"
    [ "$(printf 'hello\nthere\n' | run nc.openbsd -N 127.0.0.1 "$port")" = $'HELLO\nTHERE' ]
}
# nc SERVER-OPTION… -- CLIENT…: cat behind the one, or on its connection; a file through the other.
file_to() {
    "$@" 127.0.0.1 "$port" <"$work/files/300k" >"$work/got" && same "$work/files/300k" "$work/got"
}
traditional_serves() {
    port=$(free_port)
    spawn nc mesh server nc.traditional -l -s 127.0.0.1 -p "$port" -e /bin/cat
    wait_port "$port"
    file_to run nc.openbsd -N
}
openbsd_serves() {
    port=$(free_port)
    spawn nc mesh server nc.openbsd -l 127.0.0.1 "$port"
    wait_port "$port"
    run nc.openbsd -N 127.0.0.1 "$port" <"$work/files/300k" >"$work/got" && wait_until 10 same "$work/files/300k" "$work/nc.log"
}
works() {
    echo_server
    run gawk -v port="$port" -f "$work/talk.awk" && run zsh -f "$work/talk.zsh" "$port" && run ksh93 "$work/talk.ksh" "$port" &&
        gawk_serves && zsh_serves && traditional_serves
}

echo_server
try "shells: gawk, 500 lines there and back, one half closed" run gawk -v port="$port" -f "$work/talk.awk"
try "shells: zsh, its own reads and those of programs" run zsh -f "$work/talk.zsh" "$port"
try "shells: ksh93, lines and programs" run ksh93 "$work/talk.ksh" "$port"
try "shells: nc.openbsd, 300 kB there and back" file_to run nc.openbsd -N
try "shells: nc.traditional, 300 kB there and back" file_to run nc.traditional -q 5
try "shells: clients and server are proved" both_proved "$port"
try "shells: gawk serves" gawk_serves
try "shells: zsh serves" zsh_serves
try "shells: zsh and nc.openbsd are proved" both_proved "$port"
try "shells: nc.traditional starts cat on the connection" traditional_serves
try "shells: nc.openbsd receives a file" openbsd_serves
try "shells: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
