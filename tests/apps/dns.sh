#!/bin/bash
# Names over TCP: BIND's named (libuv, threads) and its dig, whole zones and questions on one connection; dnsmasq, a process a connection.
# packages: bind9 bind9-dnsutils dnsmasq-base
# program: BIND
# program: dnsmasq
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

export PATH=$PATH:/usr/sbin
command -v named >/dev/null || skip "named is not installed"
version BIND "$(named -v | sed 's/^BIND \([0-9.]*\).*/\1/')"
version dnsmasq "$(dnsmasq --version | awk 'NR == 1 { print $3 }')"
mkdir "$work/named"
{
    # shellcheck disable=SC2016 # the zone file's own words
    printf '$TTL 60\n@ SOA ns. a. 1 60 60 60 60\n@ NS ns.\n'
    for i in $(seq 3000); do
        echo "h$i A 10.0.$((i / 250)).$((i % 250))"
    done
} >"$work/named/zone"

named_at() {
    cat >"$work/named.conf" <<CONF
options {
    directory "$work/named";
    listen-on port $1 { 127.0.0.1; };
    listen-on-v6 { none; };
    pid-file none;
    session-keyfile "$work/named/key";
    allow-transfer { any; };
    recursion no;
    dnssec-validation no;
    tcp-idle-timeout 50;
};
controls { };
zone "x.test" { type primary; file "zone"; };
CONF
    spawn named mesh server named -g -n 2 -c "$work/named.conf"
    wait_port "$1"
    # It listens before it has read its zones.
    wait_until 20 grep -q 'all zones loaded' "$work/named.log" || fail "named loads no zone"
}
dnsmasq_at() {
    spawn dnsmasq mesh server dnsmasq -k -C /dev/null -p "$1" --listen-address=127.0.0.1 --bind-interfaces -R -h --pid-file= \
        --address=/x.test/10.1.2.3 "--user=$(id -un)"
    wait_port "$1"
}
ask() {
    limit 20 mesh client dig +tcp +tries=1 +time=10 "$@"
}
transfers() {
    ask @127.0.0.1 -p "$1" +onesoa +noall +answer axfr x.test | awk '$4 == "A" { sub(/\.x\.test\.$/, "", $1); print $1, $4, $5 }' | sort |
        diff <(sed -n '/^h/p' "$work/named/zone" | sort) -
}
# All on one connection.
several() {
    [ "$(ask +keepopen +short @127.0.0.1 -p "$1" h7.x.test h8.x.test h999.x.test | tr '\n' ' ')" = "10.0.0.7 10.0.0.8 10.0.3.249 " ]
}
unknown() {
    ask @127.0.0.1 -p "$1" none.x.test | grep -q 'status: NXDOMAIN'
}
short() {
    local i
    for i in 1 2 3 4 5; do
        [ "$(ask +short @127.0.0.1 -p "$1" "n$i.x.test")" = 10.1.2.3 ] || return 1
    done
}

port=$(free_port)
named_at "$port"
try "bind: a zone of 3000 names" transfers "$port"
try "bind: three questions on one connection" several "$port"
try "bind: a name that is not there" unknown "$port"
try "bind: both sides are proved" both_proved "$port"
port=$(free_port)
dnsmasq_at "$port"
try "dnsmasq: five questions" short "$port"
try "dnsmasq: both sides are proved" both_proved "$port"

works() {
    local named dnsmasq
    named=$(free_port) dnsmasq=$(free_port)
    named_at "$named"
    dnsmasq_at "$dnsmasq"
    transfers "$named" && several "$named" && unknown "$named" && short "$dnsmasq" && echo fine
}
try "bind, dnsmasq: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
