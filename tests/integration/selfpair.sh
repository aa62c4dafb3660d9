#!/bin/bash
# A program that is connected to itself, on a port that no service names, talks to itself; nobody else gets in that way.
# timeout: 60
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

make_mesh
named=$(free_port) # the only port that the mesh names
sed "s,^host .*,&\nport = $named," "$work/client.ini" >"$work/self.ini"
cat >"$work/pair.py" <<'PY'
import os, socket, sys

def pair(family, host):
    with socket.create_server((host, 0), family=family) as listener:
        one = socket.socket(family)
        one.connect(listener.getsockname())
        two, _ = listener.accept()
    return one, two

def talks(family, host):
    one, two = pair(family, host)
    for sender, receiver in ((one, two), (two, one)):
        sender.setblocking(False)
        receiver.settimeout(5)
        sender.sendall(b"wake up")
        if receiver.recv(100) != b"wake up":
            sys.exit("something else came")

def reused(port):
    """The number of such a connection, closed, is that of a protected one to the same listener."""
    with socket.create_server(("0.0.0.0", port)) as listener:
        one = socket.create_connection(("127.0.0.2", port))
        number = one.fileno()
        one.close()
        one = socket.create_connection(("127.0.0.1", port))
        if one.fileno() != number:
            sys.exit("the number was not used again")
        listener.accept()[0].close()
        two, _ = listener.accept()
        one.settimeout(5)
        two.sendall(b"protected")
        if one.recv(100) != b"protected":
            sys.exit("something else came")

def another_process():
    """A child that has unlearned the library is no part of the process."""
    pair(socket.AF_INET, "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        code = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.sendall(b'x' * 100); s.recv(1)"
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("LD_PRELOAD", "MESHSHIM"))}
        child = os.posix_spawn("/usr/bin/python3", ["python3", "-c", code, str(listener.getsockname()[1])], plain)
        accepted, _ = listener.accept()
        accepted.settimeout(10)
        try:
            got = accepted.recv(100)
            sys.exit(f"a plain client was let in: {got!r}" if got else 0)
        except OSError:
            pass
        accepted.close()
        os.waitpid(child, 0)

if sys.argv[1] == "another":
    another_process()
elif sys.argv[1] == "reused":
    reused(int(sys.argv[2]))
else:
    talks(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, sys.argv[1])
PY
for what in 127.0.0.1 127.0.0.2 ::1 another reused; do
    if timeout $((30 * slow)) env LD_PRELOAD="$mesh_preload" MESHSHIM_CONFIG="$work/self.ini" /usr/bin/python3 "$work/pair.py" "$what" "$named" >"$work/out" 2>&1; then
        ok "selfpair: $what"
    else
        not_ok "selfpair: $what"
        sed 's/^/# /' "$work/out"
    fi
done
[ "$failures" -eq 0 ]
