#!/usr/bin/python3
"""What Python's library has beyond sockets: more.py MODE PORT [ARGUMENT…]. A client ends with status 1 where an answer is wrong."""
import asyncio
import http.client
import os
import socket
import socketserver
import ssl
import sys
import threading
from multiprocessing.connection import Client, Listener

HOST = "127.0.0.1"
PATIENCE = 20


def check(right, what):
    if not right:
        sys.exit(what)


def kept_client(port, file):
    """One connection for all requests, to a server that speaks HTTP/1.1; a new one would have another local port."""
    with open(file, "rb") as f:
        wanted = f.read()
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE)
    connection.connect()
    name = connection.sock.getsockname()
    for i in range(30):
        connection.request("GET", "/" + os.path.basename(file))
        answer = connection.getresponse()
        check(answer.status == 200 and answer.read() == wanted, f"answer {i}: {answer.status}")
        connection.request("HEAD", "/" + os.path.basename(file))
        answer = connection.getresponse()
        check(answer.status == 200 and answer.read() == b"", f"answer {i} without a body: {answer.status}")
        check(connection.sock and connection.sock.getsockname() == name, f"another connection after request {i}")


def objects_server(port):
    """Objects there and back, each client in a thread, after a challenge each way."""

    def serve(connection):
        with connection:
            try:
                while True:
                    connection.send(connection.recv())
            except EOFError:
                pass

    with Listener((HOST, port), backlog=16, authkey=b"word") as listener:
        while True:
            threading.Thread(target=serve, args=(listener.accept(),), daemon=True).start()


def objects_client(port):
    for value in ({"a": [1, 2.5, None]}, "x" * 100000, os.urandom(5 << 20)):
        with Client((HOST, port), authkey=b"word") as connection:
            check(not connection.poll(0.05), "something to read although nothing was sent")
            # One thread sends, as both directions may be full.
            sender = threading.Thread(target=connection.send, args=(value,))
            sender.start()
            check(connection.recv() == value, f"{type(value)} came back changed")
            sender.join()


class TlsEcho(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    class RequestHandlerClass(socketserver.BaseRequestHandler):
        def handle(self):
            with self.server.context.wrap_socket(self.request, server_side=True) as inner:
                while data := inner.recv(65536):
                    inner.sendall(data)
                # Its own goodbye, after which the bytes of the connection are plain again.
                inner.unwrap()

    def __init__(self, port, directory):
        super().__init__((HOST, port), self.RequestHandlerClass)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{directory}/server.pem", f"{directory}/server.key")


def tls_server(port, directory):
    TlsEcho(port, directory).serve_forever()


def tls_client(port, directory):
    context = ssl.create_default_context(cafile=f"{directory}/ca.pem")
    context.check_hostname = False
    data = os.urandom(2 << 20)
    with socket.create_connection((HOST, port), timeout=PATIENCE) as outer, context.wrap_socket(outer) as inner:
        # By turns: two threads in one of Python's TLS objects disturb each other, meshed or not.
        for at in range(0, len(data), 100000):
            part, got = data[at : at + 100000], bytearray()
            inner.sendall(part)
            while len(got) < len(part):
                piece = inner.recv(65536)
                check(piece, f"the end at {at + len(got)}")
                got += piece
            check(got == part, f"the echo differs after {at}")
        check(inner.version() == "TLSv1.3", inner.version())
        inner.unwrap()


def tls_asyncio(port, directory):
    """TLS in asyncio goes through memory, and the transport below it is changed while it is open."""
    context = ssl.create_default_context(cafile=f"{directory}/ca.pem")
    context.check_hostname = False
    data = os.urandom(1 << 20)

    async def main():
        reader, writer = await asyncio.open_connection(HOST, port)
        await writer.start_tls(context)
        writer.write(data)
        got, _ = await asyncio.gather(reader.readexactly(len(data)), writer.drain())
        check(got == data, "the echo differs")
        writer.close()
        await writer.wait_closed()

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def sendfile_server(port, file):
    """A file by sendfile to each that connects: the loop's, and the socket's own."""

    async def main():
        turns = 0

        async def serve(client):
            nonlocal turns
            turns += 1
            with client, open(file, "rb") as f:
                check(await asyncio.get_running_loop().sock_recv(client, 1) == b"?", "no question")
                if turns % 2:
                    await asyncio.get_running_loop().sock_sendfile(client, f)
                else:
                    client.setblocking(True)
                    client.sendfile(f)

        listener = socket.create_server((HOST, port))
        listener.setblocking(False)
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(listener)
            await serve(client)

    asyncio.run(main())


def sendfile_client(port, file):
    with open(file, "rb") as f:
        wanted = f.read()
    for turn in range(4):
        with socket.create_connection((HOST, port), timeout=PATIENCE) as sock:
            sock.settimeout(None)  # blocking: with a time-out Python's sockets are not, and MSG_WAITALL would mean little
            got = bytearray(len(wanted) + 1)
            # recv_into and MSG_WAITALL into parts of one buffer.
            half = len(wanted) // 2
            sock.send(b"?")
            first = sock.recv_into(memoryview(got)[:half], half, socket.MSG_WAITALL)
            check(first == half, f"MSG_WAITALL gave {first} of {half} bytes")
            at = first
            while n := sock.recv_into(memoryview(got)[at:]):
                at += n
            check(at == len(wanted) and got[:at] == wanted, f"the file, turn {turn}: {at} bytes")


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](int(sys.argv[2]), *sys.argv[3:])
