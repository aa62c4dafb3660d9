#!/usr/bin/python3
"""Started with sockets on descriptors: activated.py listener|connection|inetd. It sends each line back in capitals."""
import os
import socket
import sys


def talk(connection):
    with connection, connection.makefile("rw", newline="\n") as lines:
        for line in lines:
            lines.write(line.upper())
            lines.flush()


def given():
    """As sd_listen_fds: the first is number 3."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        sys.exit("no descriptor for this process")
    return socket.socket(fileno=3)


kind = sys.argv[1]
if kind == "listener":
    listener = given()
    while True:
        talk(listener.accept()[0])
elif kind == "connection":
    talk(given())
elif kind == "inetd":
    # Its standard input and output are the connection.
    for line in sys.stdin:
        print(line.upper(), end="", flush=True)
    print("goodbye")
