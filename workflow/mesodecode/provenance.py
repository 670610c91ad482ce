"""Which code a stage runs: a hash that changes when, and only when, its meaning changes.

Each rule has it as a param, so that Snakemake reruns a stage whose code was edited. The hash is
taken over the syntax trees of the verb's module and of all modules of this package that it
imports, directly or not, inside functions too, and over the data files that a rule names.
Comments, docstrings and formatting do not count, nor do modules that only carry: settings reach
a stage as flags, which are in the rule's command line.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from pathlib import Path

PACKAGE = Path(__file__).parent
# The version, the list of verbs, and what checks, carries and shows without making any number.
CARRIERS = {
    *("mesodecode", "mesodecode.cli", "mesodecode.cli.options", "mesodecode.schema"),
    *("mesodecode.files", "mesodecode.progress", "mesodecode.locks"),
}


def code_version(verb_module: str, *files: str) -> str:
    """Return 12 hexadecimal digits for the code behind ``mesodecode.cli.{verb_module}``.

    `files` are data files of the package that it reads, such as ``templates/report.html.j2``.
    """
    todo, seen = [f"mesodecode.cli.{verb_module}"], set()
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo.extend(_parse(module)[1])
    digest = hashlib.sha256()
    for module in sorted(seen):
        digest.update(_parse(module)[0].encode())
    for name in files:
        digest.update((PACKAGE / name).read_bytes())
    return digest.hexdigest()[:12]


def _path(module: str) -> Path | None:
    base = PACKAGE.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def _parse(module: str) -> tuple[str, list[str]]:
    path = _path(module)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mesodecode"):
            imports += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            imports += [a.name for a in node.names if a.name.startswith("mesodecode")]
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    # a name that is no module is a function
    return ast.unparse(tree), [m for m in imports if m not in CARRIERS and _path(m)]
