#!/bin/bash
# Mojolicious: Perl on libev and on poll, preforked workers, WebSockets.
# packages: libmojolicious-perl libev-perl
# program: Mojolicious
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
/usr/bin/perl -MMojolicious -e 'print "version Mojolicious $Mojolicious::VERSION\n"' 2>/dev/null || skip "Mojolicious is not installed"
export TMPDIR=$work

# pair SERVER REACTOR
pair() {
    port=$(free_port)
    export MOJO_REACTOR=Mojo::Reactor::$2
    spawn mojo mesh server /usr/bin/perl "$top/tests/apps/programs/mojo.pl" "$1" "$port"
    wait_port "$port" 20
    limit 30 mesh client /usr/bin/perl "$top/tests/apps/programs/mojo.pl" client "$port"
}
proved_pair() {
    pair "$@" && both_proved "$port"
}
try "mojolicious: 60 requests, a megabyte and a WebSocket on libev" alike pair server EV
try "mojolicious: both sides are proved" both_proved "$port"
try "mojolicious: the same on poll" proved_pair server Poll
try "mojolicious: the same by preforked workers" proved_pair prefork EV
[ "$failures" -eq 0 ]
