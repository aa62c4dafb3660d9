"""scale.py listed|usable|serve|dial …: see scale.sh."""
import json
import re
import resource
import socket
import subprocess
import sys
import threading


def listed(path, count):
    """meshctl connections: the client's and the server's, all of them."""
    for process in json.load(open(path))["processes"]:
        found = [c for c in process["answer"]["connections"] if c["state"] == "open"]
        if len(found) != int(count):
            sys.exit(f"{process['pid']} has {len(found)} open, not {count}")


def usable(path, count):
    processes = json.load(open(path))["processes"]
    found = sum(process["answer"]["usable"] is True for process in processes)
    if found != int(count):
        sys.exit(f"{found} of {len(processes)} processes have a usable identity, not {count}")


def many_files():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def serve(port):
    """Tells each client which of its addresses it has reached."""
    many_files()
    listener = socket.create_server(("0.0.0.0", int(port)), backlog=128)
    while True:
        connection = listener.accept()[0]
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection):
    with connection:
        try:
            connection.sendall("{}:{}\n".format(*connection.getsockname()).encode())
            while connection.recv(100):
                pass
        except OSError:
            pass


def services_of(path):
    """The endpoints of each [service sN]."""
    parts = re.split(r"^\[service s(\d+)\]\n", open(path).read(), flags=re.M)[1:]
    return {int(number): set(re.findall(r"127\.\d+\.\d+\.\d+:\d+", text)) for number, text in zip(parts[::2], parts[1::2])}


def reach(address, expected, what):
    connection = socket.create_connection(address, timeout=20)
    reached = connection.makefile().readline().strip()
    if reached not in expected:
        sys.exit(f"{what} has led to {reached or 'nothing'}, not to one of {sorted(expected)}")
    return connection


def dial(count, path, meshctl, directory):
    many_files()
    services = services_of(path)
    if len(services) != int(count):
        sys.exit(f"{path} has {len(services)} services")
    names = {number: socket.getaddrinfo(f"s{number}.mesh.test", 8080, socket.AF_INET, socket.SOCK_STREAM)[0][4] for number in services}
    kept = [reach(names[number], services[number], f"s{number}.mesh.test") for number in services]
    for number in range(0, len(services), 7):
        reach((f"10.{number // 256}.{number % 256}.1", 8080), services[number], f"the address of s{number}").close()
    shown = subprocess.run([meshctl, "stats", "-d", directory, "-o", "json"], stdout=subprocess.PIPE, check=True).stdout
    active = {e["service"]: e["connections"]["active"] for e in json.loads(shown)["entries"] if e["direction"] == "outbound"}
    wrong = [name for name in (f"s{number}" for number in services) if active.get(name) != 1]
    if wrong or len(active) != len(services):
        sys.exit(f"{len(wrong)} services have not their one connection in the counters: {wrong[:5]}; {len(active)} are counted")
    for connection in kept:
        connection.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
