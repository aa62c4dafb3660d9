#!/bin/bash
# meshctl ca: what it makes is what other tools accept, with the right modes, and nothing is ever overwritten by accident.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
[ -x "$meshctl" ] || fail "$meshctl is not built: make"
cd "$work" || exit 1

# expect NAME COMMAND…: an ok line when it succeeds.
expect() {
    local name=$1
    shift
    if "$@" >"$work/last.out" 2>&1; then
        ok "meshctl_ca/$name"
    else
        not_ok "meshctl_ca/$name: $*"
        sed 's/^/#   /' "$work/last.out"
    fi
}

# status CODE COMMAND…: ends with that exit status.
status() {
    local wanted=$1 got
    shift
    "$@"
    got=$?
    [ "$got" -eq "$wanted" ] || { echo "exit status $got, expected $wanted"; return 1; }
}

mode_is() { [ "$(stat -c %a "$2")" = "$1" ] || { stat -c '%a %n' "$2"; return 1; }; }
text_has() { openssl x509 -in "$1" -noout -text | tr -s ' \n' ' ' | grep -F -- "$2"; }
key_of() { openssl x509 -in "$1" -noout -pubkey; }
same_key() { [ "$(key_of "$1")" = "$(openssl pkey -in "$2" -pubout)" ]; }

root_of_trust() {
    expect init "$meshctl" ca init --dir ca --trust-domain mesh.test
    expect directory-mode mode_is 700 ca
    expect root-key-mode mode_is 600 ca/ca-key.pem
    expect root-verifies openssl verify -check_ss_sig -CAfile ca/ca.pem ca/ca.pem
    expect root-is-ca text_has ca/ca.pem 'Basic Constraints: critical CA:TRUE, pathlen:0'
    expect root-usage text_has ca/ca.pem 'Key Usage: critical Certificate Sign, CRL Sign'
    expect root-name text_has ca/ca.pem 'URI:spiffe://mesh.test '
    expect root-p256 text_has ca/ca.pem 'NIST CURVE: P-256'
    expect root-key-identifier text_has ca/ca.pem 'Subject Key Identifier'
}

never_overwritten() {
    cp -p ca/ca.pem before.pem
    expect again-refused status 1 "$meshctl" ca init --dir ca
    if grep -q 'never overwritten' last.out; then ok meshctl_ca/again-said; else not_ok meshctl_ca/again-said; fi
    expect again-unchanged cmp before.pem ca/ca.pem
    mkdir half && cp ca/ca.pem half/
    expect half-refused status 1 "$meshctl" ca init --dir half
    expect half-left-alone test ! -e half/ca-key.pem
}

leaf() {
    expect issue "$meshctl" ca issue --dir ca --workload shop/web --out web --dns localhost --dns 127.0.0.1
    expect leaf-verifies openssl verify -x509_strict -purpose sslserver -CAfile web/ca.pem web/cert.pem
    expect leaf-verifies-client openssl verify -x509_strict -purpose sslclient -CAfile web/ca.pem web/cert.pem
    expect leaf-host openssl verify -verify_hostname localhost -verify_ip 127.0.0.1 -CAfile web/ca.pem web/cert.pem
    expect leaf-name text_has web/cert.pem 'URI:spiffe://mesh.test/ns/shop/sa/web, DNS:localhost, IP Address:127.0.0.1'
    expect leaf-usage text_has web/cert.pem 'Extended Key Usage: TLS Web Server Authentication, TLS Web Client'
    expect leaf-key-usage text_has web/cert.pem 'Key Usage: critical Digital Signature'
    expect leaf-not-ca text_has web/cert.pem 'Basic Constraints: critical CA:FALSE'
    expect leaf-authority text_has web/cert.pem 'Authority Key Identifier'
    expect key-mode mode_is 600 web/key.pem
    expect key-is-pkcs8 grep -q -- '-----BEGIN PRIVATE KEY-----' web/key.pem
    expect key-matches same_key web/cert.pem web/key.pem
    expect leaf-lasts openssl x509 -in web/cert.pem -noout -checkend 86000
    expect leaf-not-longer status 1 openssl x509 -in web/cert.pem -noout -checkend 86500
}

# A reader that looks all the time while identities are replaced: each file it sees is whole, and a new certificate has its key.
reissue() {
    local torn=0 seen=0 serial
    serial=$(openssl x509 -in web/cert.pem -noout -serial)
    (
        for _ in 1 2 3 4 5 6 7 8; do "$meshctl" ca issue --dir ca --workload shop/web --out web || exit 1; done
        touch "$work/enough"
    ) >reissue.log 2>&1 &
    pids+=($!)
    until [ -e enough ]; do
        openssl x509 -in web/cert.pem -noout 2>/dev/null || torn=1
        openssl pkey -in web/key.pem -noout 2>/dev/null || torn=1
        seen=$((seen + 1))
        running "${pids[-1]}" || break
    done
    expect reissue-finished test -e enough
    expect reissue-never-torn test "$torn" -eq 0 -a "$seen" -gt 0
    expect reissue-new-serial test "$serial" != "$(openssl x509 -in web/cert.pem -noout -serial)"
    expect reissue-key-matches same_key web/cert.pem web/key.pem
    expect reissue-no-litter test -z "$(find web -name '.*' -type f)"
}

# Many at once in one directory take turns: what remains belongs together.
at_once() {
    local one others=()
    for _ in 1 2 3 4 5 6; do
        "$meshctl" ca issue --dir ca --workload shop/web --out web >>at-once.log 2>&1 &
        others+=($!)
    done
    for one in "${others[@]}"; do wait "$one" || echo "failed: $one" >>at-once.failed; done
    expect at-once-all-issued test ! -e at-once.failed
    expect at-once-key-matches same_key web/cert.pem web/key.pem
}

dates() {
    expect expired "$meshctl" ca issue --dir ca --workload shop/old --out old \
        --not-before 2020-01-01T00:00:00Z --not-after 2020-01-02T00:00:00Z
    expect expired-is-expired status 2 openssl verify -CAfile ca/ca.pem old/cert.pem
    expect short-root "$meshctl" ca init --dir short --ttl 1h
    expect clamped "$meshctl" ca issue --dir short --workload shop/web --out clamped --ttl 24h
    expect clamped-to-root test "$(openssl x509 -in short/ca.pem -noout -enddate)" = \
        "$(openssl x509 -in clamped/cert.pem -noout -enddate)"
    expect default-domain text_has clamped/cert.pem 'URI:spiffe://cluster.local/ns/shop/sa/web'
    expect ended-root "$meshctl" ca init --dir ended --not-before 2020-01-01T00:00:00Z --not-after 2020-01-02T00:00:00Z
    expect ended-root-refused status 1 "$meshctl" ca issue --dir ended --workload shop/web --out none
}

wrong() {
    local args
    while read -r args; do
        # shellcheck disable=SC2086 # words
        expect "usage: ca $args" status 2 "$meshctl" ca $args
    done <<'ARGS'
init
init --dir x --trust-domain Mesh_Test!
init --dir x --ttl never
issue --dir ca --workload web --out x
issue --dir ca --workload ../web --out x
issue --dir ca --workload shop/web,DNS:evil --out x
issue --dir ca --workload shop/web
issue --dir ca --workload shop/web --out x --ttl -1h
issue --dir ca --workload shop/web --out x --dns a,URI:spiffe://evil
issue --dir ca --workload shop/web --out x --not-after 2020-01-01T00:00:00Z
ARGS
    expect wrong-made-nothing test ! -e x
    expect no-authority status 1 "$meshctl" ca issue --dir nowhere --workload shop/web --out x
    mkdir mixed && cp ca/ca.pem mixed/ && cp short/ca-key.pem mixed/
    expect foreign-key status 1 "$meshctl" ca issue --dir mixed --workload shop/web --out x
}

root_of_trust
never_overwritten
leaf
reissue
at_once
dates
wrong
[ "$failures" -eq 0 ]
