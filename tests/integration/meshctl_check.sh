#!/bin/bash
# meshctl check: well where all is well, and each thing that must be mended turns the exit status and names itself.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
[ -x "$meshctl" ] || fail "$meshctl is not built: make"
[ -e "$B/libmeshshim.so" ] || fail "$B/libmeshshim.so is not built: make"
cd "$work" || exit 1
unset LD_PRELOAD MESHSHIM_CONFIG MESHSHIM_RUNTIME_DIR
{
    "$meshctl" ca init --dir ca --trust-domain mesh.test && "$meshctl" ca issue --dir ca --workload default/web --out web
} >ca.log 2>&1 || fail "cannot make identities"
cat >mesh.ini <<INI
[workload]
name = web
trust_domain = mesh.test
certificate = web/cert.pem
private_key = web/key.pem
trust_bundle = web/ca.pem
runtime_dir = $work/run
INI

# finds NAME STATUS LINE ARGUMENTS…: that exit status, and a line of the output that begins so.
finds() {
    local name=$1 wanted=$2 line=$3 got
    shift 3
    "$meshctl" check "$@" >out 2>err
    got=$?
    if [ "$got" -eq "$wanted" ] && grep -q "^$line" out && [ ! -s err ]; then
        ok "meshctl_check/$name"
    else
        not_ok "meshctl_check/$name: exit status $got, expected $wanted and '$line'"
        sed 's/^/#   /' out err
    fi
}

finds library 0 "✓ library: $B/libmeshshim.so, version [0-9.]*, loads; its OpenSSL: " --config mesh.ini
finds configuration 0 '✓ configuration: mesh.ini is valid' --config mesh.ini
finds identity 0 '✓ identity: spiffe://mesh.test/ns/default/sa/web' --config mesh.ini
finds runtime-dir 0 "✓ runtime directory: $work/run can be made" --config mesh.ini
finds kernel 0 '[✓!] kernel TLS: ' --config mesh.ini
finds program 0 '✓ program: /.*/bash can be meshed' --config mesh.ini bash
finds no-program '1' "✗ program: there is no program 'no-such-program'" --config mesh.ini no-such-program
echo 'int main(void) { return 0; }' >program.c
gcc -static -o static program.c || fail "cannot compile"
printf '%s\n' '#!/bin/sh' 'if true; then' 'exec ./static' 'fi' >script && chmod +x script
finds static-program 1 '✗ program: ./static is linked statically, so nothing can be preloaded into it; use ' --config mesh.ini ./static
finds program-by-script 0 '✓ program: ./script, run by /bin/sh can be meshed' --config mesh.ini ./script
finds doubtful-program 0 '! program: ./script is a shell script that executes ./static, and ' --config mesh.ini ./script
finds not-a-library 1 '✗ library: the dynamic loader does not take' --config mesh.ini --library mesh.ini
MESHSHIM_DISABLE=1 finds disabled 0 '! environment: MESHSHIM_DISABLE is 1' --config mesh.ini
MESHSHIM_CONFIG=$work/mesh.ini finds configuration-of-the-environment 0 '✓ configuration: '
touch file
MESHSHIM_RUNTIME_DIR=$work/file finds runtime-dir-is-a-file 1 '✗ runtime directory: ' --config mesh.ini
finds configuration-absent 1 '✗ configuration: absent.ini: cannot be read' --config absent.ini
{ cat mesh.ini && echo 'bogus = 1' && echo 'worse = 1'; } >wrong.ini
finds configuration-wrong 1 '✗ configuration: wrong.ini:8: ' --config wrong.ini
finds configuration-wrong-whole 1 '✗ configuration: wrong.ini:9: ' --config wrong.ini
"$meshctl" ca issue --dir ca --workload default/web --out web --not-before 2020-01-01T00:00:00Z \
    --not-after 2020-01-02T00:00:00Z >>ca.log
finds expired 1 '✗ identity: .*expired' --config mesh.ini
if [ ! -e run ]; then ok meshctl_check/changes-nothing; else not_ok "meshctl_check/changes-nothing: it made $work/run"; fi
[ "$failures" -eq 0 ]
