"""A record that comes in pieces: server PORT | relay PORT TO DIRECTORY | client PORT DIRECTORY WAY.

The relay cuts the first large record that the server sends, and goes on by a piece each time that the client asks it to. WAY is select, poll or FIONREAD.
"""
import array
import fcntl
import select
import socket
import sys
import termios
import time

SIZE = 10000
CUTS = (3, 5, SIZE // 2, SIZE + 21)  # in the header, behind it, in the middle, before the last byte
WAIT = 0.2


# (Named pipes, opened to read and write: no open waits for the other side.)
def exactly(sock, count):
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            return b""
        data += piece
    return data


def server(port):
    with socket.create_server(("127.0.0.1", port)) as listener:
        client, _ = listener.accept()
        client.recv(2)
        client.sendall(b"." * 100)
        client.sendall(b"x" * SIZE)
        client.recv(1)


def in_pieces(record, sock, asked, told):
    for start, end in zip((0,) + CUTS, CUTS + (len(record),)):
        asked.read(1)
        sock.sendall(record[start:end])
        told.write(b".")


def relay(port, to, directory):
    listener = socket.create_server(("127.0.0.1", port))
    client, _ = listener.accept()
    behind = socket.create_connection(("127.0.0.1", to))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with open(directory + "/ask", "r+b", 0) as asked, open(directory + "/told", "r+b", 0) as told:
        while True:
            ready, _, _ = select.select([client, behind], [], [])
            if client in ready:
                data = client.recv(65536)
                if not data:
                    return
                behind.sendall(data)
            if behind in ready:
                head = exactly(behind, 5)
                record = head + exactly(behind, int.from_bytes(head[3:], "big"))
                if len(record) > SIZE:
                    in_pieces(record, client, asked, told)
                else:
                    client.sendall(record)


def by_select(sock, timeout):
    return bool(select.select([sock], [], [], timeout)[0])


def by_poll(sock, timeout):
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(timeout * 1000))


def queued(sock):
    """Ciphertext in the kernel's receive queue."""
    own = f":{sock.getsockname()[1]:04X}"
    with open("/proc/net/tcp") as table:
        return next(int(row.split()[4].split(":")[1], 16) for row in table if row.split()[1].endswith(own))


def available(sock):
    count = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, count)
    return count[0]


def counted(sock, ask, told):
    """Who reads as much as FIONREAD said has left nothing behind: else the window might stay closed, and the rest never come."""
    for _ in CUTS[:3]:
        ask.write(b".")
        told.read(1)
    if exactly(sock, 10) != b"." * 10 or available(sock) != 90 or exactly(sock, 90) != b"." * 90:
        sys.exit("FIONREAD does not tell what there is")
    if queued(sock):
        sys.exit(f"{queued(sock)} bytes are left in the kernel")
    ask.write(b".")
    told.read(1)


def client(port, directory, way):
    ready = {"select": by_select, "poll": by_poll, "FIONREAD": by_poll}[way]
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"go")
        with open(directory + "/ask", "r+b", 0) as ask, open(directory + "/told", "r+b", 0) as told:
            if way == "FIONREAD":
                counted(sock, ask, told)
            else:
                exactly(sock, 100)
            for cut in CUTS if way != "FIONREAD" else ():
                ask.write(b".")
                told.read(1)
                before, began = time.process_time(), time.monotonic()
                if ready(sock, WAIT):
                    sys.exit(f"{way} calls it readable when {cut} bytes of a record have come")
                if time.monotonic() - began < WAIT * 0.9:
                    sys.exit(f"{way} gave up early, after {cut} bytes of a record")
                if time.process_time() - before > WAIT / 2:
                    sys.exit(f"{way} did not sleep, after {cut} bytes of a record")
            ask.write(b".")
            told.read(1)
        if not ready(sock, 10):
            sys.exit(f"{way} does not call it readable when all of the record has come")
        if exactly(sock, SIZE) != b"x" * SIZE:
            sys.exit("the bytes are not those that were sent")


if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    {"server": server, "relay": relay, "client": client}[role](*[int(a) if a.isdigit() else a for a in rest])
