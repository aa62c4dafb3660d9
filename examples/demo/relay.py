#!/usr/bin/python3
"""A wire that can be looked at: forwards TCP connections and keeps a copy of every byte.

    relay.py LISTEN-PORT TARGET-PORT DIRECTORY

Connection N leaves DIRECTORY/N.up (client to server) and DIRECTORY/N.down (server to client);
DIRECTORY/N.done follows when both have ended.
"""
import os
import selectors
import socket
import sys

CHUNK = 65536


class Direction:
    """One direction of a connection: what was read here goes there and into the file, whole, before more is read."""

    def __init__(self, source, target, path):
        self.source, self.target = source, target
        self.copy = open(path, "wb", buffering=0)
        self.open = True

    def step(self):
        try:
            data = self.source.recv(CHUNK)
            self.copy.write(data)
            if data:
                self.target.sendall(data)
            else:
                self.target.shutdown(socket.SHUT_WR)
        except OSError:
            data = b""
            for end in (self.source, self.target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
        if not data:
            self.open = False
            self.copy.close()


def serve(client, target, stem):
    """One connection, in a process of its own: a slow one holds up no other."""
    try:
        server = socket.create_connection(("127.0.0.1", target))
    except OSError:
        return
    selector = selectors.DefaultSelector()
    for source, sink, name in ((client, server, "up"), (server, client, "down")):
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(source, selectors.EVENT_READ, Direction(source, sink, f"{stem}.{name}"))
    while selector.get_map():
        for key, _ in selector.select():
            key.data.step()
            if not key.data.open:
                selector.unregister(key.fileobj)
    with open(stem + ".done", "wb"):
        pass


def main():
    port, target, directory = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    number = 0
    while True:
        client, _ = listener.accept()
        number += 1
        child = os.fork()
        if child == 0:
            listener.close()
            if os.fork() == 0:  # its parent is gone, so nobody has to wait for it
                serve(client, target, os.path.join(directory, str(number)))
            os._exit(0)
        os.waitpid(child, 0)
        client.close()


if __name__ == "__main__":
    main()
