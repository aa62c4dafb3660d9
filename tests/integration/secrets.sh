#!/bin/bash
# What SECURITY.md says, of a server that is talking: neither its private key nor the secrets and keys of its connections are in a core file,
# its key is not in its environment, nobody else may open its files, and the memory that its family shares cannot be cut short.
# timeout: 60
# packages: gdb
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
case $(basename "$B") in asan | tsan) skip "the sanitizer's memory is not the program's" ;; esac
command -v gcore >/dev/null || skip "gcore is not installed: make deps"
make_mesh
port=$(free_port)
mkdir -m 700 "$work/own"
sed -i "s|^runtime_dir .*|runtime_dir = $work/own/run|" "$work/server.ini"
spawn server mesh server "$B/tests/peers/victim" server "$port" epoll
server=$spawned
wait_port "$port"

# Connections are open, one of each cipher, so the key has been used; their clients write down all secrets.
suites="TLS_AES_128_GCM_SHA256 TLS_AES_256_GCM_SHA384 TLS_CHACHA20_POLY1305_SHA256"
for suite in $suites; do
    mkfifo "$work/words-$suite"
    exec {words}<>"$work/words-$suite"
    spawn "$suite" bash -c "exec openssl s_client -connect 127.0.0.1:$port -quiet -cert $work/ca/server.pem -key $work/ca/server.key \
        -CAfile $work/ca/ca.pem -ciphersuites $suite -keylogfile $work/secrets-$suite <$work/words-$suite"
    echo "the-words-themselves" >&"$words"
    wait_until 10 grep -q the-words-themselves "$work/$suite.log" || fail "no echo with $suite"
done
gcore -o "$work/core" "$server" >"$work/gcore.log" 2>&1 || skip "gcore may not trace here: $(tail -n 1 "$work/gcore.log")"

cat >"$work/look.py" <<'PY'
import hashlib, hmac, re, subprocess, sys
core, text = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read()
shown = subprocess.run(["openssl", "pkey", "-in", sys.argv[2], "-noout", "-text"], stdout=subprocess.PIPE, check=True).stdout.decode()
key = bytes.fromhex(re.sub(r"[^0-9a-f]", "", shown.split("priv:")[1].split("pub:")[0]))[-32:]
for name, value in ("the private key", key), ("the private key as OpenSSL keeps it", key[::-1]), ("the private key's text", text.split(b"\n")[2]):
    print("not ok" if value in core else "ok", "secrets: not in a core file:", name)

# RFC 8446, 7.1 and 7.3: a traffic secret's key. (The first round key of an expanded one is the key itself.)
def expanded(secret, label, length):
    info = length.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha384 if len(secret) == 48 else hashlib.sha256).digest()[:length]

for name in sys.argv[3:]:
    suite = name.rpartition("-")[2]
    lines = [line.split() for line in open(name) if not line.startswith("#")]
    secrets = {label: bytes.fromhex(secret) for label, _, secret in lines}
    length = 16 if "AES_128" in suite else 32
    found = []
    for label, secret in secrets.items():
        found += [label] * (secret in core)
        if "TRAFFIC" in label:
            found += [f"the key of {label}"] * (expanded(secret, b"key", length) in core)
    found += ["no secret was told"] * (len(secrets) < 4)
    print("not ok" if found else "ok", f"secrets: not in a core file: the secrets and keys of a connection, {suite}", *found)
print("ok" if b"spiffe://mesh.local" in core else "not ok", "secrets: what is looked at is a core file of the server")
PY
# shellcheck disable=SC2046,SC2086 # one each
/usr/bin/python3 "$work/look.py" "$work/core.$server" "$work/ca/server.key" $(printf "$work/secrets-%s " $suites) >"$work/found"
cat "$work/found"
failures=$(grep -c '^not ok' "$work/found")
[ -s "$work/found" ] || fail "nothing was looked for"

if tr '\0' '\n' <"/proc/$server/environ" | grep -q 'PRIVATE KEY'; then
    not_ok "secrets: a key is in the environment"
else
    ok "secrets: no key is in the environment"
fi
# The family's memory: a memfd whose size nobody changes (F_SEAL_SEAL, F_SEAL_SHRINK), kept out of core files (dd).
cat >"$work/seals.py" <<'PY'
import fcntl, os, sys
directory = f"/proc/{sys.argv[1]}/fd"
for fd in os.listdir(directory):
    if "/memfd:" in os.readlink(f"{directory}/{fd}"):
        seals = fcntl.fcntl(os.open(f"{directory}/{fd}", os.O_RDONLY), fcntl.F_GET_SEALS)
        print("sealed" if seals & fcntl.F_SEAL_SHRINK and seals & fcntl.F_SEAL_SEAL else f"seals {seals}")
PY
seals=$(/usr/bin/python3 "$work/seals.py" "$server" | sort -u)
flags=$(awk '/memfd:/ { mine = 1 } /^VmFlags/ { if (mine) print / dd/ ? "excluded" : "dumped"; mine = 0 }' "/proc/$server/smaps" | sort -u)
if [ "$seals,$flags" = sealed,excluded ]; then
    ok "secrets: the family's memory cannot be cut short, and is in no core file"
else
    not_ok "secrets: the family's memory: seals: ${seals:-no memfd}, core files: ${flags:-not mapped}"
fi
modes=$(find "$work/own/run" -printf '%y%m ' | tr ' ' '\n' | sort -u | tr '\n' ' ')
if [[ $modes =~ ^\ *d700\ f400\ s600\ $ ]]; then
    ok "secrets: the runtime directory and what is in it are the user's alone"
else
    not_ok "secrets: modes in the runtime directory: $modes"
fi
[ "$failures" -eq 0 ]
