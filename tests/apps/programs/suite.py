"""Runs modules of CPython's own tests, and prints what became of each of them, for two runs to be compared.

    suite.py SKIPPED MODULE…        SKIPPED: a regular expression of tests that are left out

A line a test: its name and ok, FAIL, ERROR or skip. Everything that a test says goes to standard error.
"""
import importlib
import os
import re
import sys
import unittest

OUT = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


class Told(unittest.TestResult):
    def tell(self, test, verdict):
        OUT.write(f"{test.id().split(' ')[0]} {verdict}\n")

    def addSuccess(self, test):
        self.tell(test, "ok")

    def addFailure(self, test, error):
        self.tell(test, "FAIL")
        print(self._exc_info_to_string(error, test), file=sys.stderr, flush=True)

    def addError(self, test, error):
        self.tell(test, "ERROR")
        print(self._exc_info_to_string(error, test), file=sys.stderr, flush=True)

    def addSkip(self, test, reason):
        self.tell(test, "skip")


def chosen(suite, skipped):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, skipped)
        elif not skipped.search(test.id()):
            yield test


def main():
    skipped = re.compile(sys.argv[1])
    for name in sys.argv[2:]:
        module = importlib.import_module("test." + name)
        suite = unittest.TestSuite(chosen(unittest.defaultTestLoader.loadTestsFromModule(module), skipped))
        print(f"== {name}: {suite.countTestCases()}", file=sys.stderr, flush=True)
        suite(Told())


main()
