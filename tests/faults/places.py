"""The lines of tests/faults/drive with names in the place of addresses: places.py LIBRARY < lines.

What OpenSSL prepares once a process it does not prepare again where that has failed: the process is refused from then on, which is as it should be.
So is one without address space for the table of descriptors. Those lines become remarks.
"""
import re
import subprocess
import sys

FOR_GOOD = {
    "CRYPTO_THREAD_run_once": "OpenSSL begins once a process",
    "ossl_lib_ctx_get_data": "OpenSSL makes the parts of its context once a process",
    "ossl_lib_ctx_generic_new": "OpenSSL makes the parts of its context once a process",
    "CRYPTO_get_ex_new_index": "OpenSSL numbers its slots once a process",
    "ossl_method_construct": "OpenSSL looks for an algorithm once a process",
    "ossl_namemap_stored": "OpenSSL fills its table of names once a process",
    "fdtable_init": "no table of descriptors",
}
LINE = re.compile(r"(not ok .*) \[([0-9a-fx ]*)\]$")


def names(library, addresses):
    """Where a call returns to is one behind it."""
    calls = [hex(int(address, 16) - 1) for address in addresses]
    output = subprocess.run(["addr2line", "-f", "-e", library, *calls], capture_output=True, text=True, check=True).stdout.splitlines()
    for function, place in zip(output[::2], output[1::2]):
        file, _, line = place.rpartition("/")[2].partition(":")
        yield function if file.startswith("?") else f"{function} ({file}:{line.split()[0]})"


def main():
    refused = {}
    for line in sys.stdin:
        found = LINE.match(line.rstrip())
        if not found:
            print(line, end="")
            continue
        callers = list(names(sys.argv[1], found.group(2).split())) if found.group(2) else []
        text = f"{found.group(1)}: {' < '.join(callers)}"
        functions = {caller.split()[0] for caller in callers}
        why = next((FOR_GOOD[name] for name in FOR_GOOD if name in functions), None)
        if why and "of no use afterwards" in text:
            refused[why] = refused.get(why, 0) + 1
        else:
            print(text)
    for why, count in refused.items():
        print(f"# refused for good by {count}: {why}")


main()
