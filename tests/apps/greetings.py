"""A server of many threads that speaks first, and its clients, as many threads.

greetings.py PORT serve
greetings.py PORT greeted CLIENTS ROUNDS SECONDS

Every other thread of the server waits with poll (a socket with a time-out does), the others in the call itself: what one of them
does for the connections of the others must not leave them asleep."""
import socket
import sys
import threading
import time


def serve(port):
    def greet(client, number):
        client.settimeout(20 if number % 2 else None)
        with client:
            client.sendall(b"220 good morning\r\n")
            while line := client.recv(100):
                client.sendall(line)

    listener = socket.create_server(("127.0.0.1", port), backlog=100)
    number = 0
    while True:
        client, _ = listener.accept()
        number += 1
        threading.Thread(target=greet, args=(client, number), daemon=True).start()


def greeted(port, clients, rounds, seconds):
    problems = []

    def ask():
        for _ in range(rounds):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
                for question, answer in ((None, b"220 good morning\r\n"), (b"HELO\r\n", b"HELO\r\n")):
                    if question:
                        sock.sendall(question)
                    got = sock.recv(100)
                    if got != answer:
                        problems.append(f"got {got!r}")

    started = time.monotonic()
    threads = [threading.Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - started
    print(f"{clients * rounds} greetings in {took:.2f} s")
    if took > seconds:
        problems.append("somebody was left asleep")
    return "; ".join(problems) or None


if __name__ == "__main__":
    if sys.argv[2] == "serve":
        serve(int(sys.argv[1]))
    else:
        sys.exit(greeted(int(sys.argv[1]), *map(int, sys.argv[3:6])))
