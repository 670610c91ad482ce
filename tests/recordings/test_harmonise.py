"""One frame rate and areas by name, for recordings that have neither in common: by hand."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from make_recordings import write_recording
from mesodecode.cli import main
from mesodecode.recordings import harmonise
from mesodecode.recordings.harmonise import common_areas
from mesodecode.recordings.recording import read_recording
from mesodecode.study.targets import Target
from told import assert_told

N = 12
RNG = np.random.default_rng(4)
FRAMES = RNG.integers(100, 900, (N, 3, 4)).astype(np.uint16)
LABELS = np.array([0, 0, 0, 1, 1, 1, 1, 1, 0, 1, 0, 0], np.uint8)
ROIS = RNG.random((N, 3)).astype(np.float32)


def recorded(path, *, rate=30.0, frames=FRAMES, labels=LABELS, names=("a", "b", "c"), **more):
    write_recording(path, frames, labels=labels, segment=more.pop("segment", None))
    with h5py.File(path, "a") as file:
        file.attrs["frame_rate"] = rate
        if names is not False:
            file.pop("rois", None)
            file["rois"] = ROIS[: len(frames)]
            if names:
                file["rois"].attrs["names"] = list(names)
        for name, values in more.items():
            file[name] = values
    return path


def run(path, *words):
    out = path.with_name("out.h5")
    out.unlink(missing_ok=True)
    code = main(["harmonise", "--recording", str(path), "--out", str(out), *map(str, words)])
    assert (code == 0) == out.exists()  # whole or absent
    return read_recording(out) if code == 0 else None


def test_half_the_rate_is_the_mean_of_two_frames(tmp_path):
    path = recorded(
        tmp_path / "s.h5", speed=np.arange(N, dtype=np.float32), time=5 + np.arange(N) / 30
    )
    got = run(path, "--frame-rate", 15)
    pairs = FRAMES.reshape(6, 2, 3, 4).mean(axis=1)
    np.testing.assert_array_equal(got.read_frames(), np.rint(pairs))
    assert got.read_frames().dtype == np.uint16 and got.frame_rate == 15
    assert got.labels.tolist() == [0, 1, 1, 1, 1, 0]  # half is run
    np.testing.assert_allclose(got.speed, 0.5 + 2 * np.arange(6))
    np.testing.assert_allclose(got.time, 5 + np.arange(6) / 15)
    np.testing.assert_allclose(got.rois, ROIS.reshape(6, 2, 3).mean(axis=1), rtol=1e-6)
    assert got.roi_names == ("a", "b", "c")
    np.testing.assert_allclose(got.pixel_mean, np.rint(pairs).mean(axis=0), rtol=1e-6)
    assert got.stack_sd == pytest.approx(np.rint(pairs).std(), rel=1e-5)
    with h5py.File(tmp_path / "out.h5") as file:
        assert file.attrs["recorded_rate"] == 30 and file.attrs["session"] == got.session


def test_any_rate_weighs_frames_by_their_time_and_keeps_their_mean(tmp_path):
    """Against a slow copy: each recorded frame is cut into many slices, which are averaged."""
    floats = FRAMES.astype(np.float32)
    got = run(recorded(tmp_path / "s.h5", frames=floats), "--frame-rate", 12.5)  # 2.4 frames each
    fine = np.repeat(floats, 10, axis=0)  # of 24 slices each
    slow = np.stack([fine[24 * k : 24 * k + 24].mean(axis=0) for k in range(5)])
    np.testing.assert_allclose(got.read_frames(), slow, rtol=1e-5)
    np.testing.assert_allclose(got.read_frames().mean(axis=0), floats.mean(axis=0), rtol=1e-5)
    states = np.repeat(LABELS, 10)
    assert got.labels.tolist() == [
        int(states[24 * k : 24 * k + 24].mean() >= 0.5) for k in range(5)
    ]


def test_a_new_frame_begins_within_a_recorded_one(tmp_path):
    path = recorded(tmp_path / "s.h5", time=5 + np.arange(N) / 30)
    np.testing.assert_allclose(run(path, "--frame-rate", 12.5).time, 5 + np.arange(5) / 12.5)


def test_new_frames_begin_with_each_segment_and_cross_none(tmp_path):
    segment = np.repeat([7, 9, 9], [5, 4, 3])  # 5 and 7 frames
    time = np.concatenate([np.arange(5) / 30, 100 + np.arange(7) / 30])
    path = recorded(tmp_path / "s.h5", segment=segment, time=time)
    got = run(path, "--frame-rate", 15)
    assert got.segment.tolist() == [7, 7, 9, 9, 9]  # one frame over in each
    starts = [0, 2, 5, 7, 9]
    expected = [np.rint(FRAMES[a : a + 2].mean(axis=0)) for a in starts]
    np.testing.assert_array_equal(got.read_frames(), expected)
    np.testing.assert_allclose(got.time, time[starts])


@pytest.mark.parametrize("blocks", [1, 2, 5, 100])
@pytest.mark.parametrize("ratio", [1.0, 1.041, 2.0, 2.4, 0.97])
def test_blocks_of_any_size_give_the_same_frames(tmp_path, blocks, ratio):
    recording = read_recording(recorded(tmp_path / "s.h5", segment=np.repeat([0, 1], [5, 7])))
    starts = harmonise.new_starts(N, recording.segment, ratio)
    movie = harmonise.Resampled(recording, starts, ratio)
    parts = list(movie.blocks(blocks))
    assert [first for first, _ in parts] == np.cumsum(
        [0, *[len(p) for _, p in parts[:-1]]]
    ).tolist()
    frames = np.concatenate([part for _, part in parts])
    assert frames.shape == movie.shape
    flat = movie.means(FRAMES.reshape(N, -1)).reshape(movie.shape)
    np.testing.assert_allclose(frames, np.rint(flat), atol=1)


def test_areas_are_matched_by_name_and_missing_ones_said(tmp_path, capsys):
    path = recorded(tmp_path / "s.h5")
    got = run(path, "--areas", "c", "x", "a")
    assert got.roi_names == ("c", "x", "a") and got.frame_rate == 30
    np.testing.assert_array_equal(got.read_frames(), FRAMES)
    np.testing.assert_array_equal(got.rois[:, [0, 2]], ROIS[:, [2, 0]])
    assert np.isnan(got.rois[:, 1]).all()
    assert "area x is not in it: missing in all frames" in capsys.readouterr().err
    # ROIs without names by their numbers, under the names that others have
    path = recorded(tmp_path / "t.h5", names=None)
    got = run(path, "--areas", "M1", "2", "--names", json.dumps({"3": "M1"}))
    np.testing.assert_array_equal(got.rois, ROIS[:, [2, 1]])
    assert run(path).roi_names is None


def test_common_areas_are_those_of_all_in_the_order_of_the_first(tmp_path, capsys):
    first = recorded(tmp_path / "1.h5", names=("c", "b", "a L"))  # not as in the alphabet
    second = recorded(tmp_path / "2.h5", names=("a L", "C", "d"))
    with h5py.File(second, "a") as file:
        file.attrs["session"] = "2"
    out = tmp_path / "areas.txt"
    words = ["common-areas", "--recordings", str(first), str(second), "--out", str(out)]
    assert main([*words, "--names", json.dumps({"2": {"C": "c"}})]) == 0
    assert out.read_text() == "c\na L\n"
    got = run(second, "--areas-from", out, "--names", json.dumps({"C": "c"}))
    assert got.roi_names == ("c", "a L")
    np.testing.assert_array_equal(got.rois, ROIS[:, [1, 0]])
    other = recorded(tmp_path / "3.h5", names=("x", "y", "z"))
    assert main([*words[:2], str(first), str(other), *words[4:]]) != 0
    error = capsys.readouterr().err
    assert (
        "3.h5: no area in common with the recordings before it: it has x, y, z, they c, b, a L"
        in (error)
    )


def test_areas_that_are_not_in_all_are_said_and_those_that_look_like_one(tmp_path, capsys):
    first = recorded(tmp_path / "1.h5", names=("V1", "M1_L", "M1_R"))
    second = recorded(tmp_path / "2.h5", names=("m1 left", "V1", "RSP"))
    assert common_areas([first, second], {}) == ["V1"]
    line = capsys.readouterr().err
    assert "of all recordings: 1; left out, since not in all: M1_L, M1_R, m1 left, RSP;" in line
    assert "'M1_L' and 'm1 left' look like one area: name them alike" in line and "RSP'" not in line
    assert common_areas([first], {}) == ["V1", "M1_L", "M1_R"]
    assert capsys.readouterr().err == ""


def test_what_corrections_kept_of_each_frame_follows(tmp_path):
    path = recorded(tmp_path / "s.h5")
    with h5py.File(path, "a") as file:
        group = file.create_group("corrections")
        group.attrs["unit"] = "dff"
        group["shifts"], group["r2"] = np.arange(2 * N).reshape(N, 2), np.ones((3, 4))
        group["signal_frames"] = np.arange(N)
    assert run(path, "--frame-rate", 10).unit == "dff"
    with h5py.File(tmp_path / "out.h5") as file:
        found = file["corrections"]
        np.testing.assert_allclose(found["shifts"][:, 0], 2 + 6 * np.arange(4))
        assert found["r2"].shape == (3, 4) and "signal_frames" not in found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--frame-rate", 60), "recorded at 30 frames/s, below frame_rate: 60; frames that were"),
        (("--frame-rate", 0), "--frame-rate: 0 frames/s; needs a number above 0"),
        (("--frame-rate", 0.1), "no segment is as long as a frame of 10 s"),
        (("--frame-rate", 2.5), "frames are run at 2.5 frames/s; a session needs both states"),
        (("--areas", "x", "y"), "none of areas x, y in it; it has a, b, c; mend areas, or name"),
        (("--areas", "a", "--names", '{"q": "a"}'), "no area 'q' in it to call 'a' (area_names)"),
        (("--areas", "a", "--names", '{"b": "a"}'), "two areas are called 'a'; name them apart"),
        (("--areas", "a", "--names", "[1]"), "--names: no JSON table"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, capsys, words, said):
    assert run(recorded(tmp_path / "s.h5"), *words) is None
    assert said in (error := capsys.readouterr().err) and error.count("\n") == 1


def test_means_of_a_long_recording_are_of_the_same_frames_to_its_end():
    """Of values 0, 1, 2, …: the mean over [s, s + 4/3), where 1024 new frames end in mid-frame."""
    starts = 4 * np.arange(2300) / 3
    of = SimpleNamespace(path="", shape=(3067, 1, 1), read_frames=lambda *_: np.zeros(1, np.uint8))
    # begin at 0, 1 1/3, 2 2/3 of four frames: shares 1 + 1/3, 2/3 + 2/3, 1/3 + 1
    expected = np.floor(starts) + np.array([1 / 4, 2 / 4, 3 / 4])[np.arange(2300) % 3]
    means = harmonise.Resampled(of, starts, 4 / 3).means(np.arange(3067))
    np.testing.assert_allclose(means, expected, atol=1e-9)


def test_a_new_frame_has_of_each_recorded_one_what_lies_in_it():
    shares = harmonise.overlaps(np.array([0.0, 0.995, 0.5]), 1.0, 3)
    np.testing.assert_allclose(shares, [[1, 0, 0], [0.005, 0.995, 0], [0.5, 0.5, 0]])
    rounded = harmonise.overlaps(np.array([1 - 1e-9]), 1.0, 3)
    assert (rounded > 0).tolist() == [[False, True, False]]


# --- by slow loops, whole -------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [30.0, 12.0, 10.0, 7.3, 29.0])
def test_all_that_a_recording_holds_is_brought_to_another_rate(tmp_path, rate):
    n, ratio = 26, 30 / rate
    rng = np.random.default_rng(8)
    frames = rng.integers(100, 900, (n, 3, 4)).astype(np.uint16)
    segment, labels = np.repeat([4, 9], [12, 14]), (np.arange(n) // 3 % 2).astype(np.uint8)
    speed, time = rng.random(n).astype(np.float32), np.arange(n) / 30 + 5 * (segment == 9)
    rois, shifts = rng.random((n, 2)).astype(np.float32), rng.random((n, 2)).astype(np.float32)
    path = recorded(
        tmp_path / "a.h5", frames=frames, labels=labels, segment=segment, names=False,
        speed=speed, time=time, rois=rois,
    )  # fmt: skip
    with h5py.File(path, "a") as file:
        group = file.create_group("corrections")
        group.attrs["settings"] = "{}"
        group["shifts"], group["signal_frames"], group["r2"] = shifts, np.arange(n), np.eye(2)
        file["outside"] = np.eye(2, dtype=bool)

    parts = [(first, last) for first, last in ((0, 12), (12, 26))]
    starts = [
        first + ratio * i
        for first, last in parts
        for i in range(int((last - first) / ratio + 1e-6))
    ]

    def mean(values, start):
        weights = [max(0.0, min(start + ratio, i + 1) - max(start, i)) for i in range(n)]
        return np.tensordot(np.array(weights) / ratio, np.asarray(values, float), 1)

    harmonise.harmonise(path, tmp_path / "b.h5", frame_rate=rate)
    with h5py.File(tmp_path / "b.h5") as file:
        expected = np.array([mean(frames, start) for start in starts])
        assert np.abs(file["frames"][:] - expected).max() < 0.501  # rounded
        for name, values in (("speed", speed), ("rois", rois), ("corrections/shifts", shifts)):
            made = [mean(values, start) for start in starts]
            np.testing.assert_allclose(file[name][:], made, rtol=1e-5)
        assert file["labels"][:].tolist() == [mean(labels, s) >= 0.5 - 1e-9 for s in starts]
        first = [int(start + 1e-6) for start in starts]
        assert file["segment"][:].tolist() == segment[first].tolist()
        late = [max(s - i, 0) / 30 for s, i in zip(starts, first, strict=True)]
        np.testing.assert_allclose(file["time"], time[first] + late)
        np.testing.assert_allclose(file["pixel_mean"], file["frames"][:].mean(axis=0), rtol=1e-6)
        kinds = ("pixel_mean", "f4"), ("stack_sd", "f4"), ("speed", "f4"), ("rois", "f4")
        assert {(name, file[name].dtype.str[1:]) for name, _ in kinds} == {*kinds}
        assert file["stack_sd"][()] == pytest.approx(file["frames"][:].std(), rel=1e-5)
        assert (file.attrs["frame_rate"], file.attrs["recorded_rate"]) == (rate, 30)
        assert set(file["corrections"]) == {"shifts", "r2"}
        assert file["outside"][:].tolist() == [[True, False], [False, True]]
        assert file["corrections"].attrs["settings"] == "{}"


def test_areas_and_rates_that_cannot_be(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    recorded(Path("a.h5")), recorded(Path("b.h5"), names=("V1_L", "b", "M1"))
    recorded(Path("c.h5"), names=None), recorded(Path("d.h5"), names=("v1 left", "b", "m1"))
    recorded(Path("e.h5"), names=False), recorded(Path("f.h5"), names=("V1 lh", "b", "b2"))
    recorded(Path("g.h5"), segment=np.arange(N) // 2)

    def made(path, **options):
        harmonise.harmonise(path, "out.h5", **options)
        found = read_recording("out.h5")
        rois = None if found.rois is None else found.rois[0]
        return [found.frame_rate, len(found), found.roi_names, rois, found.labels]

    def own(path, **names):
        return harmonise.own_areas(read_recording(path), names)

    many = [f"x{i}" for i in range(12)]
    cases = {
        "as it is": lambda: made("a.h5"),
        "half the rate": lambda: made("a.h5", frame_rate=15.0),
        "a rate a little above": lambda: made("a.h5", frame_rate=30.1),
        "the highest rate": lambda: made("a.h5", frame_rate=31.5),
        "a rate above": lambda: made("a.h5", frame_rate=33.0),
        "a rate far below": lambda: made("a.h5", frame_rate=2.0),
        "a rate far below, of short segments": lambda: made("g.h5", frame_rate=9.0),
        "one frame": lambda: made("a.h5", frame_rate=2.5),
        "areas": lambda: made("a.h5", areas=["c", "a"]),
        "areas that are not all there": lambda: made("a.h5", areas=["c", "x", "y"]),
        "areas that are not there": lambda: made("a.h5", areas=many),
        "areas by other names": lambda: made("a.h5", areas=["V1", "b"], names={"a": "V1"}),
        "areas by numbers": lambda: made("c.h5", areas=["3", "1"]),
        "areas without ROIs": lambda: made("e.h5", areas=["a"]),
        "no ROIs": lambda: made("e.h5"),
        "no names": lambda: made("c.h5"),
        "own names": lambda: own("a.h5", a="V1"),
        "own names that are not there": lambda: own("a.h5", x="V1"),
        "own names twice": lambda: own("a.h5", a="b"),
        "own names, without ROIs": lambda: own("e.h5"),
        "areas of all": lambda: common_areas(["a.h5", "a.h5"], {}),
        "areas in common": lambda: common_areas(["b.h5", "d.h5", "f.h5"], {}),
        "areas in common, by names": lambda: common_areas(["a.h5", "b.h5"], {"a": {"a": "M1"}}),
        "areas of which none is common": lambda: common_areas(["a.h5", "c.h5"], {}),
    }
    assert_told(cases, Path(__file__).with_name("told") / "harmonise.txt", capsys)


@pytest.mark.parametrize("rate", [30.0, 15.0, 10.0, 7.5])
def test_a_new_frame_is_of_the_state_that_lasts_longest_in_it_the_first_of_several(tmp_path, rate):
    states, values = Target("arena", states=("a", "b", "c")), np.array([2, 0, 0, 1, 1, 2] * 2)
    for target, decoded in ((states, values.astype(np.uint8)), (Target("pupil"), values / 2)):
        path = recorded(tmp_path / f"{target.name}.h5", target=decoded.astype(decoded.dtype))
        with h5py.File(path, "a") as file:
            file["target"].attrs.update(target.attributes())
        harmonise.harmonise(path, tmp_path / "b.h5", frame_rate=rate)
        found = read_recording(tmp_path / "b.h5")
        assert found.target == target
        parts = decoded.reshape(-1, int(30 / rate))
        if target.states:
            expected = [np.bincount(part).argmax() for part in parts]
        else:
            expected = parts.mean(axis=1)
        np.testing.assert_allclose(found.decoded, expected, rtol=1e-6)
        assert found.decoded.dtype == (np.uint8 if target.states else np.float32)
