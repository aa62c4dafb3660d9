#!/bin/bash
# Languages whose run-time systems wait in their own ways: OCaml (channels, a process a connection), SBCL (streams), Mono (tasks).
# packages: mono-mcs mono-runtime ocaml-nox sbcl
# program: OCaml
# program: SBCL
# program: Mono
# timeout: 90
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"
for tool in ocaml sbcl mcs mono; do
    command -v $tool >/dev/null || skip "$tool is not installed"
done
programs=$top/tests/apps/programs
version OCaml "$(ocaml -vnum)"
version SBCL "$(sbcl --version | sed 's/SBCL //; s/\.debian//')"
version Mono "$(mono --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')"
mcs -out:"$work/sockets.exe" "$programs/sockets.cs" >"$work/mcs.log" 2>&1 || fail "sockets.cs does not compile"

# pair COMMAND…: with "server PORT" and "client PORT" behind it.
pair() {
    port=$(free_port)
    spawn "$1" mesh server "$@" server "$port"
    wait_port "$port" 20
    limit 30 mesh client "$@" client "$port"
}
try "ocaml: 500 lines there and back, one half closed" alike pair ocaml -I +unix "$programs/sockets.ml"
try "ocaml: both sides are proved" both_proved "$port"
try "sbcl: 500 lines there and back" alike pair sbcl --script "$programs/sockets.lisp"
try "sbcl: both sides are proved" both_proved "$port"
try "mono: 3 MB there and back beside others, a time-out" alike pair mono "$work/sockets.exe"
try "mono: both sides are proved" both_proved "$port"
[ "$failures" -eq 0 ]
