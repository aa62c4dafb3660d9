"""What a process holds, read every few seconds: memory, descriptors, threads, and the memory that its family shares."""
import os

from judge import growth, has_grown

# What may be more at the end than before, as a share and at least: a heap finds its level slowly; descriptors come and go.
LIMITS = {"resident KiB": (0.03, 512), "family KiB": (0.05, 512), "descriptors": (0.10, 6), "threads": (0.10, 3),
          "KiB on disk": (0.10, 512), "files": (0.20, 10)}


def status(pid, *fields):
    with open(f"/proc/{pid}/status", encoding="utf-8") as lines:
        found = dict(line.split(":", 1) for line in lines)
    return [int(found[field].split()[0]) for field in fields]


def family_kib(pid):
    """The memfd that connections live in: what others of the family have touched counts as well."""
    for number in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{number}"
        try:
            if "meshshim-family" in os.readlink(path):
                return os.stat(path).st_blocks // 2
        except OSError:
            pass
    return 0


def directory(path):
    files = [os.stat(os.path.join(path, name)) for name in os.listdir(path)]
    return {"files": len(files), "KiB on disk": sum(stat.st_blocks for stat in files) // 2}


def process(pid):
    resident, threads = status(pid, "VmRSS", "Threads")
    return {"resident KiB": resident, "threads": threads, "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "family KiB": family_kib(pid)}


class Watch:
    def __init__(self):
        self.samples = {}  # (who, what) -> numbers

    def look(self, processes, run_directory):
        for name, pid in processes.items():
            try:
                self._take(name, process(pid))
            except (OSError, KeyError):
                pass  # it has been killed
        self._take("the runtime directory", directory(run_directory))

    def _take(self, name, figures):
        for what, number in figures.items():
            self.samples.setdefault((name, what), []).append(number)

    def grown(self):
        for (name, what), numbers in sorted(self.samples.items()):
            if has_grown(numbers, *LIMITS[what]):
                before, after = growth(numbers)
                yield f"{name}: {what} have grown from {before:.0f} to {after:.0f}"

    def most(self, what):
        """Who has grown most, and by how much, in words."""
        changes = [(growth(numbers)[1] - growth(numbers)[0], name) for (name, kind), numbers in self.samples.items()
                   if kind == what and len(numbers) >= 12]
        change, name = max(changes, default=(0, "nobody"))
        return f"{change:+.0f} {what} at most ({name})"
