"""Verbs that adapt decoders, tune them, hold out sessions, decode a camera, sum up runs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from called import Known, Made, Row
from called.decoders import COMPUTE, READ, TRAINED, recording
from mesodecode.study.allocation import Allocation
from mesodecode.study.targets import KINDS

DECODER = {
    "train_mice": ("m1", "m2"),
    "valid_mice": ("m3",),
    "target": "target",
    "decoder": "decoder",
    "settings": {"half_window": 9},
    "allocate": lambda mice: Allocation(("m1", "m2"), ("m3",), tuple(mice)),
}
ADAPTED = (
    TRAINED
    | READ
    | {
        "study.adaptation.check": None,
        "decoders.adapt.adapted.predictions_of": lambda made, mine, target: {
            one.session: f"{made} of {one}" for one in mine
        },
        "decoders.weights.load_trained": Known(),
    }
)
ADAPTING = "decoders.adapt.adapted decoders.validation study.protocols"


def trained(kind: str) -> dict[str, Any]:
    """Return what applying a decoder of a kind reads."""
    return ADAPTED | {"decoders.applied.load": Known(DECODER, kind=kind)}


def held_out(*given: Any) -> Any:
    """Return what predicts sessions after a training, in words, and what is not asked for."""
    return lambda tested: {one.session: Made(f"said of {one}", [], frame=[1]) for one in tested}, 0


HELD_OUT = READ | {
    "recordings.recording.target_of": Known(),
    "base.files.read_json": [5, 6],
    "cli.decoders.hold_out._unlearnt": "",  # it learnt
    "decoders.one_step.fit": held_out,
}
SPEED = Made("speed", [], kind=KINDS["regression"], attributes=lambda: {"unit": "cm/s"})
TUNED = Known(
    config={"tune": {"d": {"trials": 3}, "e": {"trials": 4}}},
    allocations={
        "A": Allocation(("m3",), ("m4",), ("m1", "m2")),
        "B": Allocation(("m4",), ("m3",), ("m2", "m1")),
        "C": Allocation(("m2",), ("m3",), ("m1",)),
    },
    decoders={
        "d": Made("d", [], kind="kind of d", settings={"input": "rois", "pretrained": "imagenet"}),
        "e": Made("e", [], kind="kind of e", settings={"pretrained": "none"}),
    },
    label_donors=lambda name: {name: "donor"},
)
STUDY = Known(
    config={
        "shift": {"decoders": ["s1", "s2"]},
        "importance": {"i1": {"blocks": 1}, "i2": {"blocks": 3}, "i3": {}},
        "comparisons": {"c1": {}},
        "confounds": {"decoders": ["s1"]},
        "target": "run",
    },
    allocations={"A": Allocation(("m1",), ("m2",), ("m3", "m4"))},
    mouse_of={"session": "m1"},
    mice=["m1", "m2"],
    decoders={"d1": {}, "d2": {}},
    trainings=lambda name: [f"{name} on m1", f"{name} on m2"],
    ceilings={"within": ["w1"], "across": ["w2"]},
    variants={"v1": {}},
)

# verb: what for -> flags, modules whose functions are stood in for, and what some return
VERBS: dict[str, Row] = {
    "adapt": (
        "--weights w.pt --cnn c.pt --train m1/a m2/b --valid m3/c.corrected --test m4/d m5/e "
        f"--decoder d --out o --validation v --normalise past --warm-up 2 --seed 9 {COMPUTE}",
        ADAPTING,
        trained("cnn_rnn"),
    ),
    "adapt: kept": (
        "--weights w.pt --train m1/a m2/b --valid m3/c --test m5/d m5/e.corrected --decoder d "
        "--out o --validation v --adapted-weights n.pt --few-shot 2 --finetune all --passes 3",
        ADAPTING,
        trained("roi_rnn"),
    ),
    "hold-out": (
        "--arm own --train m1/a m1/b --test m1/c --decoder d --dropped x.json --out o "
        f'--settings {{"model":"logistic_regression","input":"rois"}} {COMPUTE}',
        "recordings.same_frames decoders.held_out:HeldOut",
        HELD_OUT,
    ),
    "hold-out: of images": (
        "--arm own --train m1/a m1/b --test m1/c --decoder d --out o "
        '--settings {"model":"logistic_regression","pixels":8}',
        "recordings.same_frames decoders.held_out:HeldOut",
        HELD_OUT,
    ),
    "hold-out: network": (
        "--arm others_equal --train m2/a m3/b --valid m4/d m5/e --test m1/c --decoder d --out o "
        '--settings {"rnn":"gru","input":"rois","epochs":4}',
        "recordings.same_frames decoders.held_out:HeldOut",
        HELD_OUT,
    ),
    "tune": (
        "--config c.yaml --decoder d --test-mice m2 m1 --recordings m3/a m4/b --out o.json "
        f"--trials-table t.tsv --pretrained w.pt --storage s.journal {COMPUTE}",
        "base.tables decoders.tune running.provenance base.files",
        READ
        | {
            "study.study.load": TUNED,
            "base.files.atomic_path": lambda path: nullcontext(f"part of {path}"),
            "recordings.recording.with_labels_of": lambda given, donors: [
                recording(one.path, f" of {donors}", target=SPEED) for one in given
            ],
        },
    ),
    "tune: of images": (
        "--config c.yaml --decoder e --test-mice m1 --recordings m2/a m3/b --out o.json "
        "--trials-table t.tsv",
        "base.tables decoders.tune running.provenance base.files",
        READ
        | {
            "study.study.load": TUNED,
            "recordings.recording.with_labels_of": lambda given, donors: [
                recording(one.path, target=SPEED) for one in given
            ],
            "base.files.atomic_path": lambda path: nullcontext(f"part of {path}"),
        },
    ),
    "live": (
        "--weights rnn.pt cnn.pt --source s.tif --out o --timeout 3 --channels 2 --rate 30",
        "live.setting_up",
        TRAINED | {"live.frame_sources.Feed": lambda opened, timeout: nullcontext("feed")},
    ),
    "runtimes": (
        "--config c.json --benchmarks b --efficiency e.csv --out o",
        "running.runtimes study.config_file",
        {"encoding.study.is_encoding": False, "study.study.resolve": STUDY},
    ),
    "runtimes: of an encoding study": (
        "--config c.json --benchmarks b --out o",
        "running.runtimes study.config_file encoding.study",
        {"encoding.study.is_encoding": True},
    ),
}
