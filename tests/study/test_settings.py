"""Defaults of all settings, and what each takes and refuses, as written down in settings.tsv.

A default that changes changes the results of everybody who does not name the setting, and a limit
that moves refuses a config that ran, or lets one run into a fault hours later: whoever means it
changes the line there too, and CHANGELOG.md.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mesodecode.study import schema

with open(Path(__file__).with_name("settings.tsv"), newline="") as file:
    LINES = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def spec_of(setting: str) -> dict[str, Any]:
    """The schema of SCHEMA.KEY.KEY; of any key *, of each item of a list [], of its third 2."""
    name, *keys = setting.split(".")
    spec = schema.load(name)
    for key in keys:
        if key == "*":
            spec = spec["additionalProperties"]
        elif key == "[]":
            spec = spec["items"]
        elif key.isdigit():
            spec = spec["prefixItems"][int(key)]
        elif key[:5] in ("anyOf", "oneOf"):
            spec = spec[key[:5]][int(key[5:])]
        else:
            spec = spec["properties"][key]
    return spec


def faults(line: dict[str, str], spec: dict[str, Any]) -> list[str]:
    found = []
    for column, right in (("takes", True), ("refuses", False)):
        for value in json.loads(f"[{line[column] or ''}]"):
            if schema._Validator(spec).is_valid(value) != right:
                found.append(f"{line['setting']}: {json.dumps(value)} is not what it {column}")
    if line["default"] and json.dumps(spec.get("default")) != line["default"]:
        found.append(f"{line['setting']}: its default is not {line['default']}")
    return found


@pytest.mark.parametrize("name", schema.files())
def test_settings_take_and_refuse_what_is_written_and_their_defaults_stay(name):
    mine = [line for line in LINES if line["setting"].split(".")[0] == name]
    assert mine
    assert [fault for line in mine for fault in faults(line, spec_of(line["setting"]))] == []


def patterns(spec: Any) -> Iterator[str]:
    """All patterns of names in a schema, however deep."""
    if isinstance(spec, dict):
        if "A-Za-z0-9_" in str(spec.get("pattern")):
            yield spec["pattern"]
        for part in spec.values():
            yield from patterns(part)
    elif isinstance(spec, list):
        for part in spec:
            yield from patterns(part)


@pytest.mark.parametrize(
    ("name", "longest"),
    [("config", [32, *[64] * 6, 128]), ("encoding_study", [64] * 3)],  # 32: of variants; 128: ids
)
def test_names_become_files_and_have_so_many_characters_at_most(name, longest):
    found = sorted(patterns(schema.load(name)), key=lambda p: int(re.search(r",(\d+)\}", p)[1]))
    for pattern, most in zip(found, longest, strict=True):
        for text in ("a", "7", "m1_2-a", "M" * most):
            assert re.search(pattern, text), (pattern, text)
        for text in ("", "-a", "_a", ".a", "a b", "a/b", "a\n", "é", "M" * (most + 1)):
            assert not re.search(pattern, text), (pattern, text)
        assert bool(re.search(pattern, "a.b")) == (most == 128)  # sessions keep names of labs


def test_what_a_schema_says_itself_comes_before_what_it_includes():
    """Sizes of recurrent networks on ROI signals are smaller than the shared ones."""
    read = schema.load.__wrapped__("roi_rnn")["properties"]  # anew
    size = {"type": "integer", "minimum": 1, "default": 32}
    assert {key: read["hidden_size"][key] for key in size} == size
    assert schema.load.__wrapped__("cnn_rnn")["properties"]["hidden_size"]["default"] == 128
