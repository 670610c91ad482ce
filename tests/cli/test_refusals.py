"""What verbs refuse of a config, of flags that need each other, and of files that do not fit."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from make import STUDY
from mesodecode.base.files import UserError
from mesodecode.cli import options
from mesodecode.cli.explain import sides
from mesodecode.cli.shift import shift
from mesodecode.decoders import applied, fitted_files
from mesodecode.decoders.predictions import Predictions
from mesodecode.study.kinds import TRAINED
from mesodecode.study.targets import RUN, Target
from refusing import PUPIL, assert_refused, refuses, two

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
    for suffix in (".npz", ".joblib", ".pt"):  # of pixels, of signals and of networks
        model = tmp_path / f"x of {suffix[1:]}{suffix}"
        model.touch()
        assert shift._model_file(tmp_path, model.stem) == model
    item = Predictions("cnn", "x", "a+b", "c", "d", {})
    mine = [SimpleNamespace(mouse=mouse) for mouse in "ac"]
    with pytest.raises(UserError, match=r"^--recordings: none of mouse b, d of x; give the record"):
        shift._measure(SimpleNamespace(), item, mine, None, None)


def test_a_kind_of_which_no_network_is_made_is_judged_without_features(monkeypatch, tmp_path):
    kind = SimpleNamespace(suffix=".knn", fits=True)
    for table in (fitted_files.FITTED, TRAINED):
        monkeypatch.setitem(table, "knn", kind)
    (tmp_path / "x.knn").touch()
    with pytest.raises(UserError, match=r"x\.knn: no network is made of a 'knn' decoder; name an"):
        applied.load(tmp_path / "x.knn")
    monkeypatch.setattr("mesodecode.decoders.validation.read", lambda *_: {})
    monkeypatch.setattr("mesodecode.shift.measures.rows", lambda *given: given)
    monkeypatch.setattr("mesodecode.recordings.recording.with_labels_of", lambda mine, _: mine)
    args = SimpleNamespace(predictions=tmp_path, validation=tmp_path, models=tmp_path)
    mine = [SimpleNamespace(mouse=mouse, session=mouse) for mouse in "abc"]
    item = Predictions("d", "x", "a", "b", "c", {})
    assert shift._measure(args, item, mine, None, None)[2] == []


class Sized(SimpleNamespace):
    def __len__(self):
        return 0


def test_shift_needs_the_recordings_that_predictions_are_of(monkeypatch, tmp_path):
    mine = [SimpleNamespace(mouse=mouse, session=f"{mouse}1") for mouse in "abc"]
    args = SimpleNamespace(predictions=tmp_path, validation=tmp_path / "v", models=None)
    for tested, checked, words in (("c2", "b1", "x.h5"), ("c1", "b2", "v/x.h5")):
        one = SimpleNamespace(frame=np.empty(0))
        monkeypatch.setattr(
            "mesodecode.decoders.validation.read", lambda *_, name=checked, one=one: {name: one}
        )
        item = Predictions("cnn", "x", "a", "b", "c", {tested: one})
        with pytest.raises(UserError, match=f"{words}: no recording of session [bc]2; give that"):
            shift._measure(args, item, [Sized(**vars(each)) for each in mine], None, None)


STUDY_OF = SimpleNamespace(config={"target": "run", "cohorts": {}}, ceilings={"d": {"n": "split"}})
STUDY_OF.mice = STUDY_OF.dates = {}
HELD = SimpleNamespace(decoder="d", split="split", target=PUPIL)
ALL_THREE = "give --null, or --shifts with --predictions, or all three"
SCORED = SimpleNamespace(decoder="d", allocation="x", target=PUPIL)
PREDICTED = {"e": SimpleNamespace(frame=np.empty(0)), "s": SimpleNamespace(frame=np.arange(3, 8))}
ADAPTIVE = "adaptive --choice c.tsv --decoder d --out o"
ADAPTIVE_READ = {
    "base.tables.read_table": None,
    "shift.variant_choice.chosen_of": "cnn",
    "decoders.predictions.read": lambda path, **_: SimpleNamespace(
        decoder={"p": "gru", "q": "cnn", "r": "rnn"}[path.stem],
        allocation={"p": "one", "q": "two", "r": "one"}[path.stem],
        test_mouse="c",
    ),
}
OF_FILES = {"a.h5": PUPIL, "b.h5": Target("gaze", unit="mm")}

# line, what stands in for files (function -> its value), what is said
REFUSED = {
    "decode-controls": (
        "decode-controls --signals s.h5 --train-mice a --valid-mice b --test-mice c --windows d=2 "
        "--out o",
        {"confounds.signals.read": two("a", "b")},
        "--signals: nothing of mouse c; give the file of every mouse",
    ),
    "decode-controls: a mouse that validates": (
        "decode-controls --signals s.h5 --train-mice a --valid-mice b --test-mice c --windows d=2 "
        "--out o",
        {"confounds.signals.read": two("a", "c")},
        "--signals: nothing of mouse b; give the file of every mouse",
    ),
    "ceilings": (
        "ceilings --config c.yaml --held-out h --session-auc s.tsv --out o --gaps g --figure f",
        {"study.study.load": STUDY_OF, "decoders.held_out.read": HELD},
        "h/d/n.h5: decodes pupil, not run; make it again",
    ),
    "ceilings: split": (
        "ceilings --config c.yaml --held-out h --session-auc s.tsv --out o --gaps g --figure f",
        {
            "study.study.load": STUDY_OF,
            "decoders.held_out.read": SimpleNamespace(decoder="d", split="another", target=RUN),
        },
        "h/d/n.h5: of another decoder or other sessions; make it again",
    ),
    "ceilings: decoder": (
        "ceilings --config c.yaml --held-out h --session-auc s.tsv --out o --gaps g --figure f",
        {
            "study.study.load": STUDY_OF,
            "decoders.held_out.read": SimpleNamespace(decoder="e", split="split", target=RUN),
        },
        "h/d/n.h5: of another decoder or other sessions; make it again",
    ),
    "ceilings: none": (
        "ceilings --config c.yaml --held-out h --session-auc s.tsv --out o --gaps g --figure f",
        {
            "study.study.load": STUDY_OF,
            "decoders.held_out.read": SimpleNamespace(decoder="d", split="split", target=RUN),
            "base.tables.read_table": None,
            "scores.ceiling_gaps.table": pd.DataFrame({"auc": [np.nan, np.nan]}),
        },
        "c.yaml: ceilings: no session has an AUC; see logs of hold_out",
    ),
    "chance: nothing": ("chance --auc a.tsv --out o", {}, ALL_THREE),
    "chance: shifts": ("chance --auc a.tsv --shifts 5 --out o", {}, ALL_THREE),
    "chance: shifts of nothing": (
        "chance --auc a.tsv --null n=d --shifts 5 --out o",
        {},
        ALL_THREE,
    ),
    "chance: predictions": (
        "chance --auc a.tsv --null n=d --predictions p --out o",
        {},
        ALL_THREE,
    ),
    "chance: null": ("chance --auc a.tsv --null n --out o", {}, "--null n: write NULL=DECODER"),
    "chance: null of nothing": (
        "chance --auc a.tsv --null n= --out o",
        {},
        "--null n=: write NULL=DECODER",
    ),
    "chance: table": (
        "chance --auc a.tsv --null n=d --out o",
        {
            "base.tables.read_table": None,
            "scores.chance_tests.permuted_labels": refuses("no n"),
        },
        "a.tsv: no n",
    ),
    "figures": (
        "figures --auc a.tsv --where x=y --out f",
        {"base.tables.read_scores": None, "scores.published_tests.select": refuses("no x")},
        "a.tsv: no x",
    ),
    "reproduction": (
        "reproduction --auc a.tsv --cohort c.tsv --decoder cnn model=CNN --out o --figure f",
        {"base.tables.read_table": None, "scores.reproduction.reproduce": refuses("no CNN")},
        "a.tsv: no CNN",
    ),
    "reproduction: rows": (
        "reproduction --auc a.tsv --cohort c.tsv --decoder cnn CNN --out o --figure f",
        {},
        "--decoder CNN: write COLUMN=VALUE",
    ),
    "control-signals: brain": (
        "control-signals --recordings r --brain-mask 1 2 3 --vessel-mask v --out o",
        {
            "recordings.recording.read_recordings": None,
            "recordings.recording.with_labels_of": two("a", "b"),
        },
        "--brain-mask: 3 files for 2 recordings; give one for all, or one each",
    ),
    "control-signals: vessels": (
        "control-signals --recordings r --vessel-mask 1 2 3 --out o",
        {
            "recordings.recording.read_recordings": None,
            "recordings.recording.with_labels_of": two("a", "b"),
        },
        "--vessel-mask: 3 files for 2 recordings; give one for all, or one each",
    ),
    "cohorts": (
        "cohorts --config c.yaml --auc a.tsv --out o --figure f",
        {"study.study.load": STUDY_OF},
        "c.yaml: no cohorts; name groups of mice in `cohorts:`",
    ),
    "quality": (
        "quality --decoder d --predictions p --allocations a.tsv --recordings r --out o "
        "--curves c --figure f",
        {
            "base.tables.read_table": pd.DataFrame({"allocation": ["x"]}),
            "decoders.predictions.read": SimpleNamespace(sessions=PREDICTED),
            "recordings.recording.read_recording": lambda path: range(7),
        },
        "p/d/x.h5: session s: frame 7 of a recording of 7 frames (from 0); make the predictions",
    ),
    "choose-variant: several": (
        "choose-variant --decoders d --predictions p --validation v --allocations a.tsv "
        "--recordings r --out o",
        {
            "base.tables.read_table": pd.DataFrame({"allocation": ["x"]}),
            "recordings.recording.read_recordings": [],
            "decoders.predictions.read": SimpleNamespace(test_mouse="a+b"),
        },
        "p/d/x.h5: tests a+b; a choice is of one test mouse",
    ),
    "choose-variant: recordings": (
        "choose-variant --decoders d --predictions p --validation v --allocations a.tsv "
        "--recordings r --out o",
        {
            "base.tables.read_table": pd.DataFrame({"allocation": ["x"]}),
            "recordings.recording.read_recordings": [],
            "decoders.predictions.read": SimpleNamespace(
                test_mouse="a",
                allocation="x",
                train_mice="c",
                valid_mouse="b",
                sessions=PREDICTED,
                target=RUN,
            ),
            "decoders.validation.read": {},
            "shift.measures.usual": {},
        },
        "p/d/x.h5: no recording of session e; give that too",
    ),
    "score: twice": (
        "score --predictions a.h5 b.h5 --out o --sessions s --figure f",
        {"decoders.predictions.read": SCORED, "scores.target_tables.tables": None},
        "b.h5: decoder and allocation are also in a.h5",
    ),
    "score: another target": (
        "score --predictions a.h5 b.h5 --out o --sessions s --figure f",
        {
            "decoders.predictions.read": lambda path, **_: SimpleNamespace(
                **vars(SCORED) | {"decoder": path, "target": OF_FILES[path]}
            ),
            "scores.target_tables.tables": None,
        },
        "b.h5: decodes gaze; needs predictions of one trace, or of the same states",
    ),
    "score: run": (
        "score --predictions a.h5 --out o --sessions s --figure f",
        {"decoders.predictions.read": SimpleNamespace(**vars(SCORED) | {"target": RUN})},
        "a.h5: decodes run; needs predictions of one trace, or of the same states",
    ),
    "adaptive": (
        f"{ADAPTIVE} --predictions p.h5 --of-validation v.h5",
        ADAPTIVE_READ,
        "--predictions: none of cnn, which c.tsv names; give all",
    ),
    "adaptive: one decoder": (
        f"{ADAPTIVE} --predictions p.h5 p.h5 --of-validation v.h5 w.h5",
        ADAPTIVE_READ,
        "--predictions: give one file of each decoder, all of one allocation",
    ),
    "adaptive: allocations": (
        f"{ADAPTIVE} --predictions p.h5 q.h5 --of-validation v.h5 w.h5",
        ADAPTIVE_READ,
        "--predictions: give one file of each decoder, all of one allocation",
    ),
    "adaptive: validation": (
        f"{ADAPTIVE} --predictions p.h5 --of-validation v.h5 w.h5",
        ADAPTIVE_READ,
        "--of-validation: 2 files for 1 of --predictions; give one for each, in the same order",
    ),
    "adaptive: validation of one": (
        f"{ADAPTIVE} --predictions p.h5 r.h5 --of-validation v.h5",
        ADAPTIVE_READ,
        "--of-validation: 1 files for 2 of --predictions; give one for each, in the same order",
    ),
    "sides: masks": (
        "sides --sessions s.tsv --masks m.tsv --out o --figure f",
        {
            "explain.cutout_tables.read_rows": None,
            "base.tables.read_table": None,
            "explain.sides.of_masks": [],
        },
        "m.tsv: no mask has its mirror image among the others",
    ),
    "align: more measures": (
        "align --recordings r.h5 --measures m.h5 n.h5 --landmarks l.tsv --atlas a.tif --out o",
        {},
        "1 recordings and 2 files of measures; give one for each recording, in the same order",
    ),
    "align: fewer measures": (
        "align --recordings r.h5 q.h5 --measures m.h5 --landmarks l.tsv --atlas a.tif --out o",
        {},
        "2 recordings and 1 files of measures; give one for each recording, in the same order",
    ),
    "align": (
        "align --recordings r.h5 --measures m.h5 --landmarks l.tsv --atlas a.tif --out o",
        {"recordings.qc.read_session": SimpleNamespace(settings={"binning": 2})},
        "r.h5: binned; areas are of movies as recorded, without binning",
    ),
} | {  # a table in JSON is refused by its own flag
    line.partition(" ")[0] + ": JSON": (
        f"{line} []",
        {
            "base.tables.read_table": {"allocation": ["x"]},
            "recordings.recording.read_recordings": [],
            "recordings.recording.target_of": PUPIL,
        },
        f"{line.split()[-1]}: no JSON table",
    )
    for line in (
        "common-areas --out o --recordings r.h5 --names",
        "harmonise --out o --recording r.h5 --names",
        "shift-report --shift s --images i --sessions n --out o --figure f --thresholds",
        "hold-out --arm own --train a --test b --decoder d --out o --settings",
        "shift --decoder d --models m --allocations a --recordings r --predictions p "
        "--validation v --out o --adapted",
    )
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_together_is_named(monkeypatch, name):
    assert_refused(monkeypatch, REFUSED[name])
