"""A client that keeps its own account.

  talk.py talk ACCOUNT SEED SERVICE=PORT…   until SIGTERM: short connections and long ones, every answer compared. ACCOUNT gets a line of
                                            JSON for each error as it happens, and the sums at the end
  talk.py once PORT                         one connection; says what became of it

Times are the machine's monotonic clock, which is one for all processes.
"""
import collections
import errno
import json
import math
import random
import signal
import socket
import sys
import time


class Times:
    """How often each time was seen, to two percent: all of them, in memory that does not grow."""

    def __init__(self):
        self.counts = collections.Counter()

    def add(self, seconds):
        self.counts[round(math.log(max(seconds * 1e6, 1), 1.02))] += 1

    def median_us(self):
        seen, total = 0, sum(self.counts.values())
        for step, count in sorted(self.counts.items()):
            seen += count
            if seen * 2 >= total:
                return 1.02 ** step
        return 0


class Account:
    def __init__(self):
        self.connects = self.requests = self.sent = self.received = 0
        self.first, self.request = Times(), Times()

    def sums(self):
        return {"connects": self.connects, "requests": self.requests, "sent": self.sent, "received": self.received,
                "first_us": self.first.median_us(), "request_us": self.request.median_us()}


class Connection:
    def __init__(self, port, account, choices):
        self.account, self.choices, self.began = account, choices, time.monotonic()
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        account.connects += 1
        self.ask(1)
        account.first.add(time.monotonic() - self.began)

    def ask(self, size=None):
        message = self.choices.randbytes(size or self.choices.choice((1, 10, 100, 1000, 5000, 20000)))
        began = time.monotonic()
        self.socket.sendall(message)
        self.account.sent += len(message)
        answer = b""
        while len(answer) < len(message):
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionResetError(errno.ECONNRESET, "the server ended the connection")
            answer += piece
            self.account.received += len(piece)
        if answer != message:
            raise ValueError("another answer than what was sent")
        self.account.requests += 1
        self.account.request.add(time.monotonic() - began)

    def close(self):
        self.socket.close()


class Talker:
    def __init__(self, path, seed, ports):
        self.file, self.choices, self.ports = open(path, "a", buffering=1), random.Random(int(seed)), ports
        self.accounts = {service: Account() for service in ports}
        self.kept, self.going = {}, True
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_):
        self.going = False

    def tell(self, **what):
        self.file.write(json.dumps(what) + "\n")

    def turn(self, service):
        """Something on a kept connection, and one of its own."""
        connection = None
        try:
            if service not in self.kept:
                self.kept[service] = connection = self.open(service)
            connection = self.kept[service]
            for _ in range(self.choices.randrange(5)):
                connection.ask()
            connection = None
            connection = self.open(service)
            for _ in range(self.choices.randrange(8)):
                connection.ask()
            connection.close()
        except OSError as error:
            self.failed(service, connection, error)

    def open(self, service):
        self.trying = time.monotonic()
        return Connection(self.ports[service], self.accounts[service], self.choices)

    def failed(self, service, connection, error):
        now = time.monotonic()
        self.tell(service=service, began=connection.began if connection else self.trying, ended=now,
                  error=errno.errorcode.get(error.errno, repr(error)))
        kept = self.kept.get(service)
        if kept is connection:
            self.kept.pop(service, None)
        if connection:
            connection.close()
        time.sleep(0.05)

    def talk(self):
        print("ready", flush=True)
        while self.going:
            for service in self.ports:
                self.turn(service)
            time.sleep(self.choices.random() * 0.02)
        for connection in self.kept.values():
            connection.close()
        self.tell(sums={service: account.sums() for service, account in self.accounts.items()})


def once(port):
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=60) as connection:
            connection.sendall(b"hello, is somebody there?\r\n")
            print("answered" if connection.recv(1) == b"h" else "ended")
    except OSError as error:
        print(errno.errorcode.get(error.errno, repr(error)))


if sys.argv[1] == "talk":
    Talker(sys.argv[2], sys.argv[3], {word.split("=")[0]: int(word.split("=")[1]) for word in sys.argv[4:]}).talk()
else:
    once(sys.argv[2])
