"""The small costs, from the lines of costs.sh: what<tab>plain or meshed<tab>number."""
import collections
import statistics

CALLS = (
    ("read of /dev/zero", "read"),
    ("write to /dev/null", "write"),
    ("recv on a TCP socket", "recv"),
    ("poll of one TCP socket", "poll"),
    ("epoll_wait on a set with one TCP socket", "epoll_wait"),
    ("dup and close of /dev/null (dup by libc alone)", "close"),
)
COSTS = (
    # what, key, unit
    ("start and end of a process (/bin/true)", "load us", "us"),
    ("private memory of a process (cat)", "load private KiB", "KiB"),
    ("first connection of a process", "first socket us", "us"),
    ("second connection of a process", "second socket us", "us"),
    ("server's resident memory for an idle connection", "idle bytes", "bytes"),
)


class Costs:
    def __init__(self, rows):
        self.values = collections.defaultdict(lambda: collections.defaultdict(list))
        for key, kind, number in rows:
            self.values[key][kind].append(float(number))

    def median(self, key, kind):
        return statistics.median(self.values[key][kind])

    def growth(self, key):
        return self.median(key, "meshed") - self.median(key, "plain") if key in self.values else None

    def calls(self):
        """What a call costs where nothing is meshed; in brackets, the hook beside libc's own function in the same process."""
        yield "| a call on what is not meshed (median) | not loaded | loaded, no configuration | loaded, for other ports |"
        yield "|---|---|---|---|"
        for what, name in CALLS:
            cells = [f"{self.median('call ' + name, 'plain'):,.1f} ns"]
            for kind in ("unconfigured", "elsewhere"):
                call, hook = (self.median(f"{key} {name}", kind) for key in ("call", "hook"))
                cells.append(f"{call:,.1f} ns (hook {hook:+,.1f})")
            yield f"| {what} | {' | '.join(cells)} |"
        yield ""
        yield "The hook: against libc's own function in the same process."

    def table(self):
        yield "| small cost (median) | plain | with the library | difference |"
        yield "|---|---|---|---|"
        for what, key, unit in COSTS:
            plain, meshed = (self.median(key, kind) for kind in ("plain", "meshed"))
            yield f"| {what} | {plain:,.1f} {unit} | {meshed:,.1f} {unit} | {meshed - plain:+,.1f} {unit} |"
        yield ""
        yield "Processes: loaded and configured, but for other ports. Connections: to a meshed server, a byte each way."
