"""Small faults such as an edit makes, and faults that somebody wrote."""

from __future__ import annotations

import ast
import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
SYMMETRIC += ("logaddexp",)
GUARDS = ("strict", "frozen")  # of what does not happen
FORGOTTEN = ["strip", "rstrip", "lstrip", "lower", "upper", "casefold", "removesuffix", "replace"]
FORGOTTEN += ["sort_values", "dropna", "fillna", "drop_duplicates", "unique", "clip", "round"]
FORGOTTEN += ["astype", "copy", "detach", "resolve"]
MODULES = ("np", "torch", "re", "shutil", "copy")  # of functions, not methods, of these names
OTHER = dict(NAMES) | {b: a for a, b in NAMES} | {"sorted": "list", "abs": "float"}
Part = tuple[ast.AST, str | None]  # a part of a file, and what it is mistaken for; None: forgotten


class Fault(NamedTuple):
    """A file's text with a fault in it."""

    file: Path
    line: int
    wrong: str
    at_import: bool = False
    why: str = ""


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
        case ast.BinOp(op=op) if type(op) in TURNED:
            yield changed(node, op=TURNED[type(op)]())
        case ast.BoolOp(op=op, values=parts):
            yield changed(node, op=TURNED[type(op)]())
            for part in parts:
                left = [other for other in parts if other is not part]
                yield (node, ast.unparse(left[0])) if len(left) == 1 else changed(node, values=left)
        case ast.ExceptHandler(type=ast.Tuple(elts=kinds) as caught):
            for kind in kinds:
                yield changed(caught, elts=[other for other in kinds if other is not kind])
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
        case ast.Attribute(attr=name, value=given) if (
            name in FORGOTTEN and getattr(given, "id", "") not in MODULES
        ):
            yield node, ast.unparse(given)
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


def as_fault(file: Path, part: Part) -> Fault:
    node, new = part
    wrong = planted(file.read_text(), node, new)
    return Fault(file, node.lineno, wrong, runs_at_import(file, *limits(node)))


def listed(lines: list[str]) -> list[Fault]:
    """Return faults that somebody wrote, of files of the working folder."""
    faults = []
    for one in map(json.loads, lines):
        file = Path(one["file"])
        text = file.read_text()
        if text.count(one["old"]) != 1:
            print(f"{file}: left out, it has no longer, or more than once: {one['old']}")
            continue
        wrong = text.replace(one["old"], one["new"])
        pairs = enumerate(zip(text, wrong, strict=False))
        above = text[: next(n for n, (a, b) in pairs if a != b)].split("\n")
        place = len(above), len(above[-1].encode())
        at_import = file.suffix == ".py" and runs_at_import(file, place, place)
        faults.append(Fault(file, place[0], wrong, at_import, one["why"]))
    return faults


def planted(text: str, node: ast.AST, new: str | None) -> str:
    """Return a file's text with a part of it exchanged; lines below stay where they are."""
    whole = text.encode()
    lines = whole.splitlines(keepends=True)
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    end = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    below = "\n" * (node.end_lineno - node.lineno)
    new = f"pass{below}" if new is None else f"({new}{below})"
    return (whole[:start] + new.encode() + whole[end:]).decode()


def same(text: str, other: str) -> bool:
    return ast.dump(ast.parse(text)) == ast.dump(ast.parse(other))


def runs_at_import(file: Path, start: tuple[int, int], end: tuple[int, int]) -> bool:
    """Tell whether what a file holds from one place to another is in no function."""
    bodies = []
    for function in ast.walk(ast.parse(file.read_text())):
        match function:
            case ast.FunctionDef(body=[first, *_]):
                bodies.append((limits(first)[0], limits(function)[1]))
            case ast.Lambda(body=body):
                bodies.append(limits(body))
    return not any(first <= start and end <= last for first, last in bodies)


def limits(node: ast.AST) -> tuple[tuple[int, int], tuple[int, int]]:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
