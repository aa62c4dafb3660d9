#!/bin/bash
# Other TLS stacks with mutual TLS of their own, as clients of a meshed server and as servers of a meshed client: OpenSSL, GnuTLS, NSS,
# each with each cipher, a HelloRetryRequest, and the tickets that they give.
# timeout: 180
# packages: gnutls-bin libnss3-tools
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
command -v gnutls-cli >/dev/null && command -v tstclnt >/dev/null || skip "gnutls-cli or tstclnt is not installed: make deps"

words="the words that come back"
victim=$B/tests/peers/victim
echoes=$(free_port)
spawn echo mesh server "$victim" server "$echoes" epoll
wait_port "$echoes"

# talk NAME COMMAND…: a client of theirs sends a line to the meshed echo and reads it back; what it reads ends it.
talk() {
    local name=$1 in=$work/in
    shift
    rm -f "$in" "$work/talk.log" && mkfifo "$in" # or what the one before said would be taken for an answer
    exec {line}<>"$in"
    spawn talk bash -c "exec \"\$@\" <$in" - "$@"
    echo "$words" >&"$line"
    if wait_until 8 back "$work/talk.log"; then
        ok "interop: $name"
    else
        not_ok "interop: $name"
        tail -n 5 "$work/talk.log" | sed 's/^/#   /'
    fi
    exec {line}>&-
    stop "$spawned"
}
# The client may echo nothing of its own: standard input is no terminal.
back() {
    grep -qsa "$words" "$1"
}

# ask NAME PORT: the meshed client sends a line to their server, which says it back, twice.
ask() {
    local what
    what=$(limit 10 mesh client "$victim" client "$2" "${3:-blocking}" "$words"$'\n' 2 2>&1)
    if [ "$(tail -n 1 <<<"$what")" = "done" ]; then
        ok "interop: $1"
    else
        not_ok "interop: $1: $what"
        sed 's/^/#   /' "$work/server-of-theirs.log" | tail -n 5
    fi
}

ca=$work/ca
s_client=(openssl s_client -connect "127.0.0.1:$echoes" -quiet -cert "$ca/client.pem" -key "$ca/client.key" -CAfile "$ca/ca.pem" -verify_return_error)
for cipher in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
    talk "s_client, $cipher" "${s_client[@]}" -ciphersuites "$cipher"
done
talk "s_client, HelloRetryRequest" "${s_client[@]}" -groups X448:P-256

gnutls=(gnutls-cli -p "$echoes" --x509certfile "$ca/client.pem" --x509keyfile "$ca/client.key" --x509cafile "$ca/ca.pem"
    --no-ca-verification --logfile "$work/gnutls.log")
for cipher in AES-128-GCM AES-256-GCM CHACHA20-POLY1305; do
    talk "gnutls-cli, $cipher" "${gnutls[@]}" --priority "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+$cipher" 127.0.0.1
done
talk "gnutls-cli, HelloRetryRequest" "${gnutls[@]}" --priority "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X448:+GROUP-SECP256R1" \
    --single-key-share 127.0.0.1

# NSS keeps certificates in a data base of its own.
mkdir "$work/nss"
certutil -N -d "sql:$work/nss" --empty-password
certutil -A -d "sql:$work/nss" -n root -t CT,C,C -i "$ca/ca.pem"
for name in client server; do
    openssl pkcs12 -export -in "$ca/$name.pem" -inkey "$ca/$name.key" -name "$name" -passout pass: -out "$work/$name.p12"
    pk12util -i "$work/$name.p12" -d "sql:$work/nss" -W "" -K "" >/dev/null
done
# (-o: its own idea of names wants a host's.)
tstclnt=(tstclnt -h 127.0.0.1 -p "$echoes" -d "sql:$work/nss" -n client -o -V tls1.3:tls1.3)
for cipher in 1301 1302 1303; do
    talk "tstclnt, cipher $cipher" "${tstclnt[@]}" -c ":$cipher"
done
talk "tstclnt, P-521 first" "${tstclnt[@]}" -I P521,P256

# --- they serve
theirs=$(free_port)
for cipher in AES-128-GCM AES-256-GCM CHACHA20-POLY1305; do
    spawn server-of-theirs gnutls-serv -p "$theirs" --echo --require-client-cert --x509certfile "$ca/server.pem" --x509keyfile "$ca/server.key" \
        --x509cafile "$ca/ca.pem" --priority "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+$cipher"
    wait_port "$theirs"
    ask "gnutls-serv, $cipher, its tickets" "$theirs"
    ask "gnutls-serv, $cipher, epoll" "$theirs" epoll
    stop "$spawned"
done
spawn server-of-theirs gnutls-serv -p "$theirs" --echo --require-client-cert --x509certfile "$ca/server.pem" --x509keyfile "$ca/server.key" \
    --x509cafile "$ca/ca.pem" --priority "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1"
wait_port "$theirs"
ask "gnutls-serv, HelloRetryRequest" "$theirs"
stop "$spawned"

# selfserv answers any request with a page.
theirs=$(free_port)
for cipher in 1301 1302 1303; do
    spawn server-of-theirs selfserv -p "$theirs" -d "sql:$work/nss" -n server -r -r -V tls1.3:tls1.3 -c ":$cipher"
    wait_port "$theirs"
    try "interop: selfserv, cipher $cipher" limit 10 mesh client curl -sS --max-time 8 -o "$work/page" "http://127.0.0.1:$theirs/"
    stop "$spawned"
done
try "interop: each was proved" proved outbound peer server
[ "$failures" -eq 0 ]
