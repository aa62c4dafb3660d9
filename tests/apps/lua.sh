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

pair() {
    port=$(free_port)
    spawn lua mesh server $lua "$top/tests/apps/programs/sockets.lua" server "$port"
    wait_port "$port"
    limit 30 mesh client $lua "$top/tests/apps/programs/sockets.lua" client "$port"
}
try "lua: 200 lines on ten connections, a time-out, half-closed ends" alike pair
try "lua: both sides are proved" both_proved "$port"
[ "$failures" -eq 0 ]
