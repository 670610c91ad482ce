"""What verbs of decoders refuse: flags that need each other, and files that do not fit."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from mesodecode.study.targets import RUN
from refusing import PUPIL, assert_refused, refuses, two

TRAINED = SimpleNamespace(
    **{"train_mice": ("a",), "valid_mice": ("b",), "kind": "cnn", "target": RUN},
    **{"settings": {"causal": False, "backbone": "x"}, "mouse": "a"},
    allocate=lambda mice: SimpleNamespace(test=mice),
)


def by_path(paths, **_):
    """Return a stand-in for a recording of each path, of the mouse that it is named by."""
    return [SimpleNamespace(mouse=path.stem, path=path) for path in paths]


KEPT = SimpleNamespace(settings={"frame_step": 3}, epoch=1)
ADAPT = (
    "adapt --weights w.pt --train a.h5 --valid b.h5 --test c.h5 --decoder d --out o --validation v"
)
ADAPT_READ = {
    "decoders.applied.load": TRAINED,
    "decoders.validation.check_alike": None,
    "study.adaptation.check": None,
    "recordings.recording.with_labels_of": lambda found, _: found,
}
FINETUNE = "finetune --start s.pt --train a.h5 --valid b.h5 --out o --history h"

# line, what stands in for files (function -> its value), what is said
REFUSED = {
    "fit-linear": (
        "fit-linear --train a.h5 --test c.h5 --predictions p --out o",
        {},
        "--valid or --valid-mice: needed, one of them",
    ),
    "fit-linear: both": (
        "fit-linear --train a.h5 --valid b.h5 --valid-mice b --test c.h5 --predictions p --out o",
        {},
        "--valid or --valid-mice: needed, one of them",
    ),
    "predict": (
        "predict --weights w.pt --recordings c.h5 --test-mice c --decoder d --out o",
        {},
        "--test-mice chooses from --features; leave it out with --recordings",
    ),
    "hold-out: no network": (
        "hold-out --arm own --train a.h5 --valid b.h5 --test c.h5 --decoder d --out o "
        '--settings {"model":"logistic_regression"}',
        {
            "recordings.recording.read_roles": [
                [SimpleNamespace(mouse="a", session=name)] for name in "bcd"
            ],
        },
        "--valid: a linear decoder of pixels chooses nothing by them; leave them out",
    ),
    "average: validation alone": (
        "average --predictions a b --decoder d --validation v --out o",
        {},
        "--validation: goes with --of-validation, the files that are averaged",
    ),
    "average": (
        "average --predictions a b --decoder d --of-validation v w --out o",
        {},
        "--validation: goes with --of-validation, the files that are averaged",
    ),
    "train-roi: alone": (
        "train-roi --rnn gru --train a.h5 --all-epochs o --validation v",
        {},
        "--all-epochs: reads training mice alone; leave out --validation",
    ),
    "fit-linear: alone": (
        "fit-linear --train a.h5 --alone o --valid-mice b",
        {},
        "--alone: reads training mice alone; leave out --valid-mice",
    ),
    "pass-images": (
        "pass-images --trained t.pt --recordings r.h5 --out o",
        {
            "decoders.weights.load_epochs": TRAINED,
            "recordings.recording.read_recordings": two("c", "d"),
            "cli.decoders._label_donors.exchange": lambda found, _: found,
        },
        "--recordings: of mice c, d; give those of one mouse",
    ),
    "choose: predictions": (
        "choose --trained t.pt --valid v.h5 --test t.h5 --out o --history h",
        {},
        "--test, --predictions and --decoder: give all three, or none",
    ),
    "choose: decoder": (
        "choose --trained t.pt --valid v.h5 --test t.h5 --predictions p --out o --history h",
        {},
        "--test, --predictions and --decoder: give all three, or none",
    ),
    "choose: test": (
        "choose --trained t.pt --valid v.h5 --predictions p --decoder d --out o --history h",
        {},
        "--test, --predictions and --decoder: give all three, or none",
    ),
    "choose: a name": (
        "choose --trained t.pt --valid v.h5 --decoder d --out o --history h",
        {},
        "--test, --predictions and --decoder: give all three, or none",
    ),
    "choose: validation": (
        "choose --trained t.pt --valid v.h5 --validation v --out o --history h",
        {},
        "--validation: goes with --predictions; leave it out",
    ),
    "choose: steps": (
        "choose --trained t.pt --valid v.h5 --test t.h5 --predictions p --decoder d --out o "
        "--history h",
        {"decoders.passed.Passed.read": SimpleNamespace(), "decoders.choose.kept": KEPT},
        "t.pt: looked at every 3. frame; predict with its weights instead",
    ),
    "adapt: mice": (
        ADAPT,
        ADAPT_READ | {"recordings.recording.read_recordings": two("a", "b")},
        "--train: give recordings of mouse a, and no others",
    ),
    "adapt: weights": (
        f"{ADAPT} --normalise past --adapted-weights k.pt",
        ADAPT_READ | {"recordings.recording.read_recordings": by_path},
        "--adapted-weights: normalise are not in weights; leave it out, or fine-tune only",
    ),
    **{
        f"adapt: {what}": (
            f"{ADAPT} --adapted-weights k.pt {more}".replace("w.pt", weights),
            ADAPT_READ | {"recordings.recording.read_recordings": by_path},
            "--adapted-weights: one network (.pt) of one mouse; leave it out, or fine-tune only",
        )
        for what, weights, more in (
            ("two mice", "w.pt", "--test c.h5 d.h5"),
            ("no network", "w.joblib", ""),
            ("a CNN beside", "w.pt", "--cnn n.pt"),
        )
    },
    "hold-out: epoch": (
        "hold-out --arm own --train a.h5 --test c.h5 --decoder d --out o "
        '--settings {"input":"rois","rnn":"gru"}',
        {
            "recordings.recording.read_roles": [
                [SimpleNamespace(mouse="a", session="b")],
                [],
                [SimpleNamespace(mouse="a", session="d")],
            ],
        },
        "--valid: needed, as a network chooses its epoch by them",
    ),
    "hold-out": (
        "hold-out --arm own --train a.h5 --valid b.h5 --test c.h5 --decoder d --out o "
        '--settings {"input":"rois","rnn":"gru"}',
        {
            "recordings.recording.read_roles": [
                [SimpleNamespace(mouse="a", session=s, path=s, target=RUN, labels=np.arange(2))]
                for s in "bcd"
            ],
            "recordings.recording.with_labels_of": lambda role, _: role,
            "recordings.same_frames.check_apart": None,
            "decoders.one_step.fit": refuses("no window"),
        },
        "own.test-d: no window",
    ),
    "extract": (
        "extract --trained t.pt --chosen-by v.h5 --recordings r.h5 --features f",
        {"decoders.weights.load_epochs": TRAINED, "decoders.passed.Passed.read": TRAINED},
        "v.h5: of mouse a, which the CNN was trained on",
    ),
    "extract: epochs of weights": (
        "extract --weights w.pt --chosen-by v.h5 --recordings r.h5 --features f",
        {},
        "--chosen-by: weights have no epochs; leave it out, or give --trained",
    ),
    "finetune: epochs of weights": (
        f"{FINETUNE} --rnn gru --chosen-by v.h5",
        {},
        "--chosen-by: goes with --all-epochs; leave it out",
    ),
    **{
        f"finetune: {train} and {valid}": (
            f"{FINETUNE} --rnn gru",
            {
                "cli.decoders.finetune.starts_of": {None: TRAINED},
                "cli.decoders._label_donors.read_roles": [[*train], [*valid]],
                "recordings.recording.mice_of": lambda role: tuple(role),
            },
            "s.pt: trained on a and validated on b; --train and --valid must hold the same mice",
        )
        for train, valid in (("b", "a"), ("a", "c"), ("c", "b"), ("ac", "b"), ("a", "bc"))
    },
    "finetune: mice of a training without validation": (
        f"{FINETUNE} --rnn gru",
        {
            "cli.decoders.finetune.starts_of": {
                None: SimpleNamespace(train_mice=("a", "c"), valid_mice=())
            },
            "cli.decoders._label_donors.read_roles": [["a"], []],
            "recordings.recording.mice_of": lambda role: tuple(role),
        },
        "s.pt: trained on a+c; --train and --valid must hold the same mice",
    ),
    "finetune": (
        f"{FINETUNE} --rnn gru",
        {
            "cli.decoders.finetune.starts_of": {None: TRAINED},
            "cli.decoders._label_donors.read_roles": [["a"], ["b"]],
            "recordings.recording.mice_of": lambda role: tuple(role),
            "recordings.baseline.normalising": {},
            "decoders.objectives.trained_on": PUPIL,
        },
        "s.pt: of another target than the recordings (pupil)",
    ),
    "stack-roi": (
        "stack-roi --recordings r.h5 --sets a+b --decoders d --rnn gru --out o",
        {
            "recordings.recording.read_recordings": two("a"),
            "recordings.recording.target_of": PUPIL,
        },
        "stack-roi: of run and rest only, not of pupil; take train-roi",
    ),
    "stack-roi: seed": (
        "stack-roi --recordings r.h5 --sets a+b --decoders d e=x --rnn gru --out o",
        {},
        "--decoders e=x: write NAME=SEED, a whole number from 0",
    ),
    "stack-roi: labels of another": (
        "stack-roi --recordings r.h5 --sets a+b --decoders d --labels-of e:1=2 --rnn gru --out o",
        {},
        "--labels-of e:1=2: needs NAME:SESSION=OTHER, a name of --decoders",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_together_is_named(monkeypatch, name):
    assert_refused(monkeypatch, REFUSED[name])
