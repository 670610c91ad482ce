"""Recordings, weights of causal decoders of every kind, and what they make of them offline."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import torch

from make_decoders import N_FEATURES, SIDE, trained_cnn
from mesodecode.cli import main
from mesodecode.decoders import extraction, feature_files, networks, predict, roi_networks, weights
from mesodecode.decoders.fitted import linear, roi_classical
from mesodecode.recordings.recording import read_recording
from mesodecode.recordings.roi_signals import signals_of
from mesodecode.study import schema

RATE, WARM, W = 10.0, 1.5, 2  # frames/s; s; half-window
HOW = {"causal": True, "normalise_from": "past", "warm_up": WARM}
IMAGES = ("linear", "cnn", "finetuned", "frozen")
ROIS = ("gru", "tcn", "logistic_regression")


def movie(n=80, seed=0, side=SIDE):
    """Frames (n, side, side) uint16, brighter in one place while the mouse runs."""
    rng = np.random.default_rng(seed)
    frames = rng.normal(1000, 40, (n, side, side))
    frames[:, 3:9, 3:9] += 60 * (np.arange(n) // 7 % 2)[:, None, None]
    return frames.astype(np.uint16)


def signals(n=80, seed=0):
    rng = np.random.default_rng(seed)
    rois = rng.normal(10, 1, (n, 3)).astype(np.float32)
    rois[:, 1] += 1.5 * (np.arange(n) // 7 % 2)
    return rois


def write(path, frames=None, *, mouse="t", rois=None, segment=None, **attributes):
    """Write a recording as the contract describes it."""
    frames = movie() if frames is None else frames
    with h5py.File(path, "w") as file:
        file["frames"] = frames
        file["labels"] = (np.arange(len(frames)) // 7 % 2).astype(np.uint8)
        file["pixel_mean"] = frames.mean(axis=0, dtype=np.float64).astype(np.float32)
        file["stack_sd"] = np.float32(frames.std(dtype=np.float64))
        file["rois"] = signals(len(frames)) if rois is None else rois
        if segment is not None:
            file["segment"] = np.asarray(segment, np.int64)
        about = {"session": path.stem, "mouse": mouse, "frame_rate": RATE}
        file.attrs.update(about | attributes)
    return path


def make_weights(folder, kind, mice=("a",), base=None, **how):
    """Write the weights of a causal decoder; return its files."""
    how = HOW | how | {"baseline": base}
    known = [
        read_recording(
            write(folder / f"{m}_known.h5", movie(seed=s), mouse=m, rois=signals(seed=s))
        )
        for s, m in enumerate(mice, 10)
    ]
    if kind == "linear":
        settings = {"pixels": 8, "C": 0.1, "frame_step": 1} | how
        model = linear.fit_linear(known, **settings)
        linear.weights_of(model, settings, mice, ("v",)).save(folder / "linear.npz")
        return [folder / "linear.npz"]
    if kind in IMAGES:
        cnn = trained_cnn(train_mice=mice, valid_mice=("v",))
        cnn = replace(cnn, settings=cnn.settings | how)
        torch.manual_seed(5)
        rnn = networks.RNNDecoder(N_FEATURES, cell="gru", hidden_size=8)
        sizes = {"rnn": "gru", "hidden_size": 8, "num_layers": 1, "bidirectional": False}
        sizes |= {"dropout": 0.0, "half_window": W}
        if kind == "cnn":
            made = {"cnn": cnn}
        elif kind == "finetuned":
            both = networks.CNNRNNDecoder(cnn.build(), rnn)
            state, settings = both.state_dict(), cnn.settings | sizes
            made = {kind: replace(cnn, kind=kind, settings=settings, state=state)}
        else:
            settings = sizes | how
            rest = replace(cnn, kind="cnn_rnn", settings=settings, state=rnn.state_dict())
            made = {"rnn": rest, "cnn": cnn}
        for name, one in made.items():
            one.save(folder / f"{name}.pt")
        return [folder / f"{name}.pt" for name in made]
    if kind in ("gru", "tcn"):
        settings = schema.defaults("roi_rnn", input="rois", rnn=kind, half_window=W)
        settings |= {"hidden_size": 5, "dropped": []} | how
        torch.manual_seed(2)
        n_features = len(settings["rois"]) if settings["others"] == "drop" else 3
        state = networks.rnn_decoder(n_features, settings).state_dict()
        weights.Trained("roi_rnn", settings, mice, ("v",), state).save(folder / f"{kind}.pt")
        return [folder / f"{kind}.pt"]
    settings = schema.defaults("roi_classical", input="rois", model=kind, half_window=W) | how
    settings |= {"frame_step": 1, "dropped": []}
    model = roi_classical.fit_classical(signals_of(known, settings), settings)
    fitted = roi_classical.Fitted(model, settings, mice, ("v",))
    fitted.save(folder / "fitted.joblib")
    return [folder / "fitted.joblib"]


def offline(paths, recording):
    """Return frames and probabilities of one recording, by the code of each kind."""
    if paths[0].suffix == ".npz":
        fitted = linear.load(paths[0])
        found = linear.predict_linear(
            fitted.pipeline(), [recording], pixels=fitted.pixels, **fitted.normalising
        )
    elif paths[0].suffix == ".joblib":
        fitted = roi_classical.load(paths[0])
        mine = signals_of([recording], fitted.settings)
        found = roi_classical.predict_classical(fitted.model, mine, fitted.settings)
    else:
        trained = weights.load_trained(paths[0], "cnn", "finetuned", "cnn_rnn", "roi_rnn")
        if trained.kind == "roi_rnn":
            mine = signals_of([recording], trained.settings)
            found = roi_networks.predict(trained.build(), mine, trained.settings)
        elif trained.kind == "cnn_rnn":
            features = recording.path.with_suffix(".features")
            extraction.extract({None: weights.load_trained(paths[1], "cnn")}, [recording], features)
            found = predict.predict(trained, feature_files.read_features(features))
        else:
            found = predict.predict(trained, [recording])
    one = found[recording.session]
    return one.frame, one.probability


def live(*words, compile="--no-compile"):
    """Run the verb; return its exit status.

    Compiling takes seconds, and has a test of its own; how late rows are depends on the machine.
    """
    return main(["live", "--latency", "none", *(str(word) for word in words), compile])


def table(path):
    return pd.read_csv(path, sep="\t", keep_default_na=False)
