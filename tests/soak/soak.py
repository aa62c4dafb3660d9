"""soak.py WORK LIBRARY MESHCTL SECONDS SEED: see run.

Calm ones live from the beginning to the end, and nothing may ever fail for them. Shaky ones are killed and started again, whichever end
it is; what fails for those must have met a kill. All choices come from the seed, and one thread makes them one after the other.
"""
import json
import os
import random
import signal
import subprocess
import sys
import time

from judge import differences, is_injected
from mesh import HERE, PYTHON, Mesh, free_ports, listens, wait_for
from watch import Watch

IDENTITIES = ("server", "calm", "restless", "load", "stranger", "doubter")
SERVERS = ("forks", "threads", "shaky", "nginx", "redis")
SAMPLE_SECONDS = 2


class Soak:
    def __init__(self, mesh, seconds, seed):
        self.mesh, self.seconds, self.choices, self.seed = mesh, seconds, random.Random(seed), seed
        self.port = dict(zip(SERVERS, free_ports(len(SERVERS))))
        self.processes, self.watch, self.problems = {}, Watch(), []
        self.shaky_windows, self.worker_windows = [], []
        self.done = {"kills": 0, "refused": 0, "identities": 0, "reloads": 0, "requests of others": 0}
        self.refused = {"stranger": 0, "outsider": 0, "doubter": 0, "plain": 0}
        self.restless_started = 0

    # ---- the beginning ----

    def prepare(self):
        mesh = self.mesh
        for name in IDENTITIES:
            mesh.issue(name)
        mesh.issue("outsider", "other-ca")
        mesh.configure("server", allow="default/calm, default/restless, default/load, default/doubter")
        calm = [(name, self.port[name]) for name in ("forks", "threads")]
        mesh.configure("calm", calm)
        mesh.configure("restless", [("shaky", self.port["shaky"])])
        mesh.configure("load", [(name, self.port[name]) for name in ("nginx", "redis")])
        mesh.configure("stranger", calm)
        mesh.configure("outsider", calm)
        mesh.configure("doubter", calm, expected="default/somebody")

    def start_servers(self):
        for name in ("forks", "threads", "shaky"):
            self.start_echo(name)
        os.makedirs(f"{self.mesh.work}/www")
        with open(f"{self.mesh.work}/www/page", "wb") as page:
            page.write(b"p" * 10000)
        with open(f"{self.mesh.work}/nginx.conf", "w", encoding="utf-8") as file:
            file.write(self.nginx_conf())
        self.processes["nginx"] = self.mesh.start("server", "nginx", "-e", "stderr", "-p", self.mesh.work, "-c",
                                                  f"{self.mesh.work}/nginx.conf", log="nginx")
        self.processes["redis"] = self.mesh.start("server", "redis-server", "--bind", "127.0.0.1", "--port", str(self.port["redis"]),
                                                  "--save", "", "--appendonly", "no", "--dir", self.mesh.work, log="redis")
        for name in ("nginx", "redis"):
            wait_for(lambda: listens(self.port[name]), 120, f"{name} listens")

    def nginx_conf(self):
        work, user = self.mesh.work, "user root;" if os.getuid() == 0 else ""
        temporary = "".join(f"{kind}_temp_path {work}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return (f"{user} daemon off; worker_processes 2; pid {work}/nginx.pid; error_log stderr crit; events {{ worker_connections 512; }}\n"
                f"http {{ access_log off; {temporary} keepalive_requests 100;\n"
                f"server {{ listen 127.0.0.1:{self.port['nginx']}; root {work}/www; }} }}\n")

    def start_echo(self, name):
        kind = "thread" if name == "threads" else "fork"
        self.processes[name] = self.mesh.start("server", PYTHON, f"{HERE}/serve.py", kind, str(self.port[name]), log=name, wait_ready=True)

    def start_talker(self, name, *services):
        account = f"{self.mesh.work}/{name}.account"
        words = [f"{service}={self.port[service]}" for service in services]
        self.processes[name] = self.mesh.start(name, PYTHON, f"{HERE}/talk.py", "talk", account, str(self.choices.randrange(1 << 30)), *words,
                                               log=name, wait_ready=True)

    # ---- what happens ----

    def kill(self, process):
        process.kill()
        process.wait()
        self.done["kills"] += 1

    def kill_server(self):
        """With the processes of its connections, which hold the port."""
        began = time.monotonic()
        os.killpg(self.processes["shaky"].pid, signal.SIGKILL)
        self.kill(self.processes["shaky"])
        self.start_echo("shaky")
        self.shaky_windows.append((began, time.monotonic()))

    def kill_child(self):
        """The process of one connection."""
        began = time.monotonic()
        children = self.children(self.processes["shaky"].pid)
        if children:
            self.kill_pid(self.choices.choice(children))
            self.shaky_windows.append((began, time.monotonic()))

    def kill_client(self):
        self.kill(self.processes["restless"])
        self.start_talker("restless", "shaky")

    def kill_worker(self):
        workers = self.children(self.processes["nginx"].pid)
        began = time.monotonic()
        if workers:
            self.kill_pid(self.choices.choice(workers))
        wait_for(lambda: len(self.children(self.processes["nginx"].pid)) == 2, 60, "nginx has two workers again")
        self.worker_windows.append((began, time.monotonic()))

    def kill_pid(self, pid):
        try:
            os.kill(pid, signal.SIGKILL)
            self.done["kills"] += 1
        except ProcessLookupError:
            pass

    @staticmethod
    def children(pid):
        found = []
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
        return found

    def refuse(self, name):
        """At a calm server: who is to be refused must be, in words that the errors' table has."""
        port = self.port[self.choices.choice(("forks", "threads"))]
        process = self.mesh.start(name, PYTHON, f"{HERE}/talk.py", "once", str(port), log=name)
        process.wait(timeout=300)
        said = self.mesh.output(name).strip().splitlines()[-1:]
        if said not in (["EACCES"], ["ECONNREFUSED"], ["ECONNRESET"], ["EPIPE"]):
            self.problems.append(f"{name} was to be refused and says {said}")
        self.refused[name] += 1
        self.done["refused"] += 1

    def speak_plain(self):
        port = self.port[self.choices.choice(("forks", "threads"))]
        plain = subprocess.run([PYTHON, f"{HERE}/talk.py", "once", str(port)], stdout=subprocess.PIPE, text=True, timeout=300, check=True)
        if plain.stdout.strip() == "answered":
            self.problems.append("a plain client was answered")
        self.refused["plain"] += 1
        self.done["refused"] += 1

    def renew(self):
        self.mesh.issue(self.choices.choice(("server", "calm", "restless")))
        self.done["identities"] += 1

    def reload(self):
        self.mesh.timeout = 41 - self.mesh.timeout
        self.mesh.configure("server", allow="default/calm, default/restless, default/load, default/doubter")
        self.done["reloads"] += 1

    def wrk(self, header):
        began = time.monotonic()
        process = self.mesh.start("load", "wrk", "-t1", "-c16", "-d2", "--timeout", "60", "-H", header,
                                  f"http://127.0.0.1:{self.port['nginx']}/page", log="wrk")
        process.wait(timeout=300)
        self.judge_wrk(began)

    def redis_benchmark(self, keep):
        process = self.mesh.start("load", "redis-benchmark", "-p", str(self.port["redis"]), "-n", "5000", "-c", "20", "-q", "-t", "set,get",
                                  "-k", keep, log="redis-benchmark")
        if process.wait(timeout=300) != 0 or "rror" in self.mesh.output("redis-benchmark"):
            self.problems.append(f"redis-benchmark: {self.mesh.output('redis-benchmark')[-500:]}")
        self.done["requests of others"] += 10000

    def bursts(self):
        """Other people's programs: many requests at once, on kept connections and on one each."""
        return [lambda: self.wrk("X: y"), lambda: self.wrk("Connection: close"), lambda: self.redis_benchmark("1"),
                lambda: self.redis_benchmark("0")]

    def burst(self):
        self.choices.choice(self.bursts())()

    def warm_up(self):
        """What a program's heap keeps of the first of each is no growth."""
        for burst in self.bursts():
            burst()

    def judge_wrk(self, began):
        said = self.mesh.output("wrk")
        error = {"began": began, "ended": time.monotonic()}
        requests = [int(line.split()[0]) for line in said.splitlines() if " requests in " in line]
        if not requests or requests[0] == 0 or ("Socket errors" in said or "Non-2xx" in said) and not is_injected(error, self.worker_windows):
            self.problems.append(f"wrk: {said[-500:]}")
        self.done["requests of others"] += sum(requests)

    def happen(self):
        events = ((self.burst, 5), (self.kill_client, 2), (self.kill_server, 1), (self.kill_child, 2), (self.kill_worker, 1), (self.renew, 3),
                  (self.reload, 1), (self.speak_plain, 1), (lambda: self.refuse("stranger"), 1), (lambda: self.refuse("outsider"), 1),
                  (lambda: self.refuse("doubter"), 1))
        event = self.choices.choices([event for event, _ in events], [weight for _, weight in events])[0]
        event()

    def go_on(self):
        end, next_sample = time.monotonic() + self.seconds, 0
        while time.monotonic() < end:
            self.happen()
            pause = time.monotonic() + self.choices.random() * 1.5
            while True:
                if time.monotonic() >= next_sample:
                    self.look()
                    next_sample = time.monotonic() + SAMPLE_SECONDS
                if time.monotonic() >= pause:
                    break
                time.sleep(0.05)
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise SystemExit(f"soak: {name} has ended by itself ({process.returncode}): {self.mesh.output(name)[-2000:]}")

    def look(self):
        self.watch.look({name: process.pid for name, process in self.processes.items() if name not in ("shaky", "restless")},
                        f"{self.mesh.work}/run")

    # ---- the end ----

    def entries(self):
        return json.loads(self.mesh.run_meshctl("stats", "-d", f"{self.mesh.work}/run", "-o", "json"))["entries"]

    def all_closed(self):
        return all(entry["connections"]["active"] == 0 for entry in self.entries())

    def identities_arrived(self):
        """What lives long has the newest certificate: its end tells which it is."""
        pids = {self.processes[name].pid: "server" for name in ("forks", "threads", "redis")}
        pids[self.processes["calm"].pid] = "calm"
        shown = json.loads(self.mesh.run_meshctl("identity", "-d", f"{self.mesh.work}/run", "-o", "json"))["processes"]
        ends = {process["pid"]: process["answer"].get("not_after") for process in shown}
        return all(ends.get(pid) == self.not_after(name) for pid, name in pids.items())

    def not_after(self, name):
        text = subprocess.run(["openssl", "x509", "-in", f"{self.mesh.work}/id/{name}/cert.pem", "-noout", "-enddate", "-dateopt", "iso_8601"],
                              stdout=subprocess.PIPE, text=True, check=True).stdout
        return text.strip().partition("=")[2].replace(" ", "T")

    def end(self, name, how=signal.SIGTERM):
        process = self.processes.pop(name)
        process.send_signal(how)
        try:
            process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            self.problems.append(f"{name} does not end")
            process.kill()

    def account(self, name):
        errors, sums = [], {}
        with open(f"{self.mesh.work}/{name}.account", encoding="utf-8") as lines:
            for line in lines:
                try:
                    told = json.loads(line)
                except ValueError:
                    continue  # its writer was killed in the middle
                if "sums" in told:
                    sums = told["sums"]
                else:
                    errors.append(told)
        return errors, sums

    def judge_errors(self):
        errors, sums = self.account("calm")
        for error in errors:
            self.problems.append(f"calm: an error that nobody has injected: {error}")
        met = self.account("restless")[0]
        for error in met:
            if not is_injected(error, self.shaky_windows):
                self.problems.append(f"restless: an error that met no kill: {error}")
        return sums, len(met)

    def judge_counters(self, sums):
        entries = self.entries()
        for service, own in sums.items():
            found = [e for e in entries if (e["direction"], e["service"]) == ("outbound", service) and e["workload"].endswith("/calm") and e["peer"]]
            if len(found) != 1:
                self.problems.append(f"{len(found)} entries for {service}")
            for entry in found:
                self.problems += [f"{service}: {what}" for what in differences(own, entry)]
        calm = [f"inbound:{self.port[name]}" for name in ("forks", "threads")]
        failed = sum(sum(e["connections"]["failed"].values()) for e in entries if e["service"] in calm)
        if failed != sum(self.refused.values()):
            self.problems.append(f"calm servers have counted {failed} refusals, there were {self.refused}")

    def finish(self):
        wait_for(self.identities_arrived, 60, "the newest identities are in use")
        self.end("calm")
        self.end("restless")
        sums, met = self.judge_errors()
        wait_for(self.all_closed, 60, "all connections are closed in the counters")
        self.judge_counters(sums)
        for name in list(self.processes):
            self.end(name, signal.SIGQUIT if name == "nginx" else signal.SIGTERM)
        wait_for(lambda: not self.mesh.members(), 60, "no meshed process is left")
        self.problems += list(self.watch.grown())
        return sums, met

    def report(self, sums, met):
        connects = sum(own["connects"] for own in sums.values())
        requests = sum(own["requests"] for own in sums.values())
        done, watch = self.done, self.watch
        for problem in self.problems[:20]:
            print(f"not ok soak: {problem}")
        print(f"soak: {self.seconds} s, seed {self.seed}: {connects:,} connections and {requests:,} requests of calm clients, counted alike by both "
              f"sides; {done['requests of others']:,} requests of wrk and redis-benchmark; {done['kills']} kills, which {met} connections met; "
              f"{done['refused']} refused as they were to be; {done['identities']} new identities, {done['reloads']} reloads; "
              f"{watch.most('resident KiB')}, {watch.most('descriptors')}; {len(self.problems)} problems")


def main():
    work, library, meshctl, seconds, seed = sys.argv[1:]
    soak = Soak(Mesh(work, library, meshctl), int(seconds), int(seed))
    print(f"soak: {seconds} s, seed {seed}", flush=True)
    soak.prepare()
    soak.start_servers()
    soak.start_talker("calm", "forks", "threads")
    soak.start_talker("restless", "shaky")
    soak.warm_up()
    soak.go_on()
    soak.report(*soak.finish())
    sys.exit(bool(soak.problems))


main()
