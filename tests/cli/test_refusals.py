"""What verbs refuse of a config, of flags that need each other, and of files that do not fit."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import pytest
import yaml

from make import STUDY
from mesodecode.base.files import UserError
from mesodecode.cli import options
from mesodecode.cli.explain import sides
from mesodecode.cli.shift import shift
from mesodecode.decoders.predictions import Predictions

SEARCH = {"tune": {"linear": {"trials": 3, "search": {"C": [0.01, 0.1]}}}}


@pytest.mark.parametrize(
    ("verb", "change", "flags", "words"),
    [
        ("decoders.tune", {}, {"decoder": "linear"}, "tune: no line of 'linear'; known: none$"),
        ("decoders.tune", SEARCH, {"decoder": "cnn"}, "tune: no line of 'cnn'; known: linear$"),
        (
            *("decoders.tune", SEARCH, {"decoder": "linear", "test_mice": ["a", "b"]}),
            r"^--test-mice a b: no allocation of .*c\.yaml tests these mice$",
        ),
        (
            "scores.ceilings",
            {},
            {},
            r"c\.yaml: ceilings\.decoders: names none; name dec",
        ),
        ("scores.variants", {}, {}, r"c\.yaml: variants: no decoder is on one; name some there$"),
        ("shift.cohort_shift", {}, {}, r"c\.yaml: no cohorts; name groups of mice in `cohorts:`$"),
        ("recordings.roi_correlation", {}, {"baseline": 0}, "^--baseline: 0 frames; needs 1 or"),
    ],
)
def test_a_config_without_what_a_verb_reads_is_named(tmp_path, verb, change, flags, words):
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(STUDY | change))
    run = importlib.import_module(f"mesodecode.cli.{verb}").run
    with pytest.raises(UserError, match=words):
        run(SimpleNamespace(config=tmp_path / "c.yaml", **flags))


@pytest.mark.parametrize(
    ("text", "words"), [("{", r"^--x: not JSON \(Expecting"), ("[]", "^--x: no JSON table; needs")]
)
def test_what_is_no_table_in_json_is_refused_by_its_flag(text, words):
    with pytest.raises(UserError, match=words):
        options.json_table(text, "--x")


def test_sides_of_a_cutout_need_masks():
    with pytest.raises(UserError, match=r"^--sessions: needs --masks, the table of masks of the"):
        sides._masks(SimpleNamespace(masks=None))


def test_shift_needs_a_model_and_recordings_of_all_mice_of_an_allocation(tmp_path):
    with pytest.raises(UserError, match=r"/x\.\w+: no such model \(nor .*\); train the"):
        shift._model_file(tmp_path, "x")
    item = Predictions("cnn", "x", "a+b", "c", "d", {})
    mine = [SimpleNamespace(mouse=mouse) for mouse in "ac"]
    with pytest.raises(UserError, match=r"^--recordings: none of mouse b, d of x; give the record"):
        shift._measure(SimpleNamespace(), item, mine, None, None)
