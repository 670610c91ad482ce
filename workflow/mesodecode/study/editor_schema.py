"""The config's schema as one JSON file, by which editors complete a config and mark its mistakes.

Made from the schemas that check a config (`mesodecode.study.schema`), with the lines of decoders
and maps in it: a line may have the settings of any kind. What it marks is wrong; what it passes may
still be refused, since it does not know which kind a line is of.
"""

import copy
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mesodecode.base.files import write_text
from mesodecode.study import schema
from mesodecode.study.importance import families
from mesodecode.study.kinds import KINDS

NAME = "mesodecode.schema.json"
# What a config says in a line of its own, beside such a file; the language server of YAML reads it.
MODELINE = f"# yaml-language-server: $schema={NAME}"
OURS = {
    "flag",
    "below",
    "kinds",
    "methods",
    "of",
    "$schema",
}  # keywords of ours, and what only the top may say


def build(address: str = "") -> dict[str, Any]:
    """Return the schema of all configs; `address` is where it is published, its $id."""
    decoding, encoding = _plain(schema.load("config")), _plain(schema.load("encoding_study"))
    for name, path in schema.files().items():
        if path.parent.name == "tables" and name in decoding["properties"]:
            _fill(decoding["properties"][name], name)
    _tables(decoding)
    _lines(decoding, "decoders", KINDS)
    _lines(decoding, "importance", families())
    lines = decoding["properties"]["importance"]["additionalProperties"]["properties"]
    _fill(lines["checks"], "importance_checks")
    for name in ("simulate", "responses"):
        _fill(encoding["properties"][name], f"encoding_{name}")
    _lines(encoding, "models", ("encoding_linear", "encoding_network"))
    named = {"$id": address} if address else {}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",  # the newest that all editors know
        **named,
        "title": "a config of mesodecode",
        "if": {"required": ["kind"], "properties": {"kind": {"const": "encoding"}}},
        "then": encoding,
        "else": decoding,
    }


def write(path: str | Path, address: str = "") -> None:
    """Write the schema as JSON."""
    write_text(path, json.dumps(build(address), indent=1) + "\n")


def _plain(value: Any) -> Any:
    """Return a copy without keywords that are not JSON schema's; a setting may bear their name."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {k: v for k, v in value.items() if k not in OURS}
    settings = kept.pop("properties", None)
    kept = {k: copy.deepcopy(v) if k == "default" else _plain(v) for k, v in kept.items()}
    if settings is not None:
        kept["properties"] = {k: _plain(v) for k, v in settings.items()}
    return kept


def _fill(spec: dict[str, Any], name: str) -> None:
    """Put the settings of the schema `name` into the table of a config that it describes."""
    table = _plain(schema.load(name))
    own = spec.get("properties", {})
    more = {k: v for k, v in table.items() if k not in ("title", "description", *spec)}
    spec |= more | {"properties": table["properties"] | own}


def _tables(config: dict[str, Any]) -> None:
    """Let cohorts and variants say in their lines what the tables of the config may."""
    tables = config["properties"]
    for key in ("by_cohort", "variants"):
        own = tables[key]["additionalProperties"]["properties"]
        for name in own.keys() & {"recordings", "corrections", "simulate"}:
            own[name] = copy.deepcopy(tables[name]) | {"description": own[name]["description"]}


def _lines(config: dict[str, Any], key: str, kinds: Iterable[str]) -> None:
    """Let each line of a table have the settings of all kinds, and `like`."""
    found: dict[str, list[dict[str, Any]]] = {}
    for kind in kinds:
        for name, spec in _plain(schema.load(kind))["properties"].items():
            found.setdefault(name, []).append(_or_seconds(spec))
    like = {"description": "name of a line to take all other settings from", "type": "string"}
    settings = {"like": like} | {name: _any_of(specs) for name, specs in found.items()}
    line = {"type": "object", "additionalProperties": False, "properties": settings}
    config["properties"][key]["additionalProperties"] = line


def _or_seconds(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the spec of a setting; a number of frames may be a time, such as 0.5 s."""
    if spec.get("unit") != "frames":
        return spec
    types = spec["type"] if isinstance(spec["type"], list) else [spec["type"]]
    return spec | {"type": [*types, "string"], "pattern": f"^{schema.SECONDS}$"}


def _any_of(specs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return one spec for a setting that kinds describe each in its own way."""
    words = {"description": " / ".join(dict.fromkeys(s.get("description", "") for s in specs))}
    defaults = [s["default"] for s in specs if "default" in s]
    if defaults and all(default == defaults[0] for default in defaults):
        words["default"] = defaults[0]
    bare = [{k: v for k, v in s.items() if k not in ("description", "default")} for s in specs]
    different = [one for i, one in enumerate(bare) if one not in bare[:i]]
    return words | (different[0] if len(different) == 1 else {"anyOf": different})
