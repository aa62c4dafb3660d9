#!/usr/bin/python3
"""Reads `meshctl stats -o json` and says who proved what to whom; fails when a side is missing.

    proved.py FILE INBOUND-SERVICE SERVER-ID CLIENT-ID
"""
import json
import sys


def find(entries, direction, service, peer):
    for entry in entries:
        if (entry["direction"], entry["service"], entry.get("peer"), entry["security"]) == (direction, service, peer, "mutual_tls"):
            if entry["connections"]["opened"]:
                return entry
    print(f"no mutual TLS {direction} with {peer}")
    sys.exit(1)


def main():
    path, inbound, server, client = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        entries = json.load(file)["entries"]
    find(entries, "outbound", "web", server)
    find(entries, "inbound", inbound, client)
    print(f"the server proved to the client to be {server}")
    print(f"the client proved to the server to be {client}")


if __name__ == "__main__":
    main()
