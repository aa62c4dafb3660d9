#!/bin/bash
# meshctl analyze: each doubtful thing has its code and points at its line; a clean configuration has none.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
[ -x "$meshctl" ] || fail "$meshctl is not built: make"
cd "$work" || exit 1
{
    "$meshctl" ca init --dir ca --trust-domain mesh.test && "$meshctl" ca issue --dir ca --workload default/web --out web
} >ca.log 2>&1 || fail "cannot make identities"

workload='[workload]
name = web
trust_domain = mesh.test
certificate = web/cert.pem
private_key = web/key.pem
trust_bundle = web/ca.pem'
tried=" "

# found CODE LINE STATUS NAME <<< what follows the workload: that code at that line, and no other code.
found() {
    local code=$1 line=$2 wanted=$3 name=$4 status
    tried+="$code "
    { echo "$workload" && cat; } >mesh.ini
    "$meshctl" analyze mesh.ini >out 2>err
    status=$?
    if [ "$status" -eq "$wanted" ] && grep -q "\[$code\] mesh.ini:$line: " out &&
        [ "$(grep -o '\[MSH[0-9]*\]' out | sort -u)" = "[$code]" ] && [ ! -s err ]; then
        ok "meshctl_analyze/$name"
    else
        not_ok "meshctl_analyze/$name: status $status, expected $wanted and $code at line $line alone"
        sed 's/^/#   /' out err
    fi
}

clean() {
    { echo "$workload" && cat; } >mesh.ini
    if "$meshctl" analyze mesh.ini >out 2>&1 && ! grep -q MSH out; then
        ok "meshctl_analyze/$1"
    else
        not_ok "meshctl_analyze/$1: expected no finding"
        sed 's/^/#   /' out
    fi
}

clean clean <<'INI'
[inbound]
allow = default/client
[service a]
host = 10.1.0.0/16, a.test
identity = default/a
endpoints = 10.1.0.5:80, 10.1.0.6:80
[service b]
host = 10.2.0.0/16
identity = default/b
INI
clean different-ports-do-not-overlap <<'INI'
[service a]
host = 10.1.0.0/16
port = 80
identity = default/a
[service b]
host = 10.1.2.0/24
port = 81
identity = default/b
INI
clean port-inherits-quietly <<'INI'
[inbound]
mtls = strict
[inbound 8080]
allow = default/client
INI

found MSH0101 8 1 unknown-key <<'INI'
[inbound]
mtlss = strict
INI
found MSH0111 8 0 permissive <<'INI'
[inbound]
mtls = permissive
[inbound 8080]
allow = default/client
INI
found MSH0112 9 0 off <<'INI'
[inbound]
[inbound 8080]
mtls = off
INI
found MSH0113 9 0 service-off <<'INI'
[service a]
host = a.test
mtls = off
INI
found MSH0121 7 0 no-identity <<'INI'
[service a]
host = a.test
INI
found MSH0122 8 0 other-trust-domain <<'INI'
[inbound]
allow = spiffe://mesh.test.evil/ns/a/sa/b
INI
found MSH0123 8 0 any <<'INI'
[inbound]
allow = */*
INI
found MSH0131 10 0 this-machine <<'INI'
[service a]
host = a.test
identity = default/a
endpoints = 127.0.0.1:80
INI
found MSH0131 10 0 this-machine-v6 <<'INI'
[service a]
host = a.test
identity = default/a
endpoints = 10.0.0.1:80, [::1]:80
INI
found MSH0132 11 0 inside-another <<'INI'
[service a]
host = 10.1.0.0/16
identity = default/a
[service b]
host = 10.1.2.0/24
identity = default/b
INI
found MSH0141 8 0 grace <<'INI'
[inbound]
handshake_timeout = 40ms
handshake_grace = 50ms
INI
found MSH0142 10 0 shorter-than-connect <<'INI'
[service a]
host = a.test
identity = default/a
handshake_timeout = 200ms
INI
found MSH0151 8 0 truncation <<'INI'
[inbound]
tolerate_truncation = yes
INI

found MSH0161 8 0 http <<'INI'
[inbound]
protocol = http
[inbound 8080]
allow = default/client
INI
found MSH0161 10 0 http-of-a-service <<'INI'
[service a]
host = a.test
identity = default/a
protocol = http
INI

workload+=$'\nunmeshable = warn'
found MSH0114 7 0 unmeshable </dev/null
workload=${workload%$'\n'*}

"$meshctl" ca issue --dir ca --workload default/web --out web --not-before 2020-01-01T00:00:00Z \
    --not-after 2020-01-02T00:00:00Z >>ca.log 2>&1
found MSH0201 1 1 expired </dev/null
mv web/key.pem web/ca.pem .
found MSH0201 1 1 no-key </dev/null
# One line, behind the last of the faults; and what it says works.
advice=$(sed -n "s/.*([[]workload[]] trust_bundle); '\(.*\)' makes the three files anew$/\1/p" out)
if [ "$(grep -c 'makes the three files' out)" -eq 1 ] && [ "$advice" = 'meshctl ca issue --dir CA --workload default/web --out web' ] &&
    (cd web/.. && eval "\"\$meshctl\" ${advice#meshctl}" --dir ca) >>ca.log 2>&1 && "$meshctl" analyze mesh.ini >out; then
    ok meshctl_analyze/what-to-run-next
else
    not_ok "meshctl_analyze/what-to-run-next: '$advice' $(cat out)"
fi
"$meshctl" ca issue --dir ca --workload default/web --out web --not-before 2020-01-01T00:00:00Z --ttl 1h >>ca.log 2>&1
found MSH0202 1 0 expires-soon </dev/null
"$meshctl" ca issue --dir ca --workload default/web --out web >>ca.log 2>&1
chmod 644 web/key.pem
found MSH0203 5 0 readable-key </dev/null

"$meshctl" analyze mesh.ini -t warning >out 2>&1
if [ $? -eq 1 ]; then ok meshctl_analyze/threshold; else not_ok "meshctl_analyze/threshold: a warning must be reached"; fi
if "$meshctl" analyze mesh.ini -o json | python3 -c '
import json, sys
finding, = json.load(sys.stdin)["findings"]
assert finding["code"] == "MSH0203" and finding["severity"] == "warning" and finding["line"] == 5, finding'; then
    ok meshctl_analyze/json
else
    not_ok meshctl_analyze/json
fi
MESHSHIM_CONFIG=$work/absent.ini "$meshctl" analyze >out 2>&1
if [ $? -eq 1 ] && grep -q 'absent.ini: cannot be read' out; then
    ok meshctl_analyze/absent
else
    not_ok "meshctl_analyze/absent: $(cat out)"
fi

# No code without a test of its own.
for code in $("$meshctl" analyze --list | grep -o '^MSH[0-9]*'); do
    case $tried in *" $code "*) ok "meshctl_analyze/tested/$code" ;; *) not_ok "meshctl_analyze/tested/$code: no test" ;; esac
done
[ "$failures" -eq 0 ]
