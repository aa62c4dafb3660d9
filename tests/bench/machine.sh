# shellcheck shell=bash disable=SC2154,SC2034 # work, top, B and meshctl come from tests/lib.sh
# What the benchmark stands on: tools, programs, identities, processors.

require_tools() {
    local tool missing=
    for tool in nginx redis-server redis-benchmark wrk openssl taskset; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    [ -z "$missing" ] || fail "not installed:$missing. make deps"
    [ -e "$B/libmeshshim.so" ] || fail "$B/libmeshshim.so is not built: make"
    # A copy: what is measured stays the same when somebody builds meanwhile.
    cp "$B/libmeshshim.so" "$work/" && mesh_preload=${mesh_preload/"$B/libmeshshim.so"/"$work/libmeshshim.so"}
}

build_programs() {
    local name
    mkdir -p "$B/bench"
    for name in calls load conns echo; do
        [ "$B/bench/$name" -nt "$top/tests/bench/$name.c" ] ||
            ${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -O2 -o "$B/bench/$name" "$top/tests/bench/$name.c" ||
            fail "tests/bench/$name.c does not compile"
    done
}

# The same P-256 certificates for meshing and for the servers' own TLS.
make_identities() {
    local name
    mkdir -p "$work/run"
    {
        "$meshctl" ca init --dir "$work/ca" --trust-domain mesh.local &&
            for name in client server; do
                "$meshctl" ca issue --dir "$work/ca" --workload "default/$name" --out "$work/$name" || break
            done
    } >"$work/ca.log" 2>&1 || fail "meshctl ca made no identities"
    for name in client server; do
        write_ini "$name" >"$work/$name.ini"
    done
    # For what is not meshed: loaded, configured, and concerned with other ports only.
    write_ini client | sed 's/^mtls *= strict/mtls = off/; s/^host *=.*/&\nport = 1/' >"$work/elsewhere.ini"
}

write_ini() {
    cat <<INI
[workload]
name         = $1
trust_domain = mesh.local
certificate  = $work/$1/cert.pem
private_key  = $work/$1/key.pem
trust_bundle = $work/$1/ca.pem
runtime_dir  = $work/run

[inbound]
mtls = strict

[service peer]
host     = 127.0.0.1
identity = default/server
INI
}

# Pinned, where there are two processors.
if [ "$(nproc)" -gt 1 ]; then
    server_cpu=(taskset -c 0) client_cpu=(taskset -c 1) pinned="server on cpu 0, client on cpu 1"
else
    server_cpu=() client_cpu=() pinned="one processor for both ends"
fi

describe_machine() {
    local model
    model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
    echo "${model:-$(uname -m)}, $(nproc) cores, Linux $(uname -r), load $(cut -d' ' -f1 /proc/loadavg) at the start; $pinned."
    echo "$(nginx -v 2>&1 | sed 's/.*: //'), redis $(redis-server --version | sed 's/.*v=\([^ ]*\).*/\1/')," \
        "$(openssl version | cut -d' ' -f1,2). Medians of $rounds interleaved rounds."
    echo
}
