"""Three views of the same counters: meshctl stats -o json, /stats, /metrics. counts.py agree|has FILE… see stats.sh."""
import json
import re
import sys

SPIFFE = "spiffe://mesh.local/ns/default/sa/"
SAMPLE = re.compile(r'^(\w+)\{(.*)\} (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def entries(path):
    """By direction, service, peer's name and the name of who counted."""
    found = {}
    for entry in json.load(open(path))["entries"]:
        key = entry["direction"], entry["service"], entry["peer"].removeprefix(SPIFFE), entry["workload"].removeprefix(SPIFFE)
        if key in found:
            sys.exit("%s twice in %s" % (key, path))
        found[key] = entry
    return found


def samples(path):
    """By the same key: the values of each metric, histograms by their count."""
    found, seen = {}, set()
    for number, text in enumerate(open(path), 1):
        text = text.rstrip("\n")
        if text.startswith("#"):
            continue
        match = SAMPLE.match(text)
        if not match:
            sys.exit("%s:%d is no sample: %s" % (path, number, text))
        if text.rsplit(" ", 1)[0] in seen:
            sys.exit("%s:%d: twice: %s" % (path, number, text))
        seen.add(text.rsplit(" ", 1)[0])
        name, value, labels = match[1], float(match[3]), dict(LABEL.findall(match[2]))
        inbound = labels["reporter"] == "destination"
        peer, workload = labels["source_principal"], labels["destination_principal"]
        if not inbound:
            peer, workload = workload, peer
        key = ("inbound" if inbound else "outbound", labels["destination_service"],
               "" if peer == "unknown" else peer.removeprefix(SPIFFE), workload.removeprefix(SPIFFE))
        if "reason" in labels:
            name += ":" + labels["reason"]
        if "le" not in labels:
            found.setdefault(key, {})[name] = value
    return found


NAMES = {"opened": "istio_tcp_connections_opened_total", "sent": "istio_tcp_sent_bytes_total",
         "received": "istio_tcp_received_bytes_total"}


def flat(entry):
    """The figures of an entry that the Prometheus page has as well."""
    figures = {NAMES["opened"]: entry["connections"]["opened"],
               "istio_tcp_connections_closed_total": entry["connections"]["opened"] - entry["connections"]["active"]}
    both = {entry["bytes"]["sent"], entry["bytes"]["received"]}
    for reason, count in entry["connections"]["failed"].items():
        figures["meshshim_connections_failed_total:" + reason] = count
    return figures, both


def agree(table, page, metrics):
    one, two, three = entries(table), entries(page), samples(metrics)
    if one != two:
        sys.exit("meshctl and /stats differ:\n%s\n%s" % (one, two))
    if not one or set(one) != set(three):
        sys.exit("/metrics has other series: %s, not %s" % (sorted(three), sorted(one)))
    for key, entry in one.items():
        figures, both = flat(entry)
        for name, value in figures.items():
            if three[key].get(name) != value:
                sys.exit("%s: %s is %s, not %s" % (key, name, three[key].get(name), value))
        if {three[key][NAMES["sent"]], three[key][NAMES["received"]]} != both:
            sys.exit("%s: bytes differ: %s, not %s" % (key, three[key], both))
        for name in three[key]:
            if name.endswith("_count") and int(three[key][name]) not in {l["count"] for l in entry["latency_us"].values()}:
                sys.exit("%s: %s is %s, which no latency in JSON has" % (key, name, three[key][name]))


def has(table, direction, service, peer, workload, *wanted):
    """WHAT=VALUE: a path into the entry, as in connections.opened=3; a bare path is to be there and not zero."""
    entry = entries(table).get((direction, service, peer, workload))
    if entry is None:
        sys.exit("no %s %s '%s' of %s among %s" % (direction, service, peer, workload, sorted(entries(table))))
    for word in wanted:
        path, _, value = word.partition("=")
        at = entry
        for step in path.split("."):
            at = at.get(step, 0) if isinstance(at, dict) else 0
        if (value and str(at) != value) or (not value and not at):
            sys.exit("%s is %s, not %s, in %s" % (path, at, value or "more", json.dumps(entry)))


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
