"""What `mesodecode init` reads to prove its config: frames, their rate, behaviour by its clock."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from PIL import Image

from mesodecode.cli import main
from mesodecode.recordings.first_look import look_at
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


def init(lab, capsys):
    """Return the config that is written, its text, and what was said."""
    capsys.readouterr()
    assert main(["init", "data", "--out", "lab.yaml"]) == 0
    text = (lab / "lab.yaml").read_text()
    return yaml.safe_load(text), text, capsys.readouterr().err


def test_init_reads_what_it_writes(lab, capsys):
    config, text, said = init(lab, capsys)
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
    config, text, _ = init(lab, capsys)
    corrections = config["corrections"]
    assert (corrections["signal_channel"], corrections["reference_channel"]) == (2, 3)
    assert "could not be read" not in text


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
        np.save(alf / "widefieldSVT.haemoCorrected.npy", SVT)
        np.save(alf / "imaging.times.npy", times)
        np.save(alf / "imaging.imagingLightSource.npy", lights)
        if table:
            (alf / "imagingLightSource.properties.htsv").write_text(TABLES[table])
        np.save(path / "alf" / "_ibl_wheel.timestamps.npy", 7 + TIME)
        np.save(path / "alf" / "_ibl_wheel.position.npy", np.cumsum(RUNS * 0.1))
    config, text, _ = init(lab, capsys)
    blue = 1 if table == "tab" else 2
    assert config["corrections"] == {"signal_channel": blue}
    assert "could not be read" not in text and config["recordings"]["frame_rate"] == 10
    assert ("by imagingLightSource.properties.htsv" in text) == bool(table)
    seen = look_at(studies.resolve(config), "m1_20240101")
    np.testing.assert_allclose(seen.time, times[lights == blue])
    np.testing.assert_allclose(seen.image, (U @ SVT[:, :10]).mean(axis=2), atol=1e-5)
    assert (seen.n_frames, seen.wrong) == (T, [])
