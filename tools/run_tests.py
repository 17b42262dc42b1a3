# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the tiers that are named (default: all), each as its own commands, and sums up: a table, then `N passed, N failed`.

What a tier does stands in TIERS. As many commands run side by side as LANES says: those that touch the kernel are in a box of their own
(tests/box.sh), so they do not see each other. What a command printed is shown when it ends.
"""
from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import pathlib
import subprocess
import sys
import time
import typing as t
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
BIN = pathlib.Path(sys.executable).parent
REPORTS = BUILD / "reports"
UNIT_REQUIREMENTS = ROOT / "tests" / "requirements.txt"
FLEET = pathlib.Path(os.environ.get("FLEET") or ROOT.parent / "shared" / "fleet" / "fleet")
BOX = ("tests/box.sh",)
LANES = 2
SHARDS = 4              # of the root tier, by file
MYPY_TARGET = BUILD / "tree" / "ansible_collections" / "cocker" / "engine" / "plugins" / "module_utils"


@dataclasses.dataclass(frozen=True)
class Command:
    """One step of a tier. `report`: a JUnit file to count tests in; without one the step itself counts as one test."""

    name: str
    argv: t.Sequence[str]
    report: t.Optional[pathlib.Path] = None


@dataclasses.dataclass(frozen=True)
class Result:
    name: str
    passed: int
    failed: int
    skipped: int
    seconds: float
    failures: t.Tuple[str, ...] = ()


def lint() -> t.Iterator[Command]:
    yield Command("ruff", [str(BIN / "ruff"), "check", "--quiet", "."])


def types() -> t.Iterator[Command]:
    yield Command("mypy --strict", [str(BIN / "mypy"), str(MYPY_TARGET.relative_to(ROOT))])


def unit() -> t.Iterator[Command]:
    """Once beside ansible-core, as on a controller; then each Python in a virtual environment of its own, as on a managed host."""
    yield pytest_command("unit, with ansible-core", BIN / "python", ["tests/unit"], "unit-ansible")
    for version, interpreter in pythons():
        yield pytest_command("unit, Python %s" % version, unit_python(version, interpreter), ["tests/unit"], "unit-%s" % version)


def root() -> t.Iterator[Command]:
    """Each file is slow or fast by its subject, so neighbours in the alphabet go to different shards."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests" / "root").glob("test_*.py"))
    for shard in range(SHARDS):
        name = "root, %d of %d" % (shard + 1, SHARDS)
        yield pytest_command(name, BIN / "python", files[shard::SHARDS], "root-%d" % (shard + 1), within=BOX)


def targets() -> t.Iterator[Command]:
    report = REPORTS / "targets.xml"
    yield Command("targets", [*BOX, str(BIN / "python"), "tests/integration/run.py", "--report", str(report)], report)


def hosts() -> t.Iterator[Command]:
    """The short scenario; `make test-hosts` plays all."""
    if not FLEET.exists():
        print("hosts: not tested, FLEET names no program that makes them")
        return
    report = REPORTS / "hosts.xml"
    yield Command("hosts", [*BOX, str(BIN / "python"), "tests/hosts/run.py", "--report", str(report), "short"], report)


def sanity() -> t.Iterator[Command]:
    yield Command("ansible-test sanity", ["tools/ansible_test.sh", str(BIN)])


TIERS: t.Dict[str, t.Callable[[], t.Iterator[Command]]] = {
    "lint": lint, "types": types, "unit": unit, "root": root, "targets": targets, "hosts": hosts, "sanity": sanity,
}


def pytest_command(name: str, python: pathlib.Path, tests: t.Sequence[str], report: str, within: t.Sequence[str] = ()) -> Command:
    path = REPORTS / (report + ".xml")
    return Command(name, [*within, str(python), "-m", "pytest", "-q", *tests, "--junitxml", str(path)], path)


def pythons() -> t.List[t.Tuple[str, str]]:
    lines = subprocess.run(["tools/pythons.sh"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    found = [(version, path) for version, _space, path in (line.partition(" ") for line in lines)]
    return found or [("%d.%d" % sys.version_info[:2], sys.executable)]


def unit_python(version: str, interpreter: str) -> pathlib.Path:
    """Idempotent: made again only when the requirements change."""
    home = BUILD / "python" / version
    python, stamp = home / "bin" / "python", home / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != UNIT_REQUIREMENTS.read_text():
        subprocess.run([interpreter, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(UNIT_REQUIREMENTS)], check=True)
        stamp.write_text(UNIT_REQUIREMENTS.read_text())
    return python


def run(command: Command) -> Result:
    started = time.monotonic()
    if command.report:
        command.report.unlink(missing_ok=True)
    done = subprocess.run(command.argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    print("\n=== %s\n%s" % (command.name, done.stdout.decode(errors="replace")), end="", flush=True)
    passed, failed, skipped = count(command.report) if command.report else (0, 0, 0)
    if not command.report or not passed + failed + skipped:
        passed, failed = (1, 0) if done.returncode == 0 else (0, 1)
    failures = failed_tests(command.report) if command.report else ()
    return Result(command.name, passed, failed or int(done.returncode != 0), skipped, time.monotonic() - started, failures)


def count(report: pathlib.Path) -> t.Tuple[int, int, int]:
    """(passed, failed, skipped) of a JUnit file; zeros where there is none."""
    if not report.exists():
        return 0, 0, 0
    suites = list(xml.etree.ElementTree.parse(report).iter("testsuite"))
    total, failures, errors, skipped = (sum(int(suite.get(key, 0)) for suite in suites)
                                        for key in ("tests", "failures", "errors", "skipped"))
    return total - failures - errors - skipped, failures + errors, skipped


def failed_tests(report: pathlib.Path) -> t.Tuple[str, ...]:
    """A line each: the test, and the first line of what it said."""
    if not report.exists():
        return ()
    cases = xml.etree.ElementTree.parse(report).iter("testcase")
    found = [(case, bad) for case in cases for bad in case if bad.tag in ("failure", "error")]
    return tuple("%s %s: %s" % (case.get("classname", ""), case.get("name"), str(bad.get("message")).partition("\n")[0])
                 for case, bad in found)


def make_source_tree() -> None:
    """mypy reads the collection below its full name; tests/conftest.py makes the same link."""
    link = MYPY_TARGET.parents[1]
    if not link.is_symlink():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT, target_is_directory=True)


def main(names: t.Sequence[str]) -> int:
    unknown = [name for name in names if name not in TIERS]
    if unknown:
        print("unknown tier %s; there are: %s" % (", ".join(unknown), ", ".join(TIERS)), file=sys.stderr)
        return 2
    os.chdir(ROOT)
    REPORTS.mkdir(parents=True, exist_ok=True)
    make_source_tree()
    with concurrent.futures.ThreadPoolExecutor(LANES) as lanes:
        results = list(lanes.map(run, [command for name in names or TIERS for command in TIERS[name]()]))
    print("\n%-28s %7s %7s %7s %8s" % ("tier", "passed", "failed", "skipped", "seconds"))
    for result in results:
        print("%-28s %7d %7d %7d %8.1f" % dataclasses.astuple(result)[:5])
    for failure in (failure for result in results for failure in result.failures):
        print("FAILED %s" % failure.strip())
    passed, failed, skipped = (sum(getattr(result, key) for result in results) for key in ("passed", "failed", "skipped"))
    summary = "%d passed, %d failed%s" % (passed, failed, ", %d skipped" % skipped if skipped else "")
    print(summary)
    (REPORTS / "summary").write_text(summary + "\n")          # .ci/run ends with it
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
