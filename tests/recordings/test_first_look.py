"""What `mesodecode init` reads to prove its config: frames, their rate, behaviour by its clock."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io
import tifffile
import yaml
from PIL import Image
from pynwb import TimeSeries

from kept import assert_kept
from make_movies import photon_series, save_nwb
from make_recordings import Stack
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.recordings import first_look
from mesodecode.recordings.axes import Axes
from mesodecode.recordings.first_look import FirstLook, calcium_first, in_turn, look_at
from mesodecode.recordings.intake import of_another_length
from mesodecode.recordings.readers.clocks import Frames
from mesodecode.study import schema
from mesodecode.study import study as studies

H, W, T = 6, 8, 60
FRAMES = np.random.default_rng(0).integers(900, 1100, (T, 2, H, W)).astype(np.uint16)
NAME = f"frames_2_{H}_{W}_uint16.dat"
TIME = np.arange(600) / 100  # of the wheel, as long as 60 frames at 10/s
RUNS = TIME // 2 % 2 == 1


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Three mice: labcams' frames, times of both wavelengths in ms, a wheel of its own rate."""
    monkeypatch.chdir(tmp_path)
    for mouse in ("m1", "m2", "m3"):
        day = tmp_path / "data" / mouse / "20240101"
        day.mkdir(parents=True)
        FRAMES.tofile(day / NAME)
        np.save(day / "frame_times.npy", np.arange(2 * T) * 50.0)
        wheel = np.c_[TIME, 20 * RUNS]
        np.savetxt(day / "wheel.csv", wheel, "%g", ",", header="time,velocity", comments="")
    return tmp_path


def init(lab, capsys, kept=""):
    """Return the config that is written, its text, and what was said: as `told/init_{kept}` has it.

    `TOLD=write pytest -n 0 …` writes that.
    """
    capsys.readouterr()
    assert main(["init", "data", "--out", "lab.yaml"]) == 0
    text, said = (lab / "lab.yaml").read_text(), capsys.readouterr().err
    if kept:
        both = f"{text}--\n{said}".replace(str(lab), "/lab")
        assert_kept(both, Path(__file__).with_name("told") / f"init_{kept}.txt", "TOLD")
    return yaml.safe_load(text), text, said


def test_init_reads_what_it_writes(lab, capsys):
    config, text, said = init(lab, capsys, "labcams")
    recordings = config["recordings"]
    assert recordings["frame_rate"] == 10  # of a wavelength, by stamps of both
    assert recordings["frame_times_unit"] == "ms"
    assert (recordings["behavior_time"], recordings["behavior_speed"]) == ("time", "velocity")
    assert text.count("CHECK: by its name") == 2
    assert f"60 frames of {H} x {W} px" in " ".join(text.replace("#", "").split())
    with Image.open(lab / "lab.png") as image:
        assert image.width > 500
    lines = said.splitlines()
    assert any(line.split() == ["layout", "labcams", "or", "wfield"] for line in lines)
    assert any(line.split()[:3] == ["sessions", "3", "of"] for line in lines)


def test_ten_frames_of_the_signal_their_times_and_the_speed(lab, capsys):
    config, *_ = init(lab, capsys)
    seen = look_at(studies.resolve(config), "m1_20240101")
    np.testing.assert_allclose(seen.image, FRAMES[:10, 0].mean(axis=0))
    assert (seen.n_frames, seen.size, seen.wrong, seen.guessed) == (T, (H, W), [], {})
    assert seen.rate == pytest.approx(10)
    np.testing.assert_allclose(seen.time, np.arange(T) / 10)
    np.testing.assert_array_equal(seen.labels, np.arange(T) // 20 % 2)
    assert seen.speed.max() == 20


WALK = np.arange(T) // 15 % 2 * 12.0
COLUMNS = {  # of behaviour with a row a frame: its time and its speed, with units or without
    "underscores": ("time_s", "speed_cm_s", 1, 1),
    "brackets": ("Time (s)", "Running speed [cm/s]", 1, 1),
    "a slash": ("Timestamp", "velocity cm/s", 1, 1),
    "camel case": ("Timestamp", "velocityMmPerSec", 1, 10),
    "other units": ("t_ms", "wheel_speed_mm_s", 1000, 10),
    "words": ("timestamps", "treadmill_velocity", 1, 1),
}


@pytest.fixture
def plain(lab):
    """Three mice with a TIFF stack each, and a function that writes their behaviour."""
    for mouse in ("m1", "m2", "m3"):
        day = lab / "data" / mouse / "20240101"
        for file in day.iterdir():
            file.unlink()
        tifffile.imwrite(day / "movie.tif", FRAMES[:, 0], photometric="minisblack")

    def write(**columns):
        for day in lab.glob("data/*/*"):
            table = np.stack(list(columns.values()), axis=1)
            header = ",".join(columns)
            np.savetxt(day / "wheel.csv", table, "%.6g", ",", header=header, comments="")

    return write


@pytest.mark.parametrize(("time", "speed", "ticks", "scale"), COLUMNS.values(), ids=COLUMNS)
def test_rate_and_speed_by_columns_with_units(lab, plain, capsys, time, speed, ticks, scale):
    plain(**{"frame": np.arange(T), time: np.arange(T) * ticks / 20, speed: WALK * scale})
    config, text, _ = init(lab, capsys)
    found = config["recordings"]
    assert (found["behavior_time"], found["behavior_speed"]) == (time, speed)
    assert found["frame_rate"] == 20 and "frame_rate: 20.0   # CHECK: frames/s, by time" in text
    seen = look_at(studies.resolve(config), "m1_20240101")
    assert seen.wrong == [] and seen.speed.max() == pytest.approx(12)


@pytest.mark.parametrize(
    "names", [("Start (s)", "Stop (s)"), ("onset", "offset"), ("start", "end")]
)
def test_intervals_by_the_names_of_their_starts_and_ends(lab, plain, capsys, names):
    bouts = pd.DataFrame({"Behavior": ["run", "groom", "run"], "a": [1, 2, 2.5], "b": [2, 2.2, 3]})
    for day in lab.glob("data/*/*"):
        bouts.set_axis(["Behavior", *names], axis=1).to_csv(day / "wheel.csv", index=False)
    config, *_ = init(lab, capsys)
    found = [config["recordings"][f"behavior_{key}"] for key in ("time", "stop", "labels")]
    assert found == [*names, "Behavior"]
    seen = look_at(studies.resolve(config), "m1_20240101")
    middles = (np.arange(T) + 0.5) / 30
    run = (middles >= 1) & (middles < 2) | (middles >= 2.5) & (middles < 3)
    np.testing.assert_array_equal(seen.labels, run)


def test_uneven_stamps_and_those_of_another_number_tell_no_rate(lab, plain, capsys):
    uneven = np.cumsum(np.where(np.arange(T) % 7, 0.05, 0.2))
    for time, n in ((uneven, T), (np.arange(2 * T) / 60, 2 * T)):
        plain(time=time, speed_cm_s=np.resize(WALK, n))
        config, text, _ = init(lab, capsys)
        assert config["recordings"]["frame_rate"] == 30 and "frame_rate: 30   # CHECK" in text
        for file in (lab / "lab.yaml", lab / "lab.png"):
            file.unlink(missing_ok=True)


def test_stamps_of_whole_seconds_tell_no_rate():
    """A movie's own, of which most repeat the one before."""
    study = SimpleNamespace(
        source=lambda kind, _: "m.tif" if kind == "movie" else None,
        of_session=lambda _: {"recordings": {"frame_times_unit": None}},
    )
    own = np.repeat(np.arange(3.0), 3)
    with pytest.raises(UserError, match=r"m\.tif: time stamps of 0 frames/s; see frame_times_unit"):
        first_look._times(FirstLook("s"), study, own, np.arange(9), Frames(9, 30.0))


def test_stamps_of_the_movie_are_those_of_the_frames_that_are_taken():
    study = SimpleNamespace(
        source=lambda *_: None, of_session=lambda _: {"recordings": {"frame_times_unit": None}}
    )
    seen, taken = FirstLook("s"), np.arange(1, 10, 2)
    time = first_look._times(seen, study, np.arange(10) / 20, taken, Frames(5, 30.0))
    np.testing.assert_allclose(time, [0.05, 0.15, 0.25, 0.35, 0.45])
    assert seen.rate == pytest.approx(10)


@pytest.mark.parametrize("n", [7, 13])
def test_labels_of_another_number_than_frames_are_refused(tmp_path, n):
    (tmp_path / "b.csv").write_text("labels\n" + "".join(f"{i % 2}\n" for i in range(n)))
    settings = {"behavior": str(tmp_path / "b.csv"), "behavior_labels": "labels"}
    with pytest.raises(UserError, match=rf"b\.csv: {n} values, but the movie has 10 frames; cut"):
        first_look._look_at_behavior(FirstLook("s"), settings, Frames(10, 30.0))


def test_two_columns_that_may_be_the_speed_are_left_to_the_user(lab, plain, capsys):
    plain(time=np.arange(T) / 20, left_speed=WALK, right_speed=WALK)
    config, text, _ = init(lab, capsys)
    assert "behavior_speed" not in config["recordings"]
    assert "FILL IN: m1_20240101 could not be read" in text


def test_times_of_frames_in_a_table_by_the_name_of_their_column(lab, plain, capsys):
    plain(speed_cm_s=WALK)
    for day in lab.glob("data/*/*"):
        rows = np.c_[np.arange(T), np.arange(T) * 50.0]
        np.savetxt(day / "frame_times.csv", rows, "%g", ",", header="n,timestamp_ms", comments="")
    config, text, _ = init(lab, capsys)
    found = config["recordings"]
    assert (found["frame_times_dataset"], found["frame_times_unit"]) == ("timestamp_ms", "ms")
    assert found["frame_rate"] == 20 and "could not be read" not in text


@pytest.mark.parametrize("n", [2, 3])
def test_wavelengths_in_turn_are_said(lab, plain, capsys, n):
    plain(speed_cm_s=WALK)
    for day in lab.glob("data/*/*"):
        light = (FRAMES[:, 0] * (1 + np.arange(T) % n / 4)[:, None, None]).astype(np.uint16)
        tifffile.imwrite(day / "movie.tif", light, photometric="minisblack")
    _, text, said = init(lab, capsys)
    words = f"CHECK: {n} wavelengths seem to take turns in the frames of m1_20240101"
    assert words in " ".join(text.replace("#", "").split()) and words in said


def test_activity_and_bleaching_are_no_wavelengths():
    rng, time = np.random.default_rng(3), np.arange(10)
    for course in (1 + 0.2 * np.sin(time), np.exp(-time / 5), 1 + 0.1 * rng.normal(size=10)):
        assert in_turn(1000 * course[:, None, None] * np.ones((10, 4, 4))) == 1
    assert in_turn(np.resize([1000.0, 800], 10)[:, None, None] * np.ones((10, 4, 4))) == 2
    assert in_turn(np.resize([1000.0, 800], 5)[:, None, None] * np.ones((5, 4, 4))) == 1  # too few
    # one of them flickers by 80, of which three times are more than the 200 between them
    assert (
        in_turn(np.resize([1000.0, 760, 1000, 840], 12)[:, None, None] * np.ones((12, 4, 4))) == 1
    )


def test_what_cannot_be_read_is_written_into_the_config(lab, capsys):
    for path in lab.glob("data/*/*/wheel.csv"):
        path.write_text("time,lever\n0,1\n1,1\n")
    config, text, _ = init(lab, capsys)
    words = " ".join(text.replace("#", "").split())
    assert "FILL IN: m1_20240101 could not be read: data/m1/20240101/wheel.csv: neither" in words
    assert (lab / "lab.png").exists() and "behavior_speed" not in config["recordings"]
    (lab / "lab.yaml").unlink()
    (lab / "lab.png").unlink()
    (lab / "data/m1/20240101" / NAME).write_bytes(b"x")
    _, text, _ = init(lab, capsys)
    assert "no whole number of frames" in " ".join(text.replace("#", "").split())
    assert not (lab / "lab.png").exists()


def test_a_file_of_behaviour_that_is_not_there_is_said_with_its_path(lab, capsys):
    study = studies.resolve(init(lab, capsys)[0])
    for path in lab.glob("data/m1/*/wheel.csv"):
        path.unlink()
    seen = look_at(study, "m1_20240101")
    assert seen.wrong == ["data/m1/20240101/wheel.csv: No such file or directory"]
    assert seen.image.shape == (H, W) and seen.labels is None
    for path in lab.glob(f"data/m1/*/{NAME}"):
        path.unlink()
    seen = look_at(study, "m1_20240101")
    assert len(seen.wrong) == 1 and NAME in seen.wrong[0] and seen.image is None


def test_of_behaviour_that_cannot_be_read_nothing_is_guessed(tmp_path):
    (tmp_path / "b.xyz").write_text("x")
    for name in ("b.xyz", "none.csv"):
        assert first_look._guessed({"behavior": str(tmp_path / name)}) == {}


@pytest.mark.parametrize("first", [UserError("b.csv: a"), FileNotFoundError(2, "gone", "b.csv")])
@pytest.mark.parametrize("second", [UserError("b.csv: c"), FileNotFoundError(2, "lost", "b.csv")])
def test_what_is_wrong_is_said_by_the_config_and_by_names(lab, capsys, monkeypatch, first, second):
    study = studies.resolve(init(lab, capsys)[0])
    errors = [first, second]

    def look(*_):
        raise errors.pop(0)

    monkeypatch.setattr(first_look, "_look_at_behavior", look)
    monkeypatch.setattr(first_look, "_guessed", lambda _: {"behavior_time": "t"})
    monkeypatch.setattr(first_look, "_at_rate", lambda seen, settings, frames: frames)
    words = {"a": "b.csv: a", "c": "b.csv: c", "gone": "b.csv: gone", "lost": "b.csv: lost"}
    one, other = (words.get(e.strerror if isinstance(e, OSError) else str(e)[-1]) for e in errors)
    seen = look_at(study, "m1_20240101")
    assert seen.wrong == [one, f"by its names (behavior_time: t): {other}"]


def test_times_that_have_their_usual_name_are_not_guessed(tmp_path):
    for names, guessed in (("time,t_ms", None), ("frame_times,t_ms", None), ("n,t_ms", "t_ms")):
        (tmp_path / "t.csv").write_text(f"{names}\n0,0\n1,50\n")
        seen = FirstLook("s")
        assert first_look._named_times(seen, str(tmp_path / "t.csv")) == guessed
        assert seen.guessed_times == ({"frame_times_dataset": guessed} if guessed else {})
    np.save(tmp_path / "t.NPY", np.zeros(2, [("n", int), ("t_ms", float)]))
    os.replace(tmp_path / "t.NPY.npy", tmp_path / "t.NPY")
    assert first_look._named_times(seen, str(tmp_path / "t.NPY")) is None


def test_frames_without_values_are_not_looked_at(lab, capsys):
    """The first and the last of wfield's components: 58 frames are left, and their own times."""
    u, svt = components()
    svt[:, [0, -1]] = np.nan
    for day in lab.glob("data/*/*"):
        for file in (NAME, "frame_times.npy"):
            (day / file).unlink()
        np.save(day / "U.npy", u)
        np.save(day / "SVTcorr.npy", svt)
    config, *_ = init(lab, capsys)
    config["recordings"]["frame_rate"] = 10
    seen = look_at(studies.resolve(config), "m1_20240101")
    assert (seen.n_frames, seen.wrong) == (T - 2, [])
    np.testing.assert_allclose(seen.image, SIGNAL[1:11].mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(seen.time, np.arange(1, T - 1) / 10)


def test_what_is_wrong_with_columns_that_were_told_by_their_names_is_said(lab, plain, capsys):
    time = np.arange(T) / 20
    for speed, words in (
        (
            np.where(np.arange(T) == 7, np.nan, WALK),
            "behavior_speed: velocity): data/m1/20240101/wheel.csv: ",
        ),
        (0.01 * WALK, "all 60 frames are rest; a session needs both states"),
    ):
        plain(time=time, velocity=speed)
        _, text, _ = init(lab, capsys)
        assert words in " ".join(text.replace("#", "").split())
        (lab / "lab.yaml").unlink()
        (lab / "lab.png").unlink()


def test_without_stamps_the_rate_is_left_to_check(lab, capsys):
    for path in lab.glob("data/*/*/frame_times.npy"):
        path.unlink()
    config, text, _ = init(lab, capsys)
    assert config["recordings"]["frame_rate"] == 30 and "frame_rate: 30   # CHECK" in text


def test_light_sources_of_init_are_their_own_values(lab, capsys):
    """IBL calls calcium 2 and the reference 3."""
    for path in lab.glob("data/*/*"):
        FRAMES.reshape(-1, H, W)[:100].tofile(path / f"x_1_{H}_{W}_uint16.dat")
        (path / NAME).unlink()
        np.save(path / "imaging.imagingLightSource.npy", np.tile([2, 3], 50))
        (path / "frame_times.npy").unlink()
    config, text, _ = init(lab, capsys, "two_lights")
    corrections = config["corrections"]
    assert (corrections["signal_channel"], corrections["reference_channel"]) == (2, 3)
    assert "could not be read" not in text
    seen = look_at(studies.resolve(config), "m1_20240101")
    assert (seen.n_frames, seen.lights, seen.alone) == (50, [2, 3], False)
    np.testing.assert_allclose(seen.image, FRAMES[:10, 0].mean(axis=0))


def test_two_wavelengths_that_links_name_are_read_by_them(lab, capsys):
    for path in lab.glob("data/*/*"):
        for i, light in enumerate((470, 405)):
            tifffile.imwrite(lab / f"data/{path.parent.name} ä_{light}.tif", FRAMES[:, i])
        (path / "wheel.csv").rename(lab / f"data/{path.parent.name} ä_speed.csv")
        (path / "frame_times.npy").unlink()
        (path / NAME).unlink()
    config, text, said = init(lab, capsys, "links")
    assert [*map(str, config["recordings"]["movie"])] == [
        *("links/{session}_1.tif", "links/{session}_2.tif"),
    ]
    assert "could not be read" not in text and "reads 9 links that are not there yet" in said
    assert f"60 frames of {H} x {W} px" in " ".join(text.replace("#", "").split())


SVT = np.random.default_rng(1).normal(size=(3, T))
U = np.random.default_rng(2).normal(size=(H, W, 3))
TABLES = {  # of ALF, as it is written in either way
    "": "",
    "comma": "channel_id,color,wavelength\n1,violet,405\n2,blue,470\n",
    "tab": "channel_id\tcolor\twavelength\n1\tBlue\t470\n2\tViolet\t405\n",
}


@pytest.mark.parametrize("table", TABLES)
def test_times_of_corrected_components_are_those_of_their_light(lab, capsys, table):
    """IBL's alf/widefield: times and lights of both wavelengths, components of calcium alone."""
    lights, times = np.tile([1, 2], T), 7 + np.arange(2 * T) / 20
    for path in lab.glob("data/*/*"):
        for file in path.iterdir():
            file.unlink()
        alf = path / "alf" / "widefield"
        alf.mkdir(parents=True)
        np.save(alf / "widefieldU.images.npy", U)
        said = "uncorrected" if table == "tab" else "haemoCorrected"
        np.save(alf / f"widefieldSVT.{said}.npy", SVT)
        np.save(alf / "imaging.times.npy", times)
        np.save(alf / "imaging.imagingLightSource.npy", lights)
        if table:
            (alf / "imagingLightSource.properties.htsv").write_text(TABLES[table])
        np.save(path / "alf" / "_ibl_wheel.timestamps.npy", 7 + TIME)
        np.save(path / "alf" / "_ibl_wheel.position.npy", np.cumsum(RUNS * 0.1))
    config, text, _ = init(lab, capsys, f"alf_{table or 'without'}")
    blue = 1 if table == "tab" else 2
    assert config["corrections"] == {"signal_channel": blue}
    assert "could not be read" not in text and config["recordings"]["frame_rate"] == 10
    assert ("by imagingLightSource.properties.htsv" in text) == bool(table)
    seen = look_at(studies.resolve(config), "m1_20240101")
    np.testing.assert_allclose(seen.time, times[lights == blue])
    np.testing.assert_allclose(seen.image, (U @ SVT[:, :10]).mean(axis=2), atol=1e-5)
    assert (seen.n_frames, seen.wrong) == (T, [])


# --- every layout: what is written, by what a lab's program writes, is read as it was -------------

SIGNAL, BLOOD = FRAMES[:, 0], FRAMES[:, 1]
SPEED = 20.0 * (np.arange(T) // 20 % 2)
BRAIN = np.hypot(*np.mgrid[-1 : 1 : H * 1j, -1 : 1 : W * 1j]) < 1.2


def components():
    """Return U (H, W, K) and SVT (K, T) of the signal."""
    u, s, vt = np.linalg.svd(SIGNAL.reshape(T, -1).astype(float), full_matrices=False)
    return vt.T.reshape(H, W, -1), (u * s).T


def wheel(day, name="wheel.csv"):
    header = "time,velocity"
    np.savetxt(day / name, np.c_[TIME, 20 * RUNS], "%g", ",", header=header, comments="")


def labcams(day):
    FRAMES.tofile(day / f"{day.parent.name}_run1_2_{H}_{W}_uint16.dat")
    wheel(day)


def labcams_times(day):
    labcams(day)
    np.save(day / "frame_times.npy", np.arange(2 * T) / 20)


def widefield_imager(day):
    for trial, part in enumerate(np.split(FRAMES, 3), 1):
        flat = part.reshape(-1, H, W).transpose(0, 2, 1)
        flat.tofile(day / f"Frames_2_{W}_{H}_uint16_{trial:04d}.dat")
        size = {"imgSize": [[H, W, 1, len(flat)]]}
        scipy.io.savemat(day / f"frameTimes_{trial:04d}.mat", size)
    (day / "Analog_1.dat").write_bytes(bytes(90))
    wheel(day)


def reduced(day):
    u, svt = components()
    scipy.io.savemat(day / "Vc.mat", {"U": u, "Vc": svt})
    scipy.io.savemat(day / "opts.mat", {"opts": {"frameRate": 10}})
    wheel(day)


def wfield(day):
    u, svt = components()
    np.save(day / "U.npy", u)
    np.save(day / "SVT.npy", np.repeat(svt, 2, axis=1))
    np.save(day / "SVTcorr.npy", svt)
    np.save(day / "frames_average.npy", FRAMES.mean(axis=0))
    np.save(day / "rcoeffs.npy", np.ones(H * W))
    wheel(day)


def neurocaas(day):
    u, svt = components()
    np.save(day / "reduced_spatial.npy", u.reshape(H * W, -1))
    np.save(day / "reduced_temporal.npy", svt)
    np.save(day / "frames_average.npy", SIGNAL.mean(axis=0)[None])
    wheel(day)


def cortex_lab(day):
    u, svt = components()
    run = day / "1"
    run.mkdir()
    np.save(day / "svdSpatialComponents_blue.npy", u)
    np.save(run / "svdTemporalComponents_corr.npy", svt.T)
    np.save(run / "svdTemporalComponents_corr.timestamps.npy", np.arange(T) / 10)
    wheel(run)


def umit(day):
    for name, frames in (("fluo_475", SIGNAL), ("green", BLOOD)):
        frames.transpose(0, 2, 1).astype(np.float32).tofile(day / f"{name}.dat")
        about = {"datSize": [[H, W]], "datLength": T, "Datatype": "single", "Freq": 10.0}
        scipy.io.savemat(day / f"{name}.mat", about)
    wheel(day)


def harvey(day):
    np.save(day / "Generous_Mask.npy", BRAIN)
    with h5py.File(day / "Delta_F.h5", "w") as file:
        file["Data"] = SIGNAL[:, BRAIN].astype(np.float32)
    with h5py.File(day / f"{day.name}-120000.h5", "w") as file:
        file["time"], file["speed"] = TIME, 20.0 * RUNS


def micro_manager(day):
    for i, frame in enumerate(SIGNAL):
        tifffile.imwrite(day / f"img_channel000_position000_time{i:09d}_z000.tif", frame)
    wheel(day.parent, f"{day.name}_wheel.csv")


def camware(day):
    for i, part in enumerate(np.split(SIGNAL, 3), 1):
        tifffile.imwrite(day / f"rec@{i:04d}.tif", part, photometric="minisblack")
    wheel(day)


def solis(day):
    for end, part in zip(("", "_X2", "_X3"), np.split(SIGNAL, 3), strict=True):
        tifffile.imwrite(day / f"rec{end}.tif", part, photometric="minisblack")
    wheel(day)


def apart(day):
    for name, frames in (("violet", BLOOD), ("blue", SIGNAL)):
        tifffile.imwrite(day / f"{name}.tif", frames, photometric="minisblack")
    wheel(day)


def allen(day):
    with h5py.File(day / "widefield.h5", "w") as file:
        file["data"] = SIGNAL
    wheel(day, "running_speed.csv")


def bids(day):
    tifffile.imwrite(day / "a_widefield.tif", SIGNAL, photometric="minisblack")
    rows = "\n".join(f"{i / 10}\t{v}" for i, v in enumerate(SPEED))
    (day / "a_behavior.tsv").write_text(f"time\tspeed\n{rows}\n")


def dandi(day):
    speed = TimeSeries(name="running_speed", data=SPEED, unit="cm/s", rate=10.0, starting_time=0.0)
    save_nwb(day / "a_ophys.nwb", photon_series(SIGNAL, rate=10.0, starting_time=0.0), speed)


@pytest.mark.parametrize(
    "write",
    [
        *(labcams, labcams_times, widefield_imager, reduced, wfield, neurocaas, cortex_lab, umit),
        *(harvey, micro_manager, camware, solis, apart, allen, bids, dandi),
    ],
)
def test_each_layout_is_proved_by_its_mean_image_and_speed(tmp_path, monkeypatch, capsys, write):
    monkeypatch.chdir(tmp_path)
    for mouse in ("m1", "m2", "m3"):
        day = tmp_path / "data" / mouse / "20240101"
        day.mkdir(parents=True)
        write(day)
    assert main(["init", "data"]) == 0
    text = capsys.readouterr().out
    words = " ".join(text.replace("#", "").split())
    assert "could not be read" not in words and "links/" not in text, words
    config = yaml.safe_load(text)
    config["recordings"]["frame_rate"] = 10
    study = studies.resolve(config)
    assert {m: len(s) for m, s in study.mice.items()} == {"m1": 1, "m2": 1, "m3": 1}
    seen = look_at(study, next(iter(study.mouse_of)))
    expected = np.where(BRAIN if write is harvey else True, SIGNAL[:10].mean(axis=0), np.nan)
    np.testing.assert_allclose(seen.image, expected, rtol=1e-4)
    assert seen.n_frames == T
    np.testing.assert_allclose(seen.speed, SPEED, atol=1e-6)


def test_a_layout_that_needs_links_is_proved_before_they_are_made(tmp_path, monkeypatch, capsys):
    """Of movies in parts: links lie in a folder for each."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for mouse in "äöü":
        for i, part in enumerate(np.split(SIGNAL, 2)):
            movie = tmp_path / f"data/Maus {mouse} {i:03}.tif"
            tifffile.imwrite(movie, part, photometric="minisblack")
        wheel(tmp_path / "data", f"Maus {mouse}.csv")
    config, text, _ = init(tmp_path, capsys)
    assert f"{len(SIGNAL)} frames of" in " ".join(text.replace("#", "").split())
    assert config["recordings"]["movie"].startswith("links/") and not (tmp_path / "links").exists()
    assert "could not be read" not in text and "behavior_speed: velocity" in text
    assert (tmp_path / "lab.png").exists()
    for path in tmp_path.glob("data/*.csv"):
        path.write_text("time,lever\n0,1\n1,1\n")
    (tmp_path / "lab.yaml").unlink()
    _, text, _ = init(tmp_path, capsys)
    words = " ".join(text.replace("#", "").split())
    assert "could not be read: links/" in words and "/tmp" not in words.partition("study:")[2]
    for path in tmp_path.glob("data/*.csv"):  # in m/s, which is said of the links
        rows = "".join(f"{t / 10},{t // 15 % 2 * 1.5}\n" for t in range(80))
        path.write_text(f"time,speed\n{rows}")
    (tmp_path / "lab.yaml").unlink()
    said = init(tmp_path, capsys)[2]
    assert re.search(r"^CHECK: links/\S+csv: speed goes up to 1.5", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("lights", "first", "by"),
    [
        ((1, 2), [1, 2], ""),  # nothing says it
        (("violet", "blue"), ["blue", "violet"], "its word"),
        (("415", "470", "560"), ["470", "415", "560"], "its word"),
        (("frame", "blue"), ["blue", "frame"], "its word"),  # a word that says nothing comes last
        (("one", "two"), ["one", "two"], ""),
    ],
)
def test_light_of_calcium_comes_first_then_that_of_blood(tmp_path, lights, first, by):
    assert calcium_first(list(lights), tmp_path / "lights.npy") == (first, by)


@pytest.mark.parametrize(
    ("n_values", "left", "words"),
    [
        (297, 0, "cut both to the same frames"),
        (296, 0, "is a file cut short"),
        (301, 0, "cut both to the same frames"),
        (301, 1, "its last 1 frames are no whole cycle of channels"),
        (303, 1, "cut both to the same frames"),
        (304, 0, "is a file cut short"),
        (600, 0, "one for each frame of 2 channels"),
        (900, 0, "one for each frame of 3 channels"),
        (1200, 0, "is a file cut short"),
    ],
)
def test_values_of_another_number_than_frames_are_told_what_to_do(n_values, left, words):
    assert words in of_another_length("labels", n_values, 300, *[left] * bool(left))


@pytest.mark.parametrize(("n_frames", "more"), [(990, 9), (1000, 10), (1010, 10)])
def test_of_a_long_movie_a_hundredth_of_its_frames_may_be_cut(n_frames, more):
    for n_values in (n_frames - more, n_frames + more):
        assert "cut both" in of_another_length("rois", n_values, n_frames)
    assert "bring ROI signals onto" in of_another_length("rois", n_frames + more + 1, n_frames)


# --- what is told by names, and by numbers: both sides of each limit ------------------------------

SAID = dict.fromkeys(
    [f"behavior_{k}" for k in ("time", "stop", "speed", "encoder", "position", "labels")]
    + ["behavior_time_unit"]
)


@pytest.mark.parametrize(
    ("columns", "said", "guessed"),
    [
        ("time,speed", {}, {"time": "time", "speed": "speed"}),
        ("speed,time", {"speed": "speed"}, {"time": "time"}),
        ("time,speed", {"time": "other"}, {"speed": "speed"}),
        ("time,wheel", {"encoder": "wheel"}, {"time": "time"}),  # no speed beside an encoder
        ("t [ms],Wheel", {}, {"time": "t [ms]", "time_unit": "ms", "speed": "Wheel"}),
        ("t [ms],Wheel", {"time_unit": "us"}, {"time": "t [ms]", "speed": "Wheel"}),
        ("frame_time_usec,x", {}, {}),
        ("timestamp us,a", {}, {"time": "timestamp us", "time_unit": "us"}),
        ("times (µs),a", {}, {"time": "times (µs)", "time_unit": "us"}),
        ("t in min,a", {}, {"time": "t in min", "time_unit": "min"}),
        ("time [milliseconds],a", {}, {"time": "time [milliseconds]", "time_unit": "ms"}),
        ("time (msecs),a", {}, {"time": "time (msecs)", "time_unit": "ms"}),
        ("time_msec,a", {}, {"time": "time_msec", "time_unit": "ms"}),
        ("Time_MS,a", {}, {"time": "Time_MS", "time_unit": "ms"}),
        ("Time [MS],a", {}, {"time": "Time [MS]", "time_unit": "ms"}),
        ("T [US],a", {}, {"time": "T [US]", "time_unit": "us"}),
        ("time s (rig),a", {}, {"time": "time s (rig)"}),
        ("time_ns,a", {}, {"time": "time_ns", "time_unit": "ns"}),
        ("time [s],a", {}, {"time": "time [s]"}),
        ("time [frames],a", {}, {"time": "time [frames]"}),  # no unit of time
        ("Seconds,a", {}, {"time": "Seconds"}),
        ("Time_sec,a", {}, {"time": "Time_sec"}),
        ("time,times,t", {}, {"time": "time"}),  # the most usual name, wherever it stands
        ("t,times", {}, {"time": "times"}),
        ("a,left_speed", {}, {"speed": "left_speed"}),
        ("a,ball_velocity,noise", {}, {"speed": "ball_velocity"}),
        ("left_speed,right_velocity", {}, {}),
        ("left_speed,running", {}, {"speed": "running"}),
        ("my_time,speedy", {}, {}),
        ("start,end,State", {}, {"time": "start", "stop": "end", "labels": "State"}),
        ("start_time,stop_time,a", {}, {"time": "start_time", "stop": "stop_time"}),
        ("start,end,state", {"labels": "b"}, {"time": "start", "stop": "end"}),
        ("start,end", {"position": "x"}, {}),
        ("start,end", {"stop": "x"}, {}),
        ("start,end,speed", {}, {"speed": "speed"}),  # samples, not intervals
        (
            "onset (ms),offset (ms)",
            {},
            {"time": "onset (ms)", "stop": "offset (ms)", "time_unit": "ms"},
        ),
    ],
)
def test_columns_are_told_by_their_names(tmp_path, columns, said, guessed):
    path = tmp_path / "b.csv"
    n = columns.count(",") + 1
    path.write_text("\n".join([columns, ",".join("0" * n), ",".join("1" * n)]) + "\n")
    settings = SAID | {f"behavior_{key}": value for key, value in said.items()}
    found = first_look._guessed(settings | {"behavior": str(path)})
    assert found == {f"behavior_{key}": name for key, name in guessed.items()}


@pytest.mark.parametrize(
    ("name", "times", "rate"),
    [
        ("time", [0, 0.5, 1, 1.5], 2),
        ("time", [0, 0.625, 1.25, 1.9375], 1.6),  # the last by a tenth later
        ("time", [0, 0.625, 1.25, 1.94], None),
        ("time", [0, 0.625, 1.25, 1.8125], 1.6),
        ("time", [0, 0.625, 1.25, 1.81], None),
        ("time", [0, 1, 2, 3], 1),
        ("time", [0, 1.01, 2.02, 3.03], None),  # no rate of imaging
        ("time", [0, 0.002, 0.004, 0.006], 500),
        ("time", [0, 0.0019, 0.0038, 0.0057], None),
        ("t_ms", [0, 100, 200, 300], 10),
        ("time", [0, 0.5, 1], None),  # of another number than frames
        ("other", [0, 0.5, 1, 1.5], None),  # not there
    ],
)
def test_even_stamps_one_a_frame_tell_the_rate(tmp_path, name, times, rate):
    header = name if name != "other" else "a"
    rows = "".join(f"{value},0\n" for value in times)
    (tmp_path / "b.csv").write_text(f"{header},b\n{rows}")
    settings = SAID | {"behavior": str(tmp_path / "b.csv"), "behavior_time": name}
    given = Frames(4, 30.0)
    seen = FirstLook("s")
    found = first_look._at_rate(seen, settings, given)
    assert (seen.rate, found.rate) == (pytest.approx(rate) if rate else None, seen.rate or 30)
    assert found.count == 4
    seen = FirstLook("s", rate=7.0)  # as the movie's own stamps told
    assert first_look._at_rate(seen, settings, given) is given and seen.rate == 7
    assert first_look._at_rate(FirstLook("s"), settings | {"behavior_time": None}, given) is given


@pytest.mark.parametrize(
    ("bright", "turns"),
    [
        ([1000, 1050] * 5, 1),  # 50 of 1025: less than a twentieth
        ([1000, 1052] * 5, 2),
        ([-1000, -1052] * 5, 2),
        ([100, 128] + [100, 140] * 4, 2),  # 37.6 apart, where one varies by 12
        ([100, 127] + [100, 140] * 4, 1),  # 37.4 and 13
        ([100, 120, 140] * 3, 3),
        ([100, 120, 140] * 2 + [100, 120], 1),  # too few to tell three
        ([100, 120, 120] * 3, 1),
        ([100, 120, 100, 120, 100], 1),
        ([100, 120, 100, 120, 100, 120], 2),
    ],
)
def test_wavelengths_take_turns_that_differ_by_more_than_each_varies(bright, turns):
    spread = np.array([0.5, 1.5])  # of a frame, the mean counts
    assert in_turn(np.array(bright, float)[:, None, None] * spread[None, None]) == turns


@pytest.mark.parametrize(
    ("stamps", "said", "rate", "unit"),
    [
        (np.arange(5) * 0.1, None, 10, None),
        (np.arange(5) * 100.0, None, 10, "ms"),
        (np.arange(5) * 1e5, None, 10, "us"),
        (np.arange(5) * 1e8, None, 10, "ns"),
        (np.arange(5) * 1000.0, None, 1, "ms"),
        (np.arange(5) * 2.0, None, 500, "ms"),
        (np.arange(5) * 1.0, None, 1, None),  # the first unit that does
        (np.arange(5) * 100.0, "ms", 10, "ms"),
        (np.arange(5) * 100.0, 1000, 10, 1000),
        (np.array([0, 0.1, 0.2, 0.3, 60.3]), None, 10, None),  # a pause between segments
        (np.array([0, 50, 100, 4000, 4050]), None, 20, "ms"),
    ],
)
def test_stamps_are_in_the_first_unit_in_which_their_rate_is_one_of_imaging(
    tmp_path, stamps, said, rate, unit
):
    np.save(tmp_path / "t.npy", stamps)
    keys = dict.fromkeys(["frame_times_dataset", "frame_times_clock", "frame_times_edge"])
    settings = keys | {"frame_times_unit": said}
    study = SimpleNamespace(
        source=lambda kind, _: str(tmp_path / "t.npy") if kind == "frame_times" else "m.tif",
        of_session=lambda _: {"recordings": settings},
    )
    seen = FirstLook("s")
    time = first_look._times(seen, study, None, np.arange(5), Frames(5, 30.0))
    assert (seen.rate, seen.unit) == (pytest.approx(rate), unit)
    np.testing.assert_allclose(time, stamps / stamps[1] / rate, rtol=1e-9)


@pytest.mark.parametrize(("channels", "turns"), [(1, 2), (2, 1), (3, 1)])
def test_frames_are_asked_about_turns_where_the_config_names_one_wavelength(channels, turns):
    movie = Stack(np.tile([100.0, 200], 30)[:, None, None] + np.zeros((4, 5)))
    movie.blank = movie.time = None
    corrections = schema.defaults("corrections") | {"channels": channels}
    settings = {"corrections": corrections, "recordings": {"frame_rate": 10.0}}
    study = SimpleNamespace(source=lambda *_: None, of_session=lambda _: settings)
    seen = FirstLook("s")
    first_look._look_at_movie(seen, study, movie)
    assert (seen.turns, seen.n_frames) == (turns, 60 // channels)


def test_frames_around_blank_ones_are_of_their_wavelength_and_at_their_time(tmp_path):
    """Of 14 frames of two wavelengths, frame 3 is blank: the cycle of 2 and 3 is left out."""
    frames = np.arange(14.0)[:, None, None] + np.zeros((4, 5))
    movie = Stack(frames)
    movie.axes, movie.names, movie.time, movie.segment = Axes(), (), None, None
    movie.blank = np.arange(14) == 3
    corrections = schema.defaults("corrections") | {"channels": 2, "signal_channel": 2}
    settings = {"corrections": corrections, "recordings": {"frame_rate": 10.0}}
    study = SimpleNamespace(source=lambda *_: None, of_session=lambda _: settings)
    seen = FirstLook("s")
    found = first_look._look_at_movie(seen, study, movie)
    assert (seen.n_frames, seen.rate, seen.size) == (6, None, (4, 5))
    np.testing.assert_array_equal(seen.image, np.mean([1, 5, 7, 9, 11, 13]))
    times = np.array([0, 2, 3, 4, 5, 6]) / 10 + 0.05  # one of calcium each 0.1 s
    np.testing.assert_allclose([seen.time, found.time], [times, times])
    whole = Stack(frames)
    whole.blank = whole.time = None
    seen = FirstLook("s")
    assert first_look._look_at_movie(seen, study, whole).time is None  # it has none of its own
    np.testing.assert_allclose(seen.time, np.arange(7) / 10 + 0.05)
    np.save(tmp_path / "lights.npy", np.tile([7, 8], 7))  # frame 3 is of the other light
    study.source = lambda kind, _: tmp_path / "lights.npy" if kind == "light_sources" else None
    settings["corrections"] |= {"channels": 1, "signal_channel": 7}
    settings["recordings"]["light_sources_dataset"] = None
    seen = FirstLook("s")
    first_look._look_at_movie(seen, study, movie)
    np.testing.assert_allclose(seen.time, np.arange(7) / 10)
    np.testing.assert_array_equal(seen.image, np.mean([0, 2, 4, 6, 8, 10, 12]))


ALF = "imaging.imagingLightSource.npy"


@pytest.mark.parametrize(
    ("lights", "name", "table", "first", "by"),
    [
        ([1, 2, 3], ALF, "", [2, 1, 3], "IBL's usual number"),
        ([1, 3], ALF, "", [1, 3], ""),
        ([1, 2, 3], "lights.npy", "", [1, 2, 3], ""),
        # channel_id need not be the first column, and rows may be short
        ([1, 2, 3], ALF, "color,channel_id\ngreen,1\nviolet,2\nblue,3\n", [3, 2, 1], "table"),
        ([1, 2], ALF, "channel_id,wavelength\n\n1,405.0\n2,470.0\n", [2, 1], "table"),
        ([1, 2, 3], ALF, "channel_id,wavelength\n3,470\n", [3, 1, 2], "table"),  # of one alone
        ([1, 2], ALF, "color,channel_id\nnone\nviolet,1\nblue,2\n", [2, 1], "table"),
        (
            [470, 405],
            "lights.npy",
            "channel_id,wavelength\n405,470\n470,405\n",
            [405, 470],
            "table",
        ),
        ([2, 1], "l.npy", "channel_id,led,wavelength\n1,green,470\n2,green,560\n", [1, 2], "table"),
        ([1, 2], ALF, "id,wavelength\n1,470\n2,405\n", [2, 1], "IBL's usual number"),
        ([7, 2], ALF, "channel_id,wavelength\n8,470\n", [2, 7], "IBL's usual number"),
    ],
)
def test_lights_of_numbers_are_told_by_a_table_or_as_ibl_numbers_them(
    tmp_path, lights, name, table, first, by
):
    file = "imagingLightSource.properties.htsv"
    if table:
        (tmp_path / file).write_text(table)
    assert calcium_first(lights, tmp_path / name) == (first, file if by == "table" else by)
