"""NWB files of results: valid, equal to what they were made of, and read back by our own reader."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from drawn import numbers
from kept import assert_kept
from make import STUDY, check_commands, plan
from mesodecode.base.files import UserError, sha256
from mesodecode.cli import main
from mesodecode.decoders.predictions import SessionPredictions, bind
from mesodecode.export import nwb_export
from mesodecode.export.nwb_export import states_table
from mesodecode.export.nwb_metadata import read_metadata
from mesodecode.recordings import locomotion
from mesodecode.recordings.readers import read_behavior
from mesodecode.recordings.readers.clocks import Frames
from mesodecode.recordings.readers.nwb import open_nwb
from mesodecode.recordings.recording import Recording
from mesodecode.study import study as studies
from mesodecode.study.schema import defaults
from mesodecode.study.session_ids import Session
from texts import as_read

T, RATE, H, W = 60, 20.0, 4, 6
ROI = {"input": "rois", "model": "ridge"}
CONFIG = {
    "study": "lab",
    "note": "a note",
    "recordings": {"movie": "{session}.tif", "behavior": "{session}.mat", "roi_masks": "m.tif"},
    "mice": {"a": ["20240102_a1", "20240103_a2"], "b": ["b1", "b2"], "c": ["c1", "c2"]},
    "allocation": {"train": 1},
    "decoders": {
        "linear": {"model": "logistic_regression"},
        "ridge": ROI,
        "ridge_null": ROI | {"labels": "permuted_between_sessions"},
    },
}
LABELS = np.repeat([0, 1, 0, 1, 1, 0], 10).astype(np.uint8)
SPEED = np.where(LABELS, 7.3, 0.3).astype(np.float32) + np.linspace(0, 0.2, T, dtype=np.float32)
# frames 30 on, in the middle of nothing, follow 9.5 s after frame 29, which is one of run (20 … 49)
LABELS[20:30] = 1
SEGMENT = np.repeat([1, 2], 30)
TIME = 100 + np.arange(T) / RATE + 1e-3 * np.sin(np.arange(T)) + np.where(SEGMENT == 2, 9.5, 0)
MASKS = np.array([[1] * 3 + [0] * 3, [0] * 6, [2] * 6, [0, 0, 2, 5, 5, 5]], np.uint8)
OUTSIDE = np.zeros((H, W), bool)  # pixels that are NaN in the movie
OUTSIDE[2, :2] = OUTSIDE[1] = True
FIRST, SECOND = CONFIG["mice"]["a"]
TESTS_A = ["train-c.valid-b.test-a", "train-b.valid-c.test-a"]


def predicted(decoder, allocation, session, labels):
    """Frames 1 … T-2 but the two at the gap of the first session, and numbers of their own."""
    frame = np.arange(1, T - 1)
    if session == FIRST:
        frame = frame[(frame != 29) & (frame != 30)]
    rng = np.random.default_rng(list(f"{decoder}{allocation}{session}".encode()))
    other = labels if "null" not in decoder else 1 - labels
    return SessionPredictions("a", frame, other[frame], rng.random(len(frame), np.float32))


def write_recording(path, masks=None, mouse="a", **more):
    with h5py.File(path, "w") as file:
        file["frames"] = np.zeros((T, 2, 2), np.uint16)  # as with an image_size of 2 px
        file["labels"], file["pixel_mean"] = LABELS, np.zeros((2, 2))
        file["stack_sd"] = 1.0
        for name, values in more.items():
            file[name] = values
        file.attrs.update(session=path.stem, mouse=mouse, frame_rate=RATE)
        if masks is not None:
            file.attrs.update(roi_masks=str(masks), roi_masks_sha256=sha256(masks))
            file["rois"].attrs["names"] = ["1", "2", "5"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two sessions of mouse a: one with all that a recording can have, one with the least."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    for name in ("recordings", "measures"):
        (folder / name).mkdir()
    tifffile.imwrite(folder / "m.tif", MASKS)
    rois = np.random.default_rng(5).random((T, 3), np.float32)
    own = {"speed": SPEED, "segment": SEGMENT, "time": TIME, "rois": rois, "outside": OUTSIDE}
    write_recording(folder / f"recordings/{FIRST}.h5", folder / "m.tif", **own)
    write_recording(folder / f"recordings/{SECOND}.h5", rois=rois)
    fields = ("brightness", "sd", "parts", "part_start", "repeated", "full_scale", "saturated")
    for session in (FIRST, SECOND):
        with h5py.File(folder / f"measures/{session}.h5", "w") as file:
            for name in fields:
                file[f"recorded/{name}"] = 0
            file["recorded/mean"] = np.zeros((H, W))
    for decoder in CONFIG["decoders"]:
        for name, allocation in studies.resolve(CONFIG).allocations.items():
            if allocation.test == ("a",):
                made = {s: predicted(decoder, name, s, LABELS) for s in (FIRST, SECOND)}
                (folder / "predictions" / decoder).mkdir(parents=True, exist_ok=True)
                bind(decoder, allocation, made).write(folder / f"predictions/{decoder}/{name}.h5")
    assert export(folder, "--session-start=%Y%m%d") == 0
    return folder


def export(folder, *words, config="config.json", out="nwb", sessions=(FIRST, SECOND)):
    line = ["export-nwb", "--config", str(folder / config), "--session", *sessions]
    for name in ("recordings", "predictions", "measures"):
        line += [f"--{name}", str(folder / name)]
    return main([*line, "--out", str(folder / out), *words])


BY_PYNWB = ("object_id", "namespace", "neurodata_type", "colnames")
BY_PYNWB += ("comments", "offset", "resolution", "interval")  # always the same


def held(file: h5py.File) -> list[str]:
    """What a file holds: groups, datasets and their attributes, but for ids, versions and dates."""
    lines = []

    def value(one) -> str:
        if isinstance(one, h5py.Reference):
            return f"-> {file[one].name}" if one else "-> nothing"
        if isinstance(one, bytes | str):
            return repr(one.decode() if isinstance(one, bytes) else one)
        array = np.asarray(one)
        if array.dtype.kind in "OSV":  # names, references, pixels of masks
            return " ".join(value(each) if array.ndim else str(each) for each in array.ravel())
        return f"{array.dtype} {numbers(array)}"

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if re.match("specifications|file_create_date|.*/reference_images", name):
            return
        kept = "gzip" * (item.compression is not None) if isinstance(item, h5py.Dataset) else "/"
        kept += " shuffled" * (isinstance(item, h5py.Dataset) and item.shuffle)
        lines.append(f"{name} {kept}".strip())
        if isinstance(item, h5py.Dataset):
            lines.append(f"  = {value(item[()])}")
        for key, one in item.attrs.items():
            if key not in BY_PYNWB:
                lines.append(f"  {key}: {value(one)}")
        if "colnames" in item.attrs:
            lines.append(f"  columns: {' '.join(item.attrs['colnames'])}")
        for key in item if isinstance(item, h5py.Group) else ():
            if isinstance(link := item.get(key, getlink=True), h5py.SoftLink):
                lines.append(f"  {key} -> {link.path}")

    file.visititems(visit)
    return lines


@pytest.mark.parametrize("session", [FIRST, SECOND])
def test_files_hold_what_was_read(study, session):
    """`NWB=write pytest -n 0 …` writes it anew, which is read in the diff."""
    with h5py.File(study / f"nwb/{session}.nwb") as file:
        text = "\n".join(held(file)).replace(str(study), "")
    assert_kept(f"{text}\n", Path(__file__).with_name(f"{session}.txt"), "NWB")


@pytest.mark.parametrize("session", [FIRST, SECOND])
def test_files_are_valid(study, session):
    import pynwb
    from nwbinspector import Importance, inspect_nwbfile

    path = str(study / f"nwb/{session}.nwb")
    assert not pynwb.validate(path=path)
    bad = (Importance.ERROR, Importance.PYNWB_VALIDATION, Importance.CRITICAL)
    found = list(inspect_nwbfile(nwbfile_path=path))
    assert found, "nothing was inspected"
    assert not [item for item in found if item.importance in bad]


def test_states_speed_and_segments_are_read_back(study):
    both = {"behavior_labels": "states/state"}
    path = study / f"nwb/{FIRST}.nwb"
    found = read_behavior(path, frames=Frames(T, RATE, TIME), **both)
    assert found["labels"].tolist() == LABELS.tolist()
    assert found["segment"].tolist() == SEGMENT.tolist()
    assert found["speed"].tolist() == SPEED.tolist()  # to the last bit
    with h5py.File(path) as file:  # for whom reads it by NWB alone: in m/s
        speed = file["processing/behavior/BehavioralTimeSeries/speed/data"]
        np.testing.assert_allclose(speed[:] * speed.attrs["conversion"], SPEED / 100)
        assert "data in cm/s, times conversion" in speed.parent.attrs["description"]
    # run above 0.5 cm/s, of the speed alone; what the first has of a gap, the second has not
    again = read_behavior(path, frames=Frames(T, RATE, TIME), states="speed")
    assert again["labels"].tolist() == (SPEED > 0.5).tolist()
    plain = read_behavior(study / f"nwb/{SECOND}.nwb", frames=Frames(T, RATE), **both)
    assert plain["labels"].tolist() == LABELS.tolist() and list(plain) == ["labels"]


def test_predictions_of_every_decoder_and_allocation(study):
    expected = {f"{d}.{a}": (d, a) for d in CONFIG["decoders"] for a in TESTS_A}
    for session, starts in ((FIRST, TIME), (SECOND, np.arange(T) / RATE)):
        with open_nwb(study / f"nwb/{session}.nwb") as nwb:
            series = nwb.processing["behavior"]["decoding"].time_series
            assert set(series) == set(expected)
            for name, (decoder, allocation) in expected.items():
                made = predicted(decoder, allocation, session, LABELS)
                item = series[name]
                assert item.data[:].tolist() == made.probability.tolist()
                assert item.unit == "probability"
                if session == SECOND:  # no gap: a rate says it
                    assert (item.starting_time, item.rate) == (1 / RATE, RATE)
                    assert len(item.data) == len(made.frame)
                else:
                    assert item.timestamps[:].tolist() == starts[made.frame].tolist()
                train = "trained on mice c and validated on b"
                swapped = "trained on mice b and validated on c"
                assert (train if allocation == TESTS_A[0] else swapped) in item.description
                assert "ever fitted to the test mouse, a" in item.description
                assert f"{len(made.frame)} of {T} frames" in item.description
                assert ("permuted" in item.description) == (decoder == "ridge_null")


def test_without_names_every_session_and_decoder_of_the_folders_is_written(tmp_path):
    mice = {mouse: [f"{mouse}1"] for mouse in "abc"}
    config = CONFIG | {"mice": mice, "decoders": {"first": ROI, "second": ROI}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "recordings").mkdir()
    for mouse, (session,) in mice.items():
        write_recording(tmp_path / f"recordings/{session}.h5", mouse=mouse)
        for name, allocation in studies.resolve(config).allocations.items():
            found = predicted("ridge", name, session, LABELS)
            for decoder in config["decoders"] if allocation.test == (mouse,) else ():
                made = {session: dataclasses.replace(found, mouse=mouse)}
                (tmp_path / "predictions" / decoder).mkdir(parents=True, exist_ok=True)
                bind(decoder, allocation, made).write(tmp_path / f"predictions/{decoder}/{name}.h5")
    words = [
        "export-nwb",
        "--config",
        str(tmp_path / "config.json"),
        "--out",
        str(tmp_path / "nwb"),
    ]
    for name in ("recordings", "predictions"):
        words += [f"--{name}", str(tmp_path / name)]
    assert main(words) == 0
    assert sorted(path.name for path in (tmp_path / "nwb").iterdir()) == [
        "a1.nwb",
        "b1.nwb",
        "c1.nwb",
    ]
    with open_nwb(tmp_path / "nwb/b1.nwb") as nwb:
        assert nwb.subject.subject_id == "b"
        made = ("train-a.valid-c.test-b", "train-c.valid-a.test-b")
        expected = {f"{decoder}.{name}" for decoder in config["decoders"] for name in made}
        assert set(nwb.processing["behavior"]["decoding"].time_series) == expected


def test_roi_signals_and_masks(study):
    with h5py.File(study / f"recordings/{FIRST}.h5") as file:
        rois = file["rois"][:]
    with open_nwb(study / f"nwb/{FIRST}.nwb") as nwb:
        signals = nwb.processing["ophys"]["Fluorescence"]["roi_signals"]
        np.testing.assert_array_equal(signals.data[:], rois)
        table = signals.rois.table
        assert signals.rois.data[:].tolist() == [0, 1, 2]
        assert table["roi_name"][:].tolist() == ["1", "2", "5"]
        for row, number in enumerate((1, 2, 5)):
            drawn = np.zeros((H, W), bool)
            for x, y, weight in table["pixel_mask"][row]:
                drawn[y, x] = weight == 1
            assert drawn.tolist() == ((number == MASKS) & ~OUTSIDE).tolist()
    with open_nwb(study / f"nwb/{SECOND}.nwb") as nwb:  # ROIs of a file: no masks are known
        ophys = nwb.processing["ophys"]
        np.testing.assert_array_equal(ophys["roi_signals"].data[:], rois)
        assert ophys["rois"]["roi_name"][:].tolist() == ["1", "2", "3"]


def test_signals_of_a_dff_movie(study, tmp_path):
    shutil.copytree(study, tmp_path, dirs_exist_ok=True)
    with h5py.File(tmp_path / f"recordings/{FIRST}.h5", "r+") as file:
        file.create_group("corrections").attrs["unit"] = "dff"
        del file["time"]
    assert export(tmp_path, "--decoders", sessions=[FIRST]) == 0
    with open_nwb(tmp_path / f"nwb/{FIRST}.nwb") as nwb:
        assert "DfOverF" in nwb.processing["ophys"].data_interfaces
        (series,) = nwb.processing["ophys"]["DfOverF"].roi_response_series.values()
        assert series.unit == "n.a." and "ΔF/F" in series.description
        assert "decoding" not in nwb.processing["behavior"].data_interfaces  # --decoders of none
        assert "has gaps of unknown length: times are frame / frame_rate" in nwb.session_description
        states = nwb.intervals["states"].to_dataframe()
        assert "that decoders learn and are scored by" in nwb.intervals["states"].description
    ends = [10, 30, 50, 60]  # the second at the gap
    assert states["start_time"].tolist() == pytest.approx(np.array([0, *ends[:-1]]) / RATE)
    assert states["stop_time"].tolist() == pytest.approx(np.array(ends) / RATE)
    with open_nwb(study / f"nwb/{FIRST}.nwb") as nwb:  # whose time stamps say how long it is
        assert "gaps of unknown length" not in nwb.session_description


def test_session_and_subject(study):
    with open_nwb(study / f"nwb/{FIRST}.nwb") as nwb:
        assert (nwb.session_id, nwb.identifier, nwb.notes) == (FIRST, f"lab/{FIRST}", "a note")
        assert nwb.session_start_time == datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)
        assert "placeholder" not in nwb.session_description
        subject = nwb.subject
        assert (subject.subject_id, subject.species, subject.sex) == ("a", "Mus musculus", "U")


def test_a_file_says_what_its_numbers_are(study):
    """Words, unit and size of each series; packed, and times of like frames are kept once."""
    said, held, times = {}, {}, []

    def look(name: str, one: h5py.Dataset | h5py.Group) -> None:
        *_, series, last = ["", *name.split("/")]
        if "description" in one.attrs and "pixel_mask" not in last:  # which are pynwb's words
            said[last] = one.attrs["description"]
        if last == "description":
            said[series] = one.asstr()[()]
        if last in ("data", "timestamps"):
            assert (one.compression, one.shuffle) == ("gzip", True), name
        if last == "data":
            about = one.attrs["unit"], one.attrs["conversion"]
            held[series.partition(".")[0]] = (one.dtype, one.shape, *about)
        times.append(series) if last == "timestamps" else None

    with h5py.File(study / f"nwb/{FIRST}.nwb") as file:
        file.visititems(look)
        keywords = file["general/keywords"].asstr()[:].tolist()
        assert file["general/optophysiology/cortex/indicator"].asstr()[()] == "unknown"
    assert held == {
        "speed": ("f8", (T,), "m/s", 0.01),
        "segment": ("i8", (T,), "n.a.", 1),
        "roi_signals": ("f4", (T, 3), "a.u.", 1),
        **dict.fromkeys(CONFIG["decoders"], ("f4", (T - 4,), "probability", 1)),
    }
    assert len(times) == 2  # of all frames, and of those with a window
    assert keywords == ["widefield calcium imaging", "decoding", "locomotion"]
    assert {"camera", "cortex", "signal", "states", "state", "start_time", "rois", "ophys"} < {
        *said
    }
    as_read(said.values())


def test_unknown_start_is_a_placeholder_that_says_so(study):
    assert export(study, out="plain", sessions=[SECOND]) == 0
    with open_nwb(study / f"plain/{SECOND}.nwb") as nwb:
        assert nwb.session_start_time == datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        assert "session_start_time is a placeholder" in nwb.session_description


def metadata(folder, text=None, **known):
    if text is not None:
        known["sessions"] = str(folder / "sessions.tsv")
        (folder / "sessions.tsv").write_text(text.replace(" ", "\t"))
    sessions = {name: Session("m", name, name) for name in ("s1_x", "s2")}
    return read_metadata(sessions, sessions, defaults("nwb", **known))


def test_metadata_of_a_table(tmp_path):
    lines = "session session_start_time sex age weather\n{} {} F P90D fine\ns2 2024-01-02 U  rain\n"
    found = metadata(tmp_path, lines.format("s1_x", "2024-01-02T10:00:00+09:00"), species="Mus x")
    assert found["s1_x"].start == datetime.datetime(2024, 1, 2, 1, tzinfo=datetime.UTC)
    known = {"species": "Mus x", "sex": "F", "age": "P90D", "genotype": None, "strain": None}
    assert found["s1_x"].subject == known
    assert found["s2"].start == datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)
    assert found["s2"].subject["age"] == "P0D/"


@pytest.mark.parametrize(
    ("text", "given_settings", "words"),
    [
        ("session sex\ns2 F\n", {}, "no session 's1_x' in it; add its row"),
        (
            "session sex\ns1_x female\ns2 F\n",
            {},
            r"\.tsv: session s1_x: sex 'female' is none of M, F, O \(other\), U",
        ),
        ("session session_start_time\ns1_x\ns2 x\n", {}, "session s1_x: session_start_time ''"),
        (None, {"session_start": "%Y%m%d"}, "name of session 's1_x' does not begin with a date"),
    ],
)
def test_bad_metadata_is_one_line(tmp_path, text, given_settings, words):
    with pytest.raises(UserError, match=words):
        metadata(tmp_path, text, **given_settings)


@st.composite
def timed_labels(draw):
    """Labels, and frames of a jittering clock with gaps at new segments, 2 frames long or more."""
    labels = draw(st.lists(st.integers(0, 1), min_size=12, max_size=40))
    n = len(labels) - 1
    jitter = draw(st.lists(st.floats(0.85, 1.15), min_size=n, max_size=n))
    gap = draw(st.sets(st.integers(0, n - 1), max_size=4))
    lasts = [draw(st.floats(2, 1e3)) if i in gap else jitter[i] for i in range(n)]
    segment = np.cumsum([0, *(i in gap for i in range(n))])
    return np.array(labels, np.uint8), np.cumsum([0.0, *lasts]) * 0.033, segment


@settings(max_examples=40, deadline=None)
@given(timed_labels())
def test_states_are_the_labels_of_their_frames(made):
    labels, starts, segment = made
    table = states_table(
        Recording("x", "s", "m", 30.0, labels, None, segment, None, None, 1.0, (len(labels), 1, 1)),
        starts,
    ).to_dataframe()
    for state, label in (("run", 1), ("rest", 0)):
        rows = table[table["state"] == state]
        begin, end = rows["start_time"].to_numpy(), rows["stop_time"].to_numpy()
        inside = locomotion.within(begin, end, starts)
        assert inside.tolist() == (labels == label).tolist()
    for cut in np.flatnonzero(np.diff(segment)):  # no bout lasts through a gap
        through = (table["start_time"] <= starts[cut]) & (table["stop_time"] >= starts[cut + 1])
        assert not through.any()


def test_a_frame_before_a_gap_lasts_a_median_frame():
    ends = locomotion.frame_ends(np.array([0.0, 1.0, 2.0, 3.4, 13.4, 14.4]))
    np.testing.assert_allclose(ends, [1.0, 2.0, 3.4, 4.4, 14.4, 15.4])


@pytest.mark.parametrize(
    ("frame", "start", "times"),
    [
        ([], None, []),
        ([4], 0.2, None),
        ([4, 5, 6], 0.2, None),
        ([4, 6], None, [0.2, 0.3]),
    ],
)
def test_a_series_of_frames_that_follow_each_other_has_a_rate(frame, start, times):
    recording = Recording("x", "s", "m", RATE, LABELS, None, None, None, None, 1.0, (T, 1, 1))
    frame = np.array(frame, int)
    made = nwb_export._Frames(recording).series("p", np.ones(len(frame)), frame, unit="1")
    assert (made.starting_time, made.rate) == (start, RATE if times is None else None)
    assert times is None or made.timestamps[:].tolist() == pytest.approx(times)


def no_recording(folder):
    (folder / f"recordings/{FIRST}.h5").write_bytes(b"no HDF5")


def other_labels(folder):
    with h5py.File(folder / f"recordings/{FIRST}.h5", "r+") as file:
        file["labels"][5] = 1


def other_training_mice(folder):
    with h5py.File(folder / f"predictions/linear/{TESTS_A[1]}.h5", "r+") as file:
        file.attrs["train_mice"] = "c"


def predictions_of(folder, change):
    with h5py.File(folder / f"predictions/linear/{TESTS_A[0]}.h5", "r+") as file:
        change(file)


def a_frame(at, number):
    def change(file):
        file[f"{FIRST}/frame"][at] = number

    return lambda folder: predictions_of(folder, change)


def other_allocation(folder):
    about = {"allocation": "train-c.valid-a.test-b"}  # of the same training mouse
    predictions_of(folder, lambda file: file.attrs.update(about))


def other_masks(folder):
    tifffile.imwrite(folder / "m.tif", MASKS[::-1])
    with h5py.File(folder / f"recordings/{FIRST}.h5", "r+") as file:
        file.attrs["roi_masks"] = str(folder / "m.tif")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: (f / f"predictions/ridge/{TESTS_A[0]}.h5").unlink(), "run the decoder first"),
        (no_recording, "not a preprocessed recording"),
        (lambda f: (f / f"recordings/{FIRST}.h5").unlink(), "No such file"),
        (other_labels, "has other frames, labels or target"),
        (other_training_mice, "of other mice than their allocation"),
        (other_allocation, "of other mice than their allocation"),
        (
            lambda folder: predictions_of(folder, lambda file: file.move(FIRST, "x")),
            f"predictions of linear, {TESTS_A[0]}: no session {FIRST}; make the predictions again",
        ),
        (
            a_frame(0, -1),
            f"error: predictions of linear, {TESTS_A[0]}: session {FIRST} has other frames, labels "
            f"or target than {{}}/recordings/{FIRST}.h5; make the predictions again",
        ),
        (a_frame(-1, T), "has other frames, labels or target"),
        (other_masks, f"m.tif: not the masks that {{}}/recordings/{FIRST}.h5 was made with"),
    ],
)
def test_bad_files_are_one_line_and_nothing_written(study, tmp_path, capsys, spoil, words):
    folder = tmp_path / "copy"
    shutil.copytree(study, folder, ignore=shutil.ignore_patterns("nwb", "plain"))
    spoil(folder)
    assert export(folder, sessions=[FIRST]) == 1
    line = capsys.readouterr().err
    assert words.format(folder) in line and line.startswith("mesodecode export-nwb: error: ")
    assert line.count("\n") == 1
    assert not list(folder.glob("nwb/*")) + list(folder.glob("nwb/.*"))


def test_session_that_is_not_in_the_study(study, capsys):
    assert export(study, sessions=["x9"]) == 1
    assert f"no session 'x9'; known: {FIRST}, {SECOND}, b1" in capsys.readouterr().err


def test_a_session_may_be_named_by_its_mouse_too(study, tmp_path, capsys):
    assert export(study, "--decoders", out=tmp_path, sessions=[f"a/{SECOND}"]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [f"{SECOND}.nwb"]
    assert export(study, sessions=[f"b/{SECOND}"]) == 1  # which is of another mouse
    assert f"no session 'b/{SECOND}'; known: {FIRST}, {SECOND}, b1" in capsys.readouterr().err


def test_target_of_the_workflow(lab):
    (lab / "my sessions.tsv").write_text("session\n")
    config = STUDY | {"nwb": {"sessions": "my sessions.tsv", "indicator": "GCaMP6f"}}
    jobs, lines = plan(lab, "export", config=config)
    made = {"preprocess": 6, "recordings_of_mouse": 5, "fit_linear": 5}
    made |= {"pass_pixels": 10, "keep_linear": 5}
    assert jobs == made | {"resolved_config": 1, "export": 1}
    check_commands(lines, jobs)
    (line,) = [line for line in lines if line.startswith("mesodecode export-nwb")]
    assert "--species 'Mus musculus'" in line and "--sessions 'my sessions.tsv'" in line
    assert "--indicator GCaMP6f --excitation none" in line


def test_light_and_indicator_are_those_of_the_settings(study):
    from pynwb import NWBHDF5IO

    light = ["--excitation", "470", "--emission", "525", "--indicator", "GCaMP6f"]
    assert export(study, "--session-start=%Y%m%d", *light, sessions=(FIRST,), out="light") == 0
    with NWBHDF5IO(study / f"light/{FIRST}.nwb", "r") as io:
        plane = io.read().imaging_planes["cortex"]
        assert (plane.excitation_lambda, plane.indicator) == (470, "GCaMP6f")
        assert [channel.emission_lambda for channel in plane.optical_channel] == [525]
