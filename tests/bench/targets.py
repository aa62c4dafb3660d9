"""What meshshim is to reach, and whether it has. Peers' figures on one machine set them; they are ratios within a run."""

MOST, LEAST = "at most", "at least"

# load, field, compared to, the bound, its number, in words
TARGETS = (
    ("http_1k_16", "rate", "plain", LEAST, 0.92, "requests/s, of plain"),
    ("http_1k_64", "rate", "plain", LEAST, 0.92, "requests/s, of plain"),
    ("http_1k_16", "cpu", "plain", MOST, 1.12, "processor time, of plain"),
    ("http_1k_64", "cpu", "plain", MOST, 1.12, "processor time, of plain"),
    ("http_256k", "rate", "plain", LEAST, 0.60, "requests/s, of plain"),
    ("http_1m", "rate", "plain", LEAST, 0.70, "requests/s, of plain"),
    ("redis_get", "rate", "plain", LEAST, 0.93, "requests/s, of plain"),
    ("redis_get_16", "rate", "plain", LEAST, 0.90, "requests/s, of plain"),
    ("http_rate", "p50", "plain", MOST, 1.09, "p50, of plain"),
    ("redis_rate", "p50", "plain", MOST, 1.04, "p50, of plain"),
    ("new_full", "rate", "own", LEAST, 1.63, "connections/s, of own TLS"),
    ("new_full", "cpu", "own", MOST, 0.65, "processor time, of own TLS"),
    ("new_resumed", "rate", "own", LEAST, 2.62, "connections/s, of own TLS resumed"),
)
PROCESS_KIB, CONNECTION_BYTES, CONNECTIONS = 2048, 4096, 64  # memory.sh holds so many


def judge(results, costs):
    """Rows of: what, target, measured, met or missed."""
    rows = []
    for load, field, to, bound, number, words in TARGETS:
        ratio = results.ratio(load, "meshed", field, to)
        if ratio is not None:
            met = ratio >= number if bound == LEAST else ratio <= number
            rows.append((load, words, f"{bound} {number:.2f}", f"{ratio:.3f}", met))  # a digit more, or a near miss looks like the target
    if "meshed" in results.memory:
        most = PROCESS_KIB + CONNECTION_BYTES * CONNECTIONS // 1024
        grown = results.memory["meshed"][1] - results.memory["plain"][1]
        rows.append((None, f"private memory of a server more than plain, {CONNECTIONS} connections", f"{MOST} {most:,} KiB",
                     f"{grown:,} KiB", grown <= most))
    idle = costs.growth("idle bytes")
    if idle is not None:
        rows.append((None, "of an idle connection", f"{MOST} {CONNECTION_BYTES:,} bytes", f"{idle:,.0f} bytes",
                     idle <= CONNECTION_BYTES))
    return rows
