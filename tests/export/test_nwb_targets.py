"""Traces and named states as NWB, with what was predicted of them, read back by pynwb."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from make import STUDY
from mesodecode.base.files import UserError
from mesodecode.decoders.predictions import SessionPredictions, bind
from mesodecode.export import nwb_export
from mesodecode.export.nwb_metadata import read_metadata
from mesodecode.recordings.readers.nwb import open_nwb
from mesodecode.recordings.recording import Recording
from mesodecode.study import study as studies
from mesodecode.study.schema import defaults
from mesodecode.study.targets import Target

FILES = STUDY["recordings"] | {"target_states": ["rest", "walk", "groom"]}
CONFIGS = {
    "pupil": STUDY | {"target": "pupil", "decoders": {"d": {"model": "ridge"}}},
    "states": STUDY
    | {"target": "states", "recordings": FILES}
    | {"decoders": {"d": {"model": "logistic_regression"}}},
}
TARGETS = {"pupil": Target("pupil", unit="px"), "states": Target("states", FILES["target_states"])}


@pytest.mark.parametrize("kind", ["pupil", "states"])
def test_target_and_predictions_are_written(tmp_path, kind):
    study, target = studies.resolve(CONFIGS[kind]), TARGETS[kind]
    target = replace(target, states=tuple(target.states))
    values = np.array([0, 0, 1, 1, 2, 2], np.uint8 if target.states else np.float32)
    recording = Recording(
        **{"path": Path("b1.h5"), "session": "b1", "mouse": "b", "frame_rate": 10.0},
        **{"labels": np.zeros(6, np.uint8), "speed": None, "segment": None, "rois": None},
        **{"pixel_mean": None, "stack_sd": 1.0, "shape": (6, 2, 2)},
        **{"target": target, "decoded": values},
    )
    made = np.eye(3, dtype="f4")[values.astype(int)] if target.states else values + 0.5
    (allocation,) = (one for one in study.allocations.values() if one.test == ("b",))
    sessions = {"b1": SessionPredictions("b", np.arange(6), values, made)}
    item = bind("d", allocation, sessions, target=target)
    settings = defaults("nwb")
    metadata = read_metadata(["b1"], study.by_id, settings)["b1"]
    out = tmp_path / "b1.nwb"
    nwb_export.export(out, recording, [item], study, metadata, settings)
    with open_nwb(out) as nwb:
        (series,) = nwb.processing["behavior"]["decoding"].time_series.values()
        np.testing.assert_array_equal(series.data[:], made)
        assert "are not what decoders learn" in nwb.intervals["states"].description
        if target.states:
            table = nwb.intervals["named_states"].to_dataframe()
            assert table["state"].tolist() == ["rest", "walk", "groom"]
            assert table["stop_time"].tolist() == pytest.approx([0.2, 0.4, 0.6])
            assert series.unit == "probability" and "rest, walk, groom" in series.description
        else:
            own = nwb.processing["behavior"]["target"]
            assert own.data[:].tolist() == values.tolist() and own.unit == series.unit == "px"
    other = replace(recording, target=Target("speed", unit="cm/s"))
    with pytest.raises(UserError, match="other frames, labels or target"):
        nwb_export.export(out, other, [item], study, metadata, settings)
