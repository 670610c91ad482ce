"""Which share of small faults do the fast tests catch? Plants some, one at a time, and tests.

pip install pytest-cov
python benchmarks/planted_faults.py [--measure] [--seed 1] [--faults 100] [ROOM FILE FILE:LINE]
python benchmarks/planted_faults.py [--measure] --list FAULTS

Faults are such as an edit makes: a comparison or an operator turned, a number one off, a keyword
left out, two arguments exchanged, a condition turned, a statement gone, a filter of a comprehension
gone, an end of a slice moved, min for max, any for all, mean for median. They are drawn from all
code of the rooms, files or lines named, of the whole package without a name. --list plants faults
that somebody wrote, such as change what a result means: JSON objects, one a line, of the file, the
old text (which stands there once), the new one (as many lines) and why it matters. --measure runs
the fast tests once and keeps which test runs which line; needed before the first faults, and after
the code or the tests changed. A fault is caught if a test of its line, or the test file named as
its module, fails or is killed. Each fault that is not is printed: some of them change nothing,
which is for a person to say. Tests that do not end in `SECONDS` say nothing, and their fault is not
counted. The tree is copied, and the copy is changed.

Tests run in forks of one process that has collected them all, in which the functions of a module
get the code that a fault makes of them. A fault in what runs at import takes some 4 s more: forks
of a process that has imported the libraries only. Tests of a line run for `OF_TESTS` seconds, those
of its room and the fastest first: all of most lines.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import difflib
import gc
import importlib
import itertools
import mmap
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType

from small_faults import Fault, as_fault, faults_of, listed, same

ROOT = Path(__file__).parents[1]
PACKAGE = Path("workflow/mesodecode")
KEPT, TIMES = ROOT / ".coverage-of-tests", ROOT / ".seconds-of-tests"
SECONDS = 240
OF_TESTS = 40
# Of all modules, whose text they read.
READ_AT_IMPORT = ("tests/base/test_limits.py", "tests/base/test_dataclasses.py")
READ_OF_WRITERS = ("tests/base/test_whole_files.py",)
CALLS = "tests/cli/test_calls.py"  # of all verbs
FAST = "not slurm and not gpu and not e2e and not alone"
HEAVY = "numpy pandas torch scipy.stats scipy.ndimage h5py sklearn.metrics seaborn skimage"

NUMBERS = itertools.count()
Passes = Callable[[list[str], Path, str], bool | None]  # of tests, with a fault in a file


def measure(tests: Path) -> None:
    """Run the fast tests; keep which of them runs which line, and its seconds."""
    words = f"-q -vv --durations=0 --cov=mesodecode --cov-context=test --cov-report= -m '{FAST}'"
    command = f"{sys.executable} -m pytest -n 2 --dist loadfile {words}"
    env = os.environ | {"COVERAGE_FILE": str(KEPT), "OMP_NUM_THREADS": "1"}
    with tests.open("w") as out:
        subprocess.run(command, shell=True, cwd=ROOT, env=env, stdout=out, check=True)


def seconds_of(tests: Path) -> dict[str, float]:
    """Return a test -> the seconds that it takes."""
    found: dict[str, float] = {}
    for seconds, name in re.findall(r"^([\d.]+)s (?:call|setup) +(.*\S)", tests.read_text(), re.M):
        found[name] = found.get(name, 0) + float(seconds)
    return found


@cache
def tests_by_line(file: Path) -> dict[int, list[str]]:
    """Return which tests run each line of a file."""
    from coverage import CoverageData

    data = CoverageData(str(KEPT))
    data.read()
    measured = (name for name in data.measured_files() if name.endswith(f"/{file}"))
    return data.contexts_by_lineno(next(measured, ""))  # of this checkout or of another


def tests_of(
    file: Path, line: int, seconds: dict[str, float], *, at_import: bool = False
) -> list[str]:
    """Return the tests that run a line, those of its room first, then its module's test files.

    Of what runs at import, by whatever test comes first: those that run any line of the file.
    """
    if file.suffix != ".py":  # rules, pages: no line of them is measured
        return [
            str(test)
            for room in ("workflow", "report")
            for test in Path("tests", room).glob("test_*.py")
        ]
    by_line = tests_by_line(file)
    contexts = set(by_line.get(line, []))
    if not contexts:  # constants are run with the statement that they are part of
        contexts = set().union(*(by_line.get(n, []) for n in statement_at(file, line)))
    if at_import or contexts == {""}:
        contexts = set().union(*by_line.values())
    room = f"tests/{file.relative_to(PACKAGE).parts[0]}/"
    phases = [context.rpartition("|")[::2] for context in contexts if context]
    of_fixtures = {name.partition("::")[0] for name, phase in phases if phase == "setup"}
    names = sorted(  # what a fixture runs is on record for the first of its tests alone
        {name for name, _ in phases} | {n for n in seconds if n.partition("::")[0] in of_fixtures},
        key=lambda name: (not name.startswith(room), seconds.get(name, 0)),
    )
    stem = file.parent.name if file.stem == "__init__" else file.stem
    own = sorted(str(t) for t in Path("tests").rglob(f"test_{stem}.py"))
    own += [CALLS] * ("cli" in file.parts)
    ends = itertools.accumulate(seconds.get(name, 0) for name in names)
    return [name for name, end in zip(names, ends, strict=True) if end < OF_TESTS] + own


def statement_at(file: Path, line: int) -> range:
    """Return the lines of the statement that a line of a file is part of."""
    nodes = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.stmt))
    held = [node for node in nodes if node.lineno <= line <= node.end_lineno]
    last = max(held, key=lambda node: node.lineno)
    return range(last.lineno, last.end_lineno + 1)


@contextlib.contextmanager
def written(file: Path, wrong: str) -> Iterator[None]:
    """Have another text in a file for a while."""
    text, dates = file.read_text(), file.stat()
    try:
        file.write_text(wrong)
        number = next(NUMBERS)
        os.utime(file, (number, number))  # byte code is kept by second and size
        yield
    finally:
        file.write_text(text)
        os.utime(file, (dates.st_atime, dates.st_mtime))


def exchange(functions: list[FunctionType], wrong: str) -> None:
    """Give functions of one file the code that they have in a text."""
    new = {place(code): code for code in codes_of(compile(wrong, "wrong", "exec"))}
    for function in functions:
        code = new.get(place(function.__code__))
        if code and code.co_freevars == function.__code__.co_freevars:
            function.__code__ = code.replace(co_filename=function.__code__.co_filename)


def functions_by_file() -> dict[str, list[FunctionType]]:
    """Return the functions of modules that are imported."""
    found: dict[str, list[FunctionType]] = {}
    gc.unfreeze()  # objects that are frozen are not listed
    for one in gc.get_objects():
        if isinstance(one, FunctionType):
            found.setdefault(one.__code__.co_filename, []).append(one)
    gc.freeze()
    return found


def codes_of(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from codes_of(inner)


def place(code: CodeType) -> tuple[str, int]:
    return code.co_qualname, code.co_firstlineno


def forked(work: Callable[[int], int]) -> tuple[int | None, str]:
    """Return how a fork of this process ends (None: too late), and what it wrote to its pipe."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        del sys.modules["__main__"].__file__  # processes that tests start do not run this script
        try:
            os._exit(work(write))
        finally:
            os._exit(-1)
    os.close(write)
    end, code = time.monotonic() + SECONDS, None
    while code is None and time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # with what its tests left
    if code is None:
        os.waitpid(child, 0)
    with os.fdopen(read) as pipe:
        return code, "" if code is None else pipe.read()


def passes_anew(tests: list[str], file: Path, wrong: str) -> bool | None:
    """Tell whether tests pass in a process that has imported the libraries only.

    None if they do not end, or if one is gone since they were measured.
    """
    import pytest

    words = ["-x", "-q", "-m", FAST, "-p", "no:cacheprovider", *tests]
    with written(file, wrong):
        code, _ = forked(lambda _: pytest.main(words))
    if code in (None, pytest.ExitCode.USAGE_ERROR):
        return None
    return code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class Collected:
    """A plugin of pytest: once all tests are collected, `work` runs some of them in forks."""

    def __init__(self, work: Callable[[Passes], None]) -> None:
        self.work = work
        self.right: set[str] = set()
        self.left_out: set[str] = set()
        self.pipe: int | None = None
        self.running = mmap.mmap(-1, 4096)  # name of a test, shared with forks

    def pytest_runtestloop(self, session) -> bool:
        """Do the work in the place of all tests."""
        self.session = session
        self.of_file: dict[str, list] = {}
        self.functions = functions_by_file()
        for item in session.items:
            self.of_file.setdefault(item.nodeid.split("::")[0], []).append(item)
        start_server()
        self.work(self.passes)
        return True

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell the parent which test runs: it may end the process."""
        if self.pipe:
            self.running[:] = nodeid.encode().ljust(len(self.running), b"\0")

    def pytest_runtest_logreport(self, report) -> None:
        """Tell the parent which test failed."""
        if report.failed and self.pipe:
            os.write(self.pipe, f"{report.nodeid}\n".encode())

    def passes(self, tests: list[str], file: Path, wrong: str) -> bool | None:
        """Tell whether tests pass with a fault in a module's functions; None if they do not end.

        A test that fails without it, too, is left out from then on.
        """
        functions = self.functions.get(str(file.resolve()), [])
        while True:
            with written(file, wrong):
                failed = self.first_that_fails(tests, lambda: exchange(functions, wrong))
            if not failed:
                return None if failed is None else True
            if failed in self.right or not self.first_that_fails([failed], lambda: None):
                self.right.add(failed)
                return False
            print(f"fails as it is, and is left out: {failed}", file=sys.stderr)
            self.left_out.add(failed)

    def first_that_fails(self, tests: list[str], prepare: Callable[[], None]) -> str | None:
        """Return the first of some tests that fails or ends the process, as a signal does.

        "" if none does; None if they do not end.
        """
        from _pytest.main import pytest_runtestloop

        named = {item.nodeid: item for test in tests for item in self.items_of(test)}
        items = [item for name, item in named.items() if name not in self.left_out]

        def work(pipe: int) -> int:
            self.pipe = pipe
            self.running[:] = bytes(len(self.running))
            prepare()
            self.session.items[:] = items
            with contextlib.suppress(self.session.Failed):
                pytest_runtestloop(self.session)
            return 0

        code, written = forked(work)
        if code and not written:
            return self.running[:].rstrip(b"\0").decode()
        return None if code is None else written.partition("\n")[0]

    def items_of(self, test: str) -> list:
        """Return the collected tests of a test's name, or of a test file's."""
        of_file = self.of_file.get(test.split("::")[0], [])
        return [item for item in of_file if test in (item.nodeid, item.nodeid.split("::")[0])]


def start_server() -> None:
    """Start the server of tests' fresh processes, which forks share."""
    from multiprocessing.forkserver import _forkserver

    import fresh

    fresh.Process("fresh:execute", "pass").finish()
    _forkserver.ensure_running = lambda: None


def try_out(fault: Fault, seconds: dict[str, float], passes: Passes) -> bool | None:
    """Tell whether a fault is caught; None if nothing tells, or Python does not take it."""
    text = fault.file.read_text()
    try:
        if fault.file.suffix == ".py" and same(fault.wrong, text):
            return None
    except SyntaxError:
        return None
    tests = tests_of(fault.file, fault.line, seconds, at_import=fault.at_import)
    tests += READ_AT_IMPORT * fault.at_import
    tests += READ_OF_WRITERS * ("atomic_path" in text or "creating" in text)
    passed = passes(tests, fault.file, fault.wrong)
    if passed:
        lines = difflib.unified_diff(text.splitlines(), fault.wrong.splitlines(), n=0, lineterm="")
        told = [line for line in list(lines)[2:] if line[:2] != "@@" and line[1:].strip(" )")]
        place = f"{fault.file}:{fault.line}"
        print(
            f"{place}: not caught by {len(tests)} tests {fault.why}", *told, sep="\n  ", flush=True
        )
    return None if passed is None else not passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("of", nargs="*", default=["."], help="rooms, files or lines of the package")
    parser.add_argument("--list", type=Path, help="faults of a list (JSON lines), all of them")
    parser.add_argument("--measure", action="store_true", help="first, which test runs which line")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=100)
    args = parser.parse_args()
    if args.measure:
        measure(TIMES)
    if not (KEPT.exists() and TIMES.exists()):
        parser.error("which test runs which line is not known yet: give --measure, once")
    lines = args.list and args.list.read_text().splitlines()
    ignored = shutil.ignore_patterns(".git", ".venv*", "results", "site", "__pycache__")
    with tempfile.TemporaryDirectory() as folder:
        copied = shutil.copytree(ROOT, Path(folder) / "tree", ignore=ignored, symlinks=True)
        os.chdir(copied)
        sys.path.insert(0, str(copied / "workflow"))
        os.environ |= {"PYTHONPATH": str(copied / "workflow"), "OMP_NUM_THREADS": "1"}
        sys.dont_write_bytecode = False  # tests' asserts are rewritten once, not in each fork
        faults = listed(lines) if lines else drawn(args.of, args.seed, args.faults)
        caught, n = plant(faults, seconds_of(TIMES))
    print(f"{caught} of {n} caught, {caught / max(n, 1):.0%}")


def drawn(of: list[str], seed: int, most: int) -> list[Fault]:
    """Draw faults of rooms, files or lines of the working folder."""
    random.seed(seed)
    faults = []
    for named, _, line in (one.partition(":") for one in of):
        path = PACKAGE / named
        files = [path] if path.suffix else sorted(path.rglob("*.py"))
        parts = ((file, part) for file in files for part in faults_of(file))
        faults += [(f, part) for f, part in parts if line in ("", str(part[0].lineno))]
    random.shuffle(faults)
    return [as_fault(file, part) for file, part in faults[:most]]


def plant(faults: list[Fault], seconds: dict[str, float]) -> tuple[int, int]:
    """Plant faults into the tree of the working folder; return how many are caught, of how many."""
    import pytest

    for name in HEAVY.split():
        importlib.import_module(name)
    caught = n = 0

    def plant_all(faults: list[Fault], passes: Passes) -> None:
        nonlocal caught, n
        for fault in faults:
            found = try_out(fault, seconds, passes)
            n += found is not None
            caught += bool(found)
            print(f"\r{n} planted, {caught} caught ", end="", file=sys.stderr, flush=True)

    at_import = [fault for fault in faults if fault.at_import]
    in_functions = [fault for fault in faults if not fault.at_import]
    plant_all(at_import, passes_anew)
    if in_functions:
        plugin = Collected(lambda passes: plant_all(in_functions, passes))
        words = ["-x", "-q", "-s", "-m", FAST, "-p", "no:cacheprovider"]
        pytest.main(words, plugins=[plugin])
    return caught, n


if __name__ == "__main__":
    main()
