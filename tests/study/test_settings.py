"""Defaults of all settings, and what each takes and refuses, as written down in settings.tsv.

A default that changes changes the results of everybody who does not name the setting, and a limit
that moves refuses a config that ran, or lets one run into a fault hours later: whoever means it
changes the line there too, and CHANGELOG.md.
"""

from __future__ import annotations

import csv
import json
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
