"""Turns the benchmark's results into Markdown tables of medians. table.py comparison|costs FILE"""
import collections
import statistics
import sys

KINDS = ("plain", "own", "meshed")
CALLS = (
    ("read of /dev/zero", "read"),
    ("write to /dev/null", "write"),
    ("recv on a TCP socket", "recv"),
    ("poll of one TCP socket", "poll"),
    ("epoll_wait on a set with one TCP socket", "epoll_wait"),
    ("dup and close of /dev/null (dup by libc alone)", "close"),
)
COSTS = (
    # what, key, unit, note
    ("start and end of a process (/bin/true)", "load us", "us"),
    ("private memory of a process (cat)", "load private KiB", "KiB"),
    ("first connection of a process", "first socket us", "us"),
    ("second connection of a process", "second socket us", "us"),
    ("server's resident memory for an idle connection", "idle bytes", "bytes"),
)


def milliseconds(text):
    """redis-benchmark prints milliseconds without a unit, wrk one of us, ms, s."""
    if text == "-":
        return None
    for unit, factor in (("us", 1e-3), ("ms", 1.0), ("s", 1e3)):
        if text.endswith(unit):
            return float(text[: -len(unit)]) * factor
    return float(text)


def rate(value):
    return f"{value / 1000:,.1f}k" if value >= 10000 else f"{value:,.0f}"


def cell(runs):
    text = f"{rate(statistics.median(run[0] for run in runs))}/s"
    if runs[0][1] is not None:
        p50, p99 = (statistics.median(run[i] for run in runs) for i in (1, 2))
        text += f", {p50:.2f} / {p99:.2f} ms"
    return text


def ratio(runs, over):
    """Of a round with the same round: what disturbed one disturbed the other."""
    return f"{statistics.median(a[0] / b[0] for a, b in zip(runs, over)):.2f}"


def comparison(lines):
    loads = collections.OrderedDict()
    for name, kind, per_second, p50, p99, cpu in lines:
        runs = loads.setdefault(name, {k: [] for k in KINDS})
        runs[kind].append((float(per_second), milliseconds(p50), milliseconds(p99), float(cpu)))
    print("| work (requests a second, p50 / p99) | plain | own TLS | meshed | meshed/plain | meshed/own TLS |")
    print("|---|---|---|---|---|---|")
    for name, runs in loads.items():
        cells = [cell(runs[kind]) for kind in KINDS]
        cells += [ratio(runs["meshed"], runs["plain"]), ratio(runs["meshed"], runs["own"])]
        print(f"| {name} | {' | '.join(cells)} |")
    print("\n| the server's processor time a request | plain | own TLS | meshed | plain/meshed | own TLS/meshed |")
    print("|---|---|---|---|---|---|")
    for name, runs in loads.items():
        times = [statistics.median(run[3] for run in runs[kind]) for kind in KINDS]
        cells = [f"{time:,.1f} us" for time in times] + [f"{time / times[2]:.2f}" for time in times[:2]]
        print(f"| {name} | {' | '.join(cells)} |")
    print("\nAll with TLS_AES_128_GCM_SHA256 and the same P-256 certificates. Meshed is mutual everywhere; own TLS is"
          " mutual but for\nwrk's keep-alive rows, as wrk can show no certificate.\n")


def calls(values):
    """What a call costs where nothing is meshed; in brackets, the hook beside libc's own function in the same process."""
    print("| a call on what is not meshed (median) | not loaded | loaded, no configuration | loaded, for other ports |")
    print("|---|---|---|---|")
    for what, name in CALLS:
        cells = [f"{statistics.median(values['call ' + name]['plain']):,.1f} ns"]
        for kind in ("unconfigured", "elsewhere"):
            call, hook = (statistics.median(values[f"{key} {name}"][kind]) for key in ("call", "hook"))
            cells.append(f"{call:,.1f} ns (hook {hook:+,.1f})")
        print(f"| {what} | {' | '.join(cells)} |")
    print("\nThe hook: against libc's own function in the same process.\n")


def costs(lines):
    values = collections.defaultdict(lambda: collections.defaultdict(list))
    for key, kind, number in lines:
        values[key][kind].append(float(number))
    calls(values)
    print("| small cost (median) | plain | with the library | difference |")
    print("|---|---|---|---|")
    for what, key, unit in COSTS:
        plain, meshed = (statistics.median(values[key][kind]) for kind in ("plain", "meshed"))
        print(f"| {what} | {plain:,.1f} {unit} | {meshed:,.1f} {unit} | {meshed - plain:+,.1f} {unit} |")
    print("\nProcesses: loaded and configured, but for other ports. Connections: to a meshed server, a byte each"
          " way.")


def main():
    what, path = sys.argv[1:]
    with open(path, encoding="utf-8") as results:
        rows = [line.rstrip("\n").split("\t") for line in results]
    if what == "comparison":
        comparison([row for row in rows if len(row) == 6])
    else:
        costs([row for row in rows if len(row) == 3])


main()
