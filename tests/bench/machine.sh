# shellcheck shell=bash disable=SC2154,SC2034 # work, top, B and meshctl come from tests/lib.sh
# What the benchmark stands on: tools, programs, identities, processors.

require_tools() {
    local tool missing=
    for tool in nginx redis-server redis-benchmark wrk openssl curl taskset haproxy stunnel4 hitch setpriv; do
        command -v "$tool" >/dev/null || missing="$missing $tool"
    done
    nginx_modules=$(find /usr/lib*/nginx/modules -maxdepth 1 -name ngx_stream_module.so 2>/dev/null | head -n 1)
    [ -n "$nginx_modules" ] || missing="$missing nginx's-stream-module"
    postgres=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
    [ -x "$postgres/initdb" ] && [ -x "$postgres/pgbench" ] || missing="$missing postgresql"
    [ -z "$missing" ] || fail "not installed:$missing. make bench installs them"
    [ -e "$B/libmeshshim.so" ] || fail "$B/libmeshshim.so is not built: make"
    # A copy: what is measured stays the same when somebody builds meanwhile. On the disk: the pages of a file that is not are a process' own.
    chmod 755 "$work"
    cp "$B/libmeshshim.so" "$work/" && sync "$work/libmeshshim.so" && mesh_preload=${mesh_preload/"$B/libmeshshim.so"/"$work/libmeshshim.so"}
}

# build NAME LIBRARIES SOURCE…
build() {
    local name=$1 libraries=$2
    shift 2
    # shellcheck disable=SC2086 # a list of words
    ${CC:-gcc} -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -O2 -o "$B/bench/$name" "$@" $libraries ||
        fail "tests/bench: $name does not compile"
}

build_programs() {
    local name
    mkdir -p "$B/bench"
    for name in calls load conns echo; do
        build "$name" "" "$bench/$name.c"
    done
    build drive "-lssl -lcrypto" "$bench"/drive/*.c
    build meter "" "$bench/meter.c" "$bench/drive/clock.c"
}

# The same P-256 certificates for all: meshing, the servers' own TLS, the sidecars. (Proxies ask for a host name: localhost.)
make_identities() {
    local name
    mkdir -p "$work/run"
    {
        "$meshctl" ca init --dir "$work/ca" --trust-domain mesh.local &&
            for name in client server; do
                "$meshctl" ca issue --dir "$work/ca" --workload "default/$name" --dns localhost --out "$work/$name" || break
            done
    } >"$work/ca.log" 2>&1 || fail "meshctl ca made no identities"
    for name in client server; do
        cat "$work/$name/cert.pem" "$work/$name/key.pem" >"$work/$name/both.pem"
        write_ini "$name" "$work/$name" "$work/run" >"$work/$name.ini"
    done
    sed '/^host/a session_resumption = no' "$work/client.ini" >"$work/client-full.ini"
    # For what is not meshed: loaded, configured, and concerned with other ports only.
    write_ini client "$work/client" "$work/run" | sed 's/^mtls *= strict/mtls = off/; s/^host *=.*/&\nport = 1/' >"$work/elsewhere.ini"
    identities_of_others
}

# PostgreSQL and its tools run as somebody else when we are root, with files of their own.
identities_of_others() {
    local name
    mkdir -p "$work/pg/run"
    cp -r "$work/client" "$work/server" "$work/pg/"
    for name in client server; do
        write_ini "$name" "$work/pg/$name" "$work/pg/run" >"$work/pg-$name.ini"
    done
    as_postgres=()
    [ "$(id -u)" -eq 0 ] || return 0
    as_postgres=(setpriv --reuid=postgres "--regid=$(id -g postgres)" --clear-groups)
    chown -R postgres "$work/pg"
}

# write_ini WORKLOAD IDENTITY RUNTIME_DIR
write_ini() {
    cat <<INI
[workload]
name         = $1
trust_domain = mesh.local
certificate  = $2/cert.pem
private_key  = $2/key.pem
trust_bundle = $2/ca.pem
runtime_dir  = $3

[inbound]
mtls = strict

[service peer]
host     = 127.0.0.1
identity = default/server
INI
}

# Pinned, where there are two processors: two nodes of one each.
if [ "$(nproc)" -gt 1 ]; then
    server_cpu=(taskset -c 0) client_cpu=(taskset -c 1) pinned="server node (with its sidecar) on cpu 0, client node on cpu 1"
else
    server_cpu=() client_cpu=() pinned="one processor for both ends"
fi

# How busy the processors are, in percent, while we do nothing for two seconds; what a hypervisor steals included.
busy_percent() {
    { cat /proc/stat && sleep 2 && cat /proc/stat; } |
        awk '$1 == "cpu" { idle = $5 + $6; all = 0; for (i = 2; i <= 9; i++) all += $i
                           if (seen++) printf "%.0f", 100 - 100 * (idle - idle_before) / (all - all_before)
                           idle_before = idle; all_before = all }'
}

describe_machine() {
    local model busy
    busy=$(busy_percent)
    model=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
    cat <<TEXT
${model:-$(uname -m)}, $(nproc) processors, Linux $(uname -r), $busy % busy before the start; $pinned.
$(nginx -v 2>&1 | sed 's/.*: //'), redis $(redis-server --version | sed 's/.*v=\([^ ]*\).*/\1/'), $("$postgres/postgres" --version | sed 's/.*) \([0-9.]*\).*/postgresql \1/'), haproxy $(haproxy -v | sed -n '1s/.*version \([^ -]*\).*/\1/p'), $(stunnel4 -version 2>&1 | sed -n 's/^stunnel \([0-9.]*\).*/stunnel \1/p'), $(hitch --version 2>&1), $(openssl version | cut -d' ' -f1,2).
Medians of $rounds interleaved rounds, $(seconds_of plain) s for plain, own TLS and meshshim, $duration s for the sidecars.
TEXT
    # A sidecar more is one more process that gets its share of a processor which others use too, so they flatter the pairs.
    [ "$busy" -le 5 ] || echo "**The machine was busy with other things ($busy %): only the processor times mean something.**"
}
