#!/bin/bash
# A workload whose own identity is missing, unreadable, expired or does not fit: EACCES on either side, and a sentence that names the file.
# timeout: 120
# shellcheck disable=SC2154 # common.bash assigns python
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$top/tests/apps/common.bash"
connects=$top/tests/integration/connects.py

good=$(free_port)
MESHSHIM_LOG_FILE=$work/good.mesh spawn good mesh server "$python" "$connects" serve "$good" good
wait_port "$good"

# bad NAME KEY FILE: a client's and a server's configuration with that file.
bad() {
    for side in client server; do
        sed "s,^$2 .*,$2 = $3," "$work/$side.ini" >"$work/$side-$1.ini"
    done
}

denied() { # CASE WORD…
    local case=$1 word
    shift
    : >"$work/client.mesh"
    MESHSHIM_LOG_FILE=$work/client.mesh limit 20 mesh "client-$case" "$python" "$connects" dial blocking 127.0.0.1 "$good" >"$work/saw" 2>&1
    cat "$work/saw" "$work/client.mesh"
    grep -q '^EACCES ' "$work/saw" && says_it client "$@"
}

says_it() { # SIDE WORD…
    local side=$1 word
    shift
    for word in "$@"; do
        grep -qF -- "$word" "$work/$side.mesh" || { echo "the $side said nothing of '$word'" && return 1; }
    done
}

turned_away() { # CASE WORD…: by a server of that identity; it sees EACCES, the client an end or a reset
    local case=$1 port=
    shift
    port=$(free_port)
    : >"$work/server.mesh"
    MESHSHIM_LOG_FILE=$work/server.mesh spawn "server-$case" mesh "server-$case" "$python" "$connects" serve "$port" "$case"
    wait_port "$port"
    limit 20 mesh client "$python" "$connects" dial blocking 127.0.0.1 "$port" >"$work/saw" 2>&1
    wait_until 5 grep -q 'served nobody: EACCES' "$work/server-$case.log"
    local status=$?
    kill "$spawned"
    cat "$work/saw" "$work/server.mesh" "$work/server-$case.log"
    [ $status -eq 0 ] && ! grep -q '^OK' "$work/saw" && says_it server "$@"
}

both() { # CASE WORD…
    try "identity/$1: the client's connect is EACCES" denied "$@"
    try "identity/$1: what the server accepts is EACCES" turned_away "$@"
}

ca=$work/ca
bad missing certificate "$ca/none.pem"
both missing "$ca/none.pem" 'No such file'
bad missing-key private_key "$ca/none.key"
both missing-key "$ca/none.key" 'No such file'
bad missing-bundle trust_bundle "$ca/none-ca.pem"
both missing-bundle "$ca/none-ca.pem" 'No such file'
mkdir "$ca/directory.pem"
bad directory certificate "$ca/directory.pem"
both directory "$ca/directory.pem" 'directory'
: >"$ca/empty.pem"
bad empty certificate "$ca/empty.pem"
both empty "$ca/empty.pem" 'no certificate'
bad mismatch private_key "$ca/expired.key"
both mismatch "$ca/expired.key" 'does not belong'
for side in client server; do
    sed "s,^certificate .*,certificate = $ca/expired.pem,; s,^private_key .*,private_key = $ca/expired.key,; s,^name .*,name = client," \
        "$work/$side.ini" >"$work/$side-expired.ini"
    sed "s,^certificate .*,certificate = $ca/wrong_name.pem,; s,^private_key .*,private_key = $ca/wrong_name.key," \
        "$work/$side.ini" >"$work/$side-name.ini"
    sed "s,^certificate .*,certificate = $ca/foreign_ca.pem,; s,^private_key .*,private_key = $ca/foreign_ca.key,; s,^name .*,name = client," \
        "$work/$side.ini" >"$work/$side-foreign.ini"
done
both expired "$ca/expired.pem" expired
both name "$ca/wrong_name.pem" mallory
both foreign "$ca/foreign_ca.pem" "$ca/ca.pem"

# Root reads everything: somebody else tries.
unreadable() {
    cp "$ca/client.key" "$ca/closed.key"
    chmod 600 "$ca/closed.key"
    bad closed private_key "$ca/closed.key"
    chmod 755 "$work" "$ca"
    chmod 644 "$work"/*.ini
    mkdir -p "$work/of-nobody"
    chmod 1777 "$work/of-nobody"
    sed -i "s,^runtime_dir .*,runtime_dir = $work/of-nobody," "$work/client-closed.ini"
    limit 20 setpriv --reuid=65534 --regid=65534 --clear-groups env MESHSHIM_LOG_FILE="$work/of-nobody/log" LD_PRELOAD="$mesh_preload" \
        MESHSHIM_CONFIG="$work/client-closed.ini" "$python" "$connects" dial blocking 127.0.0.1 "$good" >"$work/saw" 2>&1
    cat "$work/saw" "$work/of-nobody/log"
    grep -q '^EACCES ' "$work/saw" && grep -F "$ca/closed.key" "$work/of-nobody/log" | grep -q 'Permission denied'
}
if [ "$(id -u)" -eq 0 ] && [ "$slow" -eq 1 ] && setpriv --reuid=65534 --regid=65534 --clear-groups test -r "$B/libmeshshim.so"; then
    try "identity/unreadable: a key that may not be read is EACCES" unreadable
else
    echo "skip identity/unreadable: only root can be somebody else, and that one must be able to read $B"
fi

# The server's refusal comes after connect has succeeded: whether the program reads or writes then, it is the same error.
refused_by_list() { # WAY
    limit 40 mesh client "$python" "$connects" dial "$1" 127.0.0.1 "$strict" 20 >"$work/saw" 2>&1
    grep -v '^connected' "$work/saw" | cut -d' ' -f1 | sort | uniq -c
    [ "$(grep -c '^EACCES ' "$work/saw")" = 20 ]
}
sed 's/^allow .*/allow = default\/other/' "$work/server.ini" >"$work/strict.ini"
strict=$(free_port)
spawn strict mesh strict "$python" "$connects" serve "$strict" strict
wait_port "$strict"
try "identity/refused: who is not on the list reads EACCES" refused_by_list read-first
try "identity/refused: who is not on the list writes after the refusal has come: EACCES" refused_by_list answered-first

# Its own words for errors OpenSSL learns when they are first needed: those of libssl, and of libcrypto.
in_words() { # SENTENCE COMMAND…: what the server says of such a client
    local sentence=$1
    shift
    : >"$work/good.mesh"
    limit 20 "$@" </dev/null >"$work/saw" 2>&1
    wait_until 5 grep -q 'its TLS is not acceptable: ' "$work/good.mesh"
    cat "$work/saw" "$work/good.mesh"
    grep -q "its TLS is not acceptable: $sentence$" "$work/good.mesh"
}
try "identity/words: a peer has no group in common" in_words 'no suitable key share' \
    openssl s_client -connect "127.0.0.1:$good" -cert "$ca/client.pem" -key "$ca/client.key" -groups P-521
try "identity/words: a peer's certificate is garbage" in_words '[a-z ]*' \
    "$B/tests/peers/badpeer" --role client --port "$good" --ca "$ca" --case certificate_garbage

still_good() {
    limit 20 mesh client "$python" "$connects" dial blocking 127.0.0.1 "$good" >"$work/saw" 2>&1
    grep -q '^OK.* good heard ping' "$work/saw"
}
try "identity: a good one is served all the same" still_good
[ "$failures" -eq 0 ]
