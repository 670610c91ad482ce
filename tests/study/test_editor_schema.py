"""The schema for editors: it takes every config that the workflow takes, and marks mistakes."""

from __future__ import annotations

import functools
import json

import jsonschema
import pytest
import yaml

from make import ROOT
from mesodecode import cli
from mesodecode.study import editor_schema, schema
from mesodecode.study.importance import families
from mesodecode.study.kinds import KINDS

PATTERNS = ("config.yaml", "demo.yaml", "examples/*.yaml", "benchmarks/suite*/*.yaml")
CONFIGS = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))


@functools.cache
def validator() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(json.dumps(editor_schema.build())))


def faults(config: dict) -> list[str]:
    """What an editor would underline, but that a part of a config lacks something."""
    found = [error for error in validator().iter_errors(config) if error.validator != "required"]
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_configs_of_the_project_are_right(path):
    assert faults(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


def test_it_is_a_schema_with_its_address():
    made = editor_schema.build("https://lab.org/schemas/config.json")
    jsonschema.Draft7Validator.check_schema(made)
    assert made["$id"] == "https://lab.org/schemas/config.json"
    assert "$id" not in editor_schema.build()
    text = json.dumps(made)
    assert '"flag":' not in text and '"include":' not in text


STUDY = {"study": "lab", "mice": {"a": ["s1"]}}


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"decoder": {}}, "decoder"),
        ({"recordings": {"move": "x.tif"}}, "move"),
        ({"corrections": {"motin": True}}, "motin"),
        ({"decoders": {"cnn": {"epoch": 3}}}, "epoch"),
        ({"decoders": {"cnn": {"epochs": "three"}}}, "three"),
        ({"decoders": {"cnn": {"baseline": "30 frames"}}}, "30 frames"),
        ({"importance": {"x": {"decoder": "cnn", "mask": "squares"}}}, "mask"),
        ({"importance": {"x": {"decoder": "cnn", "checks": {"frame": 3}}}}, "frame"),
        ({"simulate": {"fotons": 3}}, "fotons"),
        ({"by_cohort": {"lab": {"recordings": {"move": "x.tif"}}}}, "move"),
        ({"by_cohort": {"lab": {"simulate": {"fotons": 3}}}}, "fotons"),
        ({"variants": {"v": {"corrections": {"motin": True}}}}, "motin"),
        ({"kind": "encoding", "models": {"m": {"epoch": 3}}}, "epoch"),
        ({"kind": "encoding", "mouse": {}}, "mouse"),
    ],
)
def test_mistakes_are_marked(more, where):
    assert any(where in fault for fault in faults(STUDY | more))


@pytest.mark.parametrize(
    "more",
    [
        {"decoders": {"a": {"like": "b", "rnn": "lstm"}, "b": {"average_of": ["a", "c"]}}},
        {"decoders": {"a": {"adapted_from": "b", "normalise": "past"}}},
        {"importance": {"x": {"decoder": "a", "masks": "edges"}}},
        {"variants": {"v": {"corrections": {"dff": "mean"}, "settings": {"pixels": 4}}}},
        {"by_cohort": {"lab": {"recordings": {"rois": None}, "corrections": {"motion": True}}}},
        {"decoders": {"a": {"half_window": "0.5 s", "baseline": "30 s", "shift": "-0.1 s"}}},
        {"decoders": {"a": {"half_window": 3, "baseline": None, "shift": -2}}},
        {"kind": "encoding", "sessions": ["s"], "models": {"m": {"like": "n"}}},
    ],
)
def test_lines_of_every_kind_are_right(more):
    keys = ("study",) if more.get("kind") else ("study", "mice")
    assert faults({key: STUDY[key] for key in keys} | more) == []


def test_every_setting_of_the_schemas_is_in_it():
    text = json.dumps(editor_schema.build())
    of_a_verb = {"live"}  # `mesodecode live` has settings that no config has
    for name in set(schema.files()) - of_a_verb:
        for key in schema.properties(name):
            assert json.dumps(key) in text, f"{name}: {key}"


@pytest.mark.parametrize(("key", "kinds"), [("decoders", KINDS), ("importance", families())])
def test_a_default_is_filled_in_where_all_kinds_have_the_same(key, kinds):
    """Else an editor would write that of one kind into a line of another."""
    told = editor_schema.build()["else"]["properties"][key]["additionalProperties"]["properties"]
    known = [schema.properties(kind) for kind in kinds]
    for name in told.keys() - {"like"}:
        found = {
            json.dumps(one[name]["default"]) for one in known if "default" in one.get(name, ())
        }
        alike = json.dumps(told[name]["default"]) if "default" in told[name] else None
        assert alike == (found.pop() if len(found) == 1 else None), name


def test_the_verb_writes_it(tmp_path):
    assert cli.main(["schema", "--out", str(tmp_path / "s.json")]) == 0
    assert json.loads((tmp_path / "s.json").read_text()) == editor_schema.build()
