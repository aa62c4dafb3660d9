"""report.py DIRECTORY write: scale.md and scale.svg there, from its scale.tsv and machine.txt.
report.py DIRECTORY readme TOP: the table into TOP/README.md, the picture to TOP/tests/bench/scale/scale.svg."""
import os
import shutil
import sys
from xml.sax.saxutils import escape

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from document import put, save

IN_README = "tests/bench/scale/scale.svg"
# (what, figure): in words, how a number is written, whether it is of all of them (then linear is what one's share shows)
FIGURES = {
    ("connections meshed", "connect"): ("a connection more, processor time of both ends", "{:,.0f} us", False),
    ("connections plain", "connect"): ("… without the library", "{:,.0f} us", False),
    ("connections meshed", "request"): ("a request of 64 bytes, both ends", "{:.1f} us", False),
    ("connections plain", "request"): ("… without the library", "{:.1f} us", False),
    ("connections meshed", "memory"): ("a connection's memory at the server", "{:,.0f} bytes", False),
    ("processes", "first"): ("a process more, processor time of its first connection", "{:,.0f} us", False),
    ("processes", "memory"): ("private memory of one process", "{:,.0f} KiB", False),
    ("processes", "stats"): ("meshctl stats", "{:.0f} ms", True),
    ("processes", "identity"): ("meshctl identity, which asks each", "{:.0f} ms", True),
    ("services", "load"): ("reading the configuration", "{:,.0f} us", True),
    ("services", "memory"): ("its memory in each process", "{:,.0f} bytes", True),
    ("services", "start"): ("start and end of /bin/true", "{:.0f} ms", True),
    ("services", "analyze"): ("meshctl analyze", "{:.0f} ms", True),
    ("services", "host"): ("finding the service of an address", "{:.0f} ns", False),
    ("services", "name"): ("… of a name", "{:.0f} ns", False),
    ("services", "miss"): ("… of what belongs to none", "{:.0f} ns", False),
}
HEADS = (("connections", "connections of one process"), ("processes", "processes of one host"),
         ("services", "services, with ten endpoints each"))
COLOURS = ("#1f6feb", "#c7a76c", "#2da44e", "#8c8c8c", "#b35ebf", "#d1242f", "#0a7ea4")
SLACK = 1.5  # what a machine's caches and neighbours may add


def read(path):
    """(what, figure) -> {size: number}."""
    found = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            what, size, figure, number = line.rstrip("\n").split("\t")
            found.setdefault((what, figure), {})[int(size)] = float(number)
    return found


def shares(key, numbers):
    """By size: what one costs, as a multiple of the smallest size's; a level line is linear."""
    of_all = FIGURES[key][2]
    each = {size: number / size if of_all else number for size, number in sorted(numbers.items())}
    first = next(iter(each.values())) or 1
    return {size: value / first for size, value in each.items()}


def verdict(key, numbers):
    last = list(shares(key, numbers).values())[-1]
    flat = "linear" if FIGURES[key][2] else "flat"
    return f"better than {flat}" if last < 1 / SLACK else flat if last <= SLACK else f"{last:.1f} times"


def table(found, head, title):
    keys = [key for key in FIGURES if key[0].startswith(head) and key in found]
    sizes = sorted({size for key in keys for size in found[key]})
    yield f"| {title} | {' | '.join(f'{size:,}' for size in sizes)} | it grows |"
    yield "|---" * (len(sizes) + 2) + "|"
    for key in keys:
        words, form, _ = FIGURES[key]
        cells = [form.format(found[key][size]) if size in found[key] else "–" for size in sizes]
        yield f"| {words} | {' | '.join(cells)} | {verdict(key, found[key])} |"


def markdown(directory, found, picture):
    with open(os.path.join(directory, "machine.txt"), encoding="utf-8") as machine:
        lines = [machine.readline()]
    lines += [f"![what one costs by how many there are]({picture})"]
    for head, title in HEADS:
        lines += ["", *table(found, head, title)]
    return "\n".join(lines) + "\n"


def panel(found, head, title, left):
    """Lines of what one costs against the number of them, by steps of the sizes measured."""
    top, width, height, most = 60, 270, 180, 2.0
    keys = [key for key in FIGURES if key[0].startswith(head) and key in found]
    sizes = sorted({size for key in keys for size in found[key]})
    at = {size: left + width * index / max(len(sizes) - 1, 1) for index, size in enumerate(sizes)}
    yield f'<text x="{left}" y="{top - 20}" font-size="13" font-weight="bold">{escape(title)}</text>'
    for tick in (0, 0.5, 1, 1.5, 2):
        y = top + height * (1 - tick / most)
        yield f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" stroke="#bbb" stroke-width="{1.2 if tick == 1 else 0.5}"/>'
        yield f'<text x="{left - 6}" y="{y + 4:.1f}" font-size="10" text-anchor="end">{tick:g}</text>'
    for size in sizes:
        yield f'<text x="{at[size]:.1f}" y="{top + height + 16}" font-size="11" text-anchor="middle">{size:,}</text>'
    for index, key in enumerate(keys):
        colour = COLOURS[index % len(COLOURS)]
        points = " ".join(f"{at[size]:.1f},{top + height * (1 - min(share, most) / most):.1f}"
                          for size, share in shares(key, found[key]).items())
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        y = top + height + 40 + 16 * index
        plain = " (without the library)" if "plain" in key[0] else ""
        words = FIGURES[key][0] if not FIGURES[key][0].startswith("…") else f"{key[1]}{plain}"
        yield f'<text x="{left}" y="{y}" font-size="11" fill="{colour}">{escape(words)}</text>'


def draw(found):
    parts = ['<text x="30" y="22" font-size="14">What one costs, as a multiple of the smallest size’s: level is linear</text>']
    for index, (head, title) in enumerate(HEADS):
        parts += panel(found, head, title, 40 + 325 * index)
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 400" font-family="sans-serif">\n'
            f'<rect width="1000" height="400" fill="#ffffff"/>\n{body}\n</svg>\n')


def readme(directory, found, top):
    put(top, "scale", markdown(directory, found, IN_README))
    shutil.copy(os.path.join(directory, "scale.svg"), os.path.join(top, IN_README))


def main():
    directory, what, *rest = sys.argv[1:]
    path = os.path.join(directory, "scale.tsv")
    if not os.path.exists(path):
        sys.exit("nothing has been measured yet: tests/bench/run scale")
    found = read(path)
    if what == "write":
        save(os.path.join(directory, "scale.md"), markdown(directory, found, "scale.svg"))
        save(os.path.join(directory, "scale.svg"), draw(found))
    else:
        readme(directory, found, *rest)


main()
