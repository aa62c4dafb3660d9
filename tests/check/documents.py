"""What the documents show is what the programs know: keys, commands, configurations."""
import os
import pathlib
import re
import subprocess
import tempfile

BUILD = os.environ.get("B", "build")
MESHCTL = os.path.join(BUILD, "meshctl")
KEY = re.compile(r'^(WORKLOAD|INBOUND|SERVICE)\("(\w+)"', re.M)


def verdict(what, findings, hint=""):
    findings = list(findings)
    print(f"{'not ok' if findings else 'ok'} documents: {what}{': ' + hint if findings and hint else ''}")
    for finding in findings:
        print(f"    {finding}")


def read(path):
    file = pathlib.Path(path)
    return file.read_text() if file.exists() else None


def keys():
    """(section, key) of the table, once each."""
    return [(section.lower(), key) for section, key in KEY.findall(read("libmeshshim/policy/config_keys.def"))]


def sample_keys(text):
    """What a configuration sets, or shows behind a comment mark at the line's start."""
    section, seen = "", set()
    for line in text.splitlines():
        line = re.sub(r"^[;#]\s?", "", line)
        heading = re.match(r"\[(\w+)", line)
        entry = re.match(r"(\w+)\s*=", line)
        if heading:
            section = heading.group(1)
        elif entry:
            seen.add((section, entry.group(1)))
    return seen


def man_sections(text):
    """Text of a manual page by [section], roff's escapes taken out; "" for what stands before the first."""
    parts, section = {"": ""}, ""
    for line in text.replace("\\-", "-").replace("\\&", "").splitlines():
        heading = re.match(r'\.S[SH]\b.*\[(\w+)', line)
        if heading:
            section = heading.group(1)
        elif line.startswith(".SH"):
            section = ""
        parts[section] = parts.get(section, "") + line + "\n"
    return parts


def keys_in_sample():
    text = read("conf/mesh.ini")
    if text is None:
        yield "conf/mesh.ini is not there"
        return
    known, seen = keys(), sample_keys(text)
    for section, key in known:
        if (section, key) not in seen:
            yield f"conf/mesh.ini: [{section}] {key} is not shown"
    for section, key in sorted(seen):
        if (section, key) not in known:
            yield f"conf/mesh.ini: [{section}] {key} is not a key"


def keys_in_manual():
    text = read("conf/mesh.ini.5")
    if text is None:
        yield "conf/mesh.ini.5 is not there"
        return
    parts = man_sections(text)
    for section, key in keys():
        if not re.search(rf"\b{key}\b", parts.get(section, "")):
            yield f"conf/mesh.ini.5: {key} is not under [{section}]"


def meshctl(*arguments):
    result = subprocess.run([MESHCTL, *arguments], capture_output=True, text=True, timeout=20, check=False)
    return result.returncode, result.stdout, result.stderr


def commands():
    """Commands as `meshctl help` lists them: two blanks, the name, two or more blanks, a summary."""
    listed = meshctl("help")[1].partition("Commands:")[2]
    return re.findall(r"^  (\S+(?: \S+)?) {2,}\S", listed, re.M)


def commands_in_manual():
    text = (read("cli/meshctl.1") or "").replace("\\-", "-")
    entries = "\n".join(re.findall(r'^\.TP\n(\.B.*)', text, re.M))
    for command in commands():
        if not re.search(rf'(?<![\w-]){command}(?![\w-])', entries):
            yield f"cli/meshctl.1: no entry for {command}"


def complete(*words):
    """What cli/meshctl.bash offers for the last word."""
    script = f"""
        . cli/meshctl.bash
        COMP_WORDS=({' '.join(f"'{w}'" for w in (MESHCTL, *words))}) COMP_CWORD={len(words)}
        _meshctl; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    result = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, check=False)
    return result.stdout.split("\n")


def commands_in_completion():
    for command in commands():
        *before, word = command.split()
        if word not in complete(*before, word[:1]):
            yield f"cli/meshctl.bash: does not complete {command}"


def commands_in_help():
    for command in commands():
        status, out, _ = meshctl("help", *command.split())
        if status != 0 or f"Usage: meshctl {command}" not in out:
            yield f"meshctl help {command}: status {status}"


def ini_blocks():
    """(where, text) of every ini block of the tree's Markdown, and of every .ini file that is delivered."""
    for path in subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md", "conf/*.ini", "examples/*.ini"],
                               capture_output=True, text=True, check=True).stdout.split():
        text = read(path)
        if text is None:
            continue
        if path.endswith(".ini"):
            yield path, text
        for match in re.finditer(r"^```ini\n(.*?)^```", text, re.M | re.S):
            yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}", match.group(1)


def bad_configurations():
    for where, text in ini_blocks():
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
            # An excerpt has no [workload]; it is judged as part of a file that has one.
            file.write(text if "[workload]" in text else "[workload]\nname = example\n" + text)
            file.flush()
            _, out, err = meshctl("analyze", file.name)
            for line in (out + err).splitlines():
                # MSH0101: not valid. That its certificates are not here is no fault of an example.
                if "MSH0101" in line:
                    yield f"{where}: {line.replace(file.name, 'line')}"


def tested_programs():
    """(file, program) of each test of a whole program, by its head."""
    for path in sorted(pathlib.Path("tests/apps").glob("*.sh")):
        for program in re.findall(r"^# program: (.+)$", path.read_text(), re.M):
            yield path, program


def table_programs():
    """The README's rows name one program or more in their first cell."""
    table = (read("README.md") or "").partition("<!-- programs:begin -->")[2].partition("<!-- programs:end -->")[0]
    for first in re.findall(r"^\| (.+?) \|", table, re.M)[1:]:
        yield from re.findall(r"(?:^|, )([^(]+) \([^)]*\)", first)


def programs_in_table():
    listed, tested = set(table_programs()), list(tested_programs())
    for path, program in tested:
        if program not in listed:
            yield f"{path}: {program} is not in the README's table; 'make test' writes it"
    for program in sorted(listed - {program for _, program in tested}):
        yield f"README.md: the table has {program}, which no file of tests/apps is about"
    for path in sorted(pathlib.Path("tests/apps").glob("*.sh")):
        if re.search(r"^\s*(echo \"?)?version ", path.read_text(), re.M) and path not in [p for p, _ in tested]:
            yield f"{path}: prints a version and has no line '# program: NAME'"


def main():
    if not os.access(MESHCTL, os.X_OK):
        print(f"not ok documents: {MESHCTL} is not built; make")
        return
    verdict(f"conf/mesh.ini shows each of {len(keys())} keys and no other", keys_in_sample())
    verdict("conf/mesh.ini.5 explains each key", keys_in_manual())
    names = commands()
    if len(names) < 5:
        print(f"not ok documents: meshctl help lists {len(names)} commands")
    verdict(f"cli/meshctl.1 has each of {len(names)} commands", commands_in_manual())
    verdict("cli/meshctl.bash completes each command", commands_in_completion())
    verdict("meshctl help COMMAND knows each command", commands_in_help())
    verdict(f"the README's table names each of {len(list(tested_programs()))} tested programs", programs_in_table())
    blocks = len(list(ini_blocks()))
    verdict(f"{blocks} configurations in documents and examples are valid", bad_configurations(),
            "meshctl analyze refuses them")
    if not pathlib.Path("README.md").exists():
        print("not ok documents: README.md is not there")


main()
