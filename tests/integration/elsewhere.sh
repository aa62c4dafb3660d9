#!/bin/bash
# A program whose connections are nobody's business keeps the threads and descriptors that it has alone; one whose are gets a
# thread more.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
make_mesh
sed -e '/^\[inbound\]/,/^\[service/s/^mtls .*/mtls = off/' -e '/^allow/d' -e 's/^host .*/&\nport     = 1/' "$work/client.ini" >"$work/elsewhere.ini"

cat >"$work/accept.py" <<'PY'
import os, socket
for family, at in ((socket.AF_UNIX, os.environ["AT"]), (socket.AF_INET, ("127.0.0.1", 0))):
    listener = socket.socket(family)
    listener.bind(at)
    listener.listen()
    client = socket.socket(family)
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    client.sendall(b"x")
    assert server.recv(1) == b"x"
print(len(os.listdir("/proc/self/task")), "threads")
PY

# threads NAME WANTED WORKLOAD
threads() {
    local got
    got=$(AT=$work/$1.socket mesh "$3" timeout $((20 * slow)) /usr/bin/python3 "$work/$4" 2>"$work/$1.log")
    if [ "$got" = "$2" ]; then ok "elsewhere/$1"; else not_ok "elsewhere/$1: '$got', expected '$2' $(tail -n 3 "$work/$1.log")"; fi
}

threads other-ports '1 threads' elsewhere accept.py
printf 'import os, socket\nl = socket.create_server(("127.0.0.1", 0))\nprint(len(os.listdir("/proc/self/task")), "threads")\n' >"$work/listen.py"
case $(basename "$B") in
tsan) echo "skip elsewhere/a-meshed-port the thread sanitizer starts a thread of its own beside the first" ;;
*) threads a-meshed-port '2 threads' server listen.py ;;
esac
[ "$failures" -eq 0 ]
