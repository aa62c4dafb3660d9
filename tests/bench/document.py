"""Texts on disk, and figures between two marks of the README."""
import os
import re
import sys


def save(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def put(top, mark, figures):
    path = os.path.join(top, "README.md")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    changed, count = re.subn(rf"(?s)(<!-- {mark}:begin -->\n).*?(<!-- {mark}:end -->)", lambda m: m[1] + figures + m[2], text)
    if count != 1:
        sys.exit(f"README.md has not one place between <!-- {mark}:begin --> and <!-- {mark}:end -->")
    save(path, changed)
