#!/usr/bin/python3
"""Echo servers and clients in every style that Python has.

    echo.py SERVER PORT
    echo.py CLIENT PORT [BYTES CONNECTIONS]

Clients send random bytes, shut their side down, and fail unless the very same bytes and then the end come back.
"""
import asyncio
import os
import selectors
import socket
import socketserver
import sys
import threading

HOST = "127.0.0.1"
CHUNK = 65536
PATIENCE = 60


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(CHUNK):
            self.request.sendall(data)


class Threads(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
    request_queue_size = 128


class Forks(socketserver.ForkingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128


def threads_server(port):
    Threads((HOST, port), Echo).serve_forever()


def forks_server(port):
    Forks((HOST, port), Echo).serve_forever()


def selectors_server(port):
    """Level-triggered, non-blocking, with what could not be sent yet kept."""
    listener = socket.create_server((HOST, port))
    listener.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)

    def welcome():
        client, _ = listener.accept()
        client.setblocking(False)
        selector.register(client, selectors.EVENT_READ, bytearray())

    def step(client, waiting, events):
        ended = False
        if events & selectors.EVENT_READ:
            data = client.recv(CHUNK)
            ended = not data
            waiting += data
        if waiting:
            try:
                del waiting[: client.send(waiting)]
            except BlockingIOError:
                pass
        if ended and not waiting:
            selector.unregister(client)
            client.close()
        elif ended:
            client.setblocking(True)
            client.sendall(waiting)
            selector.unregister(client)
            client.close()
        else:
            selector.modify(client, selectors.EVENT_READ if not waiting else selectors.EVENT_WRITE, waiting)

    while True:
        for key, events in selector.select():
            if key.fileobj is listener:
                welcome()
            else:
                step(key.fileobj, key.data, events)


async def asyncio_echo(reader, writer):
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    writer.close()


def asyncio_server(port):
    async def main():
        server = await asyncio.start_server(asyncio_echo, HOST, port)
        await server.serve_forever()

    asyncio.run(main())


def compare(sent, got):
    if sent != got:
        at = next((i for i, (a, b) in enumerate(zip(sent, got)) if a != b), min(len(sent), len(got)))
        sys.exit(f"{len(sent)} bytes sent, {len(got)} came back, the first difference is at {at}")


def threads_client(port, size, count):
    """One thread sends while another receives on the same socket."""

    def one():
        data, got = os.urandom(size), bytearray()
        with socket.create_connection((HOST, port), timeout=PATIENCE) as sock:

            def send():
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            while piece := sock.recv(CHUNK):
                got += piece
            sender.join()
        problems.append(data != got)

    problems = []
    workers = [threading.Thread(target=one) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if len(problems) != count or any(problems):
        sys.exit(f"{sum(problems)} of {len(problems)} echoes differ, {count} were expected")


def selectors_client(port, size, count, kind=selectors.DefaultSelector):
    selector = kind()
    states = []
    for _ in range(count):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((HOST, port))
        state = {"data": os.urandom(size), "at": 0, "got": bytearray()}
        states.append(state)
        selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, state)
    while selector.get_map():
        ready = selector.select(PATIENCE)
        if not ready:
            sys.exit("nothing became ready")
        for key, events in ready:
            sock, state = key.fileobj, key.data
            if events & selectors.EVENT_WRITE:
                try:
                    state["at"] += sock.send(state["data"][state["at"] : state["at"] + CHUNK])
                except BlockingIOError:
                    continue
                if state["at"] == size:
                    sock.shutdown(socket.SHUT_WR)
                    selector.modify(sock, selectors.EVENT_READ, state)
            if events & selectors.EVENT_READ:
                try:
                    piece = sock.recv(CHUNK)
                except BlockingIOError:
                    continue
                state["got"] += piece
                if not piece:
                    selector.unregister(sock)
                    sock.close()
    for state in states:
        compare(state["data"], state["got"])


def poll_client(port, size, count):
    selectors_client(port, size, count, selectors.PollSelector)


def select_client(port, size, count):
    selectors_client(port, size, count, selectors.SelectSelector)


async def asyncio_one(port, size):
    data = os.urandom(size)
    reader, writer = await asyncio.open_connection(HOST, port)

    async def send():
        writer.write(data)
        await writer.drain()
        writer.write_eof()

    got, _ = await asyncio.gather(reader.read(-1), send())
    compare(data, got)
    writer.close()
    await writer.wait_closed()


def asyncio_client(port, size, count):
    async def main():
        await asyncio.wait_for(asyncio.gather(*(asyncio_one(port, size) for _ in range(count))), PATIENCE)

    asyncio.run(main())


def uvloop_server(port):
    import uvloop

    uvloop.install()
    asyncio_server(port)


def uvloop_client(port, size, count):
    import uvloop

    uvloop.install()
    asyncio_client(port, size, count)


def timeout_client(port):
    """Silence raises TimeoutError after the time that was asked for, and the socket works on."""
    with socket.create_connection((HOST, port), timeout=PATIENCE) as sock:
        sock.settimeout(0.2)
        try:
            sock.recv(1)
            sys.exit("recv returned although nothing was sent")
        except TimeoutError:
            pass
        sock.settimeout(PATIENCE)
        sock.sendall(b"still here")
        compare(b"still here", sock.recv(100))


def main():
    mode, port = sys.argv[1], int(sys.argv[2])
    globals()[mode.replace("-", "_")](port, *map(int, sys.argv[3:]))


if __name__ == "__main__":
    main()
