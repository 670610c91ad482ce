"""Pixels without a header: what labs' programs write, read upright, or refused by name."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from make_movies import FRAMES, H, T, W, read, refusal, save_v73
from make_recordings import DEFAULTS
from mesodecode.base.files import UserError
from mesodecode.recordings.axes import Asked
from mesodecode.recordings.preprocess import preprocess
from mesodecode.recordings.readers import flat, open_movie
from told import assert_told

COLUMNS = FRAMES.transpose(0, 2, 1)  # as MATLAB writes height x width x frames
RGB = np.stack([0 * FRAMES, FRAMES, 2 * FRAMES], axis=-1)
GIVEN = {"shape": (H, W), "dtype": "uint16"}
SAVED = {
    # name: (file, what is written, options)
    "labcams": (f"m1_1_{H}_{W}_uint16.dat", FRAMES, {}),
    "labcams, numbered": (f"m1_1_{H}_{W}_uint16_00000000.dat", FRAMES, {}),
    "areas that NumPy takes for types": (f"V1_S1_1_{H}_{W}_uint16.bin", FRAMES, {}),
    "a date before height and width": (f"20240101_{H}_{W}_uint16.dat", FRAMES, {}),
    "WidefieldImager": (f"Frames_1_{W}_{H}_uint16_0001.dat", COLUMNS, {}),
    "labcams, the high byte first": (
        *(f"m1_1_{H}_{W}_uint16.dat", FRAMES.astype(">u2"), {"dtype": ">u2"}),
    ),
    "by settings": ("a.raw", FRAMES, GIVEN),
    "columns first": ("a.bin", COLUMNS, GIVEN | {"axes": "TXY"}),
    "time last": ("a.bin", FRAMES.transpose(1, 2, 0), GIVEN | {"axes": "YXT"}),
    "the high byte first": ("a.bin", FRAMES.astype(">u2"), GIVEN | {"dtype": ">u2"}),
    "size asked for, type named": (f"x_9_9_{H}_uint16.dat", FRAMES, {"shape": (H, W)}),
}


@pytest.mark.parametrize("case", SAVED)
def test_frames_are_read_upright(tmp_path, case):
    name, values, options = SAVED[case]
    values.tofile(tmp_path / name)
    np.testing.assert_array_equal(read(tmp_path / name, **options), FRAMES)


@pytest.mark.parametrize("level", [150, 4000, 60000])
@pytest.mark.parametrize("bright", [0.0, 0.5])
def test_bytes_the_other_way_are_said(tmp_path, capsys, level, bright):
    """A vignette and noise of 1 %, as LabVIEW writes it, and an image that is noise alone."""
    rows, columns = np.mgrid[:64, :80]
    shade = 1 - bright * ((rows - 32) ** 2 + (columns - 40) ** 2) / 2624
    noise = 1 + 0.01 * np.random.default_rng(0).normal(size=(64, 80))
    frame = np.clip(level * shade * noise, 0, 65535).astype("u2")
    signed = [("<i2", ">i2")] if level < 1 << 15 else []
    pairs = [("<u2", ">u2"), (">u2", "uint16"), (">u2", ">u2"), ("<u2", "uint16"), *signed]
    for written, asked in pairs:
        frame.astype(written).tofile(tmp_path / "a.bin")
        read(tmp_path / "a.bin", shape=(64, 80), dtype=asked)
        wrong = (asked[0] == ">") != (written[0] == ">")
        line = capsys.readouterr().err
        if bright and level > 256:
            assert (f"movie_dtype: '{written}'" in line) == wrong
        else:
            assert not line or wrong  # of noise, and of one byte, either is as likely


def pack(a, b, how):
    """Return three bytes of each two pixels of 12 bits, as two formats of cameras have them."""
    if how == "Mono12p":
        return np.stack([a & 255, a >> 8 | (b & 15) << 4, b >> 4], axis=1)
    if how == "the high bits first":
        return np.stack([a >> 4, (a & 15) << 4 | b >> 8, b & 255], axis=1)
    return np.stack([a >> 4, a & 15 | (b & 15) << 4, b >> 4], axis=1)


@pytest.mark.parametrize("how", ["Mono12p", "Mono12Packed", "the high bits first"])
def test_pixels_of_12_bits_that_are_packed_are_refused(tmp_path, how):
    """Four frames of them are as many bytes as three of 16 bits."""
    x, y = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 32))
    noise = 1 + 0.01 * np.random.default_rng(0).normal(size=(4, 32, 40))
    movie = (3000 * np.exp(-(x**2) - y**2) * noise).astype(np.uint16)
    asked = {"shape": (32, 40), "dtype": "uint16"}
    movie.tofile(tmp_path / "whole.raw")
    np.testing.assert_array_equal(read(tmp_path / "whole.raw", **asked), movie)
    pack(*movie.reshape(-1, 2).T, how).astype(np.uint8).tofile(tmp_path / "packed.raw")
    with pytest.raises(UserError, match=r"packed.raw: read as uint16.* as 12 bits a pixel"):
        read(tmp_path / "packed.raw", **asked)


def test_wavelengths_and_colours_take_turns(tmp_path):
    two = np.stack([FRAMES, FRAMES + 1], axis=1)
    two.tofile(tmp_path / f"m_2_{H}_{W}_uint16.dat")
    got = read(tmp_path / f"m_2_{H}_{W}_uint16.dat", size=6, channels=2)
    np.testing.assert_array_equal(got, two.reshape(-1, H, W))
    assert "set channels: 2" in refusal(tmp_path / f"m_2_{H}_{W}_uint16.dat")
    RGB.tofile(tmp_path / "a.raw")
    asked = {"shape": (H, W, 3), "dtype": "uint16"}
    got = read(tmp_path / "a.raw", size=6, axes="TYXC", channels=3, **asked)
    np.testing.assert_array_equal(got[1::3], FRAMES)
    assert "say in movie_axes" in refusal(tmp_path / "a.raw", channels=3, **asked)


def test_a_colour_that_is_not_used_may_be_dark(tmp_path):
    """The first is, throughout; a frame that is dark in the two that are used was dropped."""
    np.save(tmp_path / "labels.npy", np.arange(T) // 3 % 2)
    given = {"movie": tmp_path / "a.raw", "movie_shape": [H, W, 3], "movie_dtype": "uint16"}
    given |= {"movie_axes": "TYXC", "behavior": tmp_path / "labels.npy", "frame_rate": 10}
    given["corrections"] = DEFAULTS | {"channels": 3, "signal_channel": 2, "reference_channel": 3}
    RGB.tofile(tmp_path / "a.raw")
    preprocess(tmp_path / "o.h5", session="s", mouse="m", **given)
    with h5py.File(tmp_path / "o.h5") as file:
        np.testing.assert_array_equal(file["frames"], FRAMES)
    np.where(np.arange(T)[:, None, None, None] == 3, 0, RGB).tofile(tmp_path / "a.raw")
    with pytest.raises(UserError, match=rf"2 of {3 * T} frames are 0 throughout, the first 10:"):
        preprocess(tmp_path / "p.h5", session="s", mouse="m", **given)
    # where a file says whose each frame is, all are looked at
    RGB.tofile(tmp_path / "a.raw")
    np.save(tmp_path / "lights.npy", np.tile([5, 6, 7], T))
    given["corrections"] = DEFAULTS | {"signal_channel": 6, "reference_channel": 7}
    given["light_sources"] = tmp_path / "lights.npy"
    with pytest.raises(UserError, match=rf"{T} of {3 * T} frames are 0 throughout, the first 0:"):
        preprocess(tmp_path / "p.h5", session="s", mouse="m", **given)


@pytest.mark.parametrize("save", [scipy.io.savemat, lambda p, x: save_v73(p, **x)])
def test_size_and_type_by_umits_file(tmp_path, save):
    COLUMNS.astype(np.float32).tofile(tmp_path / "fluo.dat")
    beside = {"datSize": [[float(H), float(W)]], "datLength": [[float(T)]]}
    save(tmp_path / "fluo.mat", beside)
    np.testing.assert_array_equal(read(tmp_path / "fluo.dat"), FRAMES)
    save(tmp_path / "fluo.mat", beside | {"datLength": [[T + 1.0]]})
    assert f"which says {T + 1}; truncated" in refusal(tmp_path / "fluo.dat")


def test_umits_type_axes_and_folder(tmp_path):
    FRAMES.tofile(tmp_path / "a.dat")
    about = {"datSize": [[H, W]], "Datatype": "uint16"}
    names = np.array([["X", "Y", "T"]], object)
    scipy.io.savemat(tmp_path / "a.mat", about | {"dim_names": names})
    np.testing.assert_array_equal(read(tmp_path / "a.dat"), FRAMES)
    names[0, 2] = "E"
    scipy.io.savemat(tmp_path / "a.mat", about | {"dim_names": names})
    assert "a movie's are Y, X and T" in str(refusal_of(tmp_path / "a.dat"))
    scipy.io.savemat(tmp_path / "a.mat", about | {"Datatype": "object"})
    assert "a.mat: Datatype object, which is no type of pix" in str(refusal_of(tmp_path / "a.dat"))
    COLUMNS.astype(np.float32).tofile(tmp_path / "b.dat")
    info = {"AcqInfoStream": {"Height": float(H), "Width": float(W)}}
    scipy.io.savemat(tmp_path / "AcqInfos.mat", info)
    np.testing.assert_array_equal(read(tmp_path / "b.dat"), FRAMES)


def refusal_of(path):
    with pytest.raises(Exception) as caught:
        read(path)
    return caught.value


def test_trials_of_a_folder_are_joined_each_a_segment(tmp_path):
    """WidefieldImager's name says width before height; its frameTimes, height before width."""
    for trial, part in enumerate((COLUMNS[:8], COLUMNS[8:18], COLUMNS[18:]), 1):
        part.tofile(tmp_path / f"Frames_2_{W}_{H}_uint16_{trial:04d}.dat")
        size = {"imgSize": [[H, W, 1, len(part)]]}
        scipy.io.savemat(tmp_path / f"frameTimes_{trial:04d}.mat", size)
    (tmp_path / "Analog_1.dat").write_bytes(bytes(99))
    np.testing.assert_array_equal(read(tmp_path, channels=2), FRAMES)
    with open_movie(tmp_path, channels=2) as movie:
        assert movie.segment.tolist() == [0] * 8 + [1] * 10 + [2] * (T - 18)
    another = {"imgSize": [[H + 1, W, 1, 8]]}  # of which the name is not
    scipy.io.savemat(tmp_path / "frameTimes_0001.mat", another)
    np.testing.assert_array_equal(read(tmp_path, channels=2), FRAMES)
    (tmp_path / f"Frames_2_{W}_{H}_uint16_0002.dat").write_bytes(b"abc")
    assert "truncated" in str(refusal_of(tmp_path))


def test_size_in_an_older_trials_header(tmp_path):
    path = tmp_path / "Frames_7.dat"
    for n in (1, T):
        numbers = [*(739000 + np.arange(n) / 86400), H, W, 1, n]
        header = struct.pack(f"<{len(numbers) + 1}d", len(numbers), *numbers)
        path.write_bytes(header + COLUMNS[:n].tobytes())
        np.testing.assert_array_equal(read(path), FRAMES[:n])
    for wrong in (header + COLUMNS.tobytes()[:-2], struct.pack("<d", 1e9) + bytes(800), b"few"):
        path.write_bytes(wrong)
        assert "set movie_shape" in refusal(path)


def test_bytes_are_judged_by_pixels_and_not_by_what_is_before_them(tmp_path, capsys):
    numbers = [*np.linspace(1, 2, 1280), 64, 80, 1, 1]  # as many bytes as the frame
    header = struct.pack(f"<{len(numbers) + 1}d", len(numbers), *numbers)
    frame = np.add.outer(np.arange(80) * 300, np.arange(64)).astype(">u2")  # smooth
    (tmp_path / "Frames_7.dat").write_bytes(header + frame.tobytes())
    read(tmp_path / "Frames_7.dat")
    assert "set movie_dtype: '>u2'" in capsys.readouterr().err


def test_what_nothing_says_is_asked_for(tmp_path):
    path = tmp_path / "a.dat"
    FRAMES.tofile(path)
    assert "set movie_shape (height and width) and movie_dtype" in refusal(path)
    assert "set movie_dtype" in refusal(path, shape=(H, W))
    assert "needs T and each of Y, X" in refusal(path, axes="TCYX", **GIVEN)
    said = refusal(path, shape=(H, W + 1), dtype="uint16")
    assert f"{FRAMES.nbytes} bytes are no whole number of frames of {H} Y x {W + 1} X" in said
    path.write_bytes(b"")
    assert "an empty file (0 bytes)" in refusal(path, **GIVEN)


def test_a_size_is_not_asked_for_where_the_file_has_one(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", FRAMES, photometric="minisblack")
    said = refusal(tmp_path / "a.tif", **GIVEN)
    assert "leave out movie_shape, movie_dtype" in said


# --- layouts, told -----------------------------------------------------------------------------


def told_layout(name, n_bytes=0, beside=None, header=b"", **asked):
    Path(name).write_bytes(header + bytes(n_bytes))
    for other, values in (beside or {}).items():
        scipy.io.savemat(other, values)
    try:
        found = flat.layout_of(Path(name), Asked(**asked))
    finally:
        for other in beside or ():
            Path(other).unlink()
    return [found.letters, found.lengths, str(found.dtype), found.by, found.offset, found.n_frames]


def test_layouts_are_told_by_names_files_beside_and_headers(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, trial = np.array([["X", "Y", "T"]], object), "Frames_1_4_3_uint16_0007.dat"

    def times(*size):
        return {"frameTimes_0007.mat": {"imgSize": [size]}}

    def umit(**more):
        return {"a.mat": {"datSize": [[3, 4]]} | more}

    def headed(*numbers, n_bytes, count=None):
        count = len(numbers) if count is None else count
        header = struct.pack(f"<{len(numbers) + 1}d", count, *numbers)
        return told_layout("Frames_7.dat", n_bytes, header=header)

    cases = {
        "two numbers": lambda: told_layout("a_3_4_uint8.dat"),
        "channels": lambda: told_layout("a_2_3_4_int16.dat"),
        "16 channels": lambda: told_layout("a_16_3_4_single.dat"),
        "17, which are none": lambda: told_layout("a_17_3_4_double.dat"),
        "a trial": lambda: told_layout(trial),
        "a trial, by its times": lambda: told_layout(trial, beside=times(3, 4, 1, 9)),
        "a trial, turned by its times": lambda: told_layout(trial, beside=times(4, 3, 1, 9)),
        "a trial of two wavelengths": lambda: told_layout(trial, beside=times(3, 4, 2, 9)),
        "a trial with a size of three": lambda: told_layout(trial, beside=times(3, 4, 9)),
        "a trial with another size": lambda: told_layout(trial, beside=times(3, 5, 1, 9)),
        "a trial with one number": lambda: told_layout(trial, beside=times(3)),
        "Umit": lambda: told_layout("a.dat", beside=umit()),
        "Umit, with all": lambda: told_layout(
            "a.dat", beside=umit(datLength=7, Datatype="double", dim_names=names)
        ),
        "Umit, with two lengths": lambda: told_layout("a.dat", beside=umit(datLength=[7, 8])),
        "Umit, of another type": lambda: told_layout("a.dat", beside=umit(Datatype="char")),
        "Umit, of other axes": lambda: told_layout("a.dat", beside=umit(dim_names=names[:, :2])),
        "Umit, before its folder": lambda: told_layout(
            "a.dat",
            beside=umit() | {"AcqInfos.mat": {"AcqInfoStream": {"Height": 8, "Width": 9}}},
        ),
        "Umit, with one number": lambda: told_layout("a.dat", beside={"a.mat": {"datSize": 3}}),
        "Umit's folder": lambda: told_layout(
            "a.dat", beside={"AcqInfos.mat": {"AcqInfoStream": {"Height": 8, "Width": 9}}}
        ),
        "Umit's folder, without a width": lambda: told_layout(
            "a.dat", beside={"AcqInfos.mat": {"AcqInfoStream": {"Height": 8}}}
        ),
        "another file beside": lambda: told_layout("a.dat", beside={"a.mat": {"x": 3}}),
        "a header": lambda: headed(1, 2, 3, 4, 1, 2, n_bytes=48),
        "a header of four numbers": lambda: headed(3, 4, 1, 2, n_bytes=48),
        "a header of too many numbers": lambda: headed(1, 3, 4, 1, 2, n_bytes=48, count=60),
        "a header of no whole number": lambda: headed(1, 3, 4, 1, 2, n_bytes=48, count=5.5),
        "a header of two wavelengths": lambda: headed(1, 3, 4, 2, 2, n_bytes=48),
        "a header of no wavelength": lambda: headed(1, 3, 4, 0, 2, n_bytes=48),
        "a header of other pixels": lambda: headed(1, 3, 4, 1, 2, n_bytes=46),
        "a header of fewer pixels": lambda: headed(1, 3, 4, 1, 2, n_bytes=50),
        "a size": lambda: told_layout("a.raw", shape=(3, 4), dtype="double"),
        "a size, and a type by its name": lambda: told_layout("a_9_9_uint8.raw", shape=(3, 4)),
        "a size and a type, whatever its name says": lambda: told_layout(
            "a_9_8_uint8.raw", shape=(3, 4), dtype="int16"
        ),
        "a size and a type, whatever a file beside says": lambda: told_layout(
            "a.dat", beside=umit(Datatype="double"), shape=(5, 6), dtype="int16"
        ),
        "a size, and a type by a file beside": lambda: told_layout(
            "a.dat", beside=umit(Datatype="double"), shape=(5, 6)
        ),
        "a type, whatever a file beside says": lambda: told_layout(
            "a.dat", beside=umit(Datatype="double"), dtype="int16"
        ),
        "a size of three": lambda: told_layout("a.raw", shape=(3, 4, 2), dtype="u1", axes="TCYX"),
        "a size of three, without axes": lambda: told_layout("a.raw", shape=(3, 4, 2), dtype="u1"),
        "a type": lambda: told_layout("a_3_4_uint8.raw", dtype="int8"),
        "axes": lambda: told_layout("a_3_4_uint8.raw", axes="XYT"),
        "axes that are not there": lambda: told_layout("a_3_4_uint8.raw", axes="XYCT"),
        "axes twice": lambda: told_layout("a_3_4_uint8.raw", axes="XXT"),
        "nothing": lambda: told_layout("a.raw"),
        "a size alone": lambda: told_layout("a.raw", shape=(3, 4)),
    }
    assert_told(cases, Path(__file__).with_name("told") / "flat_layouts.txt", capsys)


def test_a_file_is_as_long_as_its_layout_says(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def opened(name, n_bytes, n_frames=None, **asked):
        Path(name).write_bytes(bytes(range(n_bytes)))
        if n_frames:
            scipy.io.savemat("frameTimes_0007.mat", {"imgSize": [[2, 3, 1, n_frames]]})
        with flat.open_movie(Path(name), Asked(**asked)) as movie:
            axes = movie.axes
            return [movie.shape, axes.letters, axes.by, axes.shape, *next(movie.blocks(9))[1][:, 0]]

    trial = "Frames_1_3_2_uint8_0007.dat"
    cases = {
        "two frames": lambda: opened("a_2_3_uint8.dat", 12),
        "by a size": lambda: opened("a.dat", 12, shape=(2, 3), dtype="u1"),
        "by a size and axes": lambda: opened("a.dat", 12, shape=(2, 3), dtype="u1", axes="XYT"),
        "by its name and axes": lambda: opened("a_2_3_uint8.dat", 12, axes="TXY"),
        "a byte more": lambda: opened("a_2_3_uint8.dat", 13),
        "of a trial, by its times": lambda: opened(trial, 12, 2),
        "of a trial, a frame more than its times": lambda: opened(trial, 12, 1),
        "of a trial, a frame less than its times": lambda: opened(trial, 12, 3),
        "less than a frame": lambda: opened("a_2_3_uint8.dat", 5),
        "no pixels": lambda: opened("a_0_3_uint8.dat", 5),
    }
    assert_told(cases, Path(__file__).with_name("told") / "flat_lengths.txt", capsys)


def test_neighbours_of_noise_differ_by_about_as_much_as_all():
    assert flat._rough(np.array([1, 2, 3, 4, 10])) == pytest.approx((9 / 4) / (11 / 5))
    assert flat._rough(np.array([7, 7, 7])) == 0 and flat._rough(np.array([7])) == 0
    assert flat._rough(np.array([0, 255], np.uint8)) == 2  # no overflow
    rough = flat._rough(np.random.default_rng(0).normal(size=9999))
    assert rough == pytest.approx(2 / np.sqrt(2), rel=0.02)  # of a normal distribution


def test_of_real_numbers_no_order_of_bytes_is_said(tmp_path, capsys):
    smooth = (1000 + np.arange(64 * 80.0).reshape(64, 80) / 7).astype(">f4")
    smooth.tofile(tmp_path / "a.raw")
    with np.errstate(all="ignore"):
        read(tmp_path / "a.raw", shape=(64, 80), dtype="float32")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("how", ["Mono12p", "Mono12Packed", "the high bits first"])
def test_packed_pixels_are_as_rough_as_they_are_once_they_are_apart(tmp_path, how):
    """A ramp: each way of cameras finds it, so that the least rough is that of the ramp."""
    ramp = np.tile(np.arange(0, 4000, 5), 8).astype(np.uint16)
    packed = pack(*ramp.reshape(-1, 2).T, how).astype(np.uint8).ravel()
    packed.tofile(tmp_path / "a.raw")
    n = len(packed) // 2
    layout = flat.Layout("TYX", {"Y": 1, "X": n}, np.dtype("u2"), "movie_shape")
    begin = layout.frame_bytes // 6 * 3 // 3 * 2  # the pixel that the look begins with
    least = flat._rough(ramp[begin : begin + n // 2 * 2])
    assert flat._packed(tmp_path / "a.raw", layout, n, 2.01 * least)
    assert not flat._packed(tmp_path / "a.raw", layout, n, 1.99 * least)


@pytest.mark.parametrize("value", [0, 0x0101, 0xFFFF])
def test_a_frame_of_one_value_is_taken_for_no_packed_pixels(tmp_path, capsys, value):
    np.full((3, 16, 16), value, np.uint16).tofile(tmp_path / "a.raw")
    assert (read(tmp_path / "a.raw", shape=(16, 16), dtype="uint16") == value).all()
    assert capsys.readouterr().err == ""
