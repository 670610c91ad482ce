"""Verbs that pass mice through trainings of others, and give allocations what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from called import TABLES, Known, Made, Row
from called.decoders import (
    COMPUTE,
    FEATURES,
    FINETUNED,
    HISTORY,
    KEPT,
    READ,
    SIGNALS,
    TRAINED,
    TRAINING,
    recording,
)
from mesodecode.study.targets import RUN


def marked(mark: str) -> Callable[..., list[Made]]:
    """Return what hands recordings on, each with a mark."""
    return lambda given, settings: [recording(one.path, mark) for one in given]


PASSED = {
    "decoders.passed.Passed.read": lambda path: Made(
        str(path), [], mouse=Path(path).parent.name, corrected=Path(path).suffix == ".corrected"
    ),
    "decoders.choose.kept": Known(train_mice=("m1", "m2"), settings={"frame_step": 1}),
    "decoders.fitted_files.load": Known(train_mice=("m1", "m2"), settings={"normalise": "dff"}),
}
CHOSEN = "study.protocols study.targets:Target decoders.validation decoders.passed"
EPOCHS = READ | {
    "decoders.weights.load_epochs": Known(
        train_mice=("m1", "m2"),
        starts=[2, 9],
        settings={"half_window": 9, "roi_names": ["left", "right"]},
    ),
    "decoders.pass_mice.pass_starts": lambda trained, sources, device: sources(7),
    "decoders.pass_mice.pass_sessions": lambda trained, sources, device: sources,
    "decoders.fitted_files.load": Known(
        train_mice=("m1", "m2"), settings={"roi_names": ["left", "right"]}
    ),
    "base.windows.tell_short": None,
}
PASSING = "decoders.passed decoders.passed:Passed decoders.validation recordings.roi_signals"
ROI_SETTINGS = "--rnn gru --frame-step 3 --label-smoothing 0.1 --early-stopping 4 --seed 9"

# verb: what for -> flags, modules whose functions are stood in for, and what some return
VERBS: dict[str, Row] = {
    "choose": (
        "--trained t.pt --valid m3/a m4/b.corrected --test m5/c m6/d --decoder d --out o.pt "
        "--start-epoch 8 --epoch e --history h.tsv --predictions p.h5 --validation v.h5",
        f"{CHOSEN} base.files:write_text",
        PASSED,
    ),
    "choose: nothing predicted": (
        "--trained t.pt --valid m3/a m4/b --out o.pt --history h.tsv",
        CHOSEN,
        PASSED,
    ),
    "choose: only tested": (
        "--trained t.pt --valid m3/a --test m5/c m6/d.corrected --decoder d --out o.pt "
        "--history h.tsv --predictions p.h5",
        CHOSEN,
        PASSED,
    ),
    "keep-fitted": (
        "--trained t.npz --valid m3/a m4/b --test m5/c m6/d.corrected --decoder d --out o.npz "
        "--predictions p.h5 --validation v.h5",
        f"dataclasses {CHOSEN}",
        PASSED,
    ),
    "choose-roi": (
        "--stack s.pt --train-mice m1 m2 --valid m3/a m3/b.corrected --test m4/c m5/d --decoder d "
        "--predictions p.h5 --validation v.h5 --labels-of b=a --out o.pt --history h.tsv "
        f"{COMPUTE} {ROI_SETTINGS}",
        f"{TRAINING} decoders.roi_networks decoders.train",
        TRAINED
        | SIGNALS
        | {
            "decoders.roi_stack.read": (Made("kept", [], state=lambda at: at), {"frame_rate": 15}),
            "decoders.roi_stack.best_epoch": Known(state="best", history=HISTORY),
        },
    ),
    "stack-roi": (
        "--recordings m1/a m1/b m2/c m3/d --sets m1+m2 m1+m3 --decoders gru gru_null=5 "
        f"--labels-of gru_null:a=b --out o.pt {KEPT} {COMPUTE} --rnn gru --seed 9",
        TRAINING,
        TRAINED
        | SIGNALS
        | {
            "recordings.recording.target_of": RUN,
            "decoders.roi_stack.fit": "kept",
            "decoders.roi_stack.write": None,
        },
    ),
    "dropped-rois": (
        "--recordings m1/a m2/b --rois 3 1 --normalise dff --out o.json",
        "base.files:write_text",
        READ | {"recordings.roi_signals.dropped_rois": [1, 3]},
    ),
    "extract": (
        f"--weights w.pt --recordings m1/a m1/b --labels-of a=b --features f.h5 {COMPUTE}",
        "decoders.extraction",
        READ | FINETUNED | {"recordings.recording.check_frames": None},
    ),
    "extract: epochs": (
        "--trained t.pt --chosen-by m3/p,m4/p m5/p --recordings m1/a m2/b --features f.h5",
        "decoders.extraction",
        READ | FINETUNED | {"recordings.recording.check_frames": None},
    ),
    "join-features": (
        "--features b.h5 a.h5 --epoch 4 --seen m1 m2 --out o.h5",
        "decoders.feature_files",
        {},
    ),
    "pass-features": (
        f"--trained t.pt --features f.h5 --out o {COMPUTE}",
        f"{PASSING} decoders.inputs:Windows",
        EPOCHS | FEATURES,
    ),
    "pass-images": (
        f"--trained t.pt --recordings m3/a m3/b.corrected --labels-of a=b --out o {COMPUTE}",
        f"{PASSING} decoders.inputs:ImageWindows recordings.baseline",
        EPOCHS | {"recordings.baseline.prepared": marked(" prepared")},
    ),
    "pass-signals": (
        f"--trained t.pt --recordings m3/a.corrected m3/b --labels-of a=b --out o {COMPUTE}",
        f"{PASSING} decoders.roi_networks",
        EPOCHS | {"recordings.roi_signals.signals_of": marked(" signals")},
    ),
    "pass-signals: fitted": (
        f"--trained t.joblib --recordings m3/a m3/b --labels-of a=b --out o {COMPUTE}",
        PASSING,
        EPOCHS | {"decoders.passed.of_fitted": {"a": Made("of a", [], frame=[1, 2, 3])}},
    ),
    "pass-pixels": (
        "--trained t.npz --recordings m3/a m3/b --labels-of a=b --out o",
        PASSING,
        EPOCHS | {"decoders.passed.of_fitted": {"a": Made("of a", [], frame=[1, 2, 3])}},
    ),
    "losses": (
        "--models models --decoders d2 d1 --allocations t.tsv --out f_",
        f"{TABLES} decoders.loss_figure",
        {"cli.decoders.losses.read_histories": lambda folder, allocations: f"those in {folder}"},
    ),
}
