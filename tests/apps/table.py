"""The README's table of programs, from what their tests printed.

    tests/apps/table.py README.md LOGS

LOGS has NAME.log for each tests/apps/NAME.sh that ran, and NAME.status with its exit status. Lines `version PROGRAM TEXT`,
`ok PROGRAM: JOB`, `not ok …` and `skip …` count. A row is written anew when every file that tests its program has run to its
end; else it stays as it is. Files whose head has no `# program: NAME` are about something else.
"""
import pathlib
import re
import sys

APPS = pathlib.Path(__file__).parent
BEGIN, END = "<!-- programs:begin -->\n", "<!-- programs:end -->"
HEAD = "| program (version) | what is tested, for example | passed |\n|---|---|---|\n"
# Every file has these.
COMMON = re.compile(r"\bproved\b|\bthe same plain\b|\brefused?\b")
ROOM = 100  # for what is tested, in characters


def programs_of(script):
    """The names in a test's head; the first one is what its row is known by."""
    return re.findall(r"^# program: (.+)$", script.read_text(), re.M)


def scripts_by_program():
    scripts = {}
    for script in sorted(APPS.glob("*.sh")):
        programs = programs_of(script)
        if programs:
            scripts.setdefault(programs[0], []).append(script)
    return scripts


class Results:
    """What one or more files said of a program."""

    def __init__(self):
        self.versions, self.jobs, self.passed, self.failed, self.skipped = {}, [], 0, 0, 0

    def read(self, text, programs):
        for line in text.splitlines():
            if line.startswith("version "):
                self.add_version(line.removeprefix("version "), programs)
            elif line.startswith("ok "):
                self.passed += 1
                self.add_job(line.removeprefix("ok "))
            elif line.startswith("not ok "):
                self.failed += 1
            elif line.startswith("skip "):
                self.skipped += 1

    def add_version(self, text, programs):
        names = [p for p in programs if text.startswith(p + " ")] or [text.split()[0]]
        name = max(names, key=len)
        version = text[len(name):].strip()
        if re.match(r"v\d", version):
            version = version[1:]
        if version not in self.versions.setdefault(name, []):
            self.versions[name].append(version)

    def add_job(self, name):
        job = name.partition(": ")[2]
        if job and job not in self.jobs and not COMMON.search(job):
            self.jobs.append(job)

    def what(self):
        text = ""
        for job in self.jobs:
            if text and len(text) + len(job) > ROOM:
                return text
            text += ("; " if text else "") + job
        return text

    def row(self):
        total = self.passed + self.failed
        counts = f"{self.passed}/{total}" + (f", {self.skipped} skipped" if self.skipped else "")
        names = ", ".join(f"{name} ({' and '.join(versions)})" for name, versions in self.versions.items())
        cells = names, self.what(), counts
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def new_row(scripts, logs):
    """None where a file did not run, or not to its end, or tells nothing."""
    results = Results()
    for script in scripts:
        log, status = logs / f"{script.stem}.log", logs / f"{script.stem}.status"
        if not log.exists() or not status.exists() or status.read_text().strip() not in ("0", "1"):
            return None
        results.read(log.read_text(errors="replace"), programs_of(script))
    return results.row() if results.versions and results.passed else None


def old_rows(table):
    """By the first program of each."""
    rows = {}
    for line in table.splitlines(keepends=True):
        if line.startswith("| ") and not HEAD.startswith(line):
            rows[line[2:].partition(" (")[0]] = line
    return rows


def main():
    readme, logs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    text = readme.read_text()
    before, begin, rest = text.partition(BEGIN)
    table, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"{readme} has no lines {BEGIN.strip()} and {END}; put them where the table of programs is to be")
    old, rows = old_rows(table), []
    for program, scripts in sorted(scripts_by_program().items(), key=lambda item: item[0].casefold()):
        row = new_row(scripts, logs) or old.get(program)
        if row:
            rows.append(row)
    new = before + begin + HEAD + "".join(rows) + end + after
    if new != text:
        readme.write_text(new)


main()
