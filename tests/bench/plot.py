"""The comparison as a picture: throughput and processor time beside plain text's, and latency at a fixed rate. Plain SVG."""
from xml.sax.saxutils import escape

from results import WAYS

COLOURS = {"own": "#8c8c8c", "nginx_stream": "#c7a76c", "nginx_http": "#d9c08f", "haproxy": "#b98b5e", "hitch": "#a9b388",
           "stunnel": "#c9958a", "meshed": "#1f6feb"}
SHORT = {"http_1k_16": "HTTP 1 KiB, 16", "http_1k_64": "HTTP 1 KiB, 64", "http_256k": "HTTP 256 KiB", "http_1m": "HTTP 1 MiB",
         "redis_get": "Redis GET", "redis_get_16": "Redis GET × 16", "redis_set": "Redis SET", "redis_set_16": "Redis SET × 16",
         "pgbench_select": "pgbench", "new_full": "connection each", "new_resumed": "… resumed", "http_rate": "HTTP 1 KiB",
         "redis_rate": "Redis GET"}
WIDTH, LEFT, RIGHT, HEIGHT, GAP = 1000, 50, 20, 190, 70


class Picture:
    def __init__(self):
        self.parts = []

    def text(self, x, y, words, size=12, anchor="middle", extra=""):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" {extra}>{escape(words)}</text>')

    def box(self, x, y, width, height, colour, title):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}">'
                          f"<title>{escape(title)}</title></rect>")

    def line(self, y, dashed=False):
        dash = ' stroke-dasharray="4 3"' if dashed else ""
        self.parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#888" stroke-width="0.7"{dash}/>')

    def svg(self, height):
        body = "\n".join(self.parts)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">\n'
                f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n{body}\n</svg>\n')


def steps(most):
    """Round numbers on an axis that ends at `most`."""
    for step in (0.25, 0.5, 1, 2, 5, 10):
        if most / step <= 6:
            return [i * step for i in range(int(most / step) + 1)]
    return [0, most]


def panel(picture, top, title, loads, value, most, mark=None):
    """Bars in groups. What is higher than `most` is cut off, and says its number."""
    base = top + HEIGHT
    picture.text(LEFT, top - 12, title, 14, "start", 'font-weight="bold"')
    for tick in steps(most):
        y = base - HEIGHT * tick / most
        picture.line(y, dashed=tick != 0)
        picture.text(LEFT - 6, y + 4, f"{tick:g}", 11, "end")
    group = (WIDTH - LEFT - RIGHT) / max(len(loads), 1)
    bar = group * 0.86 / len(COLOURS)
    for index, load in enumerate(loads):
        x = LEFT + index * group + group * 0.07
        picture.text(LEFT + (index + 0.5) * group, base + 16, SHORT[load], 11)
        for way, colour in COLOURS.items():
            height = value(load, way)
            if height is not None:
                shown = min(height, most)
                picture.box(x, base - HEIGHT * shown / most, bar * 0.92, HEIGHT * shown / most, colour,
                            f"{WAYS[way]}, {SHORT[load]}: {height:.2f}")
                if height > most or way == "meshed":
                    picture.text(x + bar / 2, base - HEIGHT * shown / most - 3, f"{height:.2f}", 8)
            x += bar
    if mark is not None:
        picture.line(base - HEIGHT * mark / most)
    return base + GAP


def legend(picture, y):
    x = LEFT
    for way, colour in COLOURS.items():
        picture.box(x, y - 10, 12, 12, colour, WAYS[way])
        picture.text(x + 17, y, WAYS[way], 12, "start")
        x += 120


def draw(results):
    picture = Picture()
    busy = [load for load in SHORT if load in results.runs and not load.endswith("_rate")]
    paced = [load for load in SHORT if load in results.runs and load.endswith("_rate")]
    kept = [load for load in busy if not load.startswith("new_")]
    fresh = [load for load in busy if load.startswith("new_")]
    legend(picture, 24)
    y = 72
    if kept:
        y = panel(picture, y, "Throughput: share of plain text's (more is better)", kept,
                  lambda load, way: results.ratio(load, way, "rate"), 1.25, 1)
        y = panel(picture, y, "Processor time of both nodes for a request: multiple of plain text's (less is better)", kept,
                  lambda load, way: results.ratio(load, way, "cpu"), 5, 1)
    if fresh:
        y = panel(picture, y, "New connections a second: multiple of own TLS's (more is better)", fresh,
                  lambda load, way: results.ratio(load, way, "rate", "own"), 3, 1)
    if paced:
        y = panel(picture, y, "Latency at a fixed moderate rate, p50: multiple of plain text's (less is better)", paced,
                  lambda load, way: results.ratio(load, way, "p50"), 3, 1)
    return picture.svg(y - GAP + 40)
