"""Config files as they are: YAML, or the JSON that a run keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from mesodecode.files import UserError


def read(path: str | Path) -> dict[str, Any]:
    """Read a config file as it is."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        return json.loads(text)  # first, as Snakemake does: YAML reads JSON's 1e-05 as text
    except ValueError:
        check_duplicate_keys(path)
        return yaml.safe_load(text)


def check_duplicate_keys(path: str | Path) -> None:
    """Raise UserError if a mapping of the YAML file has one key twice, or if it is no YAML.

    YAML takes the last of two equal keys without a word; a mouse listed twice would vanish. It
    also takes 01 for 1, so that a mouse would lose its name.
    """
    with open(path, encoding="utf-8") as file:
        try:
            root = yaml.compose(file, Loader=yaml.SafeLoader)
            file.seek(0)
            yaml.safe_load(file)
        except yaml.YAMLError as error:
            raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
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


def _check_keys(node: yaml.MappingNode, path: str | Path) -> None:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
            continue
        line = key.start_mark.line + 1
        if key.value in lines:
            raise UserError(
                f"{path}: key '{key.value}' appears twice, at lines {lines[key.value]} and {line}; "
                "join the two"
            )
        lines[key.value] = line
        if key.tag == "tag:yaml.org,2002:int" and str(yaml.safe_load(key.value)) != key.value:
            raise UserError(
                f"{path}: line {line}: YAML reads the key {key.value} as the number "
                f"{yaml.safe_load(key.value)}; write it in quotes"
            )
