#!/bin/bash
# Exim, which executes itself anew for what it delivers, spoken to by swaks (Perl): a message of a megabyte, many commands at once.
# packages: exim4-daemon-light swaks
# program: Exim
# timeout: 120
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

export PATH=$PATH:/usr/sbin
command -v exim4 >/dev/null && command -v swaks >/dev/null || skip "exim or swaks is not installed"
[ "$(id -u)" -eq 0 ] || skip "exim wants to be started by root"
version Exim "$(exim4 -bV | awk 'NR == 1 { print $3 }')"
random_file 1m 1048576
base64 "$work/files/1m" >"$work/body"
chmod 644 "$work/body"
# It is root, and then another user.
chmod 755 "$work/ca" && chmod 644 "$work"/ca/* && : >>"$work/mesh.log" && chmod 666 "$work/mesh.log"

# exim_at PORT: everything goes into one file.
exim_at() {
    rm -rf "$work/spool" && mkdir "$work/spool" && chown Debian-exim "$work/spool"
    cat >"$work/exim.conf" <<CONF
spool_directory = $work/spool
log_file_path = $work/spool/%slog
exim_user = Debian-exim
keep_environment =
daemon_smtp_ports = $1
local_interfaces = 127.0.0.1
primary_hostname = test.host
domainlist local_domains = test.host
acl_smtp_rcpt = fine
acl_smtp_data = fine
tls_advertise_hosts =
smtp_receive_timeout = 1s
pipelining_advertise_hosts = *
begin acl
fine:
    accept
begin routers
all:
    driver = accept
    transport = file
begin transports
file:
    driver = appendfile
    file = $work/spool/mail
    user = Debian-exim
CONF
    spawn exim mesh server exim4 -C "$work/exim.conf" -bdf -q1h
    wait_port "$1"
}
send() {
    limit 20 mesh client swaks --server 127.0.0.1 --port "$port" --from bob@test.host --silent 2 --timeout 15 "$@"
}
arrived() {
    [ "$(grep -cs "^Subject: $1\$" "$work/spool/mail")" -eq "$2" ]
}
large() {
    send --to ann@test.host --h-Subject large --body "@$work/body" && wait_until 10 arrived large 1 &&
        sed -n '/^Subject: large/,/^From /p' "$work/spool/mail" | sed '1,/^$/d' | grep -vE '^(From .*|)$' | same - "$work/body"
}
several() {
    local i
    for i in 1 2 3; do
        send --to "a$i@test.host,b$i@test.host,c$i@test.host" --h-Subject several --pipeline || return 1
    done
    wait_until 10 arrived several 9
}

port=$(free_port)
exim_at "$port"
try "exim: a message of 1 MB" large
try "exim: nine by pipelines" several
try "exim: ends an idle connection in its own time" took_between 800 8000 idles "$port" '' 'SMTP command timeout'
try "exim: both sides are proved" both_proved "$port"

works() {
    port=$(free_port)
    exim_at "$port"
    large && several && echo fine
}
try "exim: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
