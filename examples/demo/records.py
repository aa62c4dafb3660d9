#!/usr/bin/python3
"""Captured byte streams must be TLS records and nothing else.

    records.py FILE…

Each file holds one direction of one connection. Prints the first records of each; exit status 1 when one is empty, holds anything
that is not a record of TLS 1.2 or 1.3's wire format, ends within a record, or carries nothing encrypted.
"""
import os
import sys

TYPES = {20: "change_cipher_spec", 21: "alert", 22: "handshake", 23: "application_data"}
LONGEST = 16384 + 256
SHOWN = 5


def records(data):
    """The records in data, as type and first bytes; ValueError tells where and what else there is."""
    at, found = 0, []
    while at < len(data):
        kind, length = data[at], int.from_bytes(data[at + 3 : at + 5], "big")
        if kind not in TYPES or data[at + 1] != 3 or data[at + 2] not in (1, 3):
            raise ValueError(f"no record at byte {at}: {data[at:at + 24]!r}")
        if not 0 < length <= LONGEST:
            raise ValueError(f"a record of {length} bytes at byte {at}")
        if at + 5 + length > len(data):
            raise ValueError(f"the record at byte {at} is cut short: {len(data) - at} of {5 + length} bytes")
        found.append((kind, data[at : at + 12]))
        at += 5 + length
    return found


def judge(path):
    with open(path, "rb") as file:
        found = records(file.read())
    types = [kind for kind, _ in found]
    if 23 not in types:
        raise ValueError(f"no encrypted record among {len(types)}")
    hello = types.count(22)
    if hello != 1:
        raise ValueError(f"{hello} handshake records in the clear, expected the hello alone")
    return found


def show(path, found):
    name = os.path.basename(path)
    print(f"{name}: {len(found)} records")
    for kind, head in found[:SHOWN]:
        print(f"  {head.hex(' ')} …  {TYPES[kind]}")
    if len(found) > SHOWN:
        print(f"  … and {len(found) - SHOWN} more")


def main():
    status = 0
    for path in sys.argv[1:]:
        try:
            show(path, judge(path))
        except (OSError, ValueError) as problem:
            print(f"{path}: {problem}")
            status = 1
    sys.exit(status if len(sys.argv) > 1 else 1)


if __name__ == "__main__":
    main()
