"""A killed job leaves no half of a file: it has a name of `atomic_path` until it is whole."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import mesodecode

PACKAGE = Path(mesodecode.__file__).parent
WRITERS = {  # what writes a file -> the place of its path among the arguments, -1: its own method
    **{"write_text": -1, "write_bytes": -1, "savez": 0, "savemat": 0, "imwrite": 0, "savefig": 0},
    **{"to_csv": 0, "torch.save": 1, "np.save": 0, "json.dump": 1},
}
OPENERS = ("open", "h5py.File", "pynwb.NWBHDF5IO")  # write by their mode
TO_WRITE = re.compile(r"""["'](r?\+|[wax])""")
WORDS = re.compile(rf"\b({'|'.join((*WRITERS, *OPENERS))})\(")
# Functions that write to a name of their own, and why no half of it does harm.
OF_THEIR_OWN = {
    "running/locks.py:_create": "a lock, which may be empty while it is made",
    "running/locks.py:_take_over": "renamed there",
    "recordings/fetch.py:_stream": "a part that the next run goes on with",
    "base/files.py:_no_space": "a name of `atomic_path`, filled to meet a limit again",
    "encoding/sweep.py:train_all": "lines; one that is cut short is passed over",
    "decoders/checkpoint.py:_write": "given a name of `atomic_path`",
    "decoders/tune.py:write_best": "given a name of `atomic_path`",
}


def written(call: ast.Call) -> set[str] | None:
    """Return the names in what a call writes to; None if it writes nothing."""
    words = ast.unparse(call.func)
    short = words.rpartition(".")[2]
    if words in OPENERS:
        modes = [*call.args[1:], *(one.value for one in call.keywords)]
        writes = any(TO_WRITE.match(ast.unparse(mode)) for mode in modes)
        return names(call.args[0]) if writes else None
    at = WRITERS.get(words, WRITERS.get(short))
    if at is None or (at < 0 and isinstance(call.func, ast.Name)) or len(call.args) <= at:
        return None
    return names(call.func if at < 0 else call.args[at])


def names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def unsafe(function: ast.FunctionDef) -> Iterator[str]:
    """Calls of a function that write to what `atomic_path` gave no name for."""
    known: set[str] = set()
    items = [one for node in ast.walk(function) if isinstance(node, ast.With) for one in node.items]
    for item in items:
        call, name = item.context_expr, item.optional_vars
        if name is None or not isinstance(call, ast.Call):
            continue
        if ast.unparse(call.func) == "atomic_path" or (written(call) or set()) & known:
            known |= names(name)
    for node in ast.walk(function):
        to = written(node) if isinstance(node, ast.Call) else None
        if to is not None and not to & known:
            yield ast.unparse(node)


def test_files_have_their_name_once_they_are_whole():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        module, text = path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")
        functions = ast.walk(ast.parse(text)) if WORDS.search(text) else ()
        for node in functions:
            if isinstance(node, ast.FunctionDef) and (calls := [*unsafe(node)]):
                found[f"{module}:{node.name}"] = calls
    assert {*found} == {*OF_THEIR_OWN}, found
