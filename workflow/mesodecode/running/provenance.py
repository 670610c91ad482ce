"""Which code a stage runs: a hash that changes when, and only when, its meaning changes.

Each rule has it as a param, so that Snakemake reruns a stage whose code was edited. The hash is
taken over the syntax trees of the verb's module and of all modules of this package that it
imports, directly or not, inside functions too, and over the data files that a rule names.

What does not count: comments, docstrings and formatting; where a module lies, what it is called
and in which order it is imported, since a name that an import of this package binds stands in the
tree as the digest of the module that it brings in; and modules that only carry: settings reach a
stage as flags, which are in the rule's command line.
"""

import ast
import contextlib
import dataclasses
import functools
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesodecode.base.files import write_text

PACKAGE = Path(__file__).parents[1]
# The version, the list of verbs, and what checks, carries and shows without making any number.
CARRIERS = {
    *("mesodecode", "mesodecode.cli", "mesodecode.cli.options", "mesodecode.cli.writing"),
    "mesodecode.study.schema",
    *("mesodecode.study.kinds", "mesodecode.study.file_formats", "mesodecode.study.causality"),
    *("mesodecode.base.files", "mesodecode.base.progress", "mesodecode.running.locks"),
    *("mesodecode.running.fingerprints", "mesodecode.running.provenance"),
    "mesodecode.decoders.kept_settings",
}
DEPTH = 40  # imports one below the other that digests are followed down; 16 of them are there


def code_version(verb_module: str, *files: str) -> str:
    """Return 12 hexadecimal digits for the code behind a verb, named as its module.

    `files` are data files of the package, such as ``report/templates/report.html.j2``.
    """
    data = [(PACKAGE / name).read_bytes() for name in files]
    return _sha256([_versions()[_module_of(verb_module)], *data])[:12]


@functools.cache
def _versions() -> dict[str, str]:
    """Return verb's module -> SHA-256 of the code behind it.

    All at once, and kept beside Python's own bytecode until a module is another: each job of a
    cluster parses the Snakefile, and taking trees apart takes seconds. After an edit only the trees
    of edited modules are.
    """
    texts = {name: path.read_bytes() for name, path in sorted(_modules().items())}
    package = _sha256([sys.version, *(part for pair in texts.items() for part in pair)])
    if _kept().get("package") == package:
        return _kept()["verbs"]
    verbs = {name: _version(name) for name in texts if name.startswith("mesodecode.cli.")}
    behind = sorted(set().union(*map(modules_behind, verbs)))
    parsed = {_key(texts[name]): dataclasses.astuple(_parse(name)) for name in behind}
    kept = {"package": package, "verbs": verbs, "parsed": parsed}
    with contextlib.suppress(OSError):  # not if it is read-only
        write_text(_kept_in(), json.dumps(kept))
    return verbs


def _kept_in() -> Path:
    return PACKAGE / "__pycache__" / "code_versions.json"


@functools.cache
def _kept() -> dict[str, Any]:
    """Return what was written last; empty if there is nothing, or nothing to be read."""
    with contextlib.suppress(OSError, ValueError):
        return json.loads(_kept_in().read_text())
    return {}


def _key(text: bytes) -> str:
    """Return what a module's tree is kept under: its text, and what else its parts depend on."""
    return _sha256([sys.version, _names_of_modules(), text])


@functools.cache
def _names_of_modules() -> str:
    return " ".join(sorted(_modules()))


def _module_of(verb: str) -> str:
    pattern = re.compile(rf"mesodecode\.cli\.\w+\.{verb}")
    (module,) = filter(pattern.fullmatch, _modules())
    return module


def _version(verb: str) -> str:
    texts = sorted(_parse(module).text for module in modules_behind(verb))
    return _sha256([_digest(verb, DEPTH), *texts])


def modules_behind(module: str) -> list[str]:
    """Return a module and all that it imports from this package, carriers apart, sorted."""
    todo, seen = [module], set()
    while todo:
        module = todo.pop()
        if module not in seen:
            seen.add(module)
            todo.extend(_imports(module))
    return sorted(seen)


def _imports(module: str) -> list[str]:
    return [name for name in _parse(module).imports if name not in CARRIERS]


@dataclass(frozen=True)
class _Parsed:
    """A module without the names of others: SHA-256 of its text, in which others are numbered.

    `used` are these others in the order of their numbers, `imports` all that it imports.
    """

    text: str
    used: tuple[str, ...]
    imports: tuple[str, ...]


@functools.cache
def _digest(module: str, depth: int) -> str:
    """Return a digest of a module and of what it imports, followed down by `depth` imports.

    Not to the end, as two modules may import each other.
    """
    parsed = _parse(module)
    below = {name: _digest(name, depth - 1) if depth else "" for name in _imports(module)}
    unused = sorted(digest for name, digest in below.items() if name not in parsed.used)
    return _sha256([parsed.text, *(below.get(name, "carrier") for name in parsed.used), *unused])


@functools.cache
def _modules() -> dict[str, Path]:
    """Return module -> file of the package."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


@functools.cache
def _parse(module: str) -> _Parsed:
    text = _modules()[module].read_bytes()
    if found := _kept().get("parsed", {}).get(_key(text)):
        return _Parsed(*found)
    return _parsed(text, frozenset(_modules()))


@functools.cache
def _parsed(text: bytes, modules: frozenset[str]) -> _Parsed:
    anonymous = _Anonymous(modules)
    tree = anonymous.visit(ast.parse(text))
    imports = sorted(anonymous.imported & modules)
    return _Parsed(_sha256([ast.unparse(tree)]), tuple(anonymous.numbers), tuple(imports))


def _sha256(parts: Iterable[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update((part.encode() if isinstance(part, str) else part) + b"\0")
    return digest.hexdigest()


def _bindings(node: ast.AST, modules: frozenset[str]) -> Iterator[tuple[str, str, str | None]]:
    """Yield (name, module, what of it or None) for all that an import of this package binds."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "mesodecode":
        for alias in node.names:
            module = f"{node.module}.{alias.name}"
            found = (module, None) if module in modules else (node.module, alias.name)
            yield alias.asname or alias.name, *found
    elif isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.split(".")[0] == "mesodecode":
                yield (
                    alias.asname or "mesodecode",
                    alias.name if alias.asname else "mesodecode",
                    None,
                )


class _Anonymous(ast.NodeTransformer):
    """Takes docstrings and imports of the package out of a tree, and numbers what they bind.

    A name is looked up as Python does it: a parameter called as a module is no module.
    """

    def __init__(self, modules: frozenset[str]) -> None:
        self._modules = modules  # of the package
        self.numbers: dict[str, int] = {}  # module -> its number, by first use
        self.imported: set[str] = set()
        self._scopes: list[tuple[bool, dict[str, tuple[str, str | None] | None]]] = []

    def visit_Module(self, node: ast.Module) -> ast.Module:
        return self._body(node, node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.bases = [self.visit(one) for one in node.bases]
        node.keywords = [self.visit(one) for one in node.keywords]
        return self._body(node, node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        arguments = node.args
        node.args = self.visit(arguments)  # defaults and annotations are of the scope around
        node.returns = node.returns and self.visit(node.returns)
        return self._body(node, node.body, arguments)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        node.args = self.visit(node.args)
        self._scopes.append((False, _names(ast.walk(node.args))))
        node.body = self.visit(node.body)
        self._scopes.pop()
        return node

    def _comprehension(self, node: ast.AST) -> ast.AST:
        first = node.generators[0]
        first.iter, outer = ast.Constant(None), self.visit(first.iter)
        self._scopes.append((False, _names(ast.walk(node))))
        self.generic_visit(node)
        self._scopes.pop()
        first.iter = outer
        return node

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> ast.AST | None:
        found = list(_bindings(node, self._modules))
        self.imported |= {module for _, module, _ in found}
        if isinstance(node, ast.Import):
            mine = [a for a in node.names if a.name.split(".")[0] == "mesodecode"]
            self.imported |= {alias.name for alias in mine}
            node.names = [alias for alias in node.names if alias not in mine]
            return node if node.names else None
        return None if found else node

    visit_ImportFrom = visit_Import

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Take import_module(f"mesodecode.room.{name}") as an import of all modules of the room."""
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        for given in node.args if called == "import_module" else ():
            room = getattr(given.values[0], "value", "") if isinstance(given, ast.JoinedStr) else ""
            if isinstance(room, str) and room.startswith("mesodecode."):
                self.imported |= {name for name in self._modules if name.startswith(room)}
                given.values[0] = ast.Constant("mesodecode.")
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        found = self._look_up(node.id)
        return self._numbered(*found) if found and isinstance(node.ctx, ast.Load) else node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        parts, top = [node.attr], node.value
        while isinstance(top, ast.Attribute):
            parts, top = [top.attr, *parts], top.value
        found = self._look_up(top.id) if isinstance(top, ast.Name) else None
        if found is None or found[1] is not None:
            return self.generic_visit(node)
        module = found[0]  # import mesodecode.a.b, and mesodecode.a.b.f in the text
        while parts and f"{module}.{parts[0]}" in self._modules:
            module = f"{module}.{parts.pop(0)}"
        value: ast.AST = self._numbered(module, None)
        for part in parts:
            value = ast.Attribute(value, part, ast.Load())
        return value

    def _numbered(self, module: str, what: str | None) -> ast.AST:
        number = self.numbers.setdefault(module, len(self.numbers))
        name = ast.Name(f"module_{number}", ast.Load())
        return ast.Attribute(name, what, ast.Load()) if what else name

    def _body(
        self, node: ast.AST, body: list[ast.stmt], arguments: ast.arguments | None = None
    ) -> ast.AST:
        """Visit the statements of a node in a scope of their own, its docstring left out."""
        if ast.get_docstring(node):
            body = body[1:]
        within = list(_of_scope(body))
        names = _names([*within, *(ast.walk(arguments) if arguments else ())])
        for inner in within:
            names |= {
                name: (module, what) for name, module, what in _bindings(inner, self._modules)
            }
        self._scopes.append((isinstance(node, ast.ClassDef), names))
        node.body = [new for new in map(self.visit, body) if new is not None] or [ast.Pass()]
        self._scopes.pop()
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Visit what is below; a block that held imports only becomes `pass`."""
        filled = [name for name in ("body", "orelse", "finalbody") if getattr(node, name, None)]
        super().generic_visit(node)
        for name in filled:
            if getattr(node, name) == []:
                setattr(node, name, [ast.Pass()])
        return node

    def _look_up(self, name: str) -> tuple[str, str | None] | None:
        for i, (is_class, names) in enumerate(reversed(self._scopes)):
            if name in names and not (is_class and i):  # methods do not see names of their class
                return names[name]
        return None


_INNER = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


_NAMED = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef),
    *(ast.ExceptHandler, ast.MatchAs, ast.MatchStar),
)


def _of_scope(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of statements, of functions, classes and the like inside only themselves."""
    for node in body:
        yield node
        if not isinstance(node, _INNER):
            yield from _of_scope(ast.iter_child_nodes(node))


def _names(nodes: Iterable[ast.AST]) -> dict[str, None]:
    """Return the names that nodes assign to or define, each with None: no module of ours."""
    found: dict[str, None] = {}
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found[node.id] = None
        elif isinstance(node, ast.arg):
            found[node.arg] = None
        elif isinstance(node, _NAMED) and node.name:
            found[node.name] = None
    return found
