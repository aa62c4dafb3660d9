#!/bin/bash
# memcached, with threads: values of every size for several clients, and its own time-out.
# program: memcached
# packages: memcached
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=tests/apps/common.bash
. "$(dirname "$0")/common.bash"

version memcached "$(memcached -V | cut -d' ' -f2)"
user=()
[ "$(id -u)" -ne 0 ] || user=(-u root)
# memcached_at PORT [ARGUMENT…]
memcached_at() {
    local port=$1
    shift
    spawn memcached mesh server memcached -l 127.0.0.1 -p "$port" -U 0 -t 4 "${user[@]}" -I 4m "$@"
    wait_port "$port"
}

cat >"$work/memcached.py" <<'PY'
import os, socket, sys, threading
def one(port, problems):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        file = sock.makefile("rb")
        for size in (1, 1000, 16385, 1 << 20):
            key, value = f"k{threading.get_ident()}-{size}", os.urandom(size)
            sock.sendall(f"set {key} 0 0 {size}\r\n".encode() + value + b"\r\n")
            if file.readline() != b"STORED\r\n":
                return problems.append(f"{size} bytes were not stored")
            sock.sendall(f"get {key}\r\n".encode())
            file.readline()
            if file.read(size + 2) != value + b"\r\n" or file.readline() != b"END\r\n":
                return problems.append(f"{size} bytes came back changed")
problems = []
workers = [threading.Thread(target=one, args=(int(sys.argv[1]), problems)) for _ in range(int(sys.argv[2]))]
[w.start() for w in workers]
[w.join() for w in workers]
print("; ".join(problems) or "every value came back")
sys.exit(bool(problems))
PY
keeps() {
    limit 30 mesh client "$python" "$work/memcached.py" "$1" "$2"
}

cache=$(free_port) hasty=$(free_port)
memcached_at "$cache"
memcached_at "$hasty" -o idle_timeout=1 # a busy machine may stop a client of the other one for longer
try "memcached: keeps values of 1 byte to 1 MiB for 8 clients" keeps "$cache" 8
try "memcached: ends an idle connection in its own time" took_between 800 9000 idles "$hasty" 'version\r\n' VERSION
try "memcached: both sides are proved" both_proved "$cache"

serves() {
    cache=$(free_port)
    memcached_at "$cache"
    keeps "$cache" 2
}
try "memcached: the same plain, loaded and meshed" alike serves
[ "$failures" -eq 0 ]
