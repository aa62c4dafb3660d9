"""Every function of libc is either in base/symbols.def or judged in libc_judged.txt. Nothing that touches a descriptor by a pattern."""
import os
import pathlib
import re
import subprocess

TABLE = pathlib.Path("libmeshshim/base/symbols.def")
JUDGED = pathlib.Path("tests/check/libc_judged.txt")
# A name that says any of this, or is a system call's, is judged by itself, never by a pattern.
TELLING = re.compile(r"read|write|send|recv|open|close|connect|accept|listen|bind|shutdown|sock|pipe|dup|poll|select|event"
                     r"|fork|exec|spawn|splice|tee|fds?$|fd_|fcntl|ioctl|aio|lio_|file|print|dl(m?open|sym|vsym)|msg|stream")
INNOCENT = re.compile(r"thread|rdlock|wrlock")


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def libc_functions():
    """Name -> set of versions: "@@X" is what programs are linked to, "@X" is for old programs."""
    path = output(*os.environ.get("CC", "gcc").split(), "-print-file-name=libc.so.6").strip()
    functions = {}
    for line in output("nm", "-D", "--defined-only", path).splitlines():
        _, kind, name = line.split()[-3:]
        if kind in "TWi":
            name, at, version = name.partition("@")
            functions.setdefault(name, set()).add(at + version)
    return functions


def system_calls():
    text = output(*os.environ.get("CC", "gcc").split(), "-E", "-dM", "-include", "sys/syscall.h", "-xc", "/dev/null")
    return set(re.findall(r"^#define SYS_(\w+)", text, re.M))


def hooked():
    return re.findall(r"^SYM[A-Z_]*\([^,]*, *(\w+),", TABLE.read_text(), re.M)


def judgements():
    """Names, patterns, what kinds of version, and lines that make no sense."""
    names, patterns, versions, bad, reason = {}, {}, {}, [], None
    for number, line in enumerate(JUDGED.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            reason = line.strip()
            continue
        words = line.split()
        if words[0] == "@newer":
            continue
        for word in words:
            place = versions if word.startswith("@") else names if word.isidentifier() else patterns
            if reason is None or word in names or word in patterns or word in versions:
                bad.append(f"{JUDGED}:{number}: {word} is listed twice, or has no reason above it")
            place[word] = number
    return names, patterns, versions, bad


def is_telling(name, calls):
    plain = re.sub(r"(64|_chk)$", "", name.strip("_"))
    return plain in calls or TELLING.search(INNOCENT.sub("", name)) is not None


def version_kind(versions):
    if all("PRIVATE" in v for v in versions):
        return "@private"
    return "@old" if not any(v.startswith("@@") for v in versions) else None


def verdict(what, findings, hint):
    findings = sorted(findings)
    print(f"{'not ok' if findings else 'ok'} libc: {what}" + (f": {hint}" if findings else ""))
    for finding in findings:
        print(f"    {finding}")


def main():
    functions, calls, listed = libc_functions(), system_calls(), set(hooked())
    names, patterns, versions, bad = judgements()
    whole = {pattern: re.compile(pattern) for pattern in patterns}
    unjudged, both, loose, used = [], [], [], set()
    for name, its_versions in functions.items():
        kind = version_kind(its_versions)
        matches = [pattern for pattern in patterns if whole[pattern].fullmatch(name)]
        used.update(matches)
        if name in listed:
            both += [f"{name} ({JUDGED}:{names[name]})"] if name in names else []
            both += [f"{name}, by {pattern} ({JUDGED}:{patterns[pattern]})" for pattern in matches]
        elif name in names or kind == "@private" and kind in versions:
            continue
        elif is_telling(name, calls):
            (loose if matches or kind in versions else unjudged).append(name)
        elif not matches and kind not in versions:
            unjudged.append(name)
    verdict("the judgements can be read", bad, "mend them")
    verdict(f"each of {len(functions)} functions is hooked or judged", unjudged,
            f"hook them in {TABLE}, or say in {JUDGED} why not")
    verdict("what touches descriptors is judged by its name", loose, f"list them by themselves in {JUDGED}")
    verdict("nothing is hooked and judged to need no hook", both, f"take them out of {JUDGED}")
    unused = [f"{JUDGED}:{patterns[p]}: {p}" for p in patterns if p not in used]
    unused += [f"{JUDGED}:{names[n]}: {n}" for n in names if n not in functions]
    verdict("each judgement is of use", unused, "no function of this libc has such a name")


main()
