"""Programs that are more than one process, or lose their descriptors. families.py WHAT PORT…; each prints OK at its end."""
import ctypes
import multiprocessing
import os
import select
import signal
import socket
import socketserver
import subprocess
import sys
import threading

LINES = 2000
CLONE_NEWPID = 0x20000000
PATIENCE = 30


def dial(port):
    return socket.create_connection(("127.0.0.1", int(port)), timeout=None)


def line(number):
    return b"%06d %s\n" % (number, b"x" * (number * 37 % 300))


def hear_all(sock):
    got = b""
    while chunk := sock.recv(65536):
        got += chunk
    return got


def wait(pid):
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status not in (0, -signal.SIGKILL):
        sys.exit("the child ended with %d" % status)


def in_child(work):
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    except BaseException as error:
        print("the child:", repr(error), file=sys.stderr, flush=True)
    os._exit(1)


# ---- servers

class Forking(socketserver.ForkingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    request_queue_size = 64


class Talk(socketserver.StreamRequestHandler):
    def handle(self):
        for heard in self.rfile:
            self.wfile.write(b"%d %s" % (os.getpid(), heard))


def forking_server(port):
    Forking(("127.0.0.1", int(port)), Talk).serve_forever()


def work(listener):
    while True:
        sock, _ = listener.accept()
        with sock, sock.makefile("rb") as lines:
            for heard in lines:
                sock.sendall(b"%d %s" % (os.getpid(), heard))


def prefork_server(port):
    """Four processes that accept on one listener."""
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=64)
    children = [multiprocessing.Process(target=work, args=(listener,)) for _ in range(4)]
    signal.signal(signal.SIGTERM, lambda *_: ([c.kill() for c in children], os._exit(0)))
    for child in children:
        child.start()
    for child in children:
        child.join()


def handed(sock):
    with sock, sock.makefile("rb") as lines:
        for heard in lines:
            sock.sendall(b"%d %s" % (os.getpid(), heard))


def handing_server(port):
    """The parent accepts; a multiprocessing child, made by fork, serves."""
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=64)
    while True:
        sock, _ = listener.accept()
        child = multiprocessing.Process(target=handed, args=(sock,), daemon=True)
        child.start()
        sock.close()


def closing_daemon(port, ready):
    """A daemon as the books have it: two forks, a new session, every descriptor closed; then it listens."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.closerange(3, 4096)
    listener = socket.create_server(("127.0.0.1", int(port)))
    with open(ready, "w") as file:
        file.write("%d\n" % os.getpid())
    while True:
        sock, _ = listener.accept()
        os_close_others(listener, sock)
        handed(sock)


def os_close_others(*kept):
    """Between connections, too."""
    low = 3
    for fd in sorted(sock.fileno() for sock in kept):
        os.closerange(low, fd)
        low = fd + 1
    os.closerange(low, 4096)


def collector(port, name):
    """Writes what each connection sends, and how it ended, to NAME.0, NAME.1, …"""
    listener = socket.create_server(("127.0.0.1", int(port)))
    number = 0
    while True:
        sock, _ = listener.accept()
        sock.settimeout(PATIENCE)
        got, end = b"", "end"
        try:
            while chunk := sock.recv(65536):
                got += chunk
                if chunk.endswith(b"?\n"):
                    sock.sendall(b"heard %d\n" % len(got))
        except OSError as error:
            end = repr(error)
        with open("%s.%d.tmp" % (name, number), "wb") as file:
            file.write(got)
        with open("%s.%d.end" % (name, number), "w") as file:
            file.write(end + "\n")
        os.rename("%s.%d.tmp" % (name, number), "%s.%d" % (name, number))
        sock.close()
        number += 1


# ---- clients

def talk(sock, count):
    pids = set()
    with sock, sock.makefile("rb") as lines:
        for number in range(count):
            sock.sendall(line(number))
            pid, heard = lines.readline().split(b" ", 1)
            if heard != line(number):
                sys.exit("line %d came back as %r" % (number, heard))
            pids.add(int(pid))
    return pids


def many(port, connections, processes):
    """Talks on several connections; at least that many processes must have answered."""
    pids = set()
    threads = [threading.Thread(target=lambda: pids.update(talk(dial(port), 200))) for _ in range(int(connections))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(pids) < int(processes):
        sys.exit("only %d processes answered" % len(pids))
    print("OK")


def send_lines(sock, numbers):
    for number in numbers:
        sock.sendall(line(number))


def child_writes(port):
    sock = dial(port)
    pid = in_child(lambda: send_lines(sock, range(LINES)))
    sock.close()
    wait(pid)
    print("OK")


def parent_writes(port):
    sock = dial(port)
    pid = in_child(sock.close)
    send_lines(sock, range(LINES))
    wait(pid)
    sock.close()
    print("OK")


def in_turn(port):
    """Each hands the other its turn over a pipe; one stream of lines comes out."""
    sock = dial(port)
    here, there = socket.socketpair()

    def take_turns(end, first):
        for number in range(first, LINES, 2):
            if number:
                end.recv(1)
            sock.sendall(line(number))
            end.send(b"!")
    pid = in_child(lambda: take_turns(there, 1))
    take_turns(here, 0)
    wait(pid)
    sock.close()
    print("OK")


def at_once(port):
    """Both write when they like: lines may mix, but each is whole, and the two streams are in order."""
    sock = dial(port)
    pid = in_child(lambda: send_lines(sock, range(1, LINES, 2)))
    send_lines(sock, range(0, LINES, 2))
    wait(pid)
    sock.close()
    print("OK")


def write_and_read(port):
    """The parent writes, the child reads the echoes."""
    sock = dial(port)

    def read():
        with sock.makefile("rb") as lines:
            for number in range(LINES):
                if lines.readline().split(b" ", 1)[1] != line(number):
                    raise RuntimeError("line %d" % number)
    pid = in_child(read)
    send_lines(sock, range(LINES))
    wait(pid)
    sock.close()
    print("OK")


def killed_child(port):
    """The child writes and is killed while it waits to be; the parent writes on and closes."""
    sock = dial(port)
    here, there = socket.socketpair()

    def until_killed():
        send_lines(sock, range(100))
        there.send(b"!")
        select.select([], [], [])
    pid = in_child(until_killed)
    here.recv(1)
    os.kill(pid, signal.SIGKILL)
    wait(pid)
    send_lines(sock, range(100, 200))
    sock.close()
    print("OK")


def killed_writers(port):
    """Four children are killed in the midst of writing, on a connection each; the parent's own is not harmed."""
    own = dial(port)
    for _ in range(4):
        sock = dial(port)
        here, there = socket.socketpair()

        def write_for_ever():
            there.send(b"!")
            while True:
                sock.sendall(b"x" * 100000)
        pid = in_child(write_for_ever)
        here.recv(1)
        os.kill(pid, signal.SIGKILL)
        wait(pid)
        sock.close()
    send_lines(own, range(100))
    own.close()
    print("OK")


def killed_midway(port):
    """The child is killed while it writes, then the parent tries to: it may or may not, but the peer never gets what nobody sent."""
    for _ in range(20):
        sock = dial(port)
        here, there = socket.socketpair()

        def write_on():
            for number in range(1000000):
                sock.sendall(line(number))
                if number == 20:
                    there.send(b"!")
        pid = in_child(write_on)
        here.recv(1)
        os.kill(pid, signal.SIGKILL)
        wait(pid)
        try:
            sock.sendall(b"from the parent\n")
        except OSError as error:
            print(repr(error))
        sock.close()
    print("OK")


def crowd(port):
    """Eight children have it open at once, then close it; the parent closes it last."""
    sock = dial(port)
    send_lines(sock, range(100))
    here, there = socket.socketpair()

    def until_told():
        there.recv(1)
        sock.close()
    children = [in_child(until_told) for _ in range(8)]
    here.sendall(b"!" * len(children))
    for child in children:
        wait(child)
    send_lines(sock, range(100, 200))
    sock.close()
    print("OK")


def killed_crowd(port):
    """Eight children, one after another, are killed while they have it open."""
    sock = dial(port)
    for number in range(8):
        pid = in_child(lambda: select.select([], [], []))
        os.kill(pid, signal.SIGKILL)
        wait(pid)
        send_lines(sock, range(number * 25, number * 25 + 25))
    sock.close()
    print("OK")


def commands(port):
    """Other programs are run while a connection is open."""
    sock = dial(port)
    send_lines(sock, range(50))
    run = subprocess.run(["/bin/echo", "child"], close_fds=True, stdout=subprocess.PIPE, timeout=PATIENCE)
    if run.stdout != b"child\n" or os.popen("echo popen").read() != "popen\n" or os.system("exit 3") != 3 << 8:
        sys.exit("a command went wrong")
    if os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn("/bin/true", ["true"], os.environ), 0)[1]):
        sys.exit("posix_spawn went wrong")
    send_lines(sock, range(50, 100))
    subprocess.run(["/bin/true"], close_fds=False, timeout=PATIENCE, check=True)
    try:
        subprocess.run(["/no/such/program"], timeout=PATIENCE)
        sys.exit("it ran what is not there")
    except FileNotFoundError:
        pass
    sock.sendall(b"?\n")
    if not sock.recv(100).startswith(b"heard "):
        sys.exit("no answer after the commands")
    send_lines(sock, range(100, 200))
    sock.close()
    print("OK")


def alone():
    """The next child is number 1 of a pid namespace of its own."""
    return ctypes.CDLL(None).unshare(CLONE_NEWPID) == 0


def twin(sock, slow):
    """A child that becomes another program, which says a line on the connection."""
    def become():
        sock.set_inheritable(True)
        if slow:  # the loader waits for somebody to write there, before this image asks where it comes from
            os.environ["LD_PRELOAD"] += ":" + slow
        os.execl(sys.executable, sys.executable, __file__, "twin_speaks", str(sock.fileno()))
    if not alone():
        sys.exit("unshare")
    pid = in_child(become)
    sock.close()
    wait(pid)


def exchange(sock):
    sock.sendall(b"twin\n")
    if not sock.recv(100).endswith(b"twin\n"):
        sys.exit("no answer")


def twin_speaks(fd):
    exchange(socket.socket(fileno=int(fd)))


def twins(port, slow):
    """Two processes of one number are in exec at once, and the second one's image is there first."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if alone() else 77)
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 77:
        return print("OK: no pid namespaces here")
    os.mkfifo(slow)
    socks = [dial(port), dial(port)]
    for sock in socks:
        exchange(sock)
    first = in_child(lambda: (socks[1].close(), twin(socks[0], slow)))
    writer = os.open(slow, os.O_WRONLY)  # its loader has come there
    second = in_child(lambda: (os.close(writer), socks[0].close(), twin(socks[1], None)))
    for sock in socks:
        sock.close()
    wait(second)
    os.close(writer)
    wait(first)
    print("OK")


def compare(path, kind, count):
    """What the collector wrote is what was sent."""
    got = open(path, "rb").read()
    lines = [line(n) for n in range(int(count))]
    if kind == "midway":
        if got.endswith(b"from the parent\n"):
            got = got[:-len(b"from the parent\n")]
        whole, number = b"", 0
        while len(whole) < len(got):
            whole += line(number)
            number += 1
        if not whole.startswith(got) or number < 20:
            sys.exit("%d bytes came that nobody sent, or not in that order" % len(got))
        return
    if kind == "order":
        good = got == b"".join(lines)
    elif kind == "commands":
        good = got == b"".join(lines[:100]) + b"?\n" + b"".join(lines[100:])
    else:
        heard = got.splitlines(keepends=True)
        good = [h for h in heard if int(h[:6]) % 2] == lines[1::2] and [h for h in heard if int(h[:6]) % 2 == 0] == lines[0::2]
    if not good or open(path + ".end").read() != "end\n":
        sys.exit("%d bytes came, then %s" % (len(got), open(path + ".end").read()))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
