"""Has something grown, and do two accounts agree? Nothing here looks at the system."""
import statistics


def growth(samples):
    """(median of the second quarter, median of the last): what comes and goes is in both, the start in neither."""
    quarter = len(samples) // 4
    return statistics.median(samples[quarter:2 * quarter]), statistics.median(samples[-quarter:])


def has_grown(samples, share, least):
    """By more than a share of what it was, and by more than what is nothing at all."""
    if len(samples) < 12:
        return False
    before, after = growth(samples)
    return after - before > max(least, before * share)


def is_injected(error, windows):
    """An error of a connection during which its server was down, or was killed: its time meets a window."""
    return any(error["began"] <= end and begin <= error["ended"] for begin, end in windows)


def differences(own, entry):
    """Where the library's entry of a service says something else than the client, which has had no error."""
    latency = entry["latency_us"]
    pairs = {"connections": (own["connects"], entry["connections"]["opened"]),
             "handshakes": (own["connects"], latency["handshake"]["count"]),
             "connects": (own["connects"], latency["connect"]["count"]),
             "requests": (own["requests"], latency["turnaround"]["count"]),
             "bytes sent": (own["sent"], entry["bytes"]["sent"]),
             "bytes received": (own["received"], entry["bytes"]["received"]),
             "open": (0, entry["connections"]["active"]), "failed": ({}, entry["connections"]["failed"])}
    for what, (ours, theirs) in pairs.items():
        if ours != theirs:
            yield f"{what}: the client says {ours}, the counters {theirs}"
    # The client's time is the library's, and what the program itself takes.
    for what, ours, theirs in (("p50 of a request", own["request_us"], latency["turnaround"]["p50"]),
                               ("p50 of a handshake", own["first_us"], latency["handshake"]["p50"])):
        if not 0.03 * ours <= theirs <= 1.1 * ours + 50:
            yield f"{what}: the client says {ours:.0f} us, the counters {theirs} us"
