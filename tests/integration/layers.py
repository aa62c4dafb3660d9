"""What a connection must carry, whoever seals its records: server PORT FILE | client PORT FILE.

The client asks for one job a connection, and says `ok JOB` where the bytes came as they were sent.
"""
import hashlib
import os
import select
import socket
import subprocess
import sys


def digest_of(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def receive_all(sock, sizes=(1, 70000, 3, 16384, 16385)):
    """In pieces of many sizes, to the end."""
    digest = hashlib.sha256()
    turn = 0
    while True:
        data = sock.recv(sizes[turn % len(sizes)])
        turn += 1
        if not data:
            return digest.hexdigest()
        digest.update(data)


def send_file(sock, path, beyond=0):
    """By sendfile; `beyond`: more is asked for than the file has."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        at = 0
        while at < size:
            at += os.sendfile(sock.fileno(), file.fileno(), at, size - at + beyond)


def send_file_without_waiting(sock, path):
    sock.setblocking(False)
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        at = 0
        while at < size:
            try:
                at += os.sendfile(sock.fileno(), file.fileno(), at, size - at)
            except BlockingIOError:
                select.select([], [sock], [])
    sock.setblocking(True)


# ---- the server's part of each job ----

def down(sock, path):
    send_file(sock, path)


def down_beyond(sock, path):
    """What is sent must not wait for more, nor for the end of the connection."""
    send_file(sock, path, 1 << 20)
    sock.recv(1)


def down_without_waiting(sock, path):
    send_file_without_waiting(sock, path)


def up(sock, path):
    sock.sendall(receive_all(sock).encode())


def forked(sock, path):
    """A child and its parent in turn, by one description."""
    with open(path, "rb") as file:
        data = file.read()
    step = len(data) // 8 + 1
    for turn, at in enumerate(range(0, len(data), step)):
        if turn % 2:
            sock.sendall(data[at:at + step])
            continue
        child = os.fork()
        if child == 0:
            sock.sendall(data[at:at + step])
            os._exit(0)
        os.waitpid(child, 0)


def executed(sock, path):
    """The connection is another program's standard output."""
    subprocess.run(["/usr/bin/cat", path], stdout=sock.fileno(), check=True)


def more(sock, path):
    """MSG_MORE, and then nothing more: TCP waits for 200 ms."""
    sock.send(b"so far", socket.MSG_MORE)
    sock.recv(1)


def refuses_layers(sock, path):
    """No layer of the program's own may come under the records."""
    said = b"refused"
    for level, name, value in ((socket.IPPROTO_TCP, 31, b"tls"), (282, 1, bytes(40))):
        try:
            sock.setsockopt(level, name, value)
            said = b"taken"
        except OSError:
            pass
    try:
        said = b"told" if sock.getsockopt(282, 1, 40) else said
    except OSError:
        pass
    sock.sendall(said)


JOBS = {job.__name__: job for job in (down, down_beyond, down_without_waiting, up, forked, executed, more, refuses_layers)}


def server(port, path):
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            sock, _ = listener.accept()
            with sock:
                JOBS[sock.makefile("rb", 0).readline().decode().strip()](sock, path)


# ---- the client's ----

def connect(port, job):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.sendall(job.encode() + b"\n")
    return sock


def exactly(sock, count):
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data), socket.MSG_WAITALL)
        if not piece:
            break
        data += piece
    return data


def run(port, path, job):
    with connect(port, job) as sock:
        if job == "up":
            send_file(sock, path)
            sock.shutdown(socket.SHUT_WR)
            return exactly(sock, 64).decode() == digest_of(path) and sock.recv(1) == b""
        if job == "down_beyond":
            good = hashlib.sha256(exactly(sock, os.stat(path).st_size)).hexdigest() == digest_of(path)
            sock.sendall(b".")
            return good
        if job == "more":
            good = exactly(sock, 6) == b"so far"
            sock.sendall(b".")
            return good
        if job == "refuses_layers":
            return exactly(sock, 7) == b"refused" and sock.recv(1) == b""
        return receive_all(sock) == digest_of(path)


def client(port, path):
    for job in JOBS:
        print("ok" if run(port, path, job) else "not ok", job, flush=True)


{"server": server, "client": client}[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
