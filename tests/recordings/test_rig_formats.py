"""Behaviour as recorders of rigs write it: Spike2, ABF, TDMS, WaveSurfer, ALF, DeepLabCut."""

from __future__ import annotations

import csv
import runpy
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.io

from make_movies import save_nwb
from mesodecode.recordings.readers import npy, pulses, spike2, tdms
from mesodecode.recordings.readers.arrays import Held, Unreadable
from mesodecode.recordings.readers.behavior import read_behavior
from mesodecode.recordings.readers.clocks import Frames, read_times
from mesodecode.recordings.readers.traces import read_variables, vector
from mesodecode.recordings.roi_files import read_signals
from told import refusal

FRAMES = Frames(8, 10.0)  # 0.8 s
TIMES = np.arange(100) / 100  # of samples, s
RUNS = (TIMES >= 0.2) & (TIMES < 0.6)  # frames 2 to 5
LABELS = [0, 0, 1, 1, 1, 1, 0, 0]
PULSES = np.where(np.arange(100) % 10 < 3, 5.0, 0.0)  # a frame each 0.1 s; high as it begins


LATE = ["neo", "pyabf", "nptdms", "bioio", "sif_parser", "roifile", "imageio_ffmpeg", "zarr"]
LATE += ["pynwb", "pandas"]
READERS = sorted(Path(spike2.__file__).parent.glob("*.py"))


@pytest.mark.parametrize("reader", READERS, ids=[reader.stem for reader in READERS])
def test_a_reader_is_imported_without_the_library_that_it_reads_by(monkeypatch, reader):
    """Else every command would take as long, and none would say what to install."""
    for name in {*LATE, *(name for name in sys.modules if name.partition(".")[0] in LATE)}:
        monkeypatch.setitem(sys.modules, name, None)  # an import of it fails
    runpy.run_path(str(reader))


# --- Spike2 --------------------------------------------------------------------------------------


def save_smr(path, channels):
    """A file of Spike2 version 6 (32 bit): a tick is 10 us, a sample of a waveform 10 ms.

    `channels`: title -> samples in 0.01 cm/s from pieces (first tick, samples), or events: their
    ticks, or ticks and codes of markers.
    """
    head = struct.pack("<h10s8s3hi5hid", 6, b"", b"", 10, 1, 0, 0, len(channels), *[0] * 5, 1e-6)
    heads, blocks, end = b"", b"", 4096
    for number, (title, held) in enumerate(channels.items(), 1):
        events = isinstance(held, np.ndarray)
        pieces = [(held.flat[0], held)] if events else held
        named, kind = bytes([len(title)]) + title.encode(), 1 if not events else 1 + 2 * held.ndim
        about = [0, 0, end, end, len(pieces), *[0] * 5, b"", 0, 1000, 0, named, 100, kind, 0]
        about = struct.pack("<h3i6h72s2ih10sfBb", *about)
        about += b"" if events else struct.pack("<ff6sh", 65.536, 0, b"\x05cm/s ", 1)
        heads += about.ljust(140, b"\0")
        for i, (tick, values) in enumerate(pieces):
            data = values.astype("<i4" if events else "<i2").tobytes()
            last = values.T.flat[len(values) - 1] if events else tick + 1000 * (len(values) - 1)
            end += 20 + len(data)
            following = end if i + 1 < len(pieces) else -1
            blocks += struct.pack("<4i2h", -1, following, tick, last, number, len(values)) + data
    path.write_bytes((head.ljust(512, b"\0") + heads).ljust(4096, b"\0") + blocks)


def test_spike2_has_channels_units_times_and_events(tmp_path):
    pytest.importorskip("neo")
    path, camera = tmp_path / "b.smr", np.arange(8) * 10000 + 500
    save_smr(path, {" wheel ": [(0, 2000 * RUNS)], "camera ": camera})
    got = read_behavior(path, frames=FRAMES, behavior_speed="wheel")
    assert got["labels"].tolist() == LABELS
    assert got["speed"].max() == pytest.approx(20, rel=1e-6)
    assert read_variables(path, ["wheel"])[0]["wheel"].unit == "cm/s"
    times = read_times(path, "camera", 8, 10.0)
    np.testing.assert_allclose(times, 0.005 + np.arange(8) / 10, atol=1e-9)
    assert "it holds: camera, wheel" in refusal(read_behavior, path, behavior_speed="x")


def test_channels_of_spike2_of_one_title_are_refused_by_it():
    found = {}
    for value in (1.0, 2.0):
        spike2._add(found, "wheel", Held(lambda value=value: np.full(9, value)))
        told = vector(found["wheel"], "wheel", None)
        assert isinstance(told, Unreadable) == (value == 2)
    assert "is the title of several channels" in told.why


@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 4)])
def test_the_first_column_of_a_vector_is_the_vector_and_it_has_no_second(shape):
    held = Held(lambda: np.arange(4.0).reshape(shape))
    assert vector(held, "x:1", 1).values.tolist() == [0, 1, 2, 3]
    assert "values are 1 columns" in vector(held, "x:2", 2).why
    nothing = vector(Held(lambda: np.empty((0, 2))), "x:2", 2)
    assert nothing == Unreadable("is empty", empty=True)


def test_times_that_a_file_says_itself_are_not_asked_for_their_unit(tmp_path):
    from pynwb import TimeSeries

    wheel = TimeSeries(name="wheel", data=np.tile(20.0 * RUNS, 50), unit="cm/s", rate=100.0)
    save_nwb(tmp_path / "b.nwb", wheel)
    line = refusal(read_behavior, tmp_path / "b.nwb", frames=FRAMES, behavior_speed="wheel")
    assert "behavior_time" not in line and "if in s" not in line and "49.99 s" in line


def test_a_pause_of_spike2_is_a_gap_of_its_times(tmp_path):
    pytest.importorskip("neo")
    path = tmp_path / "b.smr"
    save_smr(path, {"wheel": [(0, np.full(10, 100)), (30000, np.full(5, 300))]})
    wheel = read_variables(path, ["wheel"])[0]["wheel"]
    np.testing.assert_allclose(wheel.time, [*np.arange(10) / 100, *(0.3 + np.arange(5) / 100)])
    np.testing.assert_allclose(wheel.values, [1] * 10 + [3] * 5, rtol=1e-6)


def test_events_of_spike2_are_all_there_in_pauses_too(tmp_path):
    """A waveform that is sampled from 0.1 s on and pauses; keys are markers with codes."""
    pytest.importorskip("neo")
    path, ticks = tmp_path / "b.smr", 10 ** np.arange(1, 8)
    wheel = [(10000, np.full(10, 100)), (40000, np.full(5, 300))]
    save_smr(path, {"wheel": wheel, "camera": ticks, "keys": np.c_[ticks, 48 + np.arange(7)]})
    held = read_variables(path, ["camera", "keys", "keys/codes"])[0]
    for name in ("camera", "keys"):
        np.testing.assert_allclose(held[name].values, ticks / 1e5)
    np.testing.assert_allclose(held["keys/codes"].time, ticks / 1e5)
    assert held["keys/codes"].values.tolist() == [f"{48 + i}" for i in range(7)]


@pytest.mark.filterwarnings("ignore:invalid value")  # of neo
def test_a_spike2_file_whose_ticks_last_no_time_is_named(tmp_path):
    pytest.importorskip("neo")
    save_smr(path := tmp_path / "b.smr", {"camera": np.arange(8)})
    held = bytearray(path.read_bytes())
    assert held[44:52] == struct.pack("<d", 1e-6)  # s of a tick
    held[44:52] = struct.pack("<d", 0)
    path.write_bytes(held)
    assert "b.smr: not a readable Spike2 file (" in refusal(read_variables, path, ["camera"])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("b.smr", "not a readable Spike2 file"),
        ("b.smrx", "File > Export As > MATLAB data"),
        ("b.SMRX", "File > Export As > MATLAB data"),
        ("b.abf", "not a readable ABF file"),
        ("b.tdms", "not a readable TDMS file"),
    ],
)
def test_files_of_recorders_that_are_none(tmp_path, name, words):
    pytest.importorskip("neo"), pytest.importorskip("pyabf"), pytest.importorskip("nptdms")
    (tmp_path / name).write_bytes(b"no such file" * 3)
    line = refusal(read_variables, tmp_path / name, ["x"])
    assert line.startswith(f"{tmp_path / name}: ") and words in line


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("b.smr", "neo.rawio.spike2rawio", "neo"),
        ("b.abf", "pyabf", "abf"),
        ("b.tdms", "nptdms", "tdms"),
    ],
)
def test_an_extra_that_is_not_installed_is_named(tmp_path, monkeypatch, name, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / name).write_bytes(b"x")
    line = refusal(read_variables, tmp_path / name, ["x"])
    assert "not installed" in line and f"pip install 'mesodecode[{extra}]'" in line


# --- ABF, TDMS, WaveSurfer, Timeline -------------------------------------------------------------


def test_abf_has_channels_units_and_times(tmp_path):
    """Two sweeps of 10 s follow each other; pyabf's own writer leaves channels without a name."""
    pytest.importorskip("pyabf")
    from pyabf import abfWriter

    path = tmp_path / "b.abf"
    abfWriter.writeABF1(np.tile(20.0 * RUNS, (2, 10)), str(path), 100.0, units="cm/s")
    assert read_variables(path, [])[1] == ["channel 1"]
    held = read_variables(path, ["channel 1"])[0]["channel 1"]
    assert held.unit == "cm/s"
    np.testing.assert_allclose(held.values, np.tile(20.0 * RUNS, 20), atol=0.05)
    np.testing.assert_allclose(held.time, np.arange(2000) / 100)
    got = read_behavior(path, frames=Frames(200, 10.0), behavior_speed="channel 1")
    assert got["labels"].tolist() == [*LABELS, 0, 0] * 20


def test_sweeps_of_abf_begin_when_they_do_and_a_name_has_one_channel(tmp_path, monkeypatch):
    """By what pyabf gives of two sweeps, 3 s apart, of three channels, two of them of one name."""
    samples = np.arange(12.0).reshape(3, 4)
    about = {"adcNames": ["wheel\0", "ttl", "ttl"], "adcUnits": ["cm/s \0", "V", "V"]}
    file = SimpleNamespace(data=samples, sampleRate=10, sweepTimesSec=[0, 3], **about)
    monkeypatch.setitem(sys.modules, "pyabf", SimpleNamespace(ABF=lambda _: file))
    path = tmp_path / "b.abf"
    path.write_bytes(b"ABF2")
    held, inside = read_variables(path, ["wheel", "ttl"])
    assert inside == ["ttl (several)", "wheel"]
    assert held["wheel"].values.tolist() == [0, 1, 2, 3] and held["wheel"].unit == "cm/s"
    np.testing.assert_allclose(held["wheel"].time, [0, 0.1, 3, 3.1])
    line = refusal(read_times, path, "ttl", 2, 10.0)
    assert line == f"{path}: ttl is the name of several channels; rename them"


def test_tdms_has_channels_with_the_clock_of_their_waveforms(tmp_path):
    nptdms = pytest.importorskip("nptdms")
    path = tmp_path / "b.tdms"
    wave = {"wf_increment": 0.01, "wf_start_offset": 0.0, "unit_string": "m/s "}
    daq = {"wf_increment": 0.01, "NI_UnitDescription": "mm/s"}  # as NI-DAQmx logs it
    stamps = np.datetime64("2024-01-31T12:00:00") + (TIMES * 1e6).astype("timedelta64[us]")
    with nptdms.TdmsWriter(str(path)) as file:
        file.write_segment(
            [
                nptdms.ChannelObject("rig", "wheel", 0.2 * RUNS, properties=wave),
                nptdms.ChannelObject("rig", "camera", PULSES, properties=wave),
                nptdms.ChannelObject("rig", "bare", 20.0 * RUNS),
                nptdms.ChannelObject("rig", "daq", 200.0 * RUNS, properties=daq),
                nptdms.ChannelObject("rig", "clock", stamps),
                nptdms.ChannelObject("rig", "never", np.zeros(0)),
            ]
        )
    names = ["rig/bare", "rig/camera", "rig/clock", "rig/daq", "rig/never (empty)", "rig/wheel"]
    assert read_variables(path, [])[1] == names
    assert read_variables(path, ["rig/wheel"])[0]["rig/wheel"].unit == "m/s"
    got = read_behavior(path, frames=FRAMES, behavior_speed="rig/wheel")
    assert got["labels"].tolist() == LABELS and got["speed"].max() == pytest.approx(20)
    logged = read_behavior(path, frames=FRAMES, behavior_speed="rig/daq")
    np.testing.assert_allclose(logged["speed"], got["speed"], rtol=1e-6)
    np.testing.assert_allclose(read_times(path, "rig/camera", 9, 10.0), np.arange(1, 10) / 10)
    rated = read_behavior(path, frames=FRAMES, behavior_speed="rig/bare", behavior_rate=100)
    assert rated["labels"].tolist() == LABELS
    start = np.datetime64("2024-01-31T12:00:00").astype("datetime64[s]").astype(float)
    dated = Frames(8, 10.0, start + np.arange(8) / 10)
    options = {"behavior_speed": "rig/bare", "behavior_time": "rig/clock"}
    assert read_behavior(path, frames=dated, **options)["labels"].tolist() == LABELS


def test_a_waveform_of_tdms_that_was_recorded_in_pieces_has_a_gap(tmp_path):
    """1 s, then from 20 s on 1 s more; a channel that says its start again goes on without one."""
    nptdms = pytest.importorskip("nptdms")
    path, begin = tmp_path / "b.tdms", np.datetime64("2024-01-31T12:00:00")
    half = len(RUNS) // 2
    for piece, at in enumerate((0, 20)):
        start = begin + np.timedelta64(at, "s")
        with nptdms.TdmsWriter(str(path), mode="a" if piece else "w") as file:
            for values in (RUNS[:half], RUNS[half:]):  # a segment each, of which one says no start
                wave = {"wf_increment": 0.01, "wf_start_offset": 0.5, "wf_start_time": start}
                again = wave | {"wf_start_time": begin}
                file.write_segment(
                    [
                        nptdms.ChannelObject("rig", "wheel", 20.0 * values, properties=wave),
                        nptdms.ChannelObject("rig", "whole", 20.0 * values, properties=again),
                    ]
                )
    held, _ = read_variables(path, ["rig/wheel", "rig/whole"])
    n = len(RUNS)
    expected = 0.5 + np.r_[np.arange(n) / 100, 20 + np.arange(n) / 100]
    np.testing.assert_allclose(held["rig/wheel"].time, expected, atol=1e-9)
    np.testing.assert_allclose(held["rig/whole"].time, 0.5 + np.arange(2 * n) / 100, atol=1e-9)
    assert held["rig/wheel"].values.tolist() == [*(20.0 * RUNS), *(20.0 * RUNS)]


@pytest.mark.parametrize("order", "<>")
def test_starts_of_waveforms_stand_where_the_structure_of_tdms_has_them(tmp_path, order):
    """Two segments by NI's "TDMS File Format Internal Structure", the last without its end."""
    stamps = [struct.pack(f"{order}Qq", fraction, 10) for fraction in (1, 2)]
    data, blocks, places = bytes(24), [], []
    for i, said in enumerate(([stamps[0], stamps[1]], [stamps[1]])):
        about = b"x".join(b"wf_start_time" + struct.pack(f"{order}I", 68) + one for one in said)
        ends = -1 % 2**64 if i else len(about) + len(data)
        flags = struct.pack("<I", 14 | (64 if order == ">" else 0))
        lead = b"TDSm" + flags + struct.pack(f"{order}I2Q", 4713, ends, len(about))
        places.append((sum(map(len, blocks)), set(said)))
        blocks.append(lead + about + data)
    path = tmp_path / "b.tdms"
    path.write_bytes(b"".join(blocks))
    assert list(tdms._segments(path)) == places
    with tdms._Beginning(path, places[1][0]) as first:
        assert first.read() == blocks[0] and first.seek(-4, 2) == len(blocks[0]) - 4
        assert first.read(9) == data[:4]


def test_times_of_a_waveform_of_tdms_go_on_by_the_starts_of_its_pieces():
    start = np.datetime64("2024-01-31T12:00:00.0")
    about = {"wf_increment": 0.5, "wf_start_offset": 1.0}
    later = [(i, start + np.timedelta64(s, "s")) for i, s in ((0, 0), (2, 10), (3, 20))]
    for pieces, times in (
        ([], [1, 1.5, 2, 2.5, 3]),
        (later, [1, 1.5, 11, 21, 21.5]),
    ):
        assert tdms._times(about, pieces, 5).tolist() == times
    assert tdms._times({"wf_start_offset": 1.0}, [], 5) is None


def save_wavesurfer(path, sweeps, **head):
    with h5py.File(path, "w") as file:
        file["header/AcquisitionSampleRate"] = [[100.0]]
        for name, values in head.items():
            file[f"header/{name}"] = values
        for number, (stamp, analog, digital) in enumerate(sweeps, 1):
            file[f"sweep_{number:04d}/timestamp"] = [[stamp]]
            file[f"sweep_{number:04d}/analogScans"] = analog
            file[f"sweep_{number:04d}/digitalScans"] = digital


def test_channels_of_wavesurfer_by_name(tmp_path):
    """Counts become volts by a polynomial, and cm/s by the channel's scale (0.05 V a cm/s)."""
    path = tmp_path / "w.h5"
    analog = np.stack([np.zeros(100), 500 * RUNS]).astype("i2")
    digital = ((PULSES > 2) * 2 + 1).astype("u1")[None]  # camera is the second bit
    head = {
        "AIChannelNames": ["off", "sync", "wheel"],
        "IsAIChannelActive": [[0], [1], [1]],
        "AIChannelUnits": ["V", "V", "cm/s"],
        "AIChannelScales": [[1.0], [1.0], [0.05]],
        "AIScalingCoefficients": [[0.0, 1.0, 0, 0], [0.0, 0.002, 0, 0]],
        "DIChannelNames": ["on", "camera"],
    }
    save_wavesurfer(path, [(3.0, analog, digital)], **head)
    got = read_behavior(path, frames=FRAMES, behavior_speed="wheel")
    assert got["labels"].tolist() == LABELS and got["speed"].max() == pytest.approx(20)
    np.testing.assert_allclose(read_times(path, "camera", 9, 10.0), np.arange(1, 10) / 10)
    save_wavesurfer(
        path, [(3.0, analog, digital), (5.0, analog, digital)], AIChannelNames=["a", "b"]
    )
    held = read_variables(path, ["b"])[0]["b"]
    np.testing.assert_array_equal(held.values, np.tile(500 * RUNS, 2))  # counts, as they stand
    np.testing.assert_allclose(held.time, [*TIMES, *(2 + TIMES)])
    with h5py.File(path, "a") as file:  # when the second began is known no more
        del file["sweep_0002/timestamp"]
    assert read_variables(path, ["b"])[0]["b"].time is None


def test_a_column_of_timeline_is_speed_and_another_the_cameras_pulses(tmp_path):
    path = tmp_path / "Timeline.mat"
    daq = np.stack([PULSES, 20.0 * RUNS, TIMES % 0.05], axis=1)
    scipy.io.savemat(path, {"rawDAQData": daq, "rawDAQTimestamps": TIMES + 3})
    stamps = {"clock": "rawDAQTimestamps"}
    times = read_times(path, "rawDAQData:1", 9, 10.0, **stamps)
    np.testing.assert_allclose(times, 3 + np.arange(1, 10) / 10)
    names = {"behavior_speed": "rawDAQData:2", "behavior_time": "rawDAQTimestamps"}
    got = read_behavior(path, frames=Frames(9, 10.0, times), **names)
    assert got["labels"].tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 0]


# --- pulses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0, 0.8])
def test_pulses_of_a_rate_are_frames_whatever_their_noise(tmp_path, noise):
    trace = 0.3 + 3.3 * (PULSES > 2) + np.random.default_rng(1).uniform(-noise, noise, 100)
    np.save(tmp_path / "ttl.npy", trace)
    times = read_times(tmp_path / "ttl.npy", None, 9, 10.0, clock=100)
    np.testing.assert_allclose(times, np.arange(1, 10) / 10)  # the first was high from the start
    pd.DataFrame({"t": 1000 * TIMES, "ttl": trace}).to_csv(tmp_path / "ttl.csv", index=False)
    timed = read_times(tmp_path / "ttl.csv", "ttl", 9, 10.0, clock="t", unit="ms")
    np.testing.assert_allclose(timed, times, atol=1e-9)


def exposures(idle, duty, pause=0):
    """A trace of 1 kHz: 0.5 s of rest, 8 exposures of a frame of 100 ms each (`pause` ms before the
    fifth), and 0.5 s of rest; and when they begin (s)."""
    begins = 500 + 100 * np.arange(8) + pause * (np.arange(8) > 3)
    trace = np.full(1800 + pause, idle)
    for begin in begins:
        trace[begin : begin + int(duty * 100)] = 1 - idle
    return 5.0 * trace, begins / 1000


@pytest.mark.parametrize("duty", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("suffix", [".npy", ".mat", ".h5", ".csv"])
def test_frames_begin_where_a_camera_leaves_its_idle_level(tmp_path, capsys, suffix, duty):
    """A strobe that rests high and is pulled low: its rising edges are the ends of exposures."""
    path = tmp_path / f"ttl{suffix}"
    for idle, said in ((0, ""), (1, "rests on its high level")):
        trace, begins = exposures(idle, duty)
        if suffix == ".npy":
            np.save(path, trace)
        elif suffix == ".mat":
            scipy.io.savemat(path, {"ttl": trace.astype("u1")[:, None]})
        elif suffix == ".h5":
            with h5py.File(path, "w") as file:
                file["ttl"] = trace.astype(">i2")
        else:
            pd.DataFrame({"ttl": trace}).to_csv(path, index=False)
        name = None if suffix == ".npy" else "ttl"
        times = read_times(path, name, 8, 10.0, clock=1000)
        np.testing.assert_allclose(times, begins)
        assert said in capsys.readouterr().err


def test_a_pause_shows_the_idle_level_where_a_trace_has_neither_beginning_nor_end(tmp_path, capsys):
    path, whole = tmp_path / "ttl.npy", slice(520, 1610)
    for idle, words in ((0, ""), (1, "falling edges; if not, set frame_times_edge: rising")):
        trace, begins = exposures(idle, 0.5, pause=300)
        np.save(path, trace[whole])  # from within the first exposure to the end of the last
        times = read_times(path, None, 7, 10.0, clock=1000)
        np.testing.assert_allclose(times, begins[1:] - 0.52)
        said = capsys.readouterr().err
        assert words in said and bool(words) == bool(said)
    trace, begins = exposures(1, 0.5)
    np.save(path, trace[480:1280])  # no rest of 2 periods: nothing says which
    assert len(read_times(path, None, 8, 10.0, clock=1000)) == 8
    assert "nowhere rests: frames are taken to begin at rising" in capsys.readouterr().err
    times = read_times(path, None, 8, 10.0, clock=1000, edge="falling")
    np.testing.assert_allclose(times, begins - 0.48)
    both = np.concatenate([np.zeros(600), trace])  # powered on after the recorder
    np.save(path, both)
    read_times(path, None, 9, 10.0, clock=1000)
    assert "rests on both levels" in capsys.readouterr().err
    times = read_times(path, None, 8, 10.0, clock=1000, edge="falling")
    np.testing.assert_allclose(times, begins + 0.6)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("rests", "said"),
    [
        ((6, 1, 1, 6), "nowhere rests"),  # no two pulses, by which a rest would be long
        ((6, 1, 1, 1, 6), ""),
        ((3, 1, 1, 1, 2), "nowhere rests"),  # 4 samples are 2 periods; longer is a rest
        ((5, 1, 1, 1, 2), ""),
        ((6, 1, 1, 1, 1, 6), "rests on both levels"),
    ],
)
def test_a_rest_is_longer_than_two_periods_of_two_pulses(rests, said):
    trace = np.repeat(np.arange(len(rests)) % 2, rests)
    begins, words = pulses.onsets(trace, np.arange(len(trace)), "ttl", "t.npy")
    assert begins.tolist() == np.cumsum(rests)[:-1:2].tolist()
    assert said in words and bool(said) == bool(words)


@pytest.mark.parametrize(
    ("trace", "clock", "words"),
    [
        (PULSES, 100, "has 9 time stamps, but the movie has 12 frames"),
        (TIMES, 100, "is no trace of pulses: of 100 samples from 0 to 0.99, 33% lie between"),
        (np.zeros(100), 100, "is no trace of pulses: of 100 samples from 0 to 0, 0% lie"),
        (np.where(TIMES > 0.5, np.nan, 1), 100, "not finite"),
        (PULSES, "t", "no 't' (frame_times_clock) in it, or no vector of times; it holds: half"),
        (PULSES, "half", "half has 50 time stamps for 100 samples"),
    ],
)
def test_traces_without_the_cameras_pulses_are_refused(tmp_path, trace, clock, words):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["ttl"], file["half"] = trace, TIMES[:50]
    assert words in refusal(read_times, tmp_path / "t.h5", "ttl", 12, 10.0, clock=clock)


# --- ALF -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "stamps"),
    [
        ([[0, 1.0], [2, 2.0], [3, 4.0]], [1, 1.5, 2, 4]),
        ([[0, 1.0]], None),
        ([[1, 1.0], [3, 2.0]], None),  # not from sample 0
        ([[0, 1.0], [1.5, 2.0]], None),  # no sample
        ([[0, 1.0], [2, 2.0], [2, 3.0]], None),  # one twice
        ([[0, 1.0], [2, 2.0], [1, 3.0]], None),
        ([[0, 1.0, 0], [2, 2.0, 0]], None),
    ],
)
def test_rows_of_sample_and_time_stand_for_what_lies_between(rows, stamps):
    expected = rows if stamps is None else stamps
    assert npy.time_stamps(np.array(rows)).tolist() == expected


def save_alf(folder, name, **arrays):
    folder.mkdir(exist_ok=True)
    for attribute, array in arrays.items():
        np.save(folder / f"{name}.{attribute}.npy", array)


def test_a_wheel_of_alf_is_logged_only_while_it_turns(tmp_path, capsys):
    """Radians; 1 cm is 0.1 rad. It turns by 2 cm in frames 20 to 29 and 50 to 59 of 80."""
    turning = np.arange(0, 1.001, 0.02)
    times = np.concatenate([2 + turning, 5 + turning])
    position = np.concatenate([0.2 * turning, 0.2 + 0.2 * turning])
    save_alf(tmp_path / "alf", "_ibl_wheel", position=position, timestamps=times)
    got = read_behavior(
        tmp_path / "alf",
        frames=Frames(80, 10.0),
        behavior_encoder="_ibl_wheel.position",
        behavior_time="_ibl_wheel.timestamps",
        counts_per_turn=2 * np.pi,
        wheel_circumference=20 * np.pi,
    )
    assert np.flatnonzero(got["labels"]).tolist() == [*range(20, 30), *range(50, 60)]
    np.testing.assert_allclose(got["speed"][[20, 29, 55]], 2, rtol=1e-5)
    assert got["speed"][[0, 40, 79]].tolist() == [0, 0, 0]
    words = capsys.readouterr().err
    assert "begins 2 s from where the movie does" in words and "ends 1.9 s from" in words


def test_a_wheel_that_ends_long_before_the_movie_may_have_been_stopped(tmp_path):
    times = np.concatenate([np.arange(0, 1, 0.02), np.arange(2, 3, 0.02)])
    save_alf(tmp_path / "alf", "wheel", position=np.arange(100.0), timestamps=times)
    names = {"behavior_encoder": "wheel.position", "behavior_time": "wheel.timestamps"}
    wheel = {"counts_per_turn": 100, "wheel_circumference": 10}
    line = refusal(read_behavior, tmp_path / "alf", frames=Frames(80, 10.0), **names, **wheel)
    assert "covers 0 to 2.98 s, but the movie 0 to 7.9 s" in line


def test_time_stamps_of_alf_are_two_for_all_samples(tmp_path):
    save_alf(tmp_path / "alf", "wheel", speed=20.0 * RUNS, timestamps=[[0, 7.0], [99, 7.99]])
    identifier = "0a1b2c3d-0a1b-4c2d-8e3f-0a1b2c3d4e5f"
    (tmp_path / "alf/wheel.speed.npy").rename(tmp_path / f"alf/wheel.speed.{identifier}.npy")
    names = {"behavior_speed": "wheel.speed", "behavior_time": "wheel.timestamps"}
    frames = Frames(8, 10.0, 7 + np.arange(8) / 10)
    assert read_behavior(tmp_path / "alf", frames=frames, **names)["labels"].tolist() == LABELS
    np.save(tmp_path / "camera.times.npy", [[0, 7.0], [2, 7.2], [7, 7.7]])
    times = read_times(tmp_path / "camera.times.npy", None, 8, 10.0)
    np.testing.assert_allclose(times, frames.time)
    np.save(tmp_path / "camera.times.npy", [[1, 7.0], [2, 7.2], [7, 7.7]])  # not from sample 0 on
    line = refusal(read_times, tmp_path / "camera.times.npy", None, 7, 10.0)
    assert "has shape (3, 2); needs one time stamp a frame" in line
    np.save(tmp_path / "alf/paw.place.npy", [[0, 5.0], [3, 6.0]])  # in x and y, and no times
    np.save(tmp_path / "alf/paw.times.npy", [[0, 5.0], [3, 6.5]])
    found, _ = read_variables(tmp_path / "alf", ["paw.place:2", "paw.times"])
    assert found["paw.times"].values.tolist() == [5, 5.5, 6, 6.5]
    assert "cannot be told from 2 x 2" in found["paw.place:2"].why


def test_stamps_of_bonsai_are_iso_with_seven_decimals_and_a_zone(tmp_path):
    path = tmp_path / "b.csv"
    text = [f"2024-01-31T12:00:{t:010.7f}+01:00" for t in TIMES]
    pd.DataFrame({"Timestamp": text, "speed": 20.0 * RUNS}).to_csv(path, index=False)
    start = np.datetime64("2024-01-31T11:00:00").astype("datetime64[s]").astype(float)
    frames = Frames(8, 10.0, start + np.arange(8) / 10)
    got = read_behavior(path, frames=frames, behavior_time="Timestamp")
    assert got["labels"].tolist() == LABELS


# --- positions -----------------------------------------------------------------------------------

# from (0, 0) along a line of slope 4/3, at 20 cm/s in frames 2 to 5: 3-4-5 triangles
WAY = np.cumsum(RUNS) * 0.2  # cm, from sample to sample
X, Y = np.append(0, 0.6 * WAY[:-1]), np.append(0, 0.8 * WAY[:-1])


def save_dlc(path, likelihood, individual=None, quoting=csv.QUOTE_MINIMAL):
    """A table as DeepLabCut writes it, of one body part, in px of 0.5 mm."""
    lines = [
        ["scorer", *["DLC"] * 3],
        ["bodyparts", *["nose"] * 3],
        ["coords", "x", "y", "likelihood"],
    ]
    if individual:
        lines.insert(1, ["individuals", *[individual] * 3])
    rows = np.stack([np.arange(100), 100 + 20 * X, 50 + 20 * Y, likelihood], axis=1)
    pd.DataFrame([*lines, *rows.tolist()]).to_csv(path, index=False, header=False, quoting=quoting)


@pytest.mark.parametrize("individual", [None, "mouse1"])
def test_a_point_of_deeplabcut_gives_the_speed(tmp_path, capsys, individual):
    path, likelihood = tmp_path / "v.csv", np.full(100, 0.6)  # the least that is shown
    likelihood[40:43] = 0.2
    save_dlc(path, likelihood, individual)
    part = f"{individual}/nose" if individual else "nose"
    table = pd.read_csv(path, header=None)
    table.iloc[-60, 1] = "999"  # sample 40, where the nose is not seen
    table.to_csv(path, index=False, header=False)
    options = {"behavior_position": part, "speed_scale": 0.05, "behavior_rate": 100}
    got = read_behavior(path, frames=FRAMES, **options)
    assert got["labels"].tolist() == LABELS
    np.testing.assert_allclose(got["speed"], np.multiply(LABELS, 20), atol=1e-5)
    assert "interpolated in 3.0% of its samples" in capsys.readouterr().err
    line = refusal(read_behavior, path, frames=FRAMES, behavior_position=part, behavior_rate=100)
    assert "is a position, and its unit is not said: say in speed_scale how many cm" in line
    save_dlc(path, np.full(100, 0.5), individual)
    assert "is not known in 100%" in refusal(read_behavior, path, frames=FRAMES, **options)


def test_words_of_deeplabcut_may_stand_in_quotes_and_before_blanks(tmp_path):
    path = tmp_path / "v.csv"
    save_dlc(path, np.ones(100), quoting=csv.QUOTE_ALL)
    for text in (path.read_text(), path.read_text().replace('"', "").replace("scorer", "scorer ")):
        path.write_text(text)
        found, inside = read_variables(path, ["nose", "nose/y"])
        assert found["nose/y"].values.tolist() == pytest.approx((50 + 20 * Y).tolist())
        assert inside == ["nose", "nose/likelihood", "nose/x", "nose/y"]


def test_a_table_of_deeplabcut_that_is_cut_off(tmp_path):
    lines = ["scorer,DLC,DLC", "bodyparts,nose,nose", "coords,x,y", "0,1,2"]
    for cut in (lines[:2], [*lines[:3], "0,1,2,3"]):
        (tmp_path / "v.csv").write_text("\n".join(cut) + "\n")
        assert "not a table of DeepLabCut" in refusal(read_variables, tmp_path / "v.csv", ["nose"])
    (tmp_path / "v.csv").write_text("\n".join([lines[0], "bodyparts,nose,", *lines[2:]]) + "\n")
    assert read_variables(tmp_path / "v.csv", [])[1] == ["/y", "nose/x"]  # a part without a name


def test_points_of_a_body_are_no_signals_of_rois(tmp_path):
    save_dlc(path := tmp_path / "v.csv", np.ones(100))
    line = refusal(read_signals, path, 100)
    assert line == f"{path}: nose is a point of a body (DeepLabCut), no signal of an ROI"


def save_sleap(path, tracks=1):
    """The analysis of SLEAP: tracks (tracks, x and y, nodes, frames), in px of 0.5 mm."""
    nose = np.stack([100 + 20 * X, 50 + 20 * Y])
    nose[:, 40:43] = np.nan  # not found
    points = np.stack([np.zeros_like(nose), nose], axis=1)
    with h5py.File(path, "w") as file:
        file["tracks"] = np.stack([*[0 * points] * (tracks - 1), points])  # others stand still
        file["node_names"] = [b"tail", b"nose"]
        file["track_names"] = [f"track_{i}".encode() for i in range(tracks)]


@pytest.mark.parametrize(("tracks", "node"), [(1, "nose"), (2, "track_1/nose")])
def test_a_node_of_sleap_gives_the_speed(tmp_path, tracks, node):
    save_sleap(path := tmp_path / "v.analysis.h5", tracks)
    options = {"speed_scale": 0.05, "behavior_rate": 100}
    got = read_behavior(path, frames=FRAMES, behavior_position=node, **options)
    assert got["labels"].tolist() == LABELS
    np.testing.assert_allclose(got["speed"], np.multiply(LABELS, 20), atol=1e-5)
    along = read_behavior(path, frames=FRAMES, behavior_position=f"{node}/x", **options)
    np.testing.assert_allclose(along["speed"], np.multiply(LABELS, 12), atol=1e-5)
    line = refusal(read_behavior, path, frames=FRAMES, behavior_position="paw", **options)
    assert "no 'paw' in it" in line and node in line


def test_arrays_named_as_those_of_sleap_are_read_by_their_names(tmp_path):
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["tracks"], file["node_names"] = np.arange(5.0), [b"nose"]
    found, _ = read_variables(tmp_path / "v.h5", ["tracks", "nose"])
    assert found["tracks"].values.tolist() == [0, 1, 2, 3, 4] and "nose" not in found


@pytest.mark.parametrize("tracks", [[b"a", b"b"], [1.0, 2.0]])
def test_points_whose_axes_are_in_another_order_are_no_nodes(tmp_path, tracks):
    with h5py.File(tmp_path / "v.h5", "w") as file:  # frames, tracks, nodes, x and y
        file["tracks"], file["node_names"] = np.zeros((9, 2, 2, 2)), [b"tail", b"nose"]
        file["track_names"] = tracks
    assert not read_variables(tmp_path / "v.h5", ["a/nose", "nose"])[0]


def test_hdf5_of_deeplabcut_is_not_read_and_says_what_is(tmp_path):
    rows = np.zeros(9, [("index", "<i8"), ("values_block_0", "<f8", (3,))])
    with h5py.File(path := tmp_path / "v.h5", "w") as file:
        file["df_with_missing/table"] = rows
    line = refusal(read_behavior, path, behavior_position="nose", behavior_rate=100)
    assert "no 'nose' in it" in line and "df_with_missing (of DeepLabCut: save it as CSV" in line
    line = refusal(read_behavior, path, behavior_position="df_with_missing", behavior_rate=100)
    assert "pickled objects, which are not read; save it as CSV" in line


def test_two_columns_of_a_table_are_a_position(tmp_path):
    path = tmp_path / "v.csv"
    pd.DataFrame({"t": TIMES, "X": 10 * X, "Y": 10 * Y}).to_csv(path, index=False)
    options = {"behavior_position": ["X", "Y"], "behavior_time": "t", "speed_unit": "mm/s"}
    got = read_behavior(path, frames=FRAMES, **options)
    np.testing.assert_allclose(got["speed"], np.multiply(LABELS, 20), atol=1e-5)


def test_a_position_of_nwb_in_m(tmp_path):
    from pynwb.behavior import Position, SpatialSeries

    data = np.stack([0.6 * X, Y, -0.8 * X], axis=1) / 100  # of three axes
    series = SpatialSeries(name="nose", data=data, reference_frame="r", rate=100.0, unit="meters")
    track = SpatialSeries(
        name="track", data=np.append(0, WAY[:-1]), conversion=0.01, reference_frame="r", rate=100.0
    )
    save_nwb(tmp_path / "p.nwb", Position(spatial_series=[series]), track)
    for name in ("nose", "track"):
        got = read_behavior(tmp_path / "p.nwb", frames=FRAMES, behavior_position=name)
        np.testing.assert_allclose(got["speed"], np.multiply(LABELS, 20), atol=1e-5)
        assert got["labels"].tolist() == LABELS
    options = {"behavior_position": "nose", "speed_scale": 50.0}  # cm, whatever the file says
    got = read_behavior(tmp_path / "p.nwb", frames=FRAMES, **options)
    np.testing.assert_allclose(got["speed"], np.multiply(LABELS, 10), atol=1e-5)


def test_a_position_that_jumps_is_no_mouse(tmp_path):
    path = tmp_path / "v.csv"
    pd.DataFrame({"x": 100.0 * (np.arange(8) % 2)}).to_csv(path, index=False)
    options = {"behavior_position": "x", "speed_unit": "cm/s"}
    assert "faster than any mouse" in refusal(read_behavior, path, frames=FRAMES, **options)
