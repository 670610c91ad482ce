"""Runs of frames that are taken of a recording: by hand, and by what each must hold."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from make_recordings import write_recording
from mesodecode.base.files import UserError
from mesodecode.recordings import sample
from mesodecode.recordings.baseline import fixed

SEGMENT = np.repeat([0, 1, 2], [10, 4, 12])


@pytest.mark.parametrize(
    ("n", "reach", "segment", "length", "skip", "expected"),
    [
        (3, 1, None, 1, 0, [(0, 3), (12, 15), (23, 26)]),  # of frames 1 … 24
        (1, 1, None, 1, 0, [(0, 3)]),
        (0, 1, None, 1, 0, [(0, 3)]),
        (99, 12, None, 1, 0, [(0, 25), (1, 26)]),
        (2, 13, None, 1, 0, []),
        (6, 0, None, 3, 0, [(0, 3), (24, 26)]),
        (7, 0, None, 3, 0, [(0, 3), (24, 26)]),  # two runs of three are near seven frames
        (8, 0, None, 3, 0, [(0, 3), (12, 15), (24, 26)]),
        (4, 1, None, 4, 5, [(5, 11)]),
        (99, 2, SEGMENT, 4, 0, [(0, 8), (4, 10), (14, 22), (18, 26)]),
        (99, 1, SEGMENT, 9, 0, [(0, 10), (10, 14), (14, 25), (23, 26)]),
        (99, 0, SEGMENT, 9, 0, [(0, 9), (9, 10), (10, 14), (14, 23), (23, 26)]),
        (99, 1, SEGMENT, 9, 11, [(11, 14), (14, 25), (23, 26)]),
    ],
)
def test_runs_are_spread_evenly_and_cross_no_segment(n, reach, segment, length, skip, expected):
    assert sample.runs(26, n, reach, segment, length, skip) == expected


def test_a_sample_has_the_frames_of_its_runs_and_what_belongs_to_them(tmp_path):
    frames = np.arange(26 * 2 * 3).reshape(26, 2, 3).astype(np.uint16)
    whole = write_recording(tmp_path / "a.h5", frames, segment=SEGMENT)
    base = fixed(frames[::13].astype(np.float32), np.arange(26) // 13)
    object.__setattr__(whole, "baseline", base)
    found = sample.sample(whole, 2, 1)
    at = [0, 1, 2, 23, 24, 25]
    np.testing.assert_array_equal(found.read_frames(), frames[at])
    np.testing.assert_array_equal(found.read_frames(1, 3), frames[at[1:3]])
    np.testing.assert_array_equal(found.labels, whole.labels[at])
    assert found.segment.tolist() == [0, 0, 0, 1, 1, 1] and found.shape == (6, 2, 3)
    assert found.baseline.before.tolist() == [0, 0, 0, 1, 1, 1]
    assert (found.stack_sd, found.session, len(found)) == (whole.stack_sd, "a", 6)
    assert found.speed is found.rois is found.time is found.planes() is None and found.skip == 0
    np.testing.assert_array_equal(found.pixel_mean, whole.pixel_mean)
    assert sample.sample(found, 1, 0) is found
    spread = sample.sample(whole, 3, 1)  # of frames 1-8, 11-12 and 15-24, as segments have it
    np.testing.assert_array_equal(spread.read_frames(), frames[[0, 1, 2, 14, 15, 16, 23, 24, 25]])
    object.__setattr__(whole, "skip", 11)
    late = sample.sample(whole, 4, 1, run_length=2)  # 12, after which a segment ends, and 23-24
    at = [*range(11, 14), *range(22, 26)]
    np.testing.assert_array_equal(late.read_frames(), frames[at])
    assert late.segment.tolist() == [0] * 3 + [1] * 4 and late.skip == 0
    empty = sample.sample(whole, 3, 20)
    assert empty.read_frames().shape == empty.shape == (0, 2, 3)
    assert empty.read_frames().dtype == np.uint16 and len(empty.labels) == 0


def test_a_sample_of_damaged_frames_names_the_recording(tmp_path):
    whole = write_recording(tmp_path / "a.h5", np.ones((26, 2, 3), np.uint16))
    with h5py.File(tmp_path / "a.h5", "a") as file:
        del file["frames"]
        data = file.create_dataset("frames", (26, 2, 3), "u2", chunks=(13, 2, 3), compression=1)
        data.id.write_direct_chunk((13, 0, 0), b"no chunk")
    with pytest.raises(UserError, match=r"a.h5: its frames cannot be read .* delete it"):
        sample.sample(whole, 3, 1)
