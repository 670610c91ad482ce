"""What is given to a flag of a verb arrives where it is meant, under the right name."""

from __future__ import annotations

import inspect
import os
import pkgutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest

from mesodecode import cli
from mesodecode.decoders.applied import SignalDecoder
from mesodecode.running import job_progress
from mesodecode.study.targets import KINDS, RUN, Target


class Reached(Exception):
    """The function that a verb does its work by was called."""


def arguments(monkeypatch, line: str, target: str, stubs: dict[str, Any]) -> dict[str, Any]:
    """Run a verb until it calls `target`; return the arguments of that call by name.

    `stubs` stand in for functions that need files: a function, a value to return, or None for
    an object that says in `made_of` what the function was called with first.
    """
    real = pkgutil.resolve_name(target)
    signature = inspect.signature(real)

    def reach(*args, **kwargs):
        raise Reached(signature.bind(*args, **kwargs))

    if isinstance(real, type):  # a class still, for annotations of what is imported later
        stand_in = type(real.__name__, (), {"__new__": lambda _, *args, **kw: reach(*args, **kw)})
    else:
        stand_in = reach

    def make(*args, **_):
        return mock.MagicMock(made_of=args[0])

    for name, stub in stubs.items():
        stub = make if stub is None else stub if callable(stub) else mock.Mock(return_value=stub)
        monkeypatch.setattr(name, stub)
    monkeypatch.setattr(target, stand_in)
    words = line.split()
    args = cli.parser(words[:1]).parse_args(words)
    with pytest.raises(Reached) as reached:
        args.run(args)
    found = dict(reached.value.args[0].arguments)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            found |= found.pop(parameter.name, {})
    return found


def plain(value: Any) -> Any:
    """Return a value, or the file that a stub made it of."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return getattr(value, "made_of", value)


def of(*names: str) -> dict[str, None]:
    """Return stubs of functions of the package."""
    return {f"mesodecode.{name}": None for name in names}


def recording(mouse: str, session: str) -> SimpleNamespace:
    known = {"mouse": mouse, "session": session, "path": session, "target": RUN}
    return SimpleNamespace(**known, made_of=session, labels=np.array([0, 1]))


def named(path: Path) -> SimpleNamespace:
    return SimpleNamespace(session=str(path), made_of=path)


ROLES = [[recording("a", "a1")], [recording("a", "a3")], [recording("a", "a2")]]
SHAP = of(
    "explain.shap_files.read",
    "explain.shap_tables.mean_map",
    "explain.shap_tables.roi_table",
    "explain.shap_tables.common_rate",
    "explain.shap_figure.draw",
    "explain.shap_figure.caption",
    "base.plots.save",
    "base.tables.write_table",
    "recordings.recording.read_recording",
)
CUTOUT = of(
    "recordings.recording.read_recording",
    "explain.cutout_tables.read_rows",
    "explain.cutout_masks.masks_of",
    "explain.cutout_tables.mask_table",
    "explain.cutout_tables.allocation_scores",
)
LIVE_MEMBER = mock.Mock(decoder=mock.Mock(spec=SignalDecoder), settings={"roi_names": ["V1", "M2"]})
LIVE = {
    "mesodecode.live.setting_up.open_members": [LIVE_MEMBER],
    "mesodecode.live.setting_up.open_source": mock.NonCallableMock(recording=None),
}
RESPONSES = of("encoding.readers.read_session", "encoding.responses.make_responses") | {
    "mesodecode.encoding.responses.write_responses": None,
    "mesodecode.running.fingerprints.Watched.fingerprints": None,
}
CEILINGS = of("base.tables.read_table", "scores.ceiling_gaps.gaps")
CEILINGS |= of("base.plots.save", "scores.ceilings_figure.draw", "scores.ceilings_figure.caption")
CEILINGS |= {
    "mesodecode.study.study.load": SimpleNamespace(
        ceilings={"cnn": {"own": "split"}}, mice="mice", dates="dates", config={"target": "pupil"}
    ),
    "mesodecode.decoders.held_out.read": lambda path: SimpleNamespace(
        decoder="cnn", split="split", made_of=path, target=Target("pupil")
    ),
}
TUNE = of("decoders.tune.scorer", "decoders.tune.splits_of", "recordings.recording.read_recordings")
TUNE |= of("recordings.recording.with_labels_of") | {
    "mesodecode.study.study.load": SimpleNamespace(
        config={"tune": {"cnn": {"trials": 3}}},
        allocations={"x": SimpleNamespace(test=("m1",), id="x")},
        decoders={"cnn": SimpleNamespace(settings={"pretrained": "none"}, kind="kind")},
        label_donors=lambda decoder: [],
    ),
    "mesodecode.recordings.recording.mice_of": ["m2"],
    "mesodecode.cli.decoders._training.fingerprint": [],
    "mesodecode.base.files.sha256": lambda path: f"bytes of {path}",
}

SIZED = [[SimpleNamespace(mouse=m, shape=(9, 4, 4), frame_rate=30.0)] for m in "ab"]
TRAINING = {
    "mesodecode.decoders.objectives.trained_on": RUN,
    "mesodecode.cli.decoders._training.fingerprint": [],
}
NETWORK = ("settings", "device", "data", "split")
PIXELS = {
    "mesodecode.explain.pixel_shap.read_inputs": lambda weights, cnn, test, background, device: (
        weights,
        test,
        background,
    )
}

INPUTS = {"mesodecode.explain.shap_maps.read_inputs": lambda *paths: paths}
APPLIED = of("cli.decoders._label_donors.exchange", "recordings.recording.read_recordings") | {
    "mesodecode.recordings.baseline.prepared": lambda recordings, _: ["r"],
    "mesodecode.explain.cutout_scores.load_decoder": mock.Mock(),
}
SELECTED = {
    "mesodecode.base.tables.read_scores": lambda path, metric, *_: (str(path), metric),
    "mesodecode.scores.published_tests.select": lambda table, where: (table, where),
}
HIDDEN = {"fill": "blur", "blur_sigma": 0.25, "half_window": 2, "device": "cuda", "target": RUN}
HIDING = APPLIED | {
    "mesodecode.decoders.device.resolve_device": "cuda",
    "mesodecode.recordings.baseline.prepared": lambda recordings, _: [
        SimpleNamespace(shape=(9, 8, 8), labels=np.array([0, 1]), session="s", made_of="r")
    ],
    "mesodecode.explain.cutout_scores.load_decoder": SimpleNamespace(
        **{"network": "net", "half_window": 2, "normalising": {}, "target": RUN},
        allocation=SimpleNamespace(id="x", test=("m",)),
    ),
    "mesodecode.explain.cutout.frames_used": ([0, 1], 2),
    "mesodecode.explain.cutout_scores.in_use": "net",
}
NETWORKS = {"mesodecode.cli.encoding._data.of_network": ({}, ("cuda", 3), "data", "split")}
# verbs that compute: line, function that is told the device, what stands in for files
DEVICES = {
    "shap": (
        "--weights w --recordings r --background-recordings b --decoder d --out o",
        "explain.shap_maps.shap_map",
        INPUTS,
    ),
    "shap-check": (
        "--weights w --recordings r --background-recordings b --maps m --out o",
        "explain.map_check.check_shap",
        INPUTS | {"mesodecode.explain.maps.read_whole": ("maps", "signed")},
    ),
    "cutout": (
        "--weights w --recordings r --decoder d --masks squares --out o",
        "explain.cutout_scores.score_sessions",
        APPLIED,
    ),
    "cutout: decoder": (
        "--weights w --recordings r --decoder d --masks squares --out o",
        "explain.cutout_scores.load_decoder",
        APPLIED,
    ),
    "cutout-check": (
        "--weights w --recordings r --masks squares --maps m --out o",
        "explain.map_check.check_cutout",
        APPLIED
        | of("explain.cutout_masks.masks_of")
        | {"mesodecode.explain.maps.read_cutout": ("maps", "signed")},
    ),
    "cutout-check: decoder": (
        "--weights w --recordings r --masks squares --maps m --out o",
        "explain.cutout_scores.load_decoder",
        APPLIED,
    ),
    "diagnose": (
        "--responses r --folds 4 --fold f --out o",
        "encoding.diagnose.diagnose",
        NETWORKS,
    ),
    "train-encoding": (
        "--responses r --folds 4 --fold f --out o --weights w --history h",
        "encoding.train.train_network",
        NETWORKS | {"mesodecode.base.files.sha256": str},
    ),
    "pass-images": (
        "--trained t --recordings r --out o",
        "decoders.pass_mice.pass_sessions",
        of("decoders.weights.load_epochs", "cli.decoders._passing.read")
        | {
            "mesodecode.recordings.baseline.prepared": [SimpleNamespace(session="s")],
            "mesodecode.decoders.inputs.images_read": lambda _: lambda _, device: device,
        },
    ),
    "train-cnn": (
        "--train a --valid b --out o --history h",
        "decoders.train.fit",
        TRAINING
        | {"mesodecode.cli.decoders._label_donors.read_roles": lambda *_, **__: SIZED}
        | {"mesodecode.cli.decoders._training.image_sets": [1, 2]},
    ),
    "train-cnn: images": (
        "--train a --valid b --out o --history h",
        "cli.decoders._training.image_sets",
        TRAINING | {"mesodecode.cli.decoders._label_donors.read_roles": lambda *_, **__: SIZED},
    ),
    "train-rnn": (
        "--rnn gru --features f --train-mice a --valid-mice b --out o --history h",
        "decoders.train.fit",
        TRAINING
        | {
            "mesodecode.cli.decoders.train_rnn._read": [],
            "mesodecode.decoders.inputs.normalising_of": {},
        },
    ),
}

ALIGN = of("recordings.alignment.read_landmarks") | {
    "mesodecode.recordings.qc.read_session": lambda *paths: SimpleNamespace(
        settings=None, recording=paths, decoded=SimpleNamespace(mean=np.zeros((3, 4)))
    ),
    "mesodecode.recordings.alignment.align": ["found"],
    "mesodecode.recordings.alignment.write_areas": [],
}
ALIGNED = (
    "--recordings a b --measures c d --landmarks l.tsv --atlas x.tif --transform affine --out o"
)
PAIRS = [(Path("a"), Path("c")), (Path("b"), Path("d"))]
# line, function that does the work, what stands in for files, what must arrive
WIRED = {
    "align": (
        ALIGNED,
        "recordings.alignment.align",
        ALIGN,
        {"landmarks": Path("l.tsv"), "kind": "affine"},
    ),
    "align: landmarks": (
        ALIGNED,
        "recordings.alignment.read_landmarks",
        ALIGN,
        {"path": Path("l.tsv"), "recordings": PAIRS, "atlas": Path("x.tif")},
    ),
    "align: areas": (
        ALIGNED,
        "recordings.alignment.write_areas",
        ALIGN,
        {"atlas": Path("x.tif"), "found": ["found"], "sizes": [(3, 4)] * 2, "out": Path("o")},
    ),
    "align: table": (
        ALIGNED,
        "recordings.alignment.table",
        ALIGN,
        {"found": ["found"], "kind": "affine"},
    ),
    "shap-summary": (
        "--maps a.h5 --out o --figure f --signed-figure g --recording r.h5 --rois m.mat "
        "--roi-dataset second",
        "explain.cortex.read_cortex",
        SHAP,
        {"path": Path("m.mat"), "recording": Path("r.h5"), "dataset": "second"},
    ),
    "cutout-summary": (
        "--scores a.tsv --recording r.h5 --rois m.mat --roi-dataset second --masks squares --out o "
        "--sessions s --figure f",
        "explain.cutout_figure.roi_centres",
        CUTOUT,
        {"path": Path("m.mat"), "recording": Path("r.h5"), "dataset": "second"},
    ),
    "live": (
        "--weights gru.pt --source m.tif --show --frame-rate 30 --image-size 48 --roi-masks m.mat "
        "--roi-dataset second",
        "live.setting_up.Corrections",
        LIVE,
        {
            "frame_rate": 30.0,
            "image_size": 48,
            "roi_masks": Path("m.mat"),
            "roi_dataset": "second",
            "roi_names": ["V1", "M2"],
        },
    ),
    "live: source": (
        "--weights gru.pt --source m.dat --show --frame-rate 30 --shape 8 6 --dtype uint8 --rate 2",
        "live.setting_up.open_source",
        {"mesodecode.live.setting_up.open_members": LIVE[next(iter(LIVE))]},
        {"shape": [8, 6], "dtype": "uint8", "rate": 2.0, "frame_rate": 30.0, "signals": True},
    ),
    "responses": (
        "--file f.h5 --events e.npz --session s --signal events --covariates speed --out o",
        "encoding.readers.read_session",
        {},
        {
            "path": Path("f.h5"),
            "signal": "events",
            "covariates": ["speed"],
            "events": Path("e.npz"),
        },
    ),
    "responses: watched": (
        "--file f.h5 --events e.npz --session s --out o",
        "running.fingerprints.Watched",
        {},
        {"sources": {"file": Path("f.h5"), "events": Path("e.npz")}},
    ),
    "responses: written": (
        "--file f.h5 --session s --out o",
        "encoding.responses.write_responses",
        RESPONSES | {"mesodecode.encoding.responses.make_responses": "made"},
        {"responses": "made", "path": Path("o")},
    ),
    "responses: record": (
        "--file f.h5 --session s --out o --record r.json --revision third",
        "running.fingerprints.Watched.write",
        RESPONSES,
        {"path": Path("r.json"), "revision": "third"},
    ),
    "hold-out": (
        "--arm own --train a1 --valid a3 --test a2 --decoder d --dropped dropped.json --out o "
        '--settings {"input":"rois","rnn":"gru","hidden_size":7}',
        "decoders.one_step.fit",
        {
            "mesodecode.recordings.recording.read_roles": ROLES,
            "mesodecode.recordings.recording.with_labels_of": lambda role, _: role,
            "mesodecode.recordings.same_frames.check_apart": len,
        },
        {"dropped": [3, 5], "training": ["a1"], "validation": ["a3"]},
    ),
    "ceilings": (
        "--config c.json --held-out held --session-auc s.tsv --out o --gaps g.tsv --figure f",
        "scores.ceiling_gaps.table",
        CEILINGS,
        {
            "held": [Path("held/cnn/own.h5")],
            "session_auc": Path("s.tsv"),
            "sessions": "mice",
            "dates": "dates",
            "kind": KINDS["regression"],
        },
    ),
    "ceilings: gaps": (
        "--config c.json --held-out held --session-auc s.tsv --out o --gaps g.tsv --figure f",
        "base.tables.write_table",
        CEILINGS | {"mesodecode.scores.ceiling_gaps.table": pd.DataFrame({"r2": [0.9]})},
        {"path": Path("g.tsv")},
    ),
    "tune": (
        "--config c.json --decoder cnn --test-mice m1 --recordings r --out o --trials-table t "
        "--pretrained w.pt --storage kept/trials.journal",
        "decoders.tune.search",
        TUNE,
        {"storage": Path("kept/trials.journal"), "settings": {"pretrained": "file:w.pt"}},
    ),
    "tune: trials are of first weights, allocations and code, too": (
        "--config c.json --decoder cnn --test-mice m1 --recordings r --out o --trials-table t "
        "--pretrained w.pt --storage kept/trials.journal",
        "decoders.tune.search",
        TUNE
        | {
            "mesodecode.cli.decoders._training.fingerprint": ["digest"],
            "mesodecode.running.provenance.code_version": lambda verb: f"code of {verb}",
        },
        {"identity": ["digest", "bytes of w.pt", "x", "code of tune"]},
    ),
    "dropped-rois": (
        "--recordings a.h5 --rois 3 5 --normalise dff --out o",
        "recordings.roi_signals.dropped_rois",
        of("recordings.recording.read_recordings"),
        {"settings": {"rois": [3, 5], "normalise": "dff", "drop": True}},
    ),
    "train-rnn: a window of features reaches one frame more than the features": (
        "--rnn gru --features f --train-mice a --valid-mice b --half-window 3 --out o --history h",
        "decoders.inputs.Windows",
        TRAINING
        | {
            "mesodecode.cli.decoders.train_rnn._read": lambda paths, mice, epoch: mice,
            "mesodecode.decoders.inputs.normalising_of": {},
        },
        {"sessions": ["a"], "half_window": 3, "reach": 4},
    ),
    "train-rnn: all epochs are of the mice of every file": (
        "--rnn gru --features f g --all-epochs o",
        "decoders.weights.Trained",
        TRAINING
        | {
            "mesodecode.decoders.feature_files.epochs_in": lambda path: [4, 5],
            "mesodecode.decoders.feature_files.mice_in": lambda path, epoch: [
                f"{mouse} of {path}, epoch {epoch}" for mouse in "ab"
            ],
        },
        {
            "train_mice": tuple(f"{m} of {file}, epoch 4" for file in "fg" for m in "ab"),
            "valid_mice": (),
        },
    ),
    "train-rnn: mice": (
        "--rnn gru --features f --train-mice a b --valid-mice c d --out o --history h",
        "decoders.weights.Trained",
        TRAINING,
        {"train_mice": ("a", "b"), "valid_mice": ("c", "d")},
    ),
    "encoding-report": (
        "--config c.json --summary s.tsv --neurons n.tsv --sweep w.tsv --runtimes t.tsv "
        "--diagnosis net d.tsv --figures f.svg --out o",
        "encoding.report.render",
        of("base.tables.read_table", "running.runtimes.read"),
        {
            "summary": Path("s.tsv"),
            "neurons": Path("n.tsv"),
            "sweep": Path("w.tsv"),
            "runtimes": Path("t.tsv"),
            "figures": [Path("f.svg")],
        },
    ),
    "simulate-encoding": (
        "--out o --session s --number 3 --complex-share 0.25 --speed-effect 0.75",
        "encoding.simulate.simulate_population",
        {},
        {"number": 3, "complex_share": 0.25, "speed_effect": 0.75},
    ),
    "sweep-encoding": (
        "--responses r.h5 --fold s.fold-1 --learning-rates 0.1 0.2 0.3 0.4 0.5 --momenta 0.9 "
        "--l2s 0.01 --initialisations xavier --chunk 2 --chunks 3 --out o --partial p",
        "encoding.sweep.train_all",
        {
            "mesodecode.cli.encoding._data.of_network": ({}, *NETWORK[1:]),
            "mesodecode.base.files.sha256": str,
        },
        {},
    ),
    "preprocess": (
        "--movie m.tif --behavior b.mat --frame-rate 30 --session s --session-name n --mouse m "
        "--image-size 48 --target speed --light-sources l.h5 --light-sources-dataset second "
        "--measures q.h5 --record r.json --revision third --out o",
        "recordings.preprocess.preprocess",
        {},
        {
            "session": "s",
            "session_name": "n",
            "mouse": "m",
            "image_size": 48,
            "target": "speed",
            "light_sources": "l.h5",
            "light_sources_dataset": "second",
            "measures": Path("q.h5"),
            "record": Path("r.json"),
            "revision": "third",
        },
    ),
    "runtimes": (
        "--config c.json --benchmarks b --efficiency e.csv --out o",
        "running.runtimes.with_efficiency",
        of("study.config_file.read", "encoding.study.resolve", "running.runtimes.collect")
        | {"mesodecode.encoding.study.is_encoding": True},
        {"rows": Path("b"), "path": Path("e.csv")},
    ),
    "live: reference": (
        "--weights gru.pt --source m.tif --show --reference r.h5",
        "live.setting_up.Member",
        LIVE
        | of("live.setting_up.read_recording", "live.setting_up._compile")
        | of("live.setting_up.Corrections", "live.setting_up.Watch")
        | of("live.setting_up.check_frames")
        | {
            "mesodecode.live.setting_up._as_known": ({"channels": 1, "dff": "none"}, None),
            "mesodecode.live.setting_up._roi_names": [],
            "mesodecode.live.setting_up._frame_rate": 25.0,
        },
        {"rate": 25.0, "reference": Path("r.h5")},
    ),
    "live: the first decoder is watched": (
        "--weights a.pt b.pt --source m.tif --show --known r.h5",
        "live.setting_up.Engine",
        LIVE
        | of("live.setting_up._compile", "live.setting_up.Corrections", "live.setting_up.Watch")
        | of("live.setting_up.read_recordings", "live.setting_up._known_of")
        | of("live.setting_up._check_alike", "live.setting_up.check_frames")
        | {
            "mesodecode.live.setting_up.open_members": 2 * [LIVE_MEMBER],
            "mesodecode.live.setting_up._as_known": ({"channels": 1, "dff": "none"}, None),
            "mesodecode.live.setting_up._roi_names": [],
            "mesodecode.live.setting_up._frame_rate": 25.0,
            "mesodecode.live.setting_up.Member": lambda *_, watched, **__: watched,
        },
        {"members": [True, False]},
    ),
    "cutout: hiding": (
        "--weights w --recordings r --decoder d --masks corners --fill blur --blur-sigma 0.25 "
        "--frame-step 4 --run-length 3 --times --out o",
        "explain.cutout.cutout_session",
        HIDING,
        HIDDEN | {"recording": "r", "frame_step": 4, "run_length": 3, "times": True},
    ),
    "cutout-check: hiding": (
        "--weights w --recordings r --masks corners --maps m --fill blur --blur-sigma 0.25 --out o",
        "explain.map_check.cutout_session",
        HIDING
        | {
            "mesodecode.explain.maps.read_cutout": ("maps", None),
            "mesodecode.explain.map_check.untaught": "unknowing",
            "mesodecode.explain.map_check.orders_of": [],
            "mesodecode.explain.map_check.frames_of_check": {0: {"frame_step": 7}},
        },
        HIDDEN | {"decoder": "unknowing", "recording": "r", "frame_step": 7},
    ),
    "map-mice": (
        "--maps a.h5 --null-maps n1.h5 n2.h5 --out o --figure f",
        "explain.map_mice.over_mice",
        of("explain.maps.read"),
        {"scores": [Path("a.h5")], "null": [Path("n1.h5"), Path("n2.h5")]},
    ),
    "shap-pixels": (
        "--weights w.pt --recordings r.h5 --background-recordings b.h5 --decoder cnn --windows 5 "
        "--background 6 --output logit --seed 7 --areas circles --size 0.5 --out o --figure f",
        "explain.pixel_shap.pixel_shap",
        PIXELS,
        {
            "loaded": Path("w.pt"),
            "recordings": [Path("r.h5")],
            "background_recordings": [Path("b.h5")],
            "decoder": "cnn",
            "settings": {
                **{"areas": "circles", "size": 0.5, "stride": None, "windows": 5},
                **{"background": 6, "output": "logit", "seed": 7},
            },
        },
    ),
    "shap-pixels: decoder": (
        "--weights w.pt --cnn c.pt --recordings r.h5 --device cuda --threads 3 --out o --figure f",
        "explain.pixel_shap.read_inputs",
        {"mesodecode.decoders.device.resolve_device": lambda *asked: asked},
        {"weights": Path("w.pt"), "cnn": Path("c.pt"), "device": ("cuda", 3)},
    ),
    "shap-pixels: figure": (
        "--weights w.pt --recordings r.h5 --decoder net --name mine --out o --figure f",
        "base.plots.save",
        PIXELS
        | of("explain.pixel_figure.draw", "explain.pixel_figure.caption")
        | {"mesodecode.explain.pixel_shap.pixel_shap": ("map", "pixels")},
        {"prefix": "f", "title": "mine: pixels that move net"},
    ),
    "pixels-check": (
        "--weights w.pt --recordings r.h5 --background-recordings b.h5 --maps m.h5 --truth t.h5 "
        "--frames 9 --noise-draws 2 --out o",
        "explain.pixel_check.check_pixels",
        PIXELS | {"mesodecode.explain.maps.read_whole": lambda paths: (paths, ["whole"])},
        {
            "loaded": Path("w.pt"),
            "background_recordings": [Path("b.h5")],
            "maps": [Path("m.h5")],
            "signed": ["whole"],
            "truth": [Path("t.h5")],
            **{"limit": 9, "draws": 5, "noise_draws": 2},
        },
    ),
    "cutout-times": (
        "--scores a.tsv b.tsv --recording r.h5 --masks squares --name mine --out o --figure f",
        "base.plots.save",
        {**CUTOUT, "mesodecode.explain.cutout_tables.read_rows": pd.DataFrame({"decoder": ["net"]})}
        | of("explain.cutout_tables.times_table", "explain.cutout_times_figure.draw")
        | of("explain.cutout_tables.kind_of", "explain.cutout_times_figure.caption"),
        {"prefix": "f", "title": "mine: when net needs areas"},
    ),
    "predict: corrections of test mice, and of no others, make a protocol": (
        "--weights w.pt --recordings r.txt --decoder cnn --out o --validation v",
        "study.protocols.of",
        of("decoders.weights.load_trained")
        | {
            "mesodecode.recordings.recording.read_recordings": [
                SimpleNamespace(mouse="valid", corrected=True),
                SimpleNamespace(mouse="test", corrected=False),
            ],
            "mesodecode.cli.decoders._label_donors.exchange": lambda sessions, _: sessions,
            "mesodecode.decoders.validation.allocated": SimpleNamespace(test=("test",)),
            "mesodecode.decoders.predict.predict": {},
        },
        {"corrected": False},
    ),
    "choose: one corrected test mouse makes a protocol": (
        "--trained t.pt --valid v --test c d --predictions p --decoder d --out o --history h",
        "study.protocols.of",
        {
            "mesodecode.decoders.passed.Passed.read": lambda path: SimpleNamespace(
                mouse=path.name, corrected=path.name == "d"
            ),
            "mesodecode.decoders.choose.kept": SimpleNamespace(
                settings={"frame_step": 1, "normalise": "dff"}, train_mice=("a",), row=0
            ),
        },
        {"settings": {"frame_step": 1, "normalise": "dff", "input": "rois"}, "corrected": True},
    ),
    "image-shift": (
        "--recordings a.h5 b.h5 --out o.tsv",
        "base.tables.write_table",
        of("recordings.recording.read_recordings")
        | {"mesodecode.shift.images.table": lambda found: found},
        {"table": [Path("a.h5"), Path("b.h5")], "path": Path("o.tsv")},
    ),
    "encoding-report: truth": (
        "--config c.json --summary s.tsv --neurons n.tsv --truth t2.h5 t1.h5 --out o",
        "encoding.truth.sentences",
        of("base.tables.read_table"),
        {"neurons": Path("n.tsv"), "truths": [Path("t2.h5"), Path("t1.h5")]},
    ),
    "score-encoding": (
        "--predictions p --models net --folds s.fold-1 --permutations 5 --seed 7 --out o",
        "encoding.scores.score_session",
        of("encoding.predictions.read_predictions"),
        {"parts": [Path("p/net/s.fold-1.h5")], "permutations": 5, "seed": 7},
    ),
    "train-encoding: folds": (
        "--responses a b --by sessions --folds 4 --fold test-b --out o --weights w --history h",
        "encoding.study.make_folds",
        {"mesodecode.encoding.responses.read_responses": named},
        {"sessions": ["a", "b"], "by": "sessions", "k": 4},
    ),
    "train-encoding: images": (
        "--responses a --folds 4 --fold-seed 7 --fold a.fold-3 --out o --weights w --history h",
        "encoding.folds.split_images",
        {"mesodecode.encoding.responses.read_responses": named},
        {"data": Path("a"), "number": 3, "k": 4, "seed": 7},
    ),
    "train-encoding: checkpoint": (
        "--responses a --fold f --out o --weights w --history h --checkpoint k.pt "
        "--checkpoint-every 9",
        "decoders.checkpoint.Checkpoint",
        {
            "mesodecode.cli.encoding._data.of_network": ({}, *NETWORK[1:]),
            "mesodecode.base.files.sha256": str,
        },
        {"path": Path("k.pt"), "every": 9.0},
    ),
    "train-cnn: tuned": (
        "--train a --valid b --batch-size 9 --tuned best.json --out o --history h",
        "decoders.train.fit",
        TRAINING
        | {"mesodecode.study.tuning.read": lambda path: {"batch_size": {"best.json": 7}[path.name]}}
        | {"mesodecode.cli.decoders._label_donors.read_roles": lambda *_, **__: SIZED}
        | {"mesodecode.cli.decoders._training.image_sets": [1, 2]},
        {"batch_size": 7},
    ),
    "train-rnn: checkpoint": (
        "--rnn gru --features f --train-mice a --valid-mice b --out o --history h "
        "--checkpoint k.pt --checkpoint-every 9",
        "decoders.checkpoint.Checkpoint",
        TRAINING
        | {
            "mesodecode.cli.decoders.train_rnn._read": [],
            "mesodecode.decoders.inputs.normalising_of": {},
        },
        {"path": Path("k.pt"), "every": 9.0},
    ),
    "train-rnn: every mouse's features are asked how they were normalised": (
        "--rnn gru --features f --train-mice a --valid-mice b --out o --history h --checkpoint k",
        "decoders.inputs.normalising_of",
        {"mesodecode.cli.decoders.train_rnn._read": lambda paths, mice, epoch: mice},
        {"sessions": ["a", "b"]},
    ),
    "stack-roi: checkpoint": (
        "--rnn gru --recordings r --sets a --decoders d --out o --checkpoint k.pt "
        "--checkpoint-every 9",
        "decoders.checkpoint.Checkpoint",
        TRAINING
        | {
            "mesodecode.recordings.recording.read_recordings": [],
            "mesodecode.recordings.recording.target_of": RUN,
            "mesodecode.recordings.roi_signals.session_signals": ([], []),
        },
        {"path": Path("k.pt"), "every": 9.0},
    ),
    "stack-roi: labels": (
        "--rnn gru --recordings r --sets a --decoders d=2 d2 --labels-of d:s=t d2:t=s --out o",
        "cli.decoders._label_donors.exchange",
        {
            "mesodecode.recordings.recording.read_recordings": ["r"],
            "mesodecode.recordings.recording.target_of": RUN,
            "mesodecode.recordings.roi_signals.session_signals": ([], []),
        },
        {"recordings": ["r"], "words": ["s=t"]},
    ),
    "power": (
        "--auc a.tsv --by kind --mouse animal --only x --mice 5 6 --allocations 2 --power 0.7 "
        "--level 0.01 --out o",
        "scores.mouse_power.smallest_differences",
        {"mesodecode.base.tables.read_table": pd.DataFrame({"auc": [0.9], "kind": ["x"]})},
        {
            "by": "kind",
            "mouse": "animal",
            "only": ["x"],
            "mice": [5, 6],
            "allocations": [2],
            "power": 0.7,
            "level": 0.01,
        },
    ),
    "power: where": (
        "--auc a.tsv --where kind=x --out o",
        "scores.published_tests.select",
        of("base.tables.read_table"),
        {"table": Path("a.tsv"), "where": {"kind": "x"}},
    ),
    "power: protocols": (
        "--auc a.tsv --by kind --only x --across-protocols --out o",
        "cli.scores.power.check_protocols",
        {"mesodecode.base.tables.read_table": pd.DataFrame({"auc": [0.9], "kind": ["x"]})},
        {"by": "kind", "only": ["x"], "across": True},
    ),
    "score: the figure is of the first allocation of each decoder": (
        "--predictions a/1.h5 a/2.h5 b/1.h5 b/2.h5 --shifts 9 --out o --sessions s --figure f",
        "scores.target_figure.traces",
        {
            "mesodecode.decoders.predictions.read": lambda path, **_: SimpleNamespace(
                decoder=path[0], allocation=path, made_of=path, target=Target("pupil")
            ),
            "mesodecode.scores.target_tables.tables": lambda item, shifts: (
                [pd.DataFrame({"allocation": [item.allocation], "shifts": shifts})] * 3
            ),
        },
        {"items": ["a/1.h5", "b/1.h5"]},
    ),
    "inference": (
        "--auc a.tsv --sessions s.tsv --metric r2 --by model --where kind=x --only b a --name fam "
        "--out o",
        "scores.paired_tests.infer",
        SELECTED | of("cli.scores.inference.check_protocols"),
        {
            "table": (("a.tsv", "r2"), {"kind": "x"}),
            "sessions": (("s.tsv", "r2"), {"kind": "x"}),
            **{"by": "model", "only": ["b", "a"], "name": "fam"},
        },
    ),
    "inference: protocols": (
        "--auc a.tsv --by model --where kind=x --only b a --across-protocols --out o",
        "cli.scores.inference.check_protocols",
        SELECTED,
        {
            "table": (("a.tsv", "auc"), {"kind": "x"}),
            **{"by": "model", "only": ["b", "a"], "across": True},
        },
    ),
    "compare": (
        "--auc a.tsv --metric r2 --by model --within set --where kind=x --only b a --name fam "
        "--test rank_sum_exact rank_sum --across-protocols --out o",
        "scores.published_tests.compare",
        SELECTED | {"mesodecode.cli.scores.compare.of_one_protocol": lambda *given: given},
        {
            "table": ((("a.tsv", "r2"), {"kind": "x"}), "set", "model", ["b", "a"], True),
            **{"by": "model", "within": "set", "only": ["b", "a"], "name": "fam"},
            "test": "rank_sum_exact",
        },
    ),
    "figures: along a setting": (
        "--auc a.tsv --metric r2 --by model --where kind=x --only b a --setting half_window "
        "--values 3 5 --frame-rate 20 --comparisons c.tsv --out f",
        "scores.auc_figure.auc_by_setting",
        of("base.tables.read_scores", "base.tables.read_table")
        | {
            "mesodecode.scores.published_tests.select": mock.MagicMock(),
            "mesodecode.scores.auc_figure.select": lambda auc, only: only,
        },
        {
            **{"auc": ["b", "a"], "values": [3.0, 5.0], "setting": "half_window"},
            **{"frame_rate": 20.0, "comparisons": Path("c.tsv"), "kind": KINDS["regression"]},
        },
    ),
    "variants: figure": (
        "--config c.json --auc a.tsv --qc q.tsv --out o --figure f",
        "base.plots.save",
        of("base.tables.read_table", "base.tables.read_scores", "scores.multiverse.families")
        | of("scores.multiverse.table", "scores.multiverse_figure.caption")
        | {
            "mesodecode.scores.multiverse_figure.draw": "drawn",
            "mesodecode.study.study.load": SimpleNamespace(
                decoders={}, variant=str, config={"target": "states", "variants": {}}
            ),
        },
        {"figure": "drawn", "prefix": "f"},
    ),
    "variants": (
        "--config c.json --auc a.tsv --qc q.tsv --shift s.tsv --out o --figure f",
        "scores.multiverse.table",
        of("base.tables.read_table", "base.tables.read_scores", "scores.multiverse.families")
        | {
            "mesodecode.study.study.load": SimpleNamespace(
                decoders={}, variant=str, config={"target": "states", "variants": {}}
            )
        },
        {"auc": Path("a.tsv"), "shift": Path("s.tsv"), "kind": KINDS["states"]},
    ),
}


@pytest.mark.parametrize("name", WIRED)
def test_flags_arrive_under_their_names(name, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("dropped.json").write_text("[3, 5]")
    Path("c.json").write_text("{}")
    words, target, stubs, expected = WIRED[name]
    line = f"{name.partition(':')[0]} {words}"
    found = arguments(monkeypatch, line, f"mesodecode.{target}", stubs)
    assert {key: plain(found[key]) for key in expected} == expected
    if name == "sweep-encoding":  # the second of three parts
        assert [line["learning_rate"] for line in found["lines"]] == [0.2, 0.5]


MICE = [
    [SimpleNamespace(mouse=m, shape=(9, 4, 4), frame_rate=30.0) for m in mice]
    for mice in ("ab", "c", "d")
]
STARTED = SimpleNamespace(
    **{"train_mice": ("a", "b"), "valid_mice": ("c",), "state": "weights of the start"},
    settings={"backbone": "x"},
)
# verbs that train: line, what stands in for files, what their weights come from beside settings
FITTED = "--out o --history h --checkpoint k.pt"
INPUTS = {
    "train-cnn": (
        f"--train a b --valid c --labels-of s=t {FITTED}",
        {"cli.decoders._label_donors.read_roles": MICE[:2]},
        ["digest of abc", "s=t"],
    ),
    "train-cnn: of a file": (
        f"--train a b --valid c --pretrained file:w.pt {FITTED}",
        {
            "cli.decoders._label_donors.read_roles": MICE[:2],
            "base.files.sha256": lambda path: f"bytes of {path}",
        },
        ["digest of abc", "bytes of w.pt"],
    ),
    "train-roi": (
        "--rnn gru --train a b --valid c --test d --decoder x --predictions p --labels-of s=t "
        + FITTED,
        {
            "cli.decoders._label_donors.read_roles": MICE,
            "recordings.roi_signals.session_signals": ([*"abcd"], []),
            "recordings.roi_signals.roi_names": None,
        },
        ["digest of abcd", "s=t"],
    ),
    "train-rnn": (
        f"--rnn gru --features f --train-mice a b --valid-mice c {FITTED}",
        {
            "cli.decoders.train_rnn._read": lambda paths, mice, epoch: [
                f"{m} of {paths}" for m in mice
            ],
            "decoders.feature_files.fingerprint": lambda one: f"digest of {one}",
            "decoders.inputs.normalising_of": {},
            "decoders.inputs.Windows": None,
        },
        [f"digest of {mouse} of [PosixPath('f')]" for mouse in "abc"],
    ),
    "finetune": (
        f"--rnn gru --start s.pt --train a b --valid c --labels-of s=t {FITTED}",
        {
            "cli.decoders._label_donors.read_roles": MICE[:2],
            "cli.decoders.finetune.starts_of": {None: STARTED},
            "decoders.weights.digest": lambda state: f"digest of {state}",
            "recordings.baseline.normalising": {},
        },
        ["digest of abc", "s=t", "digest of weights of the start"],
    ),
    "stack-roi": (
        "--rnn gru --recordings r --sets a+b a --decoders d=2 --labels-of d:s=t --out o "
        "--checkpoint k.pt",
        {
            "recordings.recording.read_recordings": MICE[0],
            "recordings.recording.target_of": RUN,
            "recordings.roi_signals.session_signals": ([], []),
            "cli.decoders._label_donors.exchange": lambda found, words: [],
        },
        ["digest of ab", "a+b", "a", "d=2", "d:s=t"],
    ),
    "train-encoding": (
        "--responses a b --fold f --out o --weights w --history h --checkpoint k.pt",
        {
            "cli.encoding._data.of_network": ({}, *NETWORK[1:]),
            "base.files.sha256": lambda path: f"bytes of {path}",
        },
        ["bytes of a", "bytes of b"],
    ),
    "train-encoding: of a file": (
        "--responses a --fold f --out o --weights w --history h --checkpoint k.pt",
        {
            "cli.encoding._data.of_network": ({"pretrained": "file:w.pt"}, *NETWORK[1:]),
            "base.files.sha256": lambda path: f"bytes of {path}",
        },
        ["bytes of a", "bytes of w.pt"],
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_checkpoint_is_of_all_that_weights_come_from(name, monkeypatch):
    """Else a training goes on, after a kill, from weights of other recordings or labels."""
    words, stubs, inputs = INPUTS[name]
    verb = name.partition(":")[0]
    stubs = {f"mesodecode.{key}": value for key, value in stubs.items()} | {
        "mesodecode.cli.decoders._training.fingerprint": lambda found: [
            "digest of " + "".join(one.mouse for one in found)
        ],
        "mesodecode.cli.decoders._training.identity_of": lambda *of: of,
        "mesodecode.cli.decoders._training.image_sets": [1, 2],
        "mesodecode.decoders.objectives.trained_on": RUN,
    }
    target = "mesodecode.decoders.checkpoint.Checkpoint"
    _, found, code = arguments(monkeypatch, f"{verb} {words}", target, stubs)["identity"]
    assert (found, code.replace("_", "-")) == (inputs, verb)


SWEEP = "sweep-encoding --momenta 0 --l2s 0 --initialisations xavier --learning-rates 1 --partial p"


@pytest.mark.parametrize(
    ("verb", "target"),
    [
        (
            "train-encoding --weights w --history h --checkpoint k.pt",
            "decoders.checkpoint.Checkpoint",
        ),
        (SWEEP, "encoding.sweep.train_all"),
    ],
)
def test_what_is_kept_of_a_fold_is_of_that_fold_alone(monkeypatch, verb, target):
    """Of another, images would test that have trained."""
    stubs = {
        "mesodecode.cli.encoding._data.of_network": lambda args: (
            *({"hidden": args.hidden}, "cpu", "data", "split"),
        ),
        "mesodecode.base.files.sha256": lambda path: f"bytes of {path}",
    }
    changes = ["", "--by sessions", "--fold g", "--folds 4", "--fold-seed 1", "--hidden 7"]
    changes += ["--responses c", "--responses a c"]
    found = []
    for change in ["", *changes]:
        line = f"{verb} --responses a --fold f --out o {change}"
        with monkeypatch.context() as patch:
            found.append(arguments(patch, line, f"mesodecode.{target}", stubs)["identity"])
    assert found[0] == found[1]
    assert all(one != other for at, one in enumerate(found[1:]) for other in found[at + 2 :])


def test_what_is_kept_of_a_sweep_is_of_the_bytes_of_its_first_weights(monkeypatch):
    """A file of them may be replaced under its name."""
    stubs = {
        "mesodecode.cli.encoding._data.of_network": lambda args: (
            *({"pretrained": args.pretrained}, "cpu", "data", "split"),
        ),
        "mesodecode.base.files.sha256": lambda path: f"bytes of {path}",
    }
    line = f"{SWEEP} --responses a --fold f --out o --pretrained file:w.pt"
    target = "mesodecode.encoding.sweep.train_all"
    assert "bytes of w.pt" in arguments(monkeypatch, line, target, stubs)["identity"]


@pytest.mark.parametrize("name", DEVICES)
def test_the_device_asked_for_is_what_computes(name, monkeypatch):
    """Without it all would be right, on the CPU."""
    words, target, stubs = DEVICES[name]
    stubs = {"mesodecode.decoders.device.resolve_device": lambda *asked: asked} | stubs
    stubs.pop(f"mesodecode.{target}", None)
    line = f"{name.partition(':')[0]} {words} --device cuda --threads 3"
    found = arguments(monkeypatch, line, f"mesodecode.{target}", stubs)
    assert found["device"] == ("cuda", 3)
    if name == "pass-images":
        assert found["sources"] == {"s": ("cuda", 3)}


# verbs that take recordings of several sizes: line, what stands in for files
OF_ANY_SIZE = {
    "image-shift": ("--out o", {}),
    "shift": (
        "--decoder d --allocations a --predictions p --validation v --out o",
        of("base.tables.read_table"),
    ),
    "roi-correlation": ("--out o --summary s --figure f", {}),
    "cohort": ("--out o", {}),
    "dropped-rois": ("--normalise dff --out o", {}),
    "stack-roi": ("--rnn gru --sets a --decoders d --out o", {}),
    "choose-variant": (
        "--allocations a --predictions p --validation v --decoders d e --out o",
        of("base.tables.read_table"),
    ),
    "predict-rois": (
        "--weights w --decoder d --out o --validation v",
        of("decoders.weights.load_trained"),
    ),
}


@pytest.mark.parametrize("verb", OF_ANY_SIZE)
def test_what_reads_no_images_takes_recordings_of_any_size(verb, monkeypatch):
    words, stubs = OF_ANY_SIZE[verb]
    line = f"{verb} --recordings a.h5 b.h5 {words}"
    target = "mesodecode.recordings.recording.read_recordings"
    found = arguments(monkeypatch, line, target, stubs)
    assert found == {"paths": [Path("a.h5"), Path("b.h5")], "same_size": False}


@pytest.mark.parametrize(("words", "said"), [("--progress ", "1"), ("", "0")])
def test_warm_tells_snakemake_to_show_one_line(monkeypatch, words, said):
    monkeypatch.setenv(job_progress.VARIABLE, "0")
    line = f"warm {words}snakemake --cores 2"
    found = arguments(monkeypatch, line, "mesodecode.running.warm.serve", {})
    assert found["command"] == ["snakemake", "--cores", "2"]
    assert os.environ[job_progress.VARIABLE] == said


@pytest.mark.parametrize("status", [0, 1, 3])
def test_warm_ends_as_its_command_does(monkeypatch, status):
    monkeypatch.setattr("mesodecode.running.warm.serve", lambda command, main: status)
    with pytest.raises(SystemExit) as end:
        cli.main(["warm", "snakemake"])
    assert end.value.code == status
