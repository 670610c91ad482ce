"""Config files as they are: YAML, or the JSON that a run keeps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from mesodecode.base.files import UserError, one_line

MOST = 1_000_000  # values of a config; a study of 100 mice has some thousands
# What YAML makes of a word without quotes, by its tag.
READ_AS = {
    "int": "the number {}",
    "float": "the number {}",
    "bool": "the truth value {}",
    "timestamp": "the date {}",
    "null": "nothing",
}

# What a problem that YAML names mostly comes of.
HINTS = {
    "mapping values are not allowed": " (a value with ': ' in it? write it in quotes)",
    "<block end>": " (indented otherwise than the lines above, or a value that begins with {, [, "
    "\" or ' and goes on behind its end? write it in quotes)",
    "that cannot start any token": "; write the value in quotes",
    "expected alphabetic or numeric": "; write a value that begins with * or & in quotes",
    "expected ',' or": "; close the bracket",
    "unexpected end of stream": "; close the quote",
}


def read(path: str | Path) -> dict[str, Any]:
    """Read a config file as it is."""
    text = _text(path)
    try:
        return json.loads(text)  # first, as Snakemake does: YAML reads JSON's 1e-05 as text
    except ValueError:
        check_duplicate_keys(path)
        return yaml.safe_load(text)


def check_duplicate_keys(path: str | Path) -> None:
    """Raise UserError if YAML would change a name of the file or drop a key, or if it is no config.

    YAML takes the last of two equal keys without a word; a mouse listed twice would vanish. It
    also takes 0123 for 83 and 2026-01-01 for a date, so that a mouse or session would lose its
    name.
    """
    text = _text(path)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        _check_plain(root, path)
        yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: {_fault(error)}") from error
    except RecursionError as error:
        raise UserError(f"{path}: no config: tables in tables without end") from error
    for what, node in _names(root):
        _check_letters(node, what, path)
    todo, seen = [root] if root else [], set()
    while todo:
        node = todo.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            todo += node.value
            continue
        _check_keys(node, path)
        todo += [value for _, value in node.value]


def _text(path: str | Path) -> str:
    """Return the text of a config. Raises UserError, naming the line, if it is not UTF-8."""
    held = Path(path).read_bytes()
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = held.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}: line {line}: not UTF-8 (an umlaut of Windows, such as ü?); save the file as "
            "UTF-8"
        ) from error


def _fault(error: yaml.YAMLError) -> str:
    """Return where a text is no YAML, and what to do."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or one_line(error)
    if mark is None:
        return f"not valid YAML: {problem}"
    where = f"line {mark.line + 1}"
    if "'\\t'" in problem:
        return f"{where}: not valid YAML: a tab; use spaces, for indents too"
    begun = getattr(error, "context_mark", None)
    if begun is not None and begun.line != mark.line:
        where += f" (in what begins at line {begun.line + 1})"
    hint = next((words for sign, words in HINTS.items() if sign in problem), "")
    return f"{where}: not valid YAML: {problem}{hint}"


def _check_plain(root: yaml.Node | None, path: str | Path) -> None:
    """Raise UserError if a config is a program, or its anchors stand for more than a config has.

    Snakemake takes a config with `__use_yte__` for a template and evaluates the Python in it
    (YTE), before any rule is read.
    """
    for key, _ in root.value if isinstance(root, yaml.MappingNode) else []:
        if key.value == "__use_yte__":
            raise UserError(
                f"{path}: line {key.start_mark.line + 1}: __use_yte__ makes a config a program, "
                "whose Python Snakemake runs as it reads it; write the values themselves, and run "
                "no config that you did not read"
            )
    if root is not None and (n := _count(root, {})) > MOST:
        raise UserError(f"{path}: no config: its anchors stand for {n:,} values; write fewer")


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node stands for, those behind anchors each time."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) not in known:
        known[id(node)] = MOST + 1  # of a node that holds itself
        pairs = isinstance(node, yaml.MappingNode)
        inside = [each for pair in node.value for each in pair] if pairs else node.value
        known[id(node)] = 1 + sum(_count(each, known) for each in inside)
    return known[id(node)]


def _check_keys(node: yaml.MappingNode, path: str | Path) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            continue
        line = key.start_mark.line + 1
        if key.value in lines:
            raise UserError(
                f"{path}: key '{key.value}' appears twice, at lines {lines[key.value]} and {line}; "
                "join the two"
            )
        lines[key.value] = line
        _check_letters(key, "key", path)


def _names(root: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the names that stand in a config as values: that of the study, and of sessions."""
    for key, value in root.value if isinstance(root, yaml.MappingNode) else []:
        if key.value == "study":
            yield "study", value
        lists = [value] if key.value == "sessions" else []
        if key.value == "mice" and isinstance(value, yaml.MappingNode):
            lists = [sessions for _, sessions in value.value]
        for sessions in lists:
            if isinstance(sessions, yaml.SequenceNode):
                yield from (("session", name) for name in sessions.value)


def _check_letters(node: yaml.Node, what: str, path: str | Path) -> None:
    """Raise UserError if YAML reads a name as something that is written in other letters."""
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind not in READ_AS or not node.value:
        return
    value = yaml.safe_load(node.value)
    if kind != "int" or str(value) != node.value:
        raise UserError(
            f"{path}: line {node.start_mark.line + 1}: YAML reads the {what} {node.value} as "
            f"{READ_AS[kind].format(value)}; write it in quotes"
        )
