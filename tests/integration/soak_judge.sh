#!/bin/bash
# What `make soak` judges by: growth that is none and growth that is one, errors that met a kill, accounts that differ.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
cd "$top/tests/soak" || exit 1
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 - <<'PY' || fail "see above"
import copy
import random

from judge import differences, has_grown, is_injected

noise = random.Random(1)
level = [40000 + noise.randrange(3000) for _ in range(150)]
assert not has_grown(level, 0.1, 2048)
assert not has_grown([500 * min(i, 30) + number for i, number in enumerate(level)], 0.1, 2048), "the start does not count"
assert has_grown([number + 100 * i for i, number in enumerate(level)], 0.1, 2048), "a leak"
assert has_grown([20 + i // 8 for i in range(150)], 0.1, 6), "descriptors"
assert not has_grown([20 + (i % 7) for i in range(150)], 0.1, 6)

windows = [(10, 11), (20, 21)]
assert is_injected({"began": 5, "ended": 10.5}, windows) and is_injected({"began": 20.5, "ended": 30}, windows)
assert is_injected({"began": 9, "ended": 12}, windows)
assert not is_injected({"began": 11.1, "ended": 19.9}, windows)

own = {"connects": 3, "requests": 7, "sent": 70, "received": 70, "request_us": 100, "first_us": 1000}
entry = {"connections": {"opened": 3, "active": 0, "failed": {}}, "bytes": {"sent": 70, "received": 70},
         "latency_us": {"handshake": {"count": 3, "p50": 700}, "connect": {"count": 3, "p50": 20}, "turnaround": {"count": 7, "p50": 80}}}
assert not list(differences(own, entry)), list(differences(own, entry))
for change in (("connections", "opened", 4), ("connections", "active", 1), ("connections", "failed", {"timeout": 1}), ("bytes", "sent", 69),
               ("latency_us", "turnaround", {"count": 8, "p50": 80}), ("latency_us", "turnaround", {"count": 7, "p50": 300}),
               ("latency_us", "handshake", {"count": 3, "p50": 1})):
    other = copy.deepcopy(entry)
    other[change[0]][change[1]] = change[2]
    assert list(differences(own, other)), change
PY
