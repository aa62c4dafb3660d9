#!/bin/bash
# Java's own TLS (JSSE), as client of a meshed server and as server of a meshed client: each cipher, its tickets, HelloRetryRequest, and key updates
# every four kilobytes, to which it wants answers.
# timeout: 180
# packages: openjdk-17-jdk-headless
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
[ -x /usr/bin/javac ] || skip "javac is not installed: make deps"
# shellcheck source=tests/integration/interop.bash
. "$(dirname "$0")/interop.bash"
version "Java $(/usr/bin/java -version 2>&1 | sed -n 's/.*version "\(.*\)".*/\1/p')"
limit 60 /usr/bin/javac -d "$work" "$top/tests/integration/Interop.java" || fail "Interop.java does not compile"
for workload in client server; do
    openssl pkcs12 -export -in "$ids/$workload/cert.pem" -inkey "$ids/$workload/key.pem" -passout pass:secret -out "$ids/$workload/own.p12"
done

# machine GROUPS: a small one that starts quickly, and tells of its handshakes.
machine() {
    java=(/usr/bin/java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -Djavax.net.debug=ssl:handshake "-Djdk.tls.namedGroups=$1" -cp "$work" Interop)
}

echo_server
for cipher in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
    machine x25519,secp256r1
    run "JSSE, $cipher" "${java[@]}" client "$echoes" "$ids/client" "$cipher" 1000
    try "interop: JSSE, $cipher: it changed its keys" told 3 "$work/client-of-theirs" "Produced KeyUpdate"
    theirs=$(free_port)
    spawn server-of-theirs "${java[@]}" server "$theirs" "$ids/server" "$cipher"
    wait_port "$theirs" 30
    ask "JSSE's server, $cipher" "$theirs" blocking 1000
    ask "JSSE's server, $cipher, epoll" "$theirs" epoll 10
    try "interop: JSSE's server, $cipher: it changed its keys" told 3 "$work/server-of-theirs.log" "Produced KeyUpdate"
    try "interop: JSSE's server, $cipher: it gave tickets" told 2 "$work/server-of-theirs.log" "Produced NewSessionTicket"
    try "interop: JSSE's server, $cipher: clean ends" wait_until 5 told 2 "$work/server-of-theirs.log" "closed cleanly"
    stop "$spawned"
done

machine secp521r1,secp256r1
run "JSSE, P-521 first" "${java[@]}" client "$echoes" "$ids/client" TLS_AES_128_GCM_SHA256 2
try "interop: JSSE, P-521 first: HelloRetryRequest" told 1 "$work/client-of-theirs" HelloRetryRequest
machine secp384r1
theirs=$(free_port)
spawn server-of-theirs "${java[@]}" server "$theirs" "$ids/server" TLS_AES_128_GCM_SHA256
wait_port "$theirs" 30
ask "JSSE's server, P-384 alone" "$theirs"
try "interop: JSSE's server: HelloRetryRequest" told 1 "$work/server-of-theirs.log" "Produced HelloRetryRequest"
try "interop: JSSE: each was proved" both_proved "$echoes"
[ "$failures" -eq 0 ]
