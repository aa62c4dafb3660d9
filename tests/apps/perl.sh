#!/bin/bash
# Perl: a process a connection with buffered lines, select, a client that writes in a child and reads in the parent; LWP.
# packages: perl libwww-perl libhttp-daemon-perl
# program: Perl
# program: LWP
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
echo "version Perl $(/usr/bin/perl -e 'printf "%vd", $^V')"

server() {
    port=$(free_port)
    spawn "$1" mesh server /usr/bin/perl "$top/tests/apps/programs/sockets.pl" "$1" "$port"
    wait_port "$port" 20
}
client() {
    limit 30 mesh client /usr/bin/perl "$top/tests/apps/programs/sockets.pl" "$1" "$port" "${@:2}"
}

server forks-server
try "perl: lines of a forked server; a child writes, its parent reads" client forks-client 300000 8
try "perl: forked processes are proved" both_proved "$port"
server select-server
try "perl: select, 16 connections of 30 kB each, looked at and taken" client select-client 30000 16
try "perl: select is proved" both_proved "$port"
if /usr/bin/perl -MLWP::UserAgent -MHTTP::Daemon -e 'print "version LWP $LWP::UserAgent::VERSION\n"' 2>/dev/null; then
    server http-server
    try "perl: LWP keeps its connection to HTTP::Daemon, 1 MB there and back" client http-client
    try "perl: LWP and HTTP::Daemon are proved" both_proved "$port"
else
    echo "skip perl: LWP or HTTP::Daemon is not installed"
fi
works() {
    server forks-server && client forks-client 30000 4 && server select-server && client select-client 30000 16
}
try "perl: the same plain, loaded and meshed" alike works
[ "$failures" -eq 0 ]
