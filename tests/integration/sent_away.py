"""A server whose parent accepts and gives each connection to one of four workers, of which it kills one now and then; and clients."""
import os, random, signal, socket, sys, threading

REQUEST, ROUNDS = b"x" * 1000, 20


def work(channel):
    while True:
        _, fds, _, _ = socket.recv_fds(channel, 1, 1)
        if not fds:
            os._exit(0)
        with socket.socket(fileno=fds[0]) as sock:
            try:
                if sock.recv(len(REQUEST), socket.MSG_WAITALL) == REQUEST:
                    sock.sendall(REQUEST * ROUNDS)
            except OSError:
                pass


def hire(workers):
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        for _, other in [*workers, (0, ours)]:
            other.close()
        work(theirs)
    theirs.close()
    workers.append((pid, ours))


def dismiss(workers):
    pid, channel = workers.pop(random.randrange(len(workers)))
    hire(workers)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    channel.close()


def hand_out(listener, workers, handed):
    while True:
        sock, _ = listener.accept()
        try:
            socket.send_fds(random.choice(workers)[1], [b"x"], [sock.fileno()])
        except OSError:
            pass  # that one has just been dismissed
        sock.close()
        handed.release()


def serve(port, dismissals):
    workers, handed = [], threading.Semaphore(0)
    listener = socket.create_server(("127.0.0.1", port), backlog=64)
    for _ in range(4):
        hire(workers)
    threading.Thread(target=hand_out, args=(listener, workers, handed), daemon=True).start()
    for _ in range(dismissals):
        for _ in range(4):
            handed.acquire()
        dismiss(workers)
    listener.close()
    for pid, _ in workers:
        os.kill(pid, signal.SIGKILL)
    os._exit(0)


def ask(port, answered):
    while True:
        try:
            sock = socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            return
        except OSError:
            continue
        with sock:
            try:
                sock.sendall(REQUEST)
                if sock.recv(len(REQUEST) * ROUNDS, socket.MSG_WAITALL) == REQUEST * ROUNDS:
                    answered.append(1)
            except OSError:
                pass  # its worker was dismissed


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]), int(sys.argv[3]))
answered = []
askers = [threading.Thread(target=ask, args=(int(sys.argv[2]), answered)) for _ in range(8)]
[a.start() for a in askers]
[a.join() for a in askers]
print(len(answered))
