"""Rows of `test_calls.py`: verbs that train decoders, apply them and pass mice through them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from called import Known, Made, Row, Settings, shown
from mesodecode.cli import options
from mesodecode.study.allocation import Allocation


def recording(path: str | Path, mark: str = "", **more: Any) -> Made:
    """Return the stand-in of a recording FOLDER/FILE, of the mouse and session of these names."""
    path = Path(path)
    known = {
        "path": path,
        "mouse": path.parent.name,
        "session": path.stem,
        "name": "",
        "corrected": path.suffix == ".corrected",
        "digest": lambda: f"digest of {path}{mark}",
        "target": f"target of {path}",
        "labels": f"labels of {path}{mark}",
    }
    return Made(f"{path}{mark}", [], **known | more)


def maker(kind: str) -> Any:
    """Return what makes a network of a kind, in words."""

    def make(n: int, settings: Any) -> str:
        return f"{kind} of {n}, {shown(settings)}"

    make.__name__ = f"made {kind}"
    return make


READ = {  # recordings; =SESSION is whose labels they were given
    "recordings.recording.read_roles": lambda *roles: tuple(
        [recording(path) for path in role] for role in roles
    ),
    "recordings.recording.read_recordings": lambda paths: [recording(path) for path in paths],
    "recordings.recording.with_labels_of": lambda given, donors: [
        recording(one.path, f"={(donors or {}).get(one.session, one.session)}") for one in given
    ],
    "recordings.recording.frames_of": {"frame_rate": 15},
    "recordings.recording.is_corrected": lambda path: Path(path).suffix == ".corrected",
    "decoders.device.resolve_device": "device",
}
HISTORY = [SimpleNamespace(epoch=1), SimpleNamespace(epoch=2)]
settings_of = options.settings_of
TRAINED: dict[str, Any] = READ | {  # networks
    "cli.options.settings_of": lambda args, name: Settings(settings_of(args, name), name),
    "study.tuning.read": {"seed": 77},
    "decoders.objectives.trained_on": Known(settings=lambda: {"target": "speed"}),
    "decoders.weights.MADE_BY": {kind: maker(kind) for kind in ("cnn", "roi_rnn", "cnn_rnn")},
    "decoders.train.fit": Known(state="state", states=["s1", "s2"], history=HISTORY),
    "decoders.networks.rnn_decoder": maker("rnn"),
    "decoders.networks.cnn_rnn_decoder": maker("cnn_rnn"),
}
CLASSES = (
    "decoders.weights:Trained decoders.weights:TrainedEpochs decoders.checkpoint:Checkpoint "
    "study.targets:Target"
)
TRAINING = f"{CLASSES} study.protocols decoders.validation decoders.checkpoint running.provenance"
LOOP = (
    "--epochs 4 --batch-size 5 --max-lr 0.5 --frame-step 6 --seed 7 --early-stopping 8 "
    "--ema-decay 0.9 --precision mixed"
)
AUGMENTED = "--augment-shift 0.1 --augment-rotation 2 --augment-intensity 0.3"
COMPUTE = "--device cpu --threads 3"
KEPT = "--checkpoint k.pt --checkpoint-every 60"
OF_CNN = (
    f"{TRAINING} decoders.augment:Augment decoders.inputs:ImageWindows decoders.inputs:Images "
    "recordings.baseline decoders.train base.files:sha256"
)
FEATURES = {
    "decoders.feature_files.epochs_in": [2, 9],
    "decoders.feature_files.mice_in": lambda path, epoch=None: [f"{path.stem}1", f"{path.stem}2"],
    "decoders.feature_files.read_features": lambda path, mice=None, epoch=None: [
        recording(f"{mouse}/{path.stem}{epoch or ''}{path.suffix}") for mouse in mice or [path.stem]
    ],
    "decoders.feature_files.fingerprint": lambda one: f"fingerprint of {one}",
    "decoders.inputs.normalising_of": {"baseline": 20},
}

OBJECTIVE = Made("objective", [], settings=lambda: {"target": "speed"})


def network(n: int, valid: Any = ()) -> Made:
    """Return the stand-in of a CNN of two mice, at row `n` of all its epochs."""
    settings = {"backbone": f"backbone of {n}", "causal": "as the CNN is"}
    known = {"settings": settings, "train_mice": ("m1", "m2"), "valid_mice": valid}
    return Made(f"CNN {n}", [], state=f"state {n}", build=lambda: f"built {n}", **known)


FINETUNED = {
    "decoders.weights.load_epochs": Known(train_mice=("m1", "m2"), at=network),
    "decoders.weights.load_trained": lambda path, kind: network(0, ("m3",)),
    "decoders.weights.digest": lambda state: f"digest of {state}",
    "decoders.passed.Passed.read": lambda path: Made(path, [], mouse=Path(path).parent.name),
    "decoders.choose.chosen_epochs": [3, 8],
    "recordings.baseline.normalising": {"baseline": 20},
    "study.causality.check_start": None,
    "study.targets.Target.of_settings": OBJECTIVE,
    "decoders.objectives.trained_on": OBJECTIVE,
}
FINETUNING = OF_CNN.replace("study.targets:Target ", "").replace(" decoders.inputs:Images", "")
SIGNALS = {
    "recordings.roi_signals.session_signals": lambda given, settings: (
        [f"signals of {one}" for one in given],
        [4],
    ),
    "recordings.roi_signals.signals_of": lambda given, settings: [
        f"signals of {one} without {settings['dropped']}" for one in given
    ],
    "recordings.roi_signals.roi_names": ["left", "right"],
    "base.files.read_json": [5, 6],
    "decoders.roi_networks.fit": Known(state="state", states=["s1", "s2"], history=HISTORY),
    "recordings.recording.listed": lambda path: [path],
}
ROI_TRAINING = f"{TRAINING} decoders.roi_networks decoders.train"
FITTING = "dataclasses study.protocols decoders.validation"
LOADED = {
    "decoders.weights.load_trained": Known(
        settings={"roi_names": ["left", "right"], "half_window": 9}, valid_mice=("m3", "m4")
    ),
    "decoders.validation.allocated": Allocation(("m1",), ("m3",), ("m5", "m6")),
}
APPLIED = "decoders.validation study.protocols study.targets:Target"

# verb: what for -> flags, modules whose functions are stood in for, and what some return
VERBS: dict[str, Row] = {
    "train-cnn": (
        "--train m1/a m1/b m2/c --valid m3/d m3/e --out o.pt --history h.tsv --feed stream "
        f"--tuned t.json --labels-of a=b d=e --backbone resnet18.a1_in1k {KEPT} {COMPUTE} {LOOP}",
        OF_CNN,
        TRAINED,
    ),
    "train-cnn: alone": (
        f"--train m1/a m2/c --all-epochs e.pt --feed memory --pretrained file:w.pt {KEPT} "
        f"{AUGMENTED} --baseline 20 {LOOP}",
        OF_CNN,
        TRAINED,
    ),
    "train-rnn": (
        "--features f.h5 --train-mice m1 m2 --valid-mice m3 m4 --out o.pt --history h.tsv "
        f"--rnn gru --half-window 11 {KEPT} {COMPUTE} {LOOP}",
        f"{TRAINING} decoders.train decoders.inputs:Windows",
        TRAINED | FEATURES,
    ),
    "train-rnn: alone": (
        f"--features a.h5 b.h5 --all-epochs e.pt --rnn lstm --half-window 11 {KEPT} {LOOP}",
        f"{TRAINING} decoders.train decoders.inputs:Windows",
        TRAINED | FEATURES,
    ),
    "fetch-weights": (
        "--backbone resnet18.a1_in1k --out o.weights",
        "decoders.backbones study.schema",
        {},
    ),
    "finetune": (
        "--start s.pt --train m1/a m1/b m2/c --valid m3/d m3/e --out o.pt --history h.tsv "
        f"--feed stream --labels-of a=b d=e --rnn gru --half-window 2 --run-length 4 {KEPT} "
        f"{COMPUTE} {LOOP}",
        FINETUNING,
        TRAINED | FINETUNED,
    ),
    "finetune: alone": (
        "--start s.pt --chosen-by m3/p,m4/p m5/p --train m1/a m2/c --all-epochs e.pt --feed memory "
        f"--rnn lstm --causal --half-window 2 {KEPT} {AUGMENTED} {LOOP}",
        FINETUNING,
        TRAINED | FINETUNED,
    ),
    "train-roi": (
        "--train m1/a m1/b m2/c --valid m3/d m3/e.corrected --test m4/f m4/g --decoder d "
        "--out o.pt --history h.tsv --predictions p.h5 --validation v.h5 --dropped x.json "
        f"--tuned t.json --labels-of a=b d=e f=g --rnn gru {KEPT} {COMPUTE} {LOOP}",
        ROI_TRAINING,
        TRAINED | SIGNALS,
    ),
    "train-roi: only tested": (
        "--train m1/a m2/c.corrected --valid m3/d --test m4/f m4/g.corrected --decoder d "
        "--out o.pt --history h.tsv --predictions p.h5 --rnn lstm",
        ROI_TRAINING,
        TRAINED | SIGNALS,
    ),
    "train-roi: alone": (
        f"--train m1/a m2/c --all-epochs e.pt --dropped x.json --rnn lstm {KEPT} --shift 2",
        ROI_TRAINING,
        TRAINED | SIGNALS,
    ),
    "fit-roi": (
        "--train m1/a m2/b --valid m3/c m4/d.corrected --test m5/e m6/f --decoder d --out o.joblib "
        "--predictions p.h5 --validation v.h5 --dropped x.json --tuned t.json --labels-of a=a f=f "
        "--model linear_svm",
        f"{FITTING} decoders.fitted.roi_classical",
        TRAINED | SIGNALS,
    ),
    "fit-roi: only tested": (
        "--train m1/a m2/b.corrected --valid-mice m3 m4 --test m5/e m6/f.corrected --out o.joblib "
        "--predictions p.h5 --model linear_svm",
        f"{FITTING} decoders.fitted.roi_classical",
        TRAINED | SIGNALS,
    ),
    "fit-roi: alone": (
        "--train m1/a m2/b --alone e.joblib --dropped x.json --tuned t.json --labels-of b=b "
        "--model linear_svm --shift 2",
        f"{FITTING} decoders.fitted.roi_classical",
        TRAINED | SIGNALS,
    ),
    "fit-linear": (
        "--train m1/a m2/b --valid m3/c m4/d --test m5/e m6/f.corrected --decoder d --out o.npz "
        "--predictions p.h5 --validation v.h5 --tuned t.json --labels-of a=a f=f",
        f"{FITTING} decoders.fitted.linear",
        TRAINED,
    ),
    "fit-linear: alone": (
        "--train m1/a m2/b --alone e.npz --labels-of b=b",
        f"{FITTING} decoders.fitted.linear",
        TRAINED,
    ),
    "predict-rois": (
        "--weights w.pt --recordings m3/a.corrected m5/b m6/c --decoder d --out o "
        f"--validation v --labels-of b=b {COMPUTE}",
        f"{APPLIED} recordings.roi_signals decoders.roi_networks",
        READ | LOADED,
    ),
    "predict-rois: only tested": (
        "--weights w.pt --recordings m5/b m6/c.corrected --decoder d --out o",
        f"{APPLIED} recordings.roi_signals decoders.roi_networks",
        READ | LOADED,
    ),
    "predict": (
        "--weights w.pt --recordings m3/a.corrected m5/b m6/c --decoder d --out o "
        f"--validation v --labels-of b=b {COMPUTE}",
        f"{APPLIED} decoders.predict",
        READ | LOADED,
    ),
    "predict: features": (
        "--weights w.pt --features f.h5 --test-mice m6 m5 --decoder d --out o --validation v",
        f"{APPLIED} decoders.predict",
        READ | LOADED | FEATURES,
    ),
    "predict: features of test mice": (
        "--weights w.pt --features f.corrected --test-mice m5 m6 --decoder d --out o",
        f"{APPLIED} decoders.predict",
        READ | LOADED | FEATURES,
    ),
    "average": (
        "--predictions b.h5 a.h5 --decoder d --out o --validation v --of-validation d.h5 c.h5",
        "decoders.average decoders.validation",
        {},
    ),
    "average: no validation": (
        "--predictions b.h5 a.h5 --decoder d --out o",
        "decoders.average decoders.validation",
        {},
    ),
}
