#!/bin/bash
# Java: its HTTP server and clients, sockets of threads, selectors, asynchronous channels, and closing under a waiting reader.
# packages: openjdk-17-jdk-headless socat
# program: Java
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
[ -x /usr/bin/javac ] || skip "javac is not installed"
# Not meshed: what compiles and what runs are two things.
limit 60 /usr/bin/javac -d "$work" "$top/tests/apps/programs/Sockets.java" >"$work/javac.log" 2>&1 || fail "Sockets.java does not compile"
echo "version Java $(/usr/bin/java -version 2>&1 | sed -n 's/.*version "\(.*\)".*/\1/p')"
random_file 1m 1048576

# A small machine that starts quickly.
java=(/usr/bin/java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -cp "$work" Sockets)
server() {
    port=$(free_port)
    spawn "$1" mesh server "${java[@]}" "$1" "$port"
    wait_port "$port" 30
}
client() {
    limit 40 mesh client "${java[@]}" "$1" "$port" "${@:2}"
}

server http-server
try "java: HttpClient to HttpServer, 70 requests and 3 MiB there and back" client http-client
try "java: HttpURLConnection keeps its connection" client url-connection
try "java: curl to HttpServer" limit 20 mesh client curl -sS --fail -o "$work/got" "http://127.0.0.1:$port/hi"
try "java: HttpServer and its clients are proved" both_proved "$port"

server threads-server
try "java: Socket and ServerSocket echo 4 MiB, one thread writes and another reads" client threads-client 4194304 1
try "java: Socket and ServerSocket echo 64 KiB on each of 32 connections" client threads-client 65536 32
try "java: a read that times out, and the connection after it" client timeout-client
try "java: sockets closed under a waiting reader end cleanly" client close-client
try "java: a file by transferTo, gathering and scattering" client transfer-client "$work/files/1m"
try "java: ServerSocket and its clients are proved" both_proved "$port"

server selector-server
try "java: Selector echoes 16 KiB on each of 200 connections" client selector-client 16384 200
try "java: Selector echoes 4 MiB on each of 2 connections" client selector-client 4194304 2
try "java: both Selectors are proved" both_proved "$port"

server asynchronous-server
try "java: AsynchronousSocketChannel echoes 2 MiB" client asynchronous-client 2097152
try "java: both asynchronous channels are proved" both_proved "$port"

port=$(free_port)
echo "exec ${java[*]} inherited 0" >"$work/inherited"
spawn socat mesh server /usr/bin/socat "TCP-LISTEN:$port,bind=127.0.0.1,fork" "EXEC:/bin/sh $work/inherited,nofork"
wait_port "$port"
try "java: an inherited channel echoes 2 MiB" client asynchronous-client 2097152
try "java: client and inherited channel are proved" both_proved "$port"

works() {
    server threads-server && client close-client && client threads-client 100000 4 && server selector-server && client selector-client 65536 50
}
try "java: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
