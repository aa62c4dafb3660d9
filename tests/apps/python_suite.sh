#!/bin/bash
# CPython's own tests of sockets, servers, clients and event loops: each comes out meshed as it does plain. Both ends are one
# process, often one thread.
# program: Python
# packages: libpython3.11-testsuite
# timeout: 240
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

modules=(test_socket test_epoll test_select test_socketserver test_asynchat test_asyncore test_httplib test_httpservers test_ftplib
    test_smtplib test_telnetlib test_nntplib test_urllib2_localnet test_asyncio.test_streams test_asyncio.test_server
    test_asyncio.test_sendfile test_asyncio.test_sock_lowlevel test_asyncio.test_sslproto)
# A virtual machine's sockets hang plain as well; TCP's urgent data does not exist in TLS.
left_out='VSOCK|handle_expt'
suite=$top/tests/apps/programs/suite.py
"$python" -c 'import test.test_socket' || fail "CPython's tests are not installed: make deps"

# Who connects is who accepts, and some wait in a queue for longer than a handshake may last.
sed -e 's,^identity = default/server,identity = default/client,' -e '/^\[service peer\]/a handshake_timeout = 60s' -i "$work/client.ini"
mkdir "$work/plain" "$work/meshed"
(cd "$work/plain" && limit 200 "$python" "$suite" "$left_out" "${modules[@]}" >results 2>said) &
plain=$!
(cd "$work/meshed" && limit 200 mesh client "$python" "$suite" "$left_out" "${modules[@]}" >results 2>said)
meshed=$?
wait "$plain" || fail "the plain run did not come to its end: $(tail -n 5 "$work/plain/said")"
[ "$meshed" -eq 0 ] || fail "the meshed run did not come to its end: $(tail -n 5 "$work/meshed/results" "$work/meshed/said")"
version "Python $("$python" -c 'import platform; print(platform.python_version())')"

alike() {
    grep "^test\.$1\." "$work/plain/results" >"$work/a" && grep "^test\.$1\." "$work/meshed/results" >"$work/b" && diff "$work/a" "$work/b"
}
for module in "${modules[@]}"; do
    try "python: CPython's own $module" alike "$module"
done
opened() {
    [ "$("$meshctl" stats -d "$work/run" -o json | "$python" -c 'import json, sys
print(sum(e["connections"]["opened"] for e in json.load(sys.stdin)["entries"] if e["security"] == "mutual_tls"))')" -gt 500 ]
}
try "python: they made hundreds of protected connections" opened
[ "$failures" -eq 0 ]
