"""serve.py fork|thread PORT: gives every byte back. A process for each connection, or a thread."""
import os
import signal
import socketserver
import sys


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(65536):
                self.request.sendall(data)
        except OSError:
            pass  # whoever was killed, or refused, was so on purpose; its peer keeps the account


class Forking(socketserver.ForkingTCPServer):
    allow_reuse_address, request_queue_size, max_children = True, 128, 200

    def handle_error(self, request, client_address):
        pass


class Threading(socketserver.ThreadingTCPServer):
    allow_reuse_address, request_queue_size, daemon_threads = True, 128, True

    def handle_error(self, request, client_address):
        pass


def main():
    kind = Forking if sys.argv[1] == "fork" else Threading
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with kind(("127.0.0.1", int(sys.argv[2])), Echo) as server:
        print("ready", flush=True)
        server.serve_forever(poll_interval=1)


main()
