# shellcheck shell=bash
# For the tests with other TLS stacks. Sourced after lib.sh and tests/apps/common.bash.
# shellcheck disable=SC2154 # those assign work, B, meshctl, spawned

words="the words that come back"
victim=$B/tests/peers/victim

# Identities by `meshctl ca`, for the meshed end and for theirs: $ids/client and $ids/server, cert.pem, key.pem and ca.pem in each.
ids=$work/ids
"$meshctl" ca init --dir "$work/root" --trust-domain mesh.local >/dev/null || fail "no root"
for workload in client server; do
    "$meshctl" ca issue --dir "$work/root" --workload "default/$workload" --out "$ids/$workload" >/dev/null || fail "no identity"
    sed -i "s,^certificate .*,certificate = $ids/$workload/cert.pem,; s,^private_key .*,private_key = $ids/$workload/key.pem,
        s,^trust_bundle .*,trust_bundle = $ids/$workload/ca.pem," "$work/$workload.ini"
done

# echo_server: meshed, for their clients; on $echoes.
echo_server() {
    echoes=$(free_port)
    spawn echo mesh server "$victim" server "$echoes" epoll
    wait_port "$echoes"
}

# talk NAME COMMAND…: a client of theirs sends a line to the meshed echo and reads it back; what it reads ends it. $before is a command that it gets
# first: when it has said something like $ready, and until it says $changed.
talk() {
    local name=$1 in=$work/in
    shift
    rm -f "$in" "$work/talk.log" && mkfifo "$in" # or what the one before said would be taken for an answer
    exec {line}<>"$in"
    spawn talk bash -c "exec \"\$@\" <$in" - "$@"
    if { [ -z "${before:-}" ] || { wait_until 8 knows && echo "$before" >&"$line" && wait_until 8 updated; }; } &&
        echo "$words" >&"$line" && wait_until 8 back "$work/talk.log"; then
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
knows() {
    grep -qsaE "$ready" "$work/talk.log"
}
updated() {
    grep -qsaE "$changed" "$work/talk.log"
}

# ask NAME PORT [MODE [COUNT]]: the meshed client sends a line to their server, which says it back, COUNT times.
ask() {
    local what
    what=$(limit 20 mesh client "$victim" client "$2" "${3:-blocking}" "$words"$'\n' "${4:-2}" 2>&1)
    if [ "$(tail -n 1 <<<"$what")" = "done" ]; then
        ok "interop: $1"
    else
        not_ok "interop: $1: $what"
        tail -n 5 "$work/server-of-theirs.log" | sed 's/^/#   /'
    fi
}

# run NAME COMMAND…: a client of theirs that ends by itself, well where all came back; what it said is in $work/client-of-theirs.
run() {
    local name=$1
    shift
    try "interop: $name" limit 20 "$@"
    cp "$work/try.out" "$work/client-of-theirs"
}

# told LEAST FILE TEXT: somebody has said that so many times.
told() {
    [ "$(grep -c "$3" "$2")" -ge "$1" ]
}
