"""From a session's files to its recording: exact, lossless, block by block, or not at all."""

import hashlib
import tracemalloc

import h5py
import numpy as np
import pytest
import scipy.io
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mesodecode.recordings.preprocess as stage
from make_recordings import Stack
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.recordings import chunks
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.qc_measures import Measured
from mesodecode.recordings.recording import mice_of, read_recording, read_recordings, read_roles
from mesodecode.recordings.resizing import resize

T, H, W, R = 40, 6, 10, 3
ABOUT = {"session": "s1", "mouse": "m1", "frame_rate": 30.0}


def random_stack(dtype="uint16", shape=(T, H, W), seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return rng.normal(2, 3, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def write_sources(folder, stack, *, runrest=None, rois=None, tiff=None, **behavior):
    """Write a session's files; return them as keyword arguments of `preprocess`."""
    folder.mkdir(exist_ok=True)
    labels = np.arange(len(stack)) // 5 % 2 if runrest is None else runrest
    files = {"movie": folder / "s1.tif", "behavior": folder / "s1_behavior.mat"}
    tifffile.imwrite(files["movie"], stack, photometric="minisblack", **(tiff or {}))
    variables = {"runrest": labels, **behavior}
    scipy.io.savemat(files["behavior"], {k: np.asarray(v)[None] for k, v in variables.items()})
    if rois is not None:
        files["rois"] = folder / "s1_roi.mat"
        scipy.io.savemat(files["rois"], {"dat_roi": rois})
    return files


def run(folder, stack, *, options=None, **sources):
    """Preprocess `stack` and return the recording's datasets and attributes."""
    files = write_sources(folder, stack, **sources)
    preprocess(folder / "out" / "s1.h5", **files, **ABOUT, **(options or {}))
    with h5py.File(folder / "out" / "s1.h5") as file:
        return {name: dataset[()] for name, dataset in file.items()}, dict(file.attrs)


# --- the file ----------------------------------------------------------------------------------


def test_the_recording_has_the_layout_of_the_contract(tmp_path):
    stack = random_stack()
    speed, segment = np.linspace(0, 9, T), np.arange(T) // 20
    rois = np.random.default_rng(1).normal(size=(R, T))
    data, attributes = run(tmp_path, stack, speed_rs=speed, segment=segment, rois=rois)
    layout = {name: (value.shape, value.dtype) for name, value in data.items()}
    assert layout == {
        "frames": ((T, H, W), np.uint16),
        "labels": ((T,), np.uint8),
        "speed": ((T,), np.float32),
        "segment": ((T,), np.int64),
        "rois": ((T, R), np.float32),
        "pixel_mean": ((H, W), np.float32),
        "stack_sd": ((), np.float32),
        "frame_codes": ((T,), np.uint64),
    }
    np.testing.assert_array_equal(data["frames"], stack)
    np.testing.assert_array_equal(data["labels"], np.arange(T) // 5 % 2)
    np.testing.assert_array_equal(data["speed"], speed.astype(np.float32))
    np.testing.assert_array_equal(data["segment"], segment)
    np.testing.assert_array_equal(data["rois"], rois.T.astype(np.float32))
    sources = {}
    for kind, name in (("movie", ".tif"), ("behavior", "_behavior.mat"), ("rois", "_roi.mat")):
        path = tmp_path / f"s1{name}"
        sources |= {
            kind: str(path),
            f"{kind}_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
    assert attributes.pop("recorded_size").tolist() == [H, W]
    sources |= {"movie_axes": "TYX", "movie_axes_by": "the file"}
    assert attributes == {"session": "s1", "mouse": "m1", "frame_rate": 30.0, **sources}


def test_what_a_session_lacks_is_not_in_the_file(tmp_path):
    data, attributes = run(tmp_path, random_stack())
    assert set(data) == {"frames", "labels", "pixel_mean", "stack_sd", "frame_codes"}
    assert not any(key.startswith("rois") for key in attributes)


def test_the_recorded_size_is_that_before_resizing(tmp_path):
    """Masks of areas are drawn on the movie, whatever the size of the decoder's images."""
    run(tmp_path, random_stack(), options={"image_size": 4})
    recording = read_recording(tmp_path / "out" / "s1.h5")
    assert recording.shape[1:] == (4, 4) and recording.recorded_size == (H, W)


@pytest.mark.parametrize("tiff", [{}, {"compression": "zlib"}, {"byteorder": ">"}])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
def test_frames_are_lossless_in_their_own_type(tmp_path, dtype, tiff):
    stack = random_stack(dtype)
    data, _ = run(tmp_path, stack, tiff=tiff)
    assert data["frames"].dtype == np.dtype(dtype)
    np.testing.assert_array_equal(data["frames"], stack)


def test_frames_are_chunked_over_time_and_compressed(tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", 8 * H * W * 2)
    run(tmp_path, np.zeros((T, H, W), np.uint16) + np.arange(W, dtype=np.uint16))
    with h5py.File(tmp_path / "out" / "s1.h5") as file:
        frames = file["frames"]
        assert frames.chunks == (8, H, W)
        assert frames.id.get_storage_size() < frames.nbytes / 2


def test_a_recording_shorter_than_a_chunk_or_with_huge_frames_works(tmp_path, monkeypatch):
    for chunk, frames_a_chunk in ((1 << 20, T), (1, 1)):
        monkeypatch.setattr(chunks, "CHUNK", chunk)
        data, _ = run(tmp_path, random_stack())
        np.testing.assert_array_equal(data["frames"], random_stack())
        with h5py.File(tmp_path / "out" / "s1.h5") as file:
            assert file["frames"].chunks == (frames_a_chunk, H, W)


def test_labels_are_made_from_speed_by_the_threshold(tmp_path):
    files = write_sources(tmp_path, random_stack())
    speed = np.linspace(0, 3.9, T)
    scipy.io.savemat(files["behavior"], {"speed_rs": speed[None]})
    preprocess(tmp_path / "s1.h5", **files, **ABOUT, speed_threshold=1.55)
    recording = read_recording(tmp_path / "s1.h5")
    assert recording.labels.tolist() == [0] * 16 + [1] * 24  # 1.6, 1.7, … 3.9 are above 1.55


@pytest.mark.parametrize("given", [True, False])
def test_time_stamps_of_frames_are_kept(tmp_path, given):
    files = write_sources(tmp_path, random_stack())
    times = 7 + np.arange(T) / 30
    if given:
        np.save(tmp_path / "t.npy", times)
        files["frame_times"] = tmp_path / "t.npy"
    preprocess(tmp_path / "s1.h5", **files, **ABOUT)
    recording = read_recording(tmp_path / "s1.h5")
    if not given:
        assert recording.time is None
        return
    np.testing.assert_array_equal(recording.time, times)
    with h5py.File(tmp_path / "s1.h5") as file:
        assert file["time"].dtype == np.float64
        digest = hashlib.sha256((tmp_path / "t.npy").read_bytes()).hexdigest()
        assert file.attrs["frame_times_sha256"] == digest


def test_a_wheel_becomes_speed_and_states_by_the_clock_of_the_frames(tmp_path):
    """The verb, from SVD components and encoder counts at 100/s on a clock of its own."""
    n_frames, rng = 60, np.random.default_rng(0)
    np.save(tmp_path / "U.npy", rng.normal(size=(H, W, 3)).astype(np.float32))
    np.save(tmp_path / "SVT.npy", rng.normal(size=(3, n_frames)).astype(np.float32))
    np.save(tmp_path / "t.npy", 100 + np.arange(n_frames) / 10)  # frames at 10/s
    clock = 99 + np.arange(900) / 100
    moving = (clock > 102) & (clock < 104)
    counts = np.cumsum(np.where(moving, 2, 0))  # 200 counts/s, a turn of 40 cm has 400: 20 cm/s
    rows = "\n".join(f"{t:.2f},{c}" for t, c in zip(clock, counts, strict=True))
    (tmp_path / "wheel.csv").write_text(f"s,counts\n{rows}\n")
    words = ["preprocess", "--movie", tmp_path / "U.npy", tmp_path / "SVT.npy"]
    words += ["--frame-times", tmp_path / "t.npy", "--behavior", tmp_path / "wheel.csv"]
    words += ["--behavior-encoder", "counts", "--behavior-time", "s", "--counts-per-turn", 400]
    words += ["--wheel-circumference", 40, "--frame-rate", 10, "--min-bout", 1]
    words += ["--session", "s1", "--mouse", "m1", "--out", tmp_path / "s1.h5"]
    assert main([*map(str, words)]) == 0
    recording = read_recording(tmp_path / "s1.h5")
    assert recording.shape == (n_frames, H, W)
    np.testing.assert_allclose(recording.speed[21:39], 20, rtol=1e-5)
    assert recording.speed[:19].max() == 0 and recording.speed[41:].max() == 0
    run = np.flatnonzero(recording.labels)
    assert run[0] in (19, 20) and run[-1] in (39, 40) and len(run) == run[-1] - run[0] + 1
    with h5py.File(tmp_path / "s1.h5") as file:
        assert file.attrs["movie"] == f"{tmp_path}/U.npy, {tmp_path}/SVT.npy"


# --- mean and SD -------------------------------------------------------------------------------


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_frames=st.integers(2, 30),
    low=st.sampled_from([0, 1000, 59999, 65532]),
    spread=st.sampled_from([2, 3, 2000, 65535]),
    block=st.sampled_from([1, 500, 10**6]),
)
def test_mean_and_sd_are_those_of_the_whole_stack(tmp_path, seed, n_frames, low, spread, block):
    rng = np.random.default_rng(seed)
    most = min(low + spread, 65534)  # a movie of which half is 65535 would be refused
    stack = rng.integers(low, most, (n_frames, 4, 5), np.uint16, endpoint=True)
    stack[0, 0, :2] = low, low + 1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage, "BLOCK", block)
        data, _ = run(tmp_path, stack, runrest=np.arange(n_frames) % 2)
    exact = stack.astype(np.float64)
    # sums are of differences from a frame: of a pixel that is always 0 a last bit may be left
    np.testing.assert_allclose(data["pixel_mean"], exact.mean(axis=0), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(data["stack_sd"], exact.std(), rtol=1e-6)


def test_mean_and_sd_of_small_changes_on_a_large_offset(tmp_path):
    """The naive sum of squares of 8,000,000 ± 1 would lose the SD to rounding."""
    stack = (8e6 + np.random.default_rng(0).integers(-1, 2, (200, 16, 16))).astype(np.float32)
    data, _ = run(tmp_path, stack)
    np.testing.assert_allclose(data["stack_sd"], stack.astype(np.float64).std(), rtol=1e-6)
    mean = stack.astype(np.float64).mean(axis=0)
    np.testing.assert_allclose(data["pixel_mean"], mean, rtol=1e-6)


def test_mean_and_sd_of_a_hand_worked_stack(tmp_path):
    stack = np.array([[[0, 10]], [[2, 10]], [[4, 10]], [[2, 10]]], np.uint8)
    data, _ = run(tmp_path, stack, runrest=[0, 1, 1, 0])
    assert data["pixel_mean"].tolist() == [[2, 10]]
    # Mean of all 6; squared differences 36 + 16 + 4 + 16 + 4 * 16 = 136, over 8 values.
    np.testing.assert_allclose(data["stack_sd"], np.sqrt(136 / 8), rtol=1e-7)


@pytest.mark.parametrize("tiff", [{}, {"compression": "zlib"}])
@pytest.mark.parametrize("image_size", [None, 4])
def test_block_size_changes_nothing(tmp_path, monkeypatch, tiff, image_size):
    results = []
    for block in (1 << 30, 7 * H * W * 4, 1):
        monkeypatch.setattr(stage, "BLOCK", block)
        options = {"image_size": image_size}
        results.append(run(tmp_path, random_stack(), tiff=tiff, options=options)[0])
    for other in results[1:]:
        np.testing.assert_array_equal(other["frames"], results[0]["frames"])
        np.testing.assert_allclose(other["pixel_mean"], results[0]["pixel_mean"], rtol=1e-6)
        np.testing.assert_allclose(other["stack_sd"], results[0]["stack_sd"], rtol=1e-6)


@pytest.mark.parametrize("tiff", [{}, {"compression": "zlib"}])
def test_a_stack_is_never_whole_in_memory(tmp_path, monkeypatch, tiff):
    stack = random_stack(shape=(1200, 64, 64))
    files = write_sources(tmp_path, stack, tiff=tiff)
    monkeypatch.setattr(stage, "BLOCK", 1 << 17)  # 128 KiB of a stack of 9.4 MiB
    preprocess(tmp_path / "warm.h5", **files, **ABOUT)
    tracemalloc.start()
    try:
        preprocess(tmp_path / "s1.h5", **files, **ABOUT)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < stack.nbytes / 2


# --- resizing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("size", [4, 16])
def test_resized_frames_keep_their_type_and_their_statistics_are_of_the_new_frames(
    tmp_path, dtype, size
):
    data, _ = run(tmp_path, random_stack(dtype), options={"image_size": size})
    assert data["frames"].shape == (T, size, size)
    assert data["frames"].dtype == np.dtype(dtype)
    exact = data["frames"].astype(np.float64)
    scale = np.abs(exact).max()
    np.testing.assert_allclose(data["pixel_mean"], exact.mean(axis=0), atol=1e-6 * scale)
    np.testing.assert_allclose(data["stack_sd"], exact.std(), rtol=1e-5)


@pytest.mark.parametrize("value", [1, 255, 40000, 65534])
@pytest.mark.parametrize("size", [3, 32])
def test_a_constant_image_stays_constant(tmp_path, value, size):
    stack = np.full((4, 12, 12), value, np.uint16)
    stack[1] = 7  # another constant: a movie of one value is refused
    data, _ = run(tmp_path, stack, runrest=[0, 1, 1, 0], options={"image_size": size})
    assert np.unique(data["frames"][0]).tolist() == [value]
    assert np.unique(data["frames"][1]).tolist() == [7]


def test_downsampling_averages(tmp_path):
    """Every pixel counts, none is skipped: 64 px of fine stripes become their mean."""
    stripes = np.tile(np.array([100, 300], np.uint16), (4, 64, 32))
    stripes[1] += 50
    data, _ = run(tmp_path, stripes, runrest=[0, 1, 1, 0], options={"image_size": 8})
    np.testing.assert_allclose(data["frames"][0], 200, atol=5)
    np.testing.assert_allclose(data["frames"][1], 250, atol=5)


def test_resized_counts_are_rounded_to_the_nearest(tmp_path):
    stack = random_stack()
    data, _ = run(tmp_path, stack, options={"image_size": 4})
    exact = resize(stack, 4)
    np.testing.assert_allclose(data["frames"], exact, rtol=0, atol=0.5)
    assert np.abs(data["frames"].astype(float) - exact).mean() > 0.1  # there was something to round


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([4, 8, 16]))
def test_downsampling_preserves_the_mean_and_never_overshoots(seed, size):
    frames = np.random.default_rng(seed).integers(0, 65536, (2, 64, 64)).astype(np.uint16)
    small = resize(frames, size)
    assert small.shape == (2, size, size)
    assert small.min() >= frames.min()
    assert small.max() <= frames.max()
    np.testing.assert_allclose(small.mean(), frames.mean(), rtol=0.02)


def test_resizing_keeps_the_orientation():
    frame = np.zeros((1, 12, 24), np.uint16)
    frame[0, :6, 12:] = 100  # top right
    (top_left, top_right), (bottom_left, bottom_right) = resize(frame, 2)[0]
    assert top_right > 60
    assert max(top_left, bottom_left, bottom_right) < 20


# --- bad input ---------------------------------------------------------------------------------


def refused(tmp_path, capsys, files, *more):
    """Run the verb: exit status 1, one line on stderr, nothing in the output's folder."""
    out = tmp_path / "out"
    words = [word for kind, path in files.items() for word in (f"--{kind}", str(path))]
    status = main(
        [
            "preprocess",
            *words,
            "--session",
            "s1",
            "--mouse",
            "m1",
            "--out",
            str(out / "s1.h5"),
            *more,
        ]
    )
    captured = capsys.readouterr()
    assert status == 1
    assert captured.out == ""
    assert captured.err.count("\n") == 1, captured.err
    assert captured.err.startswith("mesodecode preprocess: error: ")
    assert not out.exists() or not list(out.iterdir())
    return captured.err


def nan_frame():
    stack = random_stack("float32")
    stack[17, 2, 3] = np.nan
    return stack


def infinite_frame():
    stack = random_stack("float32")
    stack[0, 0, 0] = np.inf
    return stack


CONSTANT = "same value"
CASES = {
    # name: (sources, words of the message, the file it names)
    "nan": ({"stack": nan_frame()}, ["frame 17"], ".tif"),
    "inf": ({"stack": infinite_frame()}, ["frame 0 "], ".tif"),
    "constant": ({"stack": np.full((T, H, W), 512, np.uint16)}, [CONSTANT], ".tif"),
    "black": ({"stack": np.zeros((T, H, W), np.uint16)}, [CONSTANT], ".tif"),
    # A mean of float32 0.1 is not float32 0.1: rounding is no signal.
    "tenth": ({"stack": np.full((T, H, W), 0.1, np.float32)}, [CONSTANT], ".tif"),
    "short labels": (
        {"runrest": np.arange(T - 1) % 2},
        ["labels", "39", "40", "cut both to the same frames"],
        "_behavior.mat",
    ),
    "labels at a rate of their own": (
        {"runrest": np.arange(3 * T) % 2},
        ["labels of 120", "behavior_time", "behavior_rate"],
        "_behavior.mat",
    ),
    "long labels": ({"runrest": np.arange(T + 1) % 2}, ["labels", "41", "40"], "_behavior.mat"),
    "short speed": ({"speed_rs": np.ones(T - 2)}, ["speed", "38", "40"], "_behavior.mat"),
    "short segment": ({"segment": np.ones(T - 2)}, ["segment", "38", "40"], "_behavior.mat"),
    "labels of 2": ({"runrest": np.arange(T) % 3}, ["runrest", "2"], "_behavior.mat"),
    "rest only": (
        {"runrest": np.zeros(T)},
        ["all 40 frames are rest", "runrest holds 0 40 times; check behavior_labels"],
        "_behavior.mat",
    ),
    "run only": ({"runrest": np.ones(T)}, ["all 40 frames are run"], "_behavior.mat"),
    "rois turned": ({"rois": np.zeros((T, R))}, ["rois", "3", "40"], "_roi.mat"),
    "rois short": ({"rois": np.zeros((R, T - 5))}, ["rois", "35", "40"], "_roi.mat"),
    "rois infinite": (
        {"rois": np.where(np.arange(R) == 1, np.inf, 1)[:, None] * np.ones(T)},
        ["ROI 2"],
        "_roi.mat",
    ),
    "rois with labels among them": (
        {"rois": np.stack([np.sin(np.arange(T)), 3.0 - np.arange(T) // 5 % 2])},
        ["ROI 2 is the labels"],
        "_roi.mat",
    ),
    "one frame": ({"stack": random_stack(shape=(1, H, W)), "runrest": [1]}, ["both"], ".mat"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_session_gets_one_line_and_no_output(tmp_path, capsys, case):
    sources, words, named = CASES[case]
    files = write_sources(tmp_path / "in", **({"stack": random_stack()} | sources))
    message = refused(tmp_path, capsys, files)
    assert named in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("image_size", ["3", "32"])
def test_a_constant_movie_is_refused_when_resized_too(tmp_path, capsys, image_size):
    files = write_sources(tmp_path / "in", np.full((T, H, W), 0.1, np.float32))
    assert CONSTANT in refused(tmp_path, capsys, files, "--image-size", image_size)


def test_bad_files_get_one_line_and_no_output(tmp_path, capsys):
    good = write_sources(tmp_path / "in", random_stack(), rois=np.ones((R, T)))
    content = good["movie"].read_bytes()
    bad = {
        "cut": content[: len(content) // 2],
        "text": b"a movie\n" * 9,
        "empty": b"",
    }
    for name, what in bad.items():
        path = tmp_path / name
        path.write_bytes(what)
        for kind in ("movie", "behavior", "rois"):
            if (kind, name) != ("behavior", "cut"):
                assert str(path) in refused(tmp_path, capsys, good | {kind: path})
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "none", tmp_path / "folder"):
        for kind in ("movie", "behavior", "rois"):
            assert str(path) in refused(tmp_path, capsys, good | {kind: path})


@pytest.mark.parametrize(
    ("flag", "value"),
    [("--image-size", "0"), ("--image-size", "-4"), ("--frame-rate", "0"), ("--frame-rate", "nan")],
)
def test_senseless_numbers_are_refused(tmp_path, capsys, flag, value):
    files = write_sources(tmp_path / "in", random_stack())
    message = refused(tmp_path, capsys, files, flag, value)
    assert flag[2:].replace("-", "_") in message.replace("-", "_")


def test_an_old_output_survives_a_failure(tmp_path, capsys):
    files = write_sources(tmp_path, nan_frame())
    (tmp_path / "s1.h5").write_bytes(b"old")
    with pytest.raises(UserError):
        preprocess(tmp_path / "s1.h5", **files, **ABOUT)
    assert (tmp_path / "s1.h5").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


# --- reading it back ---------------------------------------------------------------------------


def test_a_recording_reads_back(tmp_path):
    stack, segment = random_stack(), np.arange(T) // 10
    rois = np.arange(R * T, dtype=float).reshape(R, T)
    files = write_sources(tmp_path, stack, segment=segment, rois=rois, speed_rs=np.ones(T))
    preprocess(tmp_path / "s1.h5", **files, **ABOUT)
    recording = read_recording(tmp_path / "s1.h5")
    assert (recording.session, recording.mouse, recording.frame_rate) == ("s1", "m1", 30.0)
    assert len(recording) == T
    assert recording.shape == (T, H, W)
    np.testing.assert_array_equal(recording.segment, segment)
    np.testing.assert_array_equal(recording.rois, rois.T)
    np.testing.assert_array_equal(recording.speed, np.ones(T))
    np.testing.assert_array_equal(recording.read_frames(), stack)
    np.testing.assert_array_equal(recording.read_frames(3, 9), stack[3:9])
    np.testing.assert_allclose(recording.pixel_mean, stack.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(recording.stack_sd, stack.std(), rtol=1e-6)


def make_recording(folder, session, mouse, shape=(T, H, W), seed=0):
    files = write_sources(folder, random_stack(shape=shape, seed=seed))
    path = folder / f"{session}.h5"
    preprocess(path, **files, session=session, mouse=mouse, frame_rate=30)
    return path


def test_recordings_of_one_size_are_read_together(tmp_path):
    paths = [make_recording(tmp_path, s, s[:2]) for s in ("m2_a", "m1_a", "m2_b")]
    recordings = read_recordings(paths)
    assert [r.session for r in recordings] == ["m2_a", "m1_a", "m2_b"]
    assert mice_of(recordings) == ("m2", "m1")
    a, b, c = recordings
    assert (a.reference, b.reference) == (None, None) and c.reference is a  # of its mouse
    other = make_recording(tmp_path, "m3_a", "m3", shape=(T, H, W + 1))
    with pytest.raises(UserError, match=r"m3_a\.h5.*image_size"):
        read_recordings([*paths, other])
    with pytest.raises(UserError, match="'m1_a' was given twice"):
        read_recordings([*paths, paths[1]])


def test_a_list_stands_for_its_recordings(tmp_path):
    m1 = [make_recording(tmp_path, s, "m1") for s in ("b", "a")]
    m2 = make_recording(tmp_path, "c", "m2")
    (tmp_path / "m1.txt").write_text(f"# 2026-11-28T20:00:00Z\n{m1[0]}\n{m1[1]}\n\n")
    train, test = read_roles([tmp_path / "m1.txt"], [m2])
    assert ([r.session for r in train], [r.session for r in test]) == (["b", "a"], ["c"])
    assert [r.session for r in read_recordings([m2, tmp_path / "m1.txt"])] == ["c", "b", "a"]
    with pytest.raises(UserError, match="'a' was given twice"):
        read_roles([tmp_path / "m1.txt"], [m1[1]])
    m1[1].unlink()
    with pytest.raises(UserError, match=r"m1\.txt: lists .*a\.h5, which is not there"):
        read_recordings([tmp_path / "m1.txt"])
    (tmp_path / "m1.txt").write_text("# 2026-11-28T20:00:00Z\n\n")
    with pytest.raises(UserError, match=r"m1\.txt: lists no recordings"):
        read_recordings([tmp_path / "m1.txt"])


def test_what_is_no_recording_is_named(tmp_path):
    (tmp_path / "text.h5").write_text("no HDF5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    whole = make_recording(tmp_path, "s1", "m1").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    for name in ("text.h5", "other.h5", "cut.h5"):
        with pytest.raises(UserError, match=rf"{name}: not a preprocessed recording"):
            read_recording(tmp_path / name)
    with pytest.raises(FileNotFoundError, match=r"none\.h5"):
        read_recording(tmp_path / "none.h5")


def test_the_cohort_table_counts_frames_and_run(tmp_path):
    second = make_recording(tmp_path, "m2_a", "m2", seed=1)
    paths = [make_recording(tmp_path, "m1_a", "m1"), second]
    (tmp_path / "m2.txt").write_text(f"{paths[1]}\n")
    words = [
        "--recordings",
        str(paths[0]),
        str(tmp_path / "m2.txt"),
        "--out",
        str(tmp_path / "c.tsv"),
    ]
    assert main(["cohort", *words]) == 0
    assert (tmp_path / "c.tsv").read_text().splitlines() == [
        "mouse\tsession\tn_frames\tn_run\tframe_rate\theight\twidth",
        f"m1\tm1_a\t{T}\t20\t30.0\t{H}\t{W}",
        f"m2\tm2_a\t{T}\t20\t30.0\t{H}\t{W}",
    ]


# --- mean and SD of a movie, and pixels far from all others ---------------------------------------


@pytest.mark.parametrize("piece", [1, 30, 1 << 16])
@pytest.mark.parametrize("block", [1, 5 * 12 * 4, 1 << 20])
@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32", "float64"])
def test_mean_and_sd_are_those_of_the_whole_movie(tmp_path, monkeypatch, dtype, block, piece):
    monkeypatch.setattr(stage, "BLOCK", block)
    monkeypatch.setattr(stage, "PIECE", piece)
    frames = np.random.default_rng(1).normal(3000, 40, (17, 3, 4)).astype(dtype)
    seen = []
    with h5py.File(tmp_path / "a.h5", "w") as file:
        movie = Measured(Stack(frames))
        mean, sd = stage.write_frames(file, movie, None, lambda some: seen.append(some.copy()))
        np.testing.assert_array_equal(file["frames"], frames)
    np.testing.assert_allclose(mean, frames.mean(axis=0, dtype=float), rtol=1e-9)
    assert sd == pytest.approx(frames.std(dtype=float), rel=1e-9)
    np.testing.assert_array_equal(np.concatenate(seen), frames)


@pytest.mark.parametrize(
    ("dtype", "n_frames", "value", "told"),
    [
        ("float32", 2000, 1e4, True),  # alone the SD: all but 1 of 24,000 pixels are 0 or 1
        ("float32", 2000, 55.0, False),  # less than a hundred SD, of 0.6
        ("float32", 2000, 76.0, True),
        ("float32", 2000, -75.0, True),
        ("float32", 200, 1e4, False),  # of 2,400 pixels one is at most 49 SD away
        ("int32", 2000, 1e4, False),
    ],
)
def test_a_pixel_that_makes_the_sd_alone_is_told(tmp_path, dtype, n_frames, value, told):
    frames = (np.arange(n_frames * 12) % 2).reshape(n_frames, 3, 4).astype(dtype)
    frames[77, 1, 2] = value
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if not told:
            stage.write_frames(file, Measured(Stack(frames)), None)
            return
        with pytest.raises(UserError) as caught:
            stage.write_frames(file, Measured(Stack(frames)), None)
    away = abs(value - frames.mean(dtype=float)) / frames.std(dtype=float)
    assert str(caught.value) == (
        f"s1.tif: frame 77 has a pixel of {value:.3g}, {away:.3g} SD of the recording from its "
        "mean, and images are normalised by this SD; cut the frame out of movie and behaviour, or "
        "name a brain_mask that leaves the pixel out"
    )


def test_numbers_are_rounded_and_cut_to_what_a_type_holds():
    values = np.array([-3.0, 0.5, 1.5, 254.6, 300, 7e4])
    assert stage.round_to(values, np.dtype("u1")).tolist() == [0, 0, 2, 255, 255, 255]
    assert stage.round_to(values, np.dtype("i2")).tolist() == [-3, 0, 2, 255, 300, 32767]
    found = stage.round_to(values, np.dtype("f4"))
    assert found.dtype == np.float32 and found.tolist()[:3] == [-3, 0.5, 1.5]
