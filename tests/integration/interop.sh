#!/bin/bash
# Other TLS stacks with mutual TLS of their own, as clients of a meshed server and as servers of a meshed client: OpenSSL, GnuTLS, NSS,
# each with each cipher, a HelloRetryRequest, the tickets that they give, and the key updates that they ask for.
# timeout: 180
# packages: gnutls-bin libnss3-tools libnss3-dev
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
# shellcheck source=tests/integration/interop.bash
. "$(dirname "$0")/interop.bash"
command -v gnutls-cli >/dev/null && command -v tstclnt >/dev/null || skip "gnutls-cli or tstclnt is not installed: make deps"

echo_server

s_client=(openssl s_client -connect "127.0.0.1:$echoes" -cert "$ids/client/cert.pem" -key "$ids/client/key.pem" -CAfile "$ids/client/ca.pem" -verify_return_error)
for cipher in TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256; do
    talk "s_client, $cipher" "${s_client[@]}" -quiet -ciphersuites "$cipher"
done
talk "s_client, HelloRetryRequest" "${s_client[@]}" -quiet -groups X448:P-256
# Its commands work where it is not quiet. K asks for an answer, k does not.
for before in K k; do
    ready="Verify return code" changed=KEYUPDATE
    talk "s_client, KeyUpdate ($before)" "${s_client[@]}"
done
before=

gnutls=(gnutls-cli -p "$echoes" --x509certfile "$ids/client/cert.pem" --x509keyfile "$ids/client/key.pem" --x509cafile "$ids/client/ca.pem"
    --no-ca-verification)
for cipher in AES-128-GCM AES-256-GCM CHACHA20-POLY1305; do
    talk "gnutls-cli, $cipher" "${gnutls[@]}" --priority "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+$cipher" 127.0.0.1
done
talk "gnutls-cli, HelloRetryRequest" "${gnutls[@]}" --priority "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X448:+GROUP-SECP256R1" \
    --single-key-share 127.0.0.1

for before in ^rekey^ ^rekey1^; do # of both directions, of its own
    ready="Simple Client Mode" changed="Rekey was completed"
    talk "gnutls-cli, KeyUpdate ($before)" "${gnutls[@]}" --inline-commands --priority "NORMAL:-VERS-ALL:+VERS-TLS1.3" 127.0.0.1
done
before=

# NSS keeps certificates in a data base of its own.
mkdir "$work/nss"
certutil -N -d "sql:$work/nss" --empty-password
certutil -A -d "sql:$work/nss" -n root -t CT,C,C -i "$ids/client/ca.pem"
for name in client server; do
    openssl pkcs12 -export -in "$ids/$name/cert.pem" -inkey "$ids/$name/key.pem" -name "$name" -passout pass: -out "$work/$name.p12"
    pk12util -i "$work/$name.p12" -d "sql:$work/nss" -W "" -K "" >/dev/null
done
# (-o: its own idea of names wants a host's.)
tstclnt=(tstclnt -h 127.0.0.1 -p "$echoes" -d "sql:$work/nss" -n client -o -V tls1.3:tls1.3)
for cipher in 1301 1302 1303; do
    talk "tstclnt, cipher $cipher" "${tstclnt[@]}" -c ":$cipher"
done
talk "tstclnt, P-521 first" "${tstclnt[@]}" -I P521,P256

nss_updates=$work/interop_nss
gcc -o "$nss_updates" -I/usr/include/nss -I/usr/include/nspr "$top/tests/integration/interop_nss.c" -lssl3 -lnss3 -lnspr4 || fail "no libnss3-dev"
run "NSS, KeyUpdate before each line" "$nss_updates" "sql:$work/nss" client client "$echoes"
try "interop: NSS, KeyUpdate: all came back" told 1 "$work/client-of-theirs" '^done$'

# --- they serve
theirs=$(free_port)
for cipher in AES-128-GCM AES-256-GCM CHACHA20-POLY1305; do
    spawn server-of-theirs gnutls-serv -p "$theirs" --echo --require-client-cert --x509certfile "$ids/server/cert.pem" --x509keyfile "$ids/server/key.pem" \
        --x509cafile "$ids/client/ca.pem" --priority "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+$cipher"
    wait_port "$theirs"
    ask "gnutls-serv, $cipher, its tickets" "$theirs"
    ask "gnutls-serv, $cipher, epoll" "$theirs" epoll
    stop "$spawned"
done
spawn server-of-theirs gnutls-serv -p "$theirs" --echo --require-client-cert --x509certfile "$ids/server/cert.pem" --x509keyfile "$ids/server/key.pem" \
    --x509cafile "$ids/client/ca.pem" --priority "NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-SECP384R1"
wait_port "$theirs"
ask "gnutls-serv, HelloRetryRequest" "$theirs"
stop "$spawned"

# s_server's commands are lines of its standard input, as what it says is.
theirs=$(free_port)
mkfifo "$work/theirs-in" && exec {theirs_in}<>"$work/theirs-in"
spawn server-of-theirs bash -c "exec openssl s_server -accept $theirs -cert $ids/server/cert.pem -key $ids/server/key.pem -CAfile $ids/server/ca.pem \
    -Verify 3 -verify_return_error <$work/theirs-in"
wait_port "$theirs"
mkfifo "$work/ours-in" && exec {ours_in}<>"$work/ours-in"
spawn ours bash -c "exec env LD_PRELOAD='$mesh_preload' MESHSHIM_CONFIG=$work/client.ini socat -u - TCP:127.0.0.1:$theirs <$work/ours-in"
s_server_updates() {
    local command n=0
    for command in K k K; do
        n=$((n + 1))
        echo "$command" >&"$theirs_in" && echo "line $n" >&"$ours_in"
        wait_until 8 grep -qa "^line $n" "$work/server-of-theirs.log" || return 1
    done
    [ "$(grep -ca "SSL_do_handshake -> 1" "$work/server-of-theirs.log")" = 3 ]
}
echo "line 0" >&"$ours_in" && wait_until 8 grep -qa "^line 0" "$work/server-of-theirs.log"
try "interop: s_server, KeyUpdate" s_server_updates
stop "$spawned" "${pids[-2]}"

# selfserv answers any request with a page.
for cipher in 1301 1302 1303; do
    theirs=$(free_port) # it does not take one on which connections have just ended
    spawn server-of-theirs selfserv -p "$theirs" -d "sql:$work/nss" -n server -r -r -V tls1.3:tls1.3 -c ":$cipher"
    wait_port "$theirs"
    try "interop: selfserv, cipher $cipher" limit 10 mesh client curl -sS --max-time 8 -o "$work/page" "http://127.0.0.1:$theirs/"
    stop "$spawned"
done
theirs=$(free_port)
spawn server-of-theirs "$nss_updates" "sql:$work/nss" server server "$theirs"
wait_port "$theirs"
ask "NSS's server, KeyUpdate before each line" "$theirs" blocking 6
try "interop: NSS's server, KeyUpdate: a clean end" wait_until 5 told 1 "$work/server-of-theirs.log" '^done$'
try "interop: each was proved" proved outbound peer server
[ "$failures" -eq 0 ]
