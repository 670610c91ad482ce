"""Models of ROI signals to train side by side, and each alone by `train.fit`."""

from __future__ import annotations

import numpy as np
import torch

from mesodecode.decoders import stacked, train
from mesodecode.decoders.inputs import Windows
from mesodecode.decoders.networks import RNNDecoder
from mesodecode.recordings.roi_signals import SessionSignals

ROIS, HALF = 5, 3
SETTINGS = {"epochs": 1, "batch_size": 16, "max_lr": 0.01, "frame_step": 1}


class Doubles(Windows):
    """Windows in float64."""

    def __init__(self, *given):
        super().__init__(*given)
        self.labels = self.labels.double()

    def batch(self, centres):
        return super().batch(centres).double()


def session(name, n_frames, seed, segment=None):
    rng = np.random.default_rng(seed)
    labels = (np.arange(n_frames) // 9 % 2).astype(np.uint8)
    features = rng.normal(size=(n_frames, ROIS)).astype(np.float32)
    features[:, 0] += labels
    return SessionSignals(name, name[:2], features, labels, segment)


SESSIONS = [
    session("m1_a", 130, 1),
    session("m2_a", 90, 2, segment=np.repeat([0, 1], 45)),
    session("m3_a", 170, 3),
]
VALID = session("m4_a", 120, 4)
SETS = [(0, 1), (0, 1, 2), (2,)]  # of sessions: 202, 366 and 164 windows


def source_of(numbers, kind=Windows, device="cpu"):
    return kind([SESSIONS[i] for i in numbers], HALF, HALF, device)


def maker(dtype=torch.float32, *, cell="gru", **sizes):
    return lambda: RNNDecoder(ROIS, cell=cell, hidden_size=4, **sizes).to(dtype)


def members(source, seeds=(1, 2, 3)):
    """A model for each of SETS: its windows in positions of the source of all sessions."""
    lengths = [len(s.labels) for s in SESSIONS]
    starts, found = np.cumsum([0, *lengths]), []
    for numbers, seed in zip(SETS, seeds, strict=True):
        inside = [
            source.centres[(source.centres >= starts[i]) & (source.centres < starts[i + 1])]
            for i in numbers
        ]
        found.append(stacked.Member(f"model {seed}", seed, torch.cat(inside), source.labels))
    return found


def side_by_side(make, kind=Windows, **changed):
    source = source_of((0, 1, 2), kind, changed.get("device", "cpu"))
    return stacked.fit_stack(make, source, members(source), **(SETTINGS | changed))


def alone(make, k, kind=Windows, **changed):
    """Return the weights after the last epoch, and the history, of a model that trains alone."""
    changed.setdefault("ema_decay", 0.0)
    last = {}

    class Seen(kind):
        def logits(self, model, at, batch_size=256):
            last.update({key: value.clone() for key, value in model.state_dict().items()})
            return super().logits(model, at, batch_size)

    valid = Seen([VALID], HALF, HALF)
    fitted = train.fit(make, source_of(SETS[k], kind), valid, seed=k + 1, **(SETTINGS | changed))
    return last, fitted.history


def furthest(make, one, other):
    """Return the largest difference of two models' logits of windows that neither saw."""
    source = Windows([VALID], HALF, HALF)
    x, found = source.batch(source.centres), []
    for state in (one, other):
        model = make().eval()
        model.load_state_dict(state)
        with torch.no_grad():
            found.append(model(x.to(next(model.parameters()).dtype)))
    return (found[0] - found[1]).abs().max().item()
