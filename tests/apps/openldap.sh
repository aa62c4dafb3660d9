#!/bin/bash
# OpenLDAP: slapd's listener and its threads, ldapadd and ldapsearch.
# packages: ldap-utils slapd
# program: OpenLDAP
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

export PATH=$PATH:/usr/sbin
command -v slapd >/dev/null && [ -d /etc/ldap/schema ] || skip "slapd is not installed"
version OpenLDAP "$(dpkg-query -W -f '${Version}' slapd | sed 's/[+-].*//')"
for i in $(seq 400); do
    printf 'dn: cn=p%s,dc=x\nobjectClass: inetOrgPerson\ncn: p%s\nsn: s%s\ndescription: %s\n\n' "$i" "$i" "$i" \
        "$(head -c 600 /dev/urandom | base64 -w0)"
done >"$work/people"
head -c 1500000 /dev/urandom | base64 -w0 >"$work/photo"
{
    printf 'dn: dc=x\nobjectClass: domain\ndc: x\n\n'
    cat "$work/people"
    printf 'dn: cn=large,dc=x\nobjectClass: inetOrgPerson\ncn: large\nsn: l\njpegPhoto:: %s\n\n' "$(cat "$work/photo")"
} >"$work/all"

# slapd_at PORT: with a database that is empty.
slapd_at() {
    rm -rf "$work/data" && mkdir "$work/data"
    cat >"$work/slapd.conf" <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $work/slapd.pid
sockbuf_max_incoming 4194304
sockbuf_max_incoming_auth 4194304
sizelimit unlimited
database mdb
suffix "dc=x"
rootdn "cn=admin,dc=x"
rootpw secret
directory $work/data
dbnosync
CONF
    spawn slapd mesh server slapd -d 0 -f "$work/slapd.conf" -h "ldap://127.0.0.1:$1"
    wait_port "$1"
    url=ldap://127.0.0.1:$1
}
ldap() {
    local program=$1
    shift
    limit 20 mesh client "$program" -x -o nettimeout=15 -H "$url" "$@"
}
adds() {
    ldap ldapadd -D cn=admin,dc=x -w secret -f "$work/all" >"$work/added" && [ "$(grep -c '^adding' "$work/added")" -eq 402 ]
}
finds() {
    ldap ldapsearch -LLL -o ldif-wrap=no -b dc=x '(cn=p*)' cn sn description objectClass >"$work/found"
    [ "$(grep -c '^description: ' "$work/found")" -eq 400 ] && diff <(sort "$work/people") <(sort "$work/found")
}
finds_large() {
    ldap ldapsearch -LLL -o ldif-wrap=no -b dc=x '(cn=large)' jpegPhoto | sed -n 's/^jpegPhoto:: //p' | tr -d '\n' | same - "$work/photo"
}
pages() {
    [ "$(ldap ldapsearch -LLL -E pr=50/noprompt -b dc=x '(cn=p*)' cn | grep -c '^cn: ')" -eq 400 ]
}
many() {
    local i jobs=() bad=0
    for i in $(seq 8); do
        ldap ldapsearch -LLL -b dc=x "(sn=s$i*)" cn >"$work/one.$i" &
        jobs+=($!)
    done
    for i in $(seq 8); do
        wait "${jobs[i - 1]}" && grep -qx "cn: p$i" "$work/one.$i" || bad=$((bad + 1))
    done
    [ "$bad" -eq 0 ]
}
refuses() {
    local status
    ldap ldapwhoami -D cn=admin,dc=x -w wrong
    status=$?
    [ "$status" -eq 49 ] && [ "$(ldap ldapwhoami -D cn=admin,dc=x -w secret)" = "dn:cn=admin,dc=x" ]
}

port=$(free_port)
slapd_at "$port"
try "openldap: 402 entries added, one of 1.5 MB" adds
try "openldap: 400 entries come back" finds
try "openldap: the one of 1.5 MB" finds_large
try "openldap: by pages" pages
try "openldap: eight searches at once" many
try "openldap: a wrong password, a right one" refuses
try "openldap: both sides are proved" both_proved "$port"

works() {
    slapd_at "$(free_port)"
    adds && finds && finds_large && pages && refuses && sums <"$work/found"
}
try "openldap: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
