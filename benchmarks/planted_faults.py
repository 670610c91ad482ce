"""Which share of small faults do the fast tests catch? Plants some, one at a time, and tests.

pip install pytest-cov
python benchmarks/planted_faults.py [--measure] [--seed 1] [--faults 100] [recordings] ...

Faults are such as an edit makes: a comparison or an operator turned, a number one off, a keyword
left out, two arguments exchanged, a condition turned, a statement gone, a filter of a comprehension
gone, an end of a slice moved, min for max, any for all, mean for median. They are drawn from all
code of the rooms or files named, of the whole package without a name. --measure runs the fast tests
once and keeps which test runs which line; needed before the first faults, and after the code or the
tests changed. A fault is caught if a test of its line, or the test file named as its module, fails.
Each fault that is not is printed: some of them change nothing, which is for a person to say. Tests
that do not end in `SECONDS` say nothing, and their fault is not counted. The tree is copied, and
the copy is changed.

A fault takes some 4 s of one core: tests run in a fork of one process that has imported the
libraries, and at most 200 of a line, the fastest first.
"""

from __future__ import annotations

import argparse
import ast
import copy
import difflib
import importlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = Path("workflow/mesodecode")
KEPT, TIMES = ROOT / ".coverage-of-tests", ROOT / ".seconds-of-tests"
SECONDS = 120
MOST_TESTS = 200
FAST = "not slurm and not gpu and not e2e and not alone"
HEAVY = "numpy pandas torch scipy.stats scipy.ndimage h5py sklearn.metrics seaborn skimage"

PAIRS = [
    (ast.Lt, ast.LtE),
    (ast.Gt, ast.GtE),
    (ast.Eq, ast.NotEq),
    (ast.In, ast.NotIn),
    (ast.Is, ast.IsNot),
    (ast.Add, ast.Sub),
    (ast.Mult, ast.Div),
    (ast.FloorDiv, ast.Mod),
    (ast.And, ast.Or),
    (ast.BitAnd, ast.BitOr),
]
TURNED = dict(PAIRS) | {b: a for a, b in PAIRS}
NAMES = [
    ("min", "max"),
    ("any", "all"),
    ("mean", "median"),
    ("floor", "ceil"),
    ("argmin", "argmax"),
    ("minimum", "maximum"),
    ("nanmin", "nanmax"),
    ("zeros", "ones"),
    ("std", "var"),
    ("startswith", "endswith"),
    ("hstack", "vstack"),
]
SYMMETRIC = ("min", "max", "minimum", "maximum", "allclose", "gcd", "transpose", "beta")
GUARDS = ("strict", "frozen")  # of what does not happen
OTHER = dict(NAMES) | {b: a for a, b in NAMES} | {"sorted": "list", "abs": "float"}
Part = tuple[ast.AST, str | None]  # a part of a file, and what it is mistaken for; None: forgotten


def faults_of(file: Path) -> Iterator[Part]:
    """Yield the faults that may be planted into a file."""
    tree = ast.parse(file.read_text())
    # words, types; what stands in an f-string, whose places Python 3.11 does not tell
    left_alone = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant()) | ast.JoinedStr():
                left_alone |= {id(part) for part in ast.walk(node)}
            case (
                ast.AnnAssign(annotation=of) | ast.arg(annotation=of) | ast.FunctionDef(returns=of)
            ) if of:
                left_alone |= {id(part) for part in ast.walk(of)}
            case ast.keyword(arg=name, value=value) if name in GUARDS:
                left_alone.add(id(value))
    for node in ast.walk(tree):
        if id(node) not in left_alone:
            yield from others(node)


def others(node: ast.AST) -> Iterator[Part]:
    """Yield what an expression, a condition or a statement may be mistaken for."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in TURNED:
            yield changed(node, ops=[TURNED[type(op)]()])
        case ast.BinOp(op=op) | ast.BoolOp(op=op) if type(op) in TURNED:
            yield changed(node, op=TURNED[type(op)]())
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            yield node, ast.unparse(operand)
        case ast.Constant(value=bool(value)):
            yield node, str(not value)
        case ast.Constant(value=int(value)):
            yield node, str(value + random.choice((-1, 1)))
        case ast.Constant(value=float(value)):
            yield node, str(value * 1.1 or 0.1)
        case ast.IfExp(body=body, orelse=orelse):
            yield from ((node, ast.unparse(branch)) for branch in (body, orelse))
        case ast.If(test=test) | ast.While(test=test):
            yield test, f"not ({ast.unparse(test)})"
        case ast.comprehension(ifs=[test]):
            yield test, "True"
        case ast.Slice(lower=lower, upper=upper):
            yield from ((end, "None") for end in (lower, upper) if end)
        case ast.Call():
            yield from other_calls(node)
        case ast.Expr() | ast.AugAssign() | ast.Raise():
            yield node, None


def other_calls(node: ast.Call) -> Iterator[Part]:
    """Yield a call of another function, without a keyword, with two arguments exchanged."""
    match node.func:
        case ast.Attribute(attr=name) if name in OTHER:
            yield changed(node.func, attr=OTHER[name])
        case ast.Name(id=name) if name in OTHER:
            yield changed(node.func, id=OTHER[name])
    for keyword in node.keywords:
        if keyword.arg not in (None, *GUARDS):
            yield changed(node, keywords=[k for k in node.keywords if k is not keyword])
    if getattr(node.func, "attr", getattr(node.func, "id", "")) in SYMMETRIC:
        return
    match node.args:
        case [first, second, *rest] if not isinstance(first, ast.Starred | ast.GeneratorExp):
            yield changed(node, args=[second, first, *rest])


def changed(node: ast.AST, **fields) -> Part:
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return node, ast.unparse(new)


def planted(text: str, node: ast.AST, new: str | None) -> str:
    """Return a file's text with a part of it exchanged, in its place."""
    whole = text.encode()
    lines = whole.splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    new = "pass" if new is None else f"({new})"
    return (whole[:start] + new.encode() + whole[end:]).decode()


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


def tests_of(file: Path, line: int, seconds: dict[str, float]) -> list[str]:
    """Return the tests that run a line, the fastest first, then the test files of its module."""
    by_line = tests_by_line(file)
    contexts = set(by_line.get(line, []))
    if contexts == {""}:  # run at import, by whatever test comes first
        contexts = set().union(*by_line.values())
    names = sorted({c.rpartition("|")[0] for c in contexts if c}, key=lambda t: seconds.get(t, 0))
    own = sorted(str(t) for t in Path("tests").rglob(f"test_{file.stem}.py"))
    return names[:MOST_TESTS] + own


def passes(tests: list[str]) -> bool | None:
    """Tell whether tests pass, in a fork of this process; None if too late, or if one is gone."""
    import pytest

    child = os.fork()
    if not child:
        os.setsid()
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        del sys.modules["__main__"].__file__  # processes that tests start do not run this script
        os._exit(pytest.main(["-x", "-q", "-m", FAST, "-p", "no:cacheprovider", *tests]))
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            if code == pytest.ExitCode.USAGE_ERROR:  # a test that is gone since they were measured
                return None
            return code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def try_out(file: Path, part: Part, seconds: dict[str, float], number: int) -> bool | None:
    """Tell whether a fault is caught; None if nothing tells, or Python does not take it."""
    node, new = part
    text, dates = file.read_text(), file.stat()
    wrong = planted(text, node, new)
    try:
        compile(wrong, str(file), "exec")
    except SyntaxError:
        return None
    tests = tests_of(file, node.lineno, seconds)
    try:
        file.write_text(wrong)
        os.utime(file, (number, number))  # byte code is kept by second and size
        passed = passes(tests)
    finally:
        file.write_text(text)
        os.utime(file, (dates.st_atime, dates.st_mtime))
    if passed:
        lines = difflib.unified_diff(text.splitlines(), wrong.splitlines(), n=0, lineterm="")
        shown = "\n  ".join(line for line in list(lines)[2:] if not line.startswith("@@"))
        print(f"{file}:{node.lineno}: not caught by {len(tests)} tests\n  {shown}", flush=True)
    return None if passed is None else not passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("of", nargs="*", default=["."], help="rooms or files of the package")
    parser.add_argument("--measure", action="store_true", help="first, which test runs which line")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=100)
    args = parser.parse_args()
    if args.measure:
        measure(TIMES)
    if not (KEPT.exists() and TIMES.exists()):
        parser.error("which test runs which line is not known yet: give --measure, once")
    ignored = shutil.ignore_patterns(".git", ".venv*", "results", "site", "__pycache__")
    with tempfile.TemporaryDirectory() as folder:
        copied = shutil.copytree(ROOT, Path(folder) / "tree", ignore=ignored, symlinks=True)
        os.chdir(copied)
        sys.path.insert(0, str(copied / "workflow"))
        os.environ |= {"PYTHONPATH": str(copied / "workflow"), "OMP_NUM_THREADS": "1"}
        sys.dont_write_bytecode = False  # tests' asserts are rewritten once, not in each fork
        caught, n = plant(args.of, args.seed, args.faults, seconds_of(TIMES))
    print(f"{caught} of {n} caught, {caught / max(n, 1):.0%}")


def plant(of: list[str], seed: int, most: int, seconds: dict[str, float]) -> tuple[int, int]:
    """Plant faults into the tree of the working folder; return how many are caught, of how many."""
    for name in HEAVY.split():
        importlib.import_module(name)
    random.seed(seed)
    named = [PACKAGE / one for one in of]
    files = sorted(f for one in named for f in ([one] if one.suffix else one.rglob("*.py")))
    faults = [(file, part) for file in files for part in faults_of(file)]
    random.shuffle(faults)
    caught = n = 0
    for number, (file, part) in enumerate(faults):
        if n == most:
            break
        found = try_out(file, part, seconds, number)
        n += found is not None
        caught += bool(found)
        print(f"\r{n}/{most}, {caught} caught ", end="", file=sys.stderr, flush=True)
    return caught, n


if __name__ == "__main__":
    main()
