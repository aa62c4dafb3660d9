"""The folders of libmeshshim/ are layers, and a few powers belong to one place each."""
import pathlib
import re

LAYERS = ["base", "policy", "stats", "tls", "conn", "hook", "admin"]
ROOT = pathlib.Path("libmeshshim")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+([<"])([^>"]+)[>"]', re.M)
COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*', re.S)

# Power, what it looks like in code, who may.
POWERS = [
    ("only base/libc.c looks symbols up", r"\bdlv?sym\s*\(", ["base/libc.c"]),
    ("only policy/ parses configuration", r"\bini_parse\w*\s*\(|#\s*include\s*<ini\.h>", ["policy/"]),
    ("errno is set by hooks (hook/entry.h) alone", r"\berrno\s*=(?!=)\s*(?!\s|saved\b|0\s*;|\w*saved\w*\s*;)",
     ["hook/entry.h", "base/libc.c"]),
    ("nothing ends the host program", r"(?<![\w.>])(?:exit|abort|quick_exit)\s*\(", []),
]
# Environment variables that are not configuration: they say whether and where to log, whether to do anything at all, and where
# execvp looks.
VARIABLES = {"MESHSHIM_LOG": "base/log.c", "MESHSHIM_LOG_FILE": "base/log.c", "MESHSHIM_DISABLE": "conn/mesh.c",
             "PATH": "hook/hook_exec.c"}


def blank_comment(match):
    text = match.group(0)
    return re.sub(r"[^\n]", " ", text) if text.startswith("/") else text


def sources():
    for path in sorted(ROOT.rglob("*")):
        if path.suffix in (".c", ".h", ".def"):
            yield path.relative_to(ROOT).as_posix(), COMMENT.sub(blank_comment, path.read_text())


def line_of(text, match):
    return text.count("\n", 0, match.start()) + 1


def rank(name):
    """Of a file or an include; what lies beside the layers (init.c) stands above them all. None: not ours."""
    folder, slash, _ = name.partition("/")
    if not slash:
        return len(LAYERS)
    return LAYERS.index(folder) if folder in LAYERS else None


def includes(code):
    for match in INCLUDE.finditer(code):
        yield line_of(code, match), match.group(1), match.group(2)


def upward(files):
    for name, code in files.items():
        for line, _, target in includes(code):
            own, its = rank(name), rank(target) if target in files else None
            if own is None:
                yield f"libmeshshim/{name}:{line}: {name.split('/')[0]}/ is not a layer"
            elif its is not None and its > own:
                yield f"libmeshshim/{name}:{line}: includes {target}, which lies above"


# Rooms of conn/: what others stand on, and what stands on all others.
LOWEST_ROOM, HIGHEST_ROOM = "conn/family/", "conn/handover/"


def between_rooms(files):
    for name, code in files.items():
        for line, _, target in includes(code):
            if not name.startswith("conn/") or not target.startswith("conn/"):
                continue
            if name.startswith(LOWEST_ROOM) and not target.startswith((LOWEST_ROOM, "conn/openfds.h", "conn/ownfd.h")):
                yield f"libmeshshim/{name}:{line}: includes {target}, which lies above"
            if target.startswith(HIGHEST_ROOM) and not name.startswith(HIGHEST_ROOM):
                yield f"libmeshshim/{name}:{line}: includes {target}, which lies above"


def quoted_unknown(files):
    for name, code in files.items():
        for line, mark, target in includes(code):
            if mark == '"' and target not in files:
                yield f'libmeshshim/{name}:{line}: "{target}" is not a path from libmeshshim/'


def circles(files):
    """Headers that include each other, directly or not."""
    graph = {name: [t for _, _, t in includes(code) if t in files] for name, code in files.items()}
    done = set()

    def visit(name, path):
        if name in path:
            yield " -> ".join(path[path.index(name):] + [name])
        elif name not in done:
            for target in graph[name]:
                yield from visit(target, path + [name])
            done.add(name)

    for name in graph:
        yield from visit(name, [])


def openssl(files):
    for name, code in files.items():
        for line, _, target in includes(code):
            if target.startswith("openssl/") and not name.startswith("tls/"):
                yield f"libmeshshim/{name}:{line}: includes <{target}>"


def unbanned(files):
    for name, code in files.items():
        if name.endswith(".c") and "base/banned.h" not in [target for _, _, target in includes(code)]:
            yield f"libmeshshim/{name}: does not include base/banned.h"


def power(files, pattern, allowed):
    for name, code in files.items():
        if any(name == a or a.endswith("/") and name.startswith(a) for a in allowed):
            continue
        for match in re.finditer(pattern, code):
            yield f"libmeshshim/{name}:{line_of(code, match)}: {code[match.start():].splitlines()[0].strip()}"


def variables(files):
    for name, code in files.items():
        for match in re.finditer(r'\bgetenv\s*\(\s*"(\w+)"|_getenv\s*\(\s*"(MESHSHIM_\w+)"', code):
            variable = match.group(1) or match.group(2)
            if name.startswith("policy/") or VARIABLES.get(variable) == name:
                continue
            yield f"libmeshshim/{name}:{line_of(code, match)}: reads {variable}"


def verdict(what, findings):
    findings = list(findings)
    print(f"{'not ok' if findings else 'ok'} layers: {what}")
    for finding in findings:
        print(f"    {finding}")


def main():
    files = dict(sources())
    verdict("includes point down, " + " < ".join(LAYERS), upward(files))
    verdict(f"in conn/, {LOWEST_ROOM} is below the rest and {HIGHEST_ROOM} above", between_rooms(files))
    verdict("an include names its layer", quoted_unknown(files))
    verdict("no header includes itself in a circle", circles(files))
    verdict("only tls/ includes OpenSSL", openssl(files))
    verdict("every .c bans what base/banned.h bans", unbanned(files))
    for what, pattern, allowed in POWERS:
        verdict(what, power(files, pattern, allowed))
    verdict("only policy/ reads the environment for configuration", variables(files))


main()
