#!/bin/bash
# Every kind of key that a certificate of TLS 1.3 may have, at both ends, from roots of several kinds: what OpenSSL knows inside of the library is cut
# down (libmeshshim/tls/provider.c), and must be enough. A key that is encrypted, in either form, is said to be.
# timeout: 120
# packages: openssl
# shellcheck disable=SC2154 # common.bash assigns python
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
connects=$top/tests/integration/connects.py

# key FILE KIND: as `openssl genpkey` is asked for it.
key() {
    local options=()
    case $2 in
    P-*) options=(-algorithm EC -pkeyopt "ec_paramgen_curve:$2") ;;
    RSA*) options=(-algorithm "$2" -pkeyopt rsa_keygen_bits:2048) ;;
    *) options=(-algorithm "$2") ;;
    esac
    openssl genpkey "${options[@]}" -out "$1"
}

# identities KIND ROOT: of client and server, with keys of KIND, from a root with one of ROOT; configured as client-KIND and server-KIND.
identities() {
    local at=$work/$1 side
    mkdir -p "$at"
    {
        key "$at/ca.key" "$2" && openssl req -x509 -key "$at/ca.key" -subj "/CN=root" -days 2 -out "$at/ca.pem" || return 1
        for side in client server; do
            key "$at/$side.key" "$1" &&
                openssl req -x509 -CA "$at/ca.pem" -CAkey "$at/ca.key" -key "$at/$side.key" -subj "/CN=$side" -days 2 -out "$at/$side.pem" \
                    -addext basicConstraints=critical,CA:false -addext "subjectAltName=URI:spiffe://mesh.local/ns/default/sa/$side" || return 1
            sed "s|$work/ca/|$at/|" "$work/$side.ini" >"$work/$side-$1.ini"
        done
    } >"$at/openssl.log" 2>&1 || { cat "$at/openssl.log" && return 1; }
}

meets() { # KIND: the client's words come back from the server
    local port
    port=$(free_port)
    MESHSHIM_LOG_FILE=$work/server-$1.mesh spawn "server-$1" mesh "server-$1" "$python" "$connects" serve "$port" "$1"
    wait_port "$port"
    MESHSHIM_LOG_FILE=$work/client-$1.mesh limit 20 mesh "client-$1" "$python" "$connects" dial blocking 127.0.0.1 "$port" >"$work/saw" 2>&1
    kill "$spawned"
    cat "$work/saw" "$work/client-$1.mesh" "$work/server-$1.mesh" 2>/dev/null
    grep -q "^OK.* $1 heard ping" "$work/saw"
}

while read -r kind root; do
    identities "$kind" "$root" || fail "openssl makes no key of $kind"
    try "key_kinds/$kind from a root with $root" meets "$kind"
done <<KINDS
P-256 RSA
P-384 P-521
P-521 P-384
RSA RSA-PSS
RSA-PSS RSA
ED25519 ED25519
ED448 ED448
KINDS

# The same key in its older form.
for kind in P-256 RSA; do
    for side in client server; do
        openssl pkey -in "$work/$kind/$side.key" -traditional -out "$work/$kind/$side.old" 2>/dev/null
        sed "s|$kind/$side.key|$kind/$side.old|" "$work/$side-$kind.ini" >"$work/$side-old-$kind.ini"
    done
    grep -q 'BEGIN [RE][SC]A* PRIVATE KEY' "$work/$kind/client.old" || fail "openssl makes no older form of $kind"
    try "key_kinds/$kind in its older form" meets "old-$kind"
done

encrypted() { # FORM OPTION…: its complaint
    local form=$1
    shift
    openssl "$@" -passout pass:secret -out "$work/$form.key" 2>/dev/null || return 1
    sed "s|P-256/client.key|$form.key|" "$work/client-P-256.ini" >"$work/$form.ini"
    MESHSHIM_LOG_FILE=$work/$form.mesh limit 20 mesh "$form" "$python" "$connects" dial blocking 127.0.0.1 1 >"$work/saw" 2>&1
    cat "$work/saw" "$work/$form.mesh"
    grep -q '^EACCES ' "$work/saw" && grep -q "$form.key: the private key is encrypted" "$work/$form.mesh"
}
try "key_kinds/encrypted: it is said" encrypted pkcs8 pkcs8 -topk8 -in "$work/P-256/client.key"
for cipher in aes-128-cbc aes-192-cbc aes-256-cbc des-ede3-cbc; do
    try "key_kinds/encrypted with $cipher in the older form: it is said" encrypted "old-$cipher" ec -in "$work/P-256/client.key" "-$cipher"
done
[ "$failures" -eq 0 ]
