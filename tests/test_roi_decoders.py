"""ROI decoders find what was planted in the simulated cohort, and nothing where nothing is."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import torch

from mesodecode import cohort, schema, simulate
from mesodecode.classical import fit_classical, predict_classical
from mesodecode.evaluate import auc_table
from mesodecode.models import RNNDecoder
from mesodecode.predictions import bind
from mesodecode.recordings import Recording
from mesodecode.roi_rnn import fit_roi_rnn, predict_roi_rnn, windows
from mesodecode.rois import session_signals

PLANTED = [6, 8, 31, 33]
LEAD = 6  # frames by which the planted activity leads the behaviour (0.2 s)
REDUCED = {"half_window": 6, "epochs": 5, "batch_size": 64, "max_lr": 0.01, "frame_step": 4}
SIMULATION = {
    **{"seed": 3, "image_size": 48, "n_frames": 900, "photons": 100, "run_signal": 0.04},
    **{"signal_rois": PLANTED, "lead_s": LEAD / 30, "global_fraction": 0.0, "cycle_s": 4},
}


@functools.cache
def recordings() -> list[Recording]:
    settings = schema.defaults("simulate", **SIMULATION)
    made = []
    for mouse, session, share in simulate.cohort(5, 2):
        one = simulate.simulate_session(mouse=mouse, session=session, run_share=share, **settings)
        where = Path(f"{session}.h5")
        made.append(
            Recording(
                **{"path": where, "session": session, "mouse": mouse, "frame_rate": 30.0},
                **{"labels": one.label, "speed": None, "segment": None, "rois": one.rois.T},
                **{"pixel_mean": None, "stack_sd": 1.0, "shape": one.frames.shape},
            )
        )
    return made


def study(**decoder) -> cohort.Study:
    mice = {f"m{m}": [f"m{m}_s1", f"m{m}_s2"] for m in range(1, 6)}
    return cohort.resolve(
        {
            **{"study": "truth", "mice": mice, "allocation": {"choose": "each_test"}},
            **{"simulate": {}, "decoders": {"d": {"input": "rois", **decoder}}},
        }
    )


def aucs(**decoder) -> np.ndarray:
    """The test AUC of every allocation of one line of the decoder table."""
    table = study(**decoder)
    settings, found = table.decoders["d"].settings, []
    signals, dropped = session_signals(recordings(), settings, table.label_donors("d"))
    assert dropped == []
    by_name = {one.session: one for one in signals}
    for allocation in table.allocations.values():
        roles = [
            [by_name[s] for s in table.sessions(allocation.id, role)] for role in cohort.ROLES
        ]
        if "model" in decoder:
            model = fit_classical(roles[0], settings)
            predicted = predict_classical(model, roles[2], settings)
        else:
            predicted = gru(*roles, settings)
        pooled = auc_table([bind("d", allocation, predicted)])
        found.append(pooled["auc"][0])
    return np.array(found)


def gru(train, valid, test, settings):
    fitted = fit_roi_rnn(train, valid, settings)
    sizes = {key: settings[key] for key in ("hidden_size", "bidirectional")}
    model = RNNDecoder(train[0].features.shape[1], cell=settings["rnn"], **sizes)
    model.load_state_dict(fitted.state)
    return predict_roi_rnn(model, test, settings)
