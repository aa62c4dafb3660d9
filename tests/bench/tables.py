"""The comparison as Markdown tables."""
from results import LOADS, WAYS
from targets import judge

NEVER = "–"


def row(cells):
    return f"| {' | '.join(cells)} |"


def head(first, ways):
    yield row([first] + [WAYS[way] for way in ways])
    yield "|---" * (len(ways) + 1) + "|"


def number(value):
    return f"{value / 1000:,.1f}k" if value >= 10000 else f"{value:,.0f}"


def ratio(value, best):
    text = NEVER if value is None else f"{value:.2f}"
    return f"**{text}**" if best else text


def throughput(results):
    """Answers a second, in plain text; of that, the others' share."""
    loads = results.loads("http_rate", "redis_rate")
    ways = results.ways(*loads)
    yield from head("throughput, as a share of plain text's", ways)
    for load in loads:
        cells = [f"{number(results.median(load, 'plain', 'rate'))}/s"]
        cells += [ratio(results.ratio(load, way, "rate"), way == "meshed") for way in ways[1:]]
        yield row([LOADS[load]] + cells)


def processor(results):
    loads = results.loads("http_rate", "redis_rate")
    ways = results.ways(*loads)
    yield from head("processor time of both nodes, as a multiple of plain text's", ways)
    for load in loads:
        cells = [f"{results.median(load, 'plain', 'cpu'):,.1f} ms"]  # us an answer: ms a thousand
        cells += [ratio(results.ratio(load, way, "cpu"), way == "meshed") for way in ways[1:]]
        yield row([LOADS[load] + ", 1,000 requests"] + cells)


def quantiles(results, load, way):
    values = [results.median(load, way, field) for field in ("p50", "p99", "p999")]
    if values[0] is None:
        return NEVER
    return " / ".join(f"{value / 1000:.2f}" if value >= 1000 else f"{value / 1000:.3f}" for value in values if value is not None)


def latency(results):
    loads = [load for load in ("http_rate", "redis_rate", "http_1k_16", "http_1k_64", "redis_get", "new_full", "new_resumed")
             if load in results.runs]
    ways = results.ways(*loads)
    yield from head("latency in ms, p50 / p99 / p99.9", ways)
    for load in loads:
        name = LOADS[load]
        if load.endswith("_rate"):
            name += f" of {number(results.median(load, 'plain', 'rate'))}/s"
        yield row([name] + [quantiles(results, load, way) for way in ways])


def memory(results):
    ways = [way for way in WAYS if way in results.memory]
    yield from head("resident memory, 64 connections", ways)
    names = ("MiB resident", "MiB of it private", "processes")
    for index, name in enumerate(names):
        numbers = [results.memory[way][index] for way in ways]
        yield row([name] + [f"{n / 1024:.1f}" if index < 2 else str(n) for n in numbers])


def targets(results, costs):
    rows = judge(results, costs)
    if rows:
        yield row(["target", "", "is to be", "measured", ""])
        yield "|---|---|---|---|---|"
    for load, words, bound, measured, met in rows:
        yield row([LOADS[load] if load else "memory", words, bound, measured, "met" if met else "**missed**"])


NOTES = """Mutual TLS 1.3 with TLS_AES_128_GCM_SHA256 and the same P-256 certificates everywhere; pairs of sidecars have it between
the two proxies. Ratios are medians of the ratios within a round. hitch can show no client certificate: its client side is nginx's
stream proxy. wrk can show none either, so there is no own TLS in its row. nginx http otherwise keeps its TLS connections open; in the
rows with a connection each it was told not to. At a fixed rate latency counts from when a request was due."""


def write(results, costs):
    for part in (throughput, processor, latency):
        lines = list(part(results))
        if len(lines) > 2:
            yield from lines
            yield ""
    if results.memory:
        yield from memory(results)
        yield ""
    if results.runs:
        yield from NOTES.splitlines()
        yield ""
    yield from targets(results, costs)
    if costs.values:
        yield ""
        yield from costs.calls()
        yield ""
        yield from costs.table()
