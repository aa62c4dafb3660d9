"""report.py DIRECTORY write: results.md, results.json and results.svg there, from its results.tsv and machine.txt.
report.py DIRECTORY readme TOP: the same figures into TOP/README.md and TOP/tests/bench/results.svg."""
import json
import os
import shutil
import sys

import plot
import tables
import targets
from costs import Costs
from document import put, save
from results import LOADS, Results

IN_README = "tests/bench/results.svg"


def markdown(directory, results, costs, picture):
    with open(os.path.join(directory, "machine.txt"), encoding="utf-8") as machine:
        lines = [machine.read()]
    if results.runs:
        lines += [f"![throughput, processor time and latency beside plain text's]({picture})", ""]
    return "\n".join(lines + list(tables.write(results, costs))) + "\n"


def as_json(results, costs):
    loads = {load: {way: dict(fields) for way, fields in ways.items()} for load, ways in results.runs.items()}
    judged = [{"load": load, "what": what, "target": target, "measured": measured, "met": met}
              for load, what, target, measured, met in targets.judge(results, costs)]
    return {"names": LOADS, "units": {"rate": "1/s", "p50": "us", "p99": "us", "p999": "us", "cpu": "us of both nodes an answer"},
            "loads": loads, "memory_kib": results.memory, "costs": costs.values, "targets": judged}


def write(directory, results, costs):
    save(os.path.join(directory, "results.md"), markdown(directory, results, costs, "results.svg"))
    save(os.path.join(directory, "results.json"), json.dumps(as_json(results, costs), indent=1) + "\n")
    if results.runs:
        save(os.path.join(directory, "results.svg"), plot.draw(results))


def readme(directory, results, costs, top):
    put(top, "bench", markdown(directory, results, costs, IN_README))
    if results.runs:
        shutil.copy(os.path.join(directory, "results.svg"), os.path.join(top, IN_README))


def main():
    directory, what, *rest = sys.argv[1:]
    path = os.path.join(directory, "results.tsv")
    if not os.path.exists(path):
        sys.exit("nothing has been measured yet: make bench")
    results = Results(path)
    costs = Costs(results.costs)
    if what == "write":
        write(directory, results, costs)
    else:
        readme(directory, results, costs, *rest)


main()
