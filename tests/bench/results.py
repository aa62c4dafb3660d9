"""What tests/bench/run has measured, read from its lines: medians, and ratios within a round."""
import collections
import statistics

WAYS = {"plain": "plain", "own": "own TLS", "nginx_stream": "nginx stream", "nginx_http": "nginx http", "haproxy": "HAProxy",
        "hitch": "hitch", "stunnel": "stunnel", "meshed": "meshshim"}
LOADS = {
    "http_1k_16": "HTTP 1 KiB, 16 connections",
    "http_1k_64": "HTTP 1 KiB, 64 connections",
    "http_256k": "HTTP 256 KiB, 16 connections",
    "http_1m": "HTTP 1 MiB, 16 connections",
    "new_full": "HTTP 1 KiB, a connection each",
    "new_resumed": "the same, resumed",
    "redis_get": "Redis GET, 32 connections",
    "redis_get_16": "Redis GET, pipeline 16",
    "redis_set": "Redis SET, 32 connections",
    "redis_set_16": "Redis SET, pipeline 16",
    "pgbench_select": "pgbench select-only, 8 clients",
    "http_rate": "HTTP 1 KiB, fixed rate",
    "redis_rate": "Redis GET, fixed rate",
    "wrk_1k": "HTTP 1 KiB, 64 connections, by wrk",
    "redis_benchmark_get": "Redis GET, by redis-benchmark",
}
FIELDS = ("rate", "p50", "p99", "p999", "cpu")  # answers a second; us; us; us; us of both processors an answer


class Results:
    def __init__(self, path):
        self.runs = {}  # load -> way -> field -> a number a round
        self.memory = {}  # way -> (KiB resident, of it private, processes)
        self.costs = []  # what costs.py makes of it
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                self._take(line.rstrip("\n").split("\t"))

    def _take(self, row):
        if row[0] == "memory":
            self.memory[row[1]] = tuple(int(number) for number in row[2:])
        elif row[0] in LOADS:
            fields = self.runs.setdefault(row[0], {}).setdefault(row[1], collections.defaultdict(list))
            for field, number in zip(FIELDS, row[2:]):
                if number != "-":
                    fields[field].append(float(number))
        else:
            self.costs.append(row)

    def loads(self, *but):
        return [load for load in LOADS if load in self.runs and load not in but]

    def ways(self, *loads):
        """Those that did at least one of the loads."""
        return [way for way in WAYS if any(way in self.runs[load] for load in loads)]

    def median(self, load, way, field):
        numbers = self.runs.get(load, {}).get(way, {}).get(field)
        return statistics.median(numbers) if numbers else None

    def ratio(self, load, way, field, to="plain"):
        """Of a round with the same round: what disturbed one disturbed the other."""
        ours, theirs = (self.runs.get(load, {}).get(which, {}).get(field) for which in (way, to))
        if not ours or not theirs:
            return None
        return statistics.median(a / b for a, b in zip(ours, theirs) if b) if any(theirs) else None
