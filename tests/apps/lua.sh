#!/bin/bash
# LuaSocket: select, lines, time-outs, one half closed.
# packages: lua5.4 lua-socket
# program: LuaSocket
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
lua=/usr/bin/lua5.4
$lua -e 'print("version " .. require("socket")._VERSION)' 2>/dev/null || skip "lua5.4 or lua-socket is not installed"
bystander

pair() {
    port=$(free_port)
    spawn lua mesh "${side:-server}" $lua "$top/tests/apps/programs/sockets.lua" server "$port"
    wait_port "$port"
    limit 30 mesh "${side:-client}" $lua "$top/tests/apps/programs/sockets.lua" client "$port"
}
proved_pair() {
    pair && both_proved "$port"
}
beside() {
    side=bystander
    pair
}
try "lua: 200 lines on ten connections, a time-out, half-closed ends" proved_pair
try "lua: loaded but for other ports" beside
[ "$failures" -eq 0 ]
