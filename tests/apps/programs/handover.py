#!/usr/bin/python3
"""Connections that one process of Python's opens and another uses: handover.py MODE PORT [ARGUMENT…].

A client ends with status 1 where an answer is wrong."""
import multiprocessing
import os
import socket
import socketserver
import subprocess
import sys
import threading

HOST = "127.0.0.1"
PATIENCE = 20


def check(right, what):
    if not right:
        sys.exit(what)


def echo(connection):
    """Says who it is, then whatever comes."""
    with connection:
        connection.sendall(b"%d\n" % os.getpid())
        while data := connection.recv(65536):
            connection.sendall(data)


def listener(port):
    return socket.create_server((HOST, port), backlog=64)


def accepted(port):
    with listener(port) as listening:
        while True:
            yield listening.accept()[0]


def worker(pipe):
    while True:
        threading.Thread(target=echo, args=(pipe.recv(),), daemon=True).start()


def pool(port, method):
    """The parent accepts, each connection goes to one of two workers by multiprocessing.reduction."""
    context = multiprocessing.get_context(method)
    pipes = []
    for _ in range(2):
        ours, theirs = context.Pipe()
        context.Process(target=worker, args=(theirs,), daemon=True).start()
        pipes.append(ours)
    for number, connection in enumerate(accepted(port)):
        pipes[number % 2].send(connection)
        connection.close()


def pool_server(port):
    pool(port, "fork")


def spawn_server(port):
    """Workers are new programs, not forks."""
    pool(port, "spawn")


def listeners_server(port):
    """Workers are sent the listener and accept for themselves."""
    context = multiprocessing.get_context("spawn")
    with listener(port) as listening:
        workers = [context.Process(target=accept_all, args=(listening,)) for _ in range(2)]
        for one in workers:
            one.start()
        for one in workers:
            one.join()


def accept_all(listening):
    while True:
        threading.Thread(target=echo, args=(listening.accept()[0],), daemon=True).start()


def late_server(port):
    """A connection that was used already is sent (SCM_RIGHTS by hand, over a socket pair), used there, and comes back."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        while True:
            _, [fd], _, _ = socket.recv_fds(theirs, 1, 1)
            with socket.socket(fileno=fd) as connection:
                connection.sendall(connection.recv(100).upper())
                socket.send_fds(theirs, [b"x"], [fd])
    theirs.close()
    for connection in accepted(port):
        connection.sendall(connection.recv(100))
        socket.send_fds(ours, [b"x"], [connection.fileno()])
        connection.close()
        _, [fd], _, _ = socket.recv_fds(ours, 1, 1)
        with socket.socket(fileno=fd) as back:
            back.sendall(back.recv(100) + b"!")


def cgi_server(port):
    """A process a connection, and in it a program on the connection."""

    class Cgi(socketserver.BaseRequestHandler):
        def handle(self):
            subprocess.run(["/bin/sh", "-c", "echo $$; exec /bin/cat"], stdin=self.request, stdout=self.request, check=True)

    class Forking(socketserver.ForkingTCPServer):
        allow_reuse_address = True
        request_queue_size = 64

    Forking((HOST, port), Cgi).serve_forever()


def client(port, size, count, least):
    """Echoes on several connections at once, from at least so many processes."""
    size, count, least = int(size), int(count), int(least)
    pids, problems = set(), []

    def one():
        data, got = os.urandom(size), bytearray()
        with socket.create_connection((HOST, port), timeout=PATIENCE) as sock:
            sender = threading.Thread(target=lambda: [sock.sendall(data), sock.shutdown(socket.SHUT_WR)])
            sender.start()
            while piece := sock.recv(65536):
                got += piece
            sender.join()
        pid, _, rest = bytes(got).partition(b"\n")
        pids.add(pid)
        if rest != data:
            problems.append(f"{len(rest)} bytes of {size} came back, or they differ")

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not problems, "; ".join(problems))
    check(len(pids) >= least, f"{len(pids)} processes answered")


def late_client(port):
    for turn in range(3):
        with socket.create_connection((HOST, port), timeout=PATIENCE) as sock:
            for sent, expected in ((b"one", b"one"), (b"two", b"TWO"), (b"three", b"three!")):
                sock.sendall(sent)
                got = sock.recv(100)
                check(got == expected, f"turn {turn}: {got!r}, not {expected!r}")
            check(sock.recv(1) == b"", f"turn {turn}: no end")


def piped_client(port):
    """Programs on the client's connection: one writes, another reads, at once; then this process again."""
    data = os.urandom(1 << 20)
    with socket.create_connection((HOST, port), timeout=PATIENCE) as sock:
        sock.settimeout(None)
        pid = b""
        while not pid.endswith(b"\n"):
            pid += sock.recv(1)
        reader = subprocess.Popen(["/usr/bin/head", "-c", str(len(data))], stdin=sock, stdout=subprocess.PIPE)
        writer = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=sock)
        feeder = threading.Thread(target=writer.communicate, args=(data,))
        feeder.start()
        got = reader.communicate()[0]
        feeder.join()
        check(reader.wait() == 0 and writer.wait() == 0, "a program failed")
        check(got == data, f"{len(got)} bytes came back, or they differ")
        sock.sendall(b"and we")
        check(sock.recv(6, socket.MSG_WAITALL) == b"and we", "after the programs")


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](int(sys.argv[2]), *sys.argv[3:])
