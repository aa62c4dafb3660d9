#!/bin/bash
# node's cluster module and sockets that are sent to a child: accepted in one process and served in another (SCM_RIGHTS).
# packages: nodejs
# program: node
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
[ -x /usr/bin/node ] || skip "node is not installed"
bystander

pair() {
    port=$(free_port)
    spawn "$1" mesh "${side:-server}" /usr/bin/node "$top/tests/apps/programs/cluster.js" "$1" "$port"
    wait_port "$port" 20
    limit 30 mesh "${side:-client}" /usr/bin/node "$top/tests/apps/programs/cluster.js" "$2" "$port"
}
proved_pair() {
    pair "$@" && both_proved "$port"
}
beside() {
    side=bystander
    pair round-robin clients-of-two && pair send clients-of-child
}

try "node: cluster, the primary accepts and passes connections on" proved_pair round-robin clients-of-two
try "node: cluster, each worker accepts for itself" proved_pair none clients
try "node: child.send passes connections to a child" proved_pair send clients-of-child
try "node: a shell and cat on each connection" proved_pair spawn clients-of-child
try "node: cluster and child.send, loaded but for other ports" beside
[ "$failures" -eq 0 ]
