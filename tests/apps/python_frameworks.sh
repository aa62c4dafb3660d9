#!/bin/bash
# Python's frameworks, each with an event loop of its own making: aiohttp, Tornado, Twisted, gevent (libev), trio, gRPC's C core.
# packages: python3-aiohttp python3-gevent python3-grpcio python3-tornado python3-trio python3-twisted
# program: Python frameworks
# timeout: 180
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

pair() {
    port=$(free_port)
    spawn "$1" mesh server "$python" "$top/tests/apps/programs/frameworks.py" "$1" server "$port"
    wait_port "$port" 20
    limit 40 mesh client "$python" "$top/tests/apps/programs/frameworks.py" "$1" client "$port"
}
versions=
for name in aiohttp tornado twisted gevent trio grpc; do
    if version=$("$python" -c "import $name; print(getattr($name, '__version__', getattr($name, 'version', '')))" 2>/dev/null); then
        versions="$versions${versions:+, }$name $version"
        try "frameworks: $name, 40 requests at once and a megabyte there and back" alike pair "$name"
        try "frameworks: $name is proved" both_proved "$port"
    else
        echo "skip frameworks: $name is not installed"
    fi
done
version Python frameworks "$versions"
[ "$failures" -eq 0 ]
