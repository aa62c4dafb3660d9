"""Turns the benchmark's results into Markdown tables of medians. table.py comparison|costs FILE"""
import collections
import statistics
import sys

KINDS = ("plain", "own", "meshed")
COSTS = (
    # what, key, unit, note
    ("recv on a TCP socket that is not meshed", "call recv", "ns"),
    ("- of which the hook", "hook recv", "ns"),
    ("write to /dev/null", "call write", "ns"),
    ("- of which the hook", "hook write", "ns"),
    ("poll of one such socket", "call poll", "ns"),
    ("- of which the hook", "hook poll", "ns"),
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


def costs(lines):
    values = collections.defaultdict(lambda: {"plain": [], "meshed": []})
    for key, kind, number in lines:
        values[key][kind].append(float(number))
    print("| small cost (median) | plain | with the library | difference |")
    print("|---|---|---|---|")
    for what, key, unit in COSTS:
        plain, meshed = (statistics.median(values[key][kind]) for kind in ("plain", "meshed"))
        print(f"| {what} | {plain:,.1f} {unit} | {meshed:,.1f} {unit} | {meshed - plain:+,.1f} {unit} |")
    print("\nCalls and processes: loaded and configured, but for other ports. Connections: to a meshed server, a byte each"
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
