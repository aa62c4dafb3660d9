"""The mesh of a soak: an authority, identities that are replaced as Kubernetes does it, configurations, programs that run meshed."""
import os
import random
import socket
import subprocess
import time

PYTHON = "/usr/bin/python3"
HERE = os.path.dirname(os.path.abspath(__file__))


def free_ports(count):
    """Below the ephemeral range: a server that is started again must find its own free."""
    probes = []
    while len(probes) < count:
        probe = socket.socket()
        try:
            probe.bind(("127.0.0.1", random.randrange(10000, 30000)))
            probes.append(probe)
        except OSError:
            probe.close()
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def listens(port):
    """By the kernel's table: nothing is connected, or a strict server would have something to refuse."""
    with open("/proc/net/tcp", encoding="ascii") as lines:
        return any(f":{port:04X} 00000000:0000 0A" in line for line in lines)


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"soak: {what}: not within {seconds} s")
        time.sleep(0.05)


class Mesh:
    def __init__(self, work, library, meshctl):
        self.work, self.library, self.meshctl = work, library, meshctl
        self.versions, self.minutes, self.timeout = {}, {}, 20
        self.run_meshctl("ca", "init", "--dir", f"{work}/ca", "--trust-domain", "mesh.local")
        self.run_meshctl("ca", "init", "--dir", f"{work}/other-ca", "--trust-domain", "mesh.local")

    def run_meshctl(self, *words):
        return subprocess.run([self.meshctl, *words], check=True, stdout=subprocess.PIPE, timeout=120, text=True).stdout

    def issue(self, name, authority="ca"):
        """A new certificate and key in a directory of their own; a link is put in the place of the old."""
        version = self.versions[name] = self.versions.get(name, 0) + 1
        self.minutes[name] = 60 + version
        home = f"{self.work}/id/{name}"
        self.run_meshctl("ca", "issue", "--dir", f"{self.work}/{authority}", "--workload", f"default/{name}", "--out",
                         f"{home}/..{version}", "--ttl", f"{self.minutes[name]}m")
        os.symlink(f"..{version}", f"{home}/..next")
        os.rename(f"{home}/..next", f"{home}/..data")
        if version == 1:
            for file in ("cert.pem", "key.pem", "ca.pem"):
                os.symlink(f"..data/{file}", f"{home}/{file}")

    def configure(self, name, services=(), allow="", expected="default/server"):
        """services: (name, port). Written beside and moved into place, for running programs read it."""
        home = f"{self.work}/id/{name}"
        text = f"""[workload]
name         = {name}
trust_domain = mesh.local
certificate  = {home}/cert.pem
private_key  = {home}/key.pem
trust_bundle = {home}/ca.pem
runtime_dir  = {self.work}/run
[inbound]
mtls = strict
handshake_timeout = {self.timeout}s
{f"allow = {allow}" if allow else ""}
"""
        for service, port in services:
            text += f"""[service {service}]
host = 127.0.0.1
port = {port}
identity = {expected}
connect_timeout = 20s
handshake_timeout = 60s
connect_retries = 0
"""
        with open(f"{self.work}/{name}.next", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(f"{self.work}/{name}.next", f"{self.work}/{name}.ini")

    def start(self, name, *command, log, wait_ready=False):
        """Meshed as `name`; its output in the log. A program that says "ready" has read its configuration."""
        environment = dict(os.environ, LD_PRELOAD=self.library, MESHSHIM_CONFIG=f"{self.work}/{name}.ini")
        with open(f"{self.work}/{log}.log", "wb") as output:
            process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                       start_new_session=True)
        if wait_ready:
            wait_for(lambda: "ready" in self.output(log) or process.poll() is not None, 120, f"{log} is ready")
            if process.poll() is not None:
                raise SystemExit(f"soak: {log} has ended: {self.output(log)[-2000:]}")
        return process

    def members(self):
        """Processes that were started with this soak's copy of the library."""
        mark, found = b"LD_PRELOAD=" + self.library.encode(), []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/environ", "rb") as file:
                    if mark in file.read():
                        found.append(int(name))
            except OSError:
                pass
        return found

    def output(self, log):
        with open(f"{self.work}/{log}.log", encoding="utf-8", errors="replace") as file:
            return file.read()
