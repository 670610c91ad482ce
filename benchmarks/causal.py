"""What does it cost to read no later frame? Causal decoders beside offline ones, mouse by mouse.

python benchmarks/causal.py                    a simulated cohort
python benchmarks/causal.py --study jedi1p     five real mice
python benchmarks/causal.py --decoders linear roi_gru

Every mouse is tested once, by decoders that the next mouse chose the epoch of and the others
trained. Both sides have the same settings but `causal` and the same seed; AUCs are over the frames
that both decode, all sessions of the mouse together.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import torch

from mesodecode.base.roc_auc import roc_auc
from mesodecode.base.windows import IMAGE_REACH
from mesodecode.cli import main as mesodecode
from mesodecode.decoders import one_step, train
from mesodecode.decoders.extraction import extract
from mesodecode.decoders.feature_files import read_features
from mesodecode.decoders.inputs import Images, Windows
from mesodecode.decoders.networks import CNNDecoder, rnn_decoder
from mesodecode.decoders.predict import predict_cnn, predict_rnn
from mesodecode.decoders.predictions import SessionPredictions
from mesodecode.decoders.weights import Trained
from mesodecode.recordings.baseline import prepared
from mesodecode.recordings.recording import Recording, read_recordings
from mesodecode.simulation import simulate
from mesodecode.study import schema
from mesodecode.study.kinds import kind_of

DATA = Path(__file__).parents[2] / "shared/data/jedi1p_whisker"
CPU = torch.device("cpu")
CNN = {"backbone": "efficientnet_lite0", "pretrained": "lite0", "max_lr": 0.003}
DECODERS = {
    "simulated": {
        "linear": {"model": "logistic_regression", "frame_step": 4},
        "roi_logistic": {"input": "rois", "model": "logistic_regression"},
        "roi_gru": {
            **{"input": "rois", "rnn": "gru", "epochs": 6, "batch_size": 64, "max_lr": 0.005},
            "frame_step": 4,
        },
        "cnn": CNN | {"epochs": 3, "batch_size": 16, "frame_step": 6},
        "cnn_gru": {"start_from": "cnn", "rnn": "gru", "epochs": 2, "frame_step": 4},
    },
    "jedi1p": {
        "linear": {"model": "logistic_regression", "pixels": 50},
        "linear_baseline": {"model": "logistic_regression", "pixels": 50, "baseline": 100},
        "cnn": CNN | {"epochs": 3, "batch_size": 32},
        # of ten frames a deflection; a causal window of two images and more leaves one state
        "cnn_gru": {"start_from": "cnn", "rnn": "gru", "epochs": 10, "half_window": 0},
    },
}
WARM_UP = {"simulated": 5.0, "jedi1p": 0.2}  # s; a real mouse here has .75 s in all
COHORT = {"seed": 11, "n_frames": 1200, "image_size": 48, "run_signal": 0.04, "photons": 150}
COHORT |= {"signal_radius": 0.075, "fast_amplitude": 0.01, "brightness_sd": 0.3}


def simulated(folder: Path, _: Path) -> list[Recording]:
    """Return recordings of five mice, two sessions each."""
    settings, paths = schema.defaults("simulate", **COHORT), []
    for mouse, session, share in simulate.cohort(5, 2):
        made = simulate.simulate_session(mouse=mouse, session=session, run_share=share, **settings)
        frames, path = made.frames, folder / f"{session}.h5"
        with h5py.File(path, "w") as file:
            file["frames"], file["labels"], file["rois"] = frames, made.label, made.rois.T
            file["pixel_mean"] = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
            file["stack_sd"] = np.float32(frames.std(dtype=np.float64))
            file.attrs.update(session=session, mouse=mouse, frame_rate=30.0)
        paths.append(path)
    return read_recordings(paths)


def jedi1p(folder: Path, data: Path) -> list[Recording]:
    """Return the recordings of the five real mice, whose files are in `data`."""
    paths = []
    for movie in sorted(data.glob("*.tif")):
        paths.append(folder / f"{movie.stem}.h5")
        words = ["--movie", movie, "--behavior", data / f"{movie.stem}_behavior.mat"]
        words += ["--session", movie.stem, "--mouse", movie.stem, "--frame-rate", 200]
        words += ["--image-size", 96, "--out", paths[-1]]
        if mesodecode(list(map(str, ["preprocess", *words]))):
            raise SystemExit(1)
    return read_recordings(paths)


def fitted_cnn(settings: dict[str, Any], sets: Sequence[Sequence[Recording]]) -> Trained:
    """Return a CNN of the first two of three sets: to train, choose, test."""
    sources = [Images(list(prepared(one, settings))) for one in sets[:2]]
    about = {key: settings[key] for key in train.SETTINGS}
    make = lambda: CNNDecoder(settings["backbone"], settings["pretrained"])  # noqa: E731
    return Trained("cnn", settings, (), (), train.fit(make, *sources, **about).state)


def cnn_gru(
    trained: Trained,
    settings: dict[str, Any],
    sets: Sequence[Sequence[Recording]],
    folder: Path,
) -> dict[str, SessionPredictions]:
    """Return what a GRU on a frozen CNN makes of the last of three sets."""
    read = []
    for number, one in enumerate(sets):
        extract({None: trained}, one, folder / f"{number}.h5")
        read.append(read_features(folder / f"{number}.h5"))
    w = settings["half_window"]
    windows = [Windows(one, w, w + IMAGE_REACH) for one in read[:2]]
    about = {key: settings[key] for key in train.SETTINGS}
    make = lambda: rnn_decoder(windows[0].n_features, settings)  # noqa: E731
    state = train.fit(make, *windows, **about).state
    return predict_rnn(Trained("cnn_rnn", settings, (), (), state), read[2])


def predictions(
    table: Mapping[str, dict[str, Any]],
    name: str,
    how: Mapping[str, Any],
    sets: Sequence[Sequence[Recording]],
    folder: Path,
    cnns: dict[bool, Trained],
) -> dict[str, SessionPredictions]:
    """Return the predictions of a decoder of the table, causal or not by `how`.

    `cnns`: the mouse's CNNs, by whether they are causal, of which each is trained once.
    """
    line = table[name]
    kind = kind_of(line).name
    if kind in ("cnn", "cnn_rnn"):
        if bool(how) not in cnns:
            cnn = table[line.get("start_from", name)]
            cnns[bool(how)] = fitted_cnn(schema.defaults("cnn", **cnn, **how), sets)
        if kind == "cnn":
            return predict_cnn(cnns[bool(how)], sets[2])
        settings = schema.defaults(kind, **line, causal=bool(how))
        return cnn_gru(cnns[bool(how)], settings, sets, folder)
    settings = schema.defaults(kind, **line, **how)
    predict, _ = one_step.fit(kind, settings, *sets[:2], CPU)
    return predict(sets[2])


def on_common(
    offline: Mapping[str, SessionPredictions], causal: Mapping[str, SessionPredictions]
) -> tuple[float, float, int]:
    """Return both AUCs over the frames that both decode, and how many these are."""
    labels, scores = [], ([], [])
    for name, one in offline.items():
        pair = one, causal[name]
        common = np.intersect1d(one.frame, pair[1].frame)
        labels.append(one.label[np.isin(one.frame, common)])
        for score, each in zip(scores, pair, strict=True):
            score.append(each.probability[np.isin(each.frame, common)])
    label = np.concatenate(labels)
    return *(roc_auc(label, np.concatenate(score)) for score in scores), len(label)


def rows(study: str, names: Sequence[str], folder: Path, data: Path) -> Iterator[dict[str, Any]]:
    """Yield a row a decoder and test mouse."""
    table = DECODERS[study]
    recordings = {"simulated": simulated, "jedi1p": jedi1p}[study](folder, data)
    mice = list(dict.fromkeys(one.mouse for one in recordings))
    how = {"causal": True, "warm_up": WARM_UP[study]}
    for place, mouse in enumerate(mice):
        valid, cnns = mice[(place + 1) % len(mice)], {}
        roles = [[m for m in mice if m not in (mouse, valid)], [valid], [mouse]]
        sets = [[one for one in recordings if one.mouse in role] for role in roles]
        for name in names:
            start = time.process_time()
            pair = [predictions(table, name, side, sets, folder, cnns) for side in ({}, how)]
            offline, causal, n = on_common(*pair)
            found = {"decoder": name, "mouse": mouse, "offline": offline, "causal": causal}
            yield found | {"frames": n, "CPU s": time.process_time() - start}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--study", choices=DECODERS, default="simulated")
    parser.add_argument("--decoders", nargs="+", help="of the study (default: all)")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real mice")
    args = parser.parse_args()
    names = args.decoders or list(DECODERS[args.study])
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(args.study, names, Path(folder), args.data):
            made.append(row)
            print(*(f"{v:.3f}" if isinstance(v, float) else v for v in row.values()), flush=True)
    table = pd.DataFrame(made)
    table["cost"] = table["offline"] - table["causal"]
    found = table.groupby("decoder", sort=False).agg(
        offline=("offline", "mean"),
        causal=("causal", "mean"),
        cost=("cost", "mean"),
        least=("cost", "min"),
        most=("cost", "max"),
        frames=("frames", "sum"),
    )
    print(found.round(3).to_string())


if __name__ == "__main__":
    main()
