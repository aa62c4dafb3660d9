"""Programs that connect in the ways programs do. Each prints a line a connection: OK and what it got, or the errno and how long it took."""
import asyncio
import errno
import os
import select
import socket
import subprocess
import sys
import time

PATIENCE = 15


def wait_for(fd, events):
    poll = select.poll()
    poll.register(fd, events)
    if not poll.poll(PATIENCE * 1000):
        sys.exit("nothing happened in %d s" % PATIENCE)


def peer_of(sock):
    try:
        return "%s:%d" % sock.getpeername()[:2]
    except OSError as error:
        return errno.errorcode[error.errno]


def exchange(sock):
    """What the server says until it ends, and whom the program believes to be connected to."""
    peer = peer_of(sock)
    sock.sendall(b"ping\n")
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError as error:  # the other end may be gone already: reading tells why
        if error.errno != errno.ENOTCONN:
            raise
    got = b""
    while chunk := sock.recv(4096):
        got += chunk
    return got.decode(), peer


def blocking(address):
    with socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET) as sock:
        sock.connect(address)
        return exchange(sock)


def by_select(address, away=0):
    with socket.socket() as sock:
        sock.setblocking(False)
        result = sock.connect_ex(address)
        time.sleep(away)
        if result == errno.EINPROGRESS:
            if not any(select.select([], [sock], [], PATIENCE)):
                sys.exit("select saw nothing in %d s" % PATIENCE)
            result = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if result:
            raise OSError(result, os.strerror(result))
        sock.setblocking(True)
        return exchange(sock)


def by_epoll(address, away=0):
    with socket.socket() as sock, select.epoll() as epoll:
        sock.setblocking(False)
        epoll.register(sock, select.EPOLLOUT | select.EPOLLET)
        result = sock.connect_ex(address)
        time.sleep(away)
        if result == errno.EINPROGRESS:
            if not epoll.poll(PATIENCE):
                sys.exit("epoll saw nothing in %d s" % PATIENCE)
            result = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if result:
            raise OSError(result, os.strerror(result))
        sock.setblocking(True)
        return exchange(sock)


def busy_select(address):
    """Something else takes longer than connect_timeout, and the connection stands meanwhile."""
    return by_select(address, 0.7)


def busy_epoll(address):
    return by_epoll(address, 0.7)


def by_asyncio(address):
    async def talk():
        reader, writer = await asyncio.wait_for(asyncio.open_connection(*address), PATIENCE)
        writer.write(b"ping\n")
        writer.write_eof()
        got = await asyncio.wait_for(reader.read(), PATIENCE)
        peer = "%s:%d" % writer.get_extra_info("peername")[:2]
        writer.close()
        return got.decode(), peer

    return asyncio.run(talk())


def read_first(address):
    """A client of a protocol in which the server speaks first."""
    with socket.create_connection(address) as sock:
        print("connected", flush=True)
        return sock.recv(100).decode(), peer_of(sock)


def send_first(address):
    with socket.create_connection(address) as sock:
        print("connected", flush=True)
        sock.sendall(b"x" * (1 << 20))
        return sock.recv(100).decode(), peer_of(sock)


def answered_first(address):
    """Writes when something has come from the other end, a refusal perhaps."""
    with socket.create_connection(address) as sock:
        wait_for(sock, select.POLLIN)
        return exchange(sock)


def sent_early(sock, address, wait):
    """Not blocking: sends at once when it is told to be connected, then waits for an answer."""
    sock.setblocking(False)
    sock.connect_ex(address)
    wait(select.POLLOUT)
    result = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if result:
        raise OSError(result, os.strerror(result))
    print("connected", flush=True)
    peer = peer_of(sock)
    try:
        sock.send(b"ping\n")
    except BlockingIOError:
        pass
    while True:
        wait(select.POLLIN)
        try:
            return sock.recv(100).decode(), peer
        except BlockingIOError:
            pass


def early_by_poll(address):
    with socket.socket() as sock:
        return sent_early(sock, address, lambda events: wait_for(sock, events))


def early_by_epoll(address):
    with socket.socket() as sock, select.epoll() as epoll:
        epoll.register(sock, 0)

        def wait(events):
            epoll.modify(sock, events)
            if not epoll.poll(PATIENCE):
                sys.exit("nothing happened in %d s" % PATIENCE)

        return sent_early(sock, address, wait)


WAYS = {"blocking": blocking, "select": by_select, "epoll": by_epoll, "asyncio": by_asyncio,
        "busy-select": busy_select, "busy-epoll": busy_epoll,
        "read-first": read_first, "send-first": send_first, "answered-first": answered_first,
        "early-poll": early_by_poll, "early-epoll": early_by_epoll}


def root(error):
    """asyncio makes one exception of several, without an errno, when a name has several addresses."""
    return errno.errorcode.get(error.errno, str(error)) if error.errno else str(error)


def dial(way, host, port, times="1"):
    for _ in range(int(times)):
        start = time.monotonic()
        try:
            got, peer = WAYS[way]((host, int(port)))
            print("OK", peer, got.strip(), flush=True)
        except OSError as error:
            print(root(error), "%.2f" % (time.monotonic() - start), flush=True)


def patient(host, port):
    """Begins when told, then tries until it is served; a line for each change of what it sees."""
    print("started", flush=True)
    sys.stdin.readline()
    last, end = None, time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            got, _ = blocking((host, int(port)))
            print("OK", got.strip(), flush=True)
            return
        except OSError as error:
            if last != error.errno:
                print(root(error), flush=True)
            last = error.errno
        select.select([], [], [], 0.02)
    sys.exit("never served in %d s" % PATIENCE)


def chat(host, port):
    """Sends each line of its input on one connection and prints the answer."""
    with socket.create_connection((host, int(port))) as sock:
        for line in sys.stdin:
            sock.sendall(line.encode())
            print(sock.recv(4096).decode().strip(), flush=True)


def again(port, other):
    """The same socket after a refused connect, then to a server that answers."""
    with socket.socket() as sock:
        print(root(OSError(sock.connect_ex(("127.0.0.1", int(port))), "")), flush=True)
        sock.connect(("127.0.0.1", int(other)))
        print("OK", exchange(sock)[0].strip())


def answer(listener, name):
    while True:
        sock, _ = listener.accept()
        with sock:
            try:
                got = b""
                while chunk := sock.recv(4096):
                    got += chunk
                sock.sendall(name.encode() + b" heard " + got)
            except OSError as error:
                print("served nobody:", errno.errorcode[error.errno], flush=True)


def serve(port, name):
    """Answers everybody with its name and what they said."""
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        answer(listener, name)


def drop(port, name):
    """The same by root until it listens, then by nobody."""
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        answer(listener, name)


def journalled(*command):
    """Runs a program whose standard error is the journal's socket, as systemd makes it, and prints what comes there. For a /run of one's own."""
    path = "/run/systemd/journal/stdout"
    os.makedirs(os.path.dirname(path))
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as end:
        listener.bind(path)
        listener.listen()
        end.connect(path)
        with subprocess.Popen(command, stderr=end):
            end.close()
            reader, _ = listener.accept()
            while text := reader.recv(4096):
                print(text.decode(), end="", flush=True)


def prefork(port, name):
    """The same by four processes that share a listener; each says its process id."""
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        for _ in range(3):
            if os.fork() == 0:
                break
        answer(listener, "%s %d" % (name, os.getpid()))


def full(port):
    """A listener that has no room for one more connection; the kernel tells when."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(port)))
    listener.listen(0)
    waiting = []
    while True:
        info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
        queued, most = int.from_bytes(info[24:28], "little"), int.from_bytes(info[28:32], "little")
        if queued > most:
            break
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", int(port)))
        wait_for(sock, select.POLLOUT)
        waiting.append(sock)
    print("full", flush=True)
    sys.stdin.read() if sys.stdin.isatty() else select.select([], [], [])


def silent(port):
    """Accepts, and says nothing ever."""
    kept = []
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        while True:
            kept.append(listener.accept())


def own(kind, port):
    """One thread that is both ends."""
    listener = socket.create_server(("127.0.0.1", int(port)))
    if kind == "blocking":
        near = socket.create_connection(("127.0.0.1", int(port)), timeout=None)
        near.sendall(b"early")
        far, _ = listener.accept()
        print("OK", far.recv(100).decode())
        far.sendall(b"x" * 100000)
        count = 0
        while count < 100000:
            count += len(near.recv(65536))
        near.close()
        print("OK", far.recv(100))
        return
    loop(listener, int(port))


def loop(listener, port):
    """The same with one epoll set and nothing that blocks; level-triggered, each end echoes until 100 exchanges are done."""
    listener.setblocking(False)
    near = socket.socket()
    near.setblocking(False)
    epoll = select.epoll()
    epoll.register(listener, select.EPOLLIN)
    print("connect", errno.errorcode.get(near.connect_ex(("127.0.0.1", port)), 0))
    epoll.register(near, select.EPOLLOUT)
    far, rounds = None, 0
    end = time.monotonic() + PATIENCE
    while rounds < 100 and time.monotonic() < end:
        for fd, events in epoll.poll(PATIENCE):
            if fd == listener.fileno():
                far, _ = listener.accept()
                far.setblocking(False)
                epoll.register(far, select.EPOLLIN)
            elif fd == near.fileno() and events & select.EPOLLOUT:
                error = near.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    sys.exit("connect failed: " + os.strerror(error))
                try:
                    near.send(b"ping")
                    epoll.modify(near, select.EPOLLIN)
                except BlockingIOError:
                    pass
            else:
                sock = near if fd == near.fileno() else far
                try:
                    heard = sock.recv(100)
                    if not heard:
                        sys.exit("an end that nobody made")
                    sock.send(heard)
                    rounds += 1
                except BlockingIOError:
                    pass
    print("OK" if rounds == 100 else "only %d" % rounds, rounds)


def one_of_pair(mine, other):
    """Listens, connects to the other when told, accepts when told, then each hears the other."""
    listener = socket.create_server(("127.0.0.1", int(mine)))
    print("listens", flush=True)
    sys.stdin.readline()
    out = socket.create_connection(("127.0.0.1", int(other)))
    out.sendall(b"from %s" % mine.encode())
    print("connected", flush=True)
    sys.stdin.readline()
    into, _ = listener.accept()
    print(into.recv(100).decode(), flush=True)
    into.sendall(b"thanks")
    print(out.recv(100).decode(), flush=True)


def pair(mine, other, preload, config):
    """Two processes that connect to each other before either accepts."""
    environment = dict(os.environ, LD_PRELOAD=preload, MESHSHIM_CONFIG=config)
    both = [subprocess.Popen([sys.executable, __file__, "one_of_pair", *ports], env=environment, text=True,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE) for ports in ((mine, other), (other, mine))]
    for expected in ("listens", "connected"):
        for process in both:
            print(expected, process.stdout.readline().strip() == expected, flush=True)
        for process in both:
            process.stdin.write("go on\n")
            process.stdin.flush()
    for process, port in zip(both, (other, mine)):
        lines = process.communicate(timeout=PATIENCE)[0].split("\n")
        print("OK" if lines[:2] == ["from " + port, "thanks"] else "not " + repr(lines))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
