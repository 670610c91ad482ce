"""Encoding studies: simulated truth, readers of sessions, response windows, folds."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from mesodecode.base import files
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.cli.encoding import _data
from mesodecode.encoding import folds, readers, responses, simulate, study
from mesodecode.encoding.explainable import explainable
from mesodecode.encoding.predictions import Predictions, read_predictions
from mesodecode.encoding.readers import Session
from mesodecode.study import schema

SMALL = {"neurons": 12, "images": 10, "repeats": 12, "image_size": 16}


def population(**change):
    settings = schema.defaults("encoding_simulate", **SMALL | change)
    return simulate.simulate_population(**settings)


@pytest.fixture(scope="module")
def made():
    return population()


def session(made, signal="events") -> Session:
    traces, neurons = getattr(made, signal), np.arange(len(made.events))
    covariates = {"speed": (made.speed, made.time)}
    images = made.images.astype(np.float32)
    return Session(images, made.image, made.start, made.end, made.time, traces, neurons, covariates)


def test_simulation_plants_what_it_says(made):
    assert made.responsive.sum() == 8  # round(0.7 x 12)
    assert not made.filters[~made.responsive].any() and not made.signal[:, ~made.responsive].any()
    # the share of a trial's variance, in units of which signal is
    np.testing.assert_allclose(made.signal[:, made.responsive].var(0), 0.3, rtol=1e-6)
    assert set(np.bincount(made.image)) == {12}
    # an event amplitude of its own at each image, at the first sample 50 ms after its start
    at = np.searchsorted(made.time, made.start + 0.05 - 1e-9)
    assert np.array_equal(np.flatnonzero(made.events.any(0)), at)
    amplitude = made.events[:, at].T
    means = np.array([amplitude[made.image == i].mean(0) for i in range(10)])
    found = np.corrcoef(means[:, 0], made.signal[:, 0])[0, 1]
    assert found > 0.8  # sqrt(.3 / (.3 + .7 / 12)) = .91 is expected


def test_simulation_is_the_same_again_and_sessions_share_neurons(made):
    again, other = (
        population(),
        simulate.simulate_population(**schema.defaults("encoding_simulate", **SMALL), number=1),
    )
    assert np.array_equal(again.dff, made.dff)
    assert np.array_equal(other.signal, made.signal)
    assert not np.array_equal(other.image, made.image)


def test_a_seed_makes_the_same_session_in_every_version():
    """Mean squares of all that is made, and of these by their places, from 0 to 1."""
    found = {}
    change = {"speed_effect": 0.5, "complex_share": 0.5, "delay": 0.07, "duration": 0.3}
    for name, values in vars(population(**change, number=1)).items():
        squares = np.square(np.asarray(values, float)).ravel()
        found[name] = squares.mean(), squares @ np.linspace(0, 1, squares.size) / squares.size
    expected = {
        "images": (21499.48, 10497.22),
        "image": (28.5, 14.41695),
        "start": (426.615, 321.3),
        "end": (437.415, 328.515),
        "time": (438.6252, 329.12),
        "events": (1.892158, 0.9419261),
        "dff": (6.85265, 3.414191),
        "speed": (25.07572, 8.683438),
        "pupil": (3696.335, 1739.935),
        "filters": (0.002604167, 0.0008506775),
        "responsive": (0.6666667, 0.2121212),
        "signal": (0.2, 0.09619072),
    }
    assert found.keys() == expected.keys()
    for name, numbers in expected.items():
        assert found[name] == pytest.approx(numbers, rel=1e-5), name


@pytest.mark.parametrize("complex_share", [0.0, 0.5, 1.0])
def test_a_neuron_responds_to_its_filter_or_to_the_energy_of_a_pair(monkeypatch, complex_share):
    drawn = []
    original = simulate.gabor
    monkeypatch.setattr(
        simulate, "gabor", lambda *where: drawn.append(original(*where)) or drawn[-1]
    )
    made = population(neurons=6, responsive=0.7, complex_share=complex_share)
    contrast = made.images / 255.0
    contrast -= contrast.mean()
    for n, pair in enumerate(zip(drawn[::2], drawn[1::2], strict=True)):
        np.testing.assert_allclose(made.filters[n], pair[0], atol=1e-6)
        along, across = (np.array([(image * one).sum() for image in contrast]) for one in pair)
        # both of a pair, by their energy: the second is the first, a quarter of a period on
        drive = np.log1p(np.exp(1.5 * along / along.std() + 1))
        if n < 4 * complex_share:
            drive = np.sqrt(along**2 + across**2)
        expected = (drive - drive.mean()) / drive.std() * np.sqrt(0.3)
        np.testing.assert_allclose(made.signal[:, n], expected, rtol=1e-5)
    assert len(drawn) == 8 and not made.signal[:, 4:].any()


def test_a_simulated_session_is_read_as_one_and_its_truth_lies_beside_it(made, tmp_path):
    truth = simulate.write_population(made, tmp_path / "s1.h5")
    assert truth == tmp_path / "s1_truth.h5"
    read = readers.read_session(tmp_path / "s1.h5", "dff", covariates=["speed", "pupil"])
    assert np.array_equal(read.traces, made.dff) and np.array_equal(read.images, made.images)
    assert (made.images.dtype, read.images.dtype) == (np.uint8, np.float32)
    assert made.speed.dtype == made.pupil.dtype == made.dff.dtype == np.float32  # in half the space
    assert np.array_equal(read.covariates["pupil"][0], made.pupil)
    for name in ("image", "start", "end", "time"):
        assert np.array_equal(getattr(read, name), getattr(made, name))
    events = readers.read_session(tmp_path / "s1.h5", "events")
    assert np.array_equal(events.traces, made.events)
    with h5py.File(truth) as file, h5py.File(tmp_path / "s1.h5") as session_file:
        assert set(file) == {"filters", "responsive", "signal"} and not set(file) & set(
            session_file
        )
        for name in file:
            assert np.array_equal(file[name], getattr(made, name))


def test_the_verb_simulates_the_session_of_its_number(tmp_path, capsys):
    line = ["simulate-encoding", "--out", str(tmp_path), "--session", "s2", "--number", "1"]
    line += [word for key, n in SMALL.items() for word in ("--" + key.replace("_", "-"), str(n))]
    assert main(line) == 0
    said = capsys.readouterr().err
    assert said == (
        f"s2: 12 neurons, 8 responsive, 120 presentations of 10 images, in {tmp_path}\n"
    )
    expected = population(number=1)
    with h5py.File(tmp_path / "s2.h5") as file, h5py.File(tmp_path / "s2_truth.h5") as truth:
        assert np.array_equal(file["dff"], expected.dff)
        assert np.array_equal(truth["signal"], expected.signal)


def hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, value in arrays.items():
            file[name] = value
    return path


PLAIN = {
    "images": np.arange(2 * 4 * 4).reshape(2, 4, 4),
    "image": [1, 0, -1],
    "start": [0.2, 0.0, 0.4],
    "end": [0.4, 0.2, 0.6],
    "time": np.arange(10) * 0.1,
    "dff": np.arange(20.0).reshape(2, 10),
}


def test_plain_hdf5_and_npy_say_the_same(tmp_path):
    file = readers.read_session(hdf5(tmp_path / "s.h5", **PLAIN))
    for name, value in PLAIN.items():
        np.save(tmp_path / f"{name}.npy", np.asarray(value))
    folder = readers.read_session(tmp_path)
    for one in (file, folder):
        assert one.start.tolist() == [0.0, 0.2, 0.4]  # in order
        assert one.end.tolist() == [0.2, 0.4, 0.6] and one.neurons.tolist() == [0, 1]
        assert np.array_equal(one.time, PLAIN["time"])
        assert one.image.tolist() == [0, 1, 2]  # grey is the last image
        assert np.all(one.images[2] == PLAIN["images"].mean())
        assert np.array_equal(one.traces, PLAIN["dff"])


def test_covariates_have_their_own_clock_or_that_of_the_traces(tmp_path):
    """Their own also where they have as many values as the traces."""
    given = {"speed": np.arange(10.0), "speed_time": PLAIN["time"] - 0.05, "pupil": np.ones(10)}
    found = readers.read_session(
        hdf5(tmp_path / "s.h5", **PLAIN, **given), covariates=["speed", "pupil"]
    ).covariates
    for name, time in (("speed", given["speed_time"]), ("pupil", PLAIN["time"])):
        values, clock = found[name]
        assert np.array_equal(values, given[name]) and np.array_equal(clock, time)


def test_what_came_in_the_place_of_a_session_or_is_larger_than_memory_is_told(
    tmp_path, monkeypatch
):
    for name in ("s.h5", "s.nwb", "dff.npy"):
        (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
        with pytest.raises(UserError, match=f"{name}: a pointer of Git LFS"):
            readers.read_session(tmp_path if name == "dff.npy" else tmp_path / name)
    np.savez_compressed(tmp_path / "e.npz", ev=np.zeros((2, 5 * 10**6)))
    monkeypatch.setattr(files, "free_memory", lambda: 70 * 10**6)
    with pytest.raises(UserError, match=r"e\.npz: all in it takes 0\.1 GB of memory"):
        readers.read_session(hdf5(tmp_path / "ok.h5", **PLAIN), "events", events=tmp_path / "e.npz")


def allen_file(path, scenes="natural_scenes_stimulus", column=False):
    """A small session as files of the Allen Brain Observatory have it (NWB 1).

    Names and shapes are those that allensdk/core/brain_observatory_nwb_data_set.py reads: 7 samples
    an image at 30 Hz, of which 7.5 fit into 250 ms; the running speed begins after and ends before
    the traces, and was a column in files of version 0.9; one clock is a link to another.
    """
    rng = np.random.default_rng(0)
    time = 5 + np.arange(60) / 30
    pipeline = "processing/brain_observatory_pipeline"
    begins = np.array([10, 17, 25, 32, 40, 47])
    with h5py.File(path, "w") as file:
        file["nwb_version"] = "NWB-1.0.6"
        file["general/session_type"] = "three_session_B"
        file["general/generated_by"] = np.array([b"pipeline_version", b"3.0"])
        file[f"{pipeline}/ImageSegmentation/cell_specimen_ids"] = [517, 518]
        file[f"{pipeline}/ImageSegmentation/roi_ids"] = np.array([b"a", b"b"])
        file[f"{pipeline}/Fluorescence/imaging_plane_1/data"] = np.zeros((2, 60), np.float32)
        file[f"{pipeline}/Fluorescence/imaging_plane_1/timestamps"] = time
        dff = file.create_group(f"{pipeline}/DfOverF/imaging_plane_1")
        dff["data"] = rng.standard_normal((2, 60)).astype(np.float32)
        dff["timestamps"] = h5py.SoftLink(f"/{pipeline}/Fluorescence/imaging_plane_1/timestamps")
        running = file.create_group(f"{pipeline}/BehavioralTimeSeries/running_speed")
        running["data"] = np.arange(56, dtype=np.float32).reshape((-1, 1) if column else -1)
        running["timestamps"] = time[2:58]
        pupil = file.create_group(f"{pipeline}/PupilTracking/pupil_size")
        pupil["data"] = np.where(np.arange(60) % 5, 90.0, np.nan)  # blinks
        pupil["timestamps"] = time
        file["stimulus/templates/natural_scenes_image_stack/data"] = np.stack(
            [np.full((6, 8), grey, np.float32) for grey in (10, 30)]
        )
        for name in (scenes, "static_gratings_stimulus", "spontaneous_stimulus"):
            shown = file.create_group(f"stimulus/presentation/{name}")
            shown["data"] = np.array([0, 1, -1, 1, 0, -1])
            shown["frame_duration"] = np.stack([begins, begins + 7], 1)
            shown["timestamps"] = time[begins]
    return path


@pytest.mark.parametrize("older", [False, True])
def test_allen_layout(tmp_path, older):
    scenes = "natural_scenes" if older else "natural_scenes_stimulus"
    path = allen_file(tmp_path / "s.nwb", scenes, column=older)
    found = readers.read_session(path, covariates=["speed", "pupil"])
    with h5py.File(path) as file:
        dff = file["processing/brain_observatory_pipeline/DfOverF/imaging_plane_1/data"][:]
    assert found.neurons.tolist() == [517, 518]
    assert found.image.tolist() == [0, 1, 2, 1, 0, 2]  # the blank sweep is the last image
    assert found.images[:, 0, 0].tolist() == [10, 30, 20]
    begins = [10, 17, 25, 32, 40, 47]
    for samples in (None, 7):
        made = responses.make_responses(
            found, "s", samples=samples, covariates=["speed", "pupil"], image_size=8
        )
        wanted = [dff[:, begin : begin + 7].mean(1) for begin in begins]
        np.testing.assert_allclose(made.response, wanted, rtol=1e-5)
        np.testing.assert_allclose(made.covariates[:, 0], [b - 2 + 3 for b in begins])
        np.testing.assert_allclose(made.covariates[:, 1], 90)
    with pytest.raises(UserError, match="no 'events' in it; name its file"):
        readers.read_session(path, "events")
    np.savez(tmp_path / "events.npz", ev=np.ones((2, 60)))
    assert readers.read_session(path, "events", events=tmp_path / "events.npz").traces.sum() == 120


def remove(name):
    def edit(path):
        with h5py.File(path, "a") as file:
            del file[name]

    return edit


def put(name, value):
    def edit(path):
        with h5py.File(path, "a") as file:
            del file[name]
            file[name] = value

    return edit


def newer(path):
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.6.0"
        file["units/id"] = [1]


PIPELINE = "processing/brain_observatory_pipeline"
SCENES = "stimulus/presentation/natural_scenes_stimulus"


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            remove(SCENES),
            r"s.nwb: no natural scenes among its stimuli \(spontaneous, static_gratings\)",
        ),
        (
            remove(f"{PIPELINE}/DfOverF/imaging_plane_1/data"),
            "no 'dff' in it .dataset processing/br",
        ),
        (remove(f"{PIPELINE}/Fluorescence"), "s.nwb: no 'time' in it"),  # a link to nothing
        (
            remove(f"{PIPELINE}/PupilTracking"),
            "PupilTracking/pupil_size/data.; leave it out of responses.cov",
        ),
        (put(f"{SCENES}/frame_duration", np.arange(6)), "frames has 1 axes; needs 2"),
        (put(f"{SCENES}/data", np.zeros(0, int)), "no presentations in it"),
        (
            put(f"{PIPELINE}/ImageSegmentation/cell_specimen_ids", [1, 2, 3]),
            "3 neurons and 2 traces",
        ),
        (
            put("stimulus/templates/natural_scenes_image_stack/data", np.full((2, 6, 8), np.nan)),
            "pixels that are not finite",
        ),
        (newer, "NWB 2.6.0, not the layout of the Allen Brain Observatory"),
        (lambda path: path.write_bytes(b"no HDF5"), "not a readable HDF5 file"),
        (lambda path: path.write_bytes(path.read_bytes()[:9000]), "s.nwb: "),
    ],
)
def test_nwb_files_that_are_not_what_is_needed_are_named(tmp_path, edit, words):
    path = allen_file(tmp_path / "s.nwb")
    edit(path)
    with pytest.raises(UserError, match=words):
        readers.read_session(path, covariates=["speed", "pupil"])


@pytest.mark.parametrize("more", [19, 20])
def test_what_a_file_holds_instead_is_named_up_to_twenty(tmp_path, more):
    names = [f"x{i:02}" for i in range(more)]
    held = ", ".join(["image", *names][:20])
    path = hdf5(tmp_path / "s.h5", image=[0], **dict.fromkeys(names, 1.0))
    with pytest.raises(UserError, match=rf"s\.h5: no 'images' in it; it holds: {held}$"):
        readers.read_session(path)


def test_covariates_have_a_value_for_each_time_of_their_clock(tmp_path):
    path = hdf5(tmp_path / "s.h5", **PLAIN, speed=np.arange(10.0))
    (speed, clock) = readers.read_session(path, covariates=["speed"]).covariates["speed"]
    assert np.array_equal(speed, np.arange(10)) and np.array_equal(clock, PLAIN["time"])
    for n in (9, 11):
        path = hdf5(tmp_path / "s.h5", **PLAIN, pupil=np.arange(float(n)))
        with pytest.raises(UserError, match=rf"s\.h5: pupil has {n} values for 10 times"):
            readers.read_session(path, covariates=["pupil"])
    np.save(tmp_path / "e.npy", np.ones(10))
    with pytest.raises(UserError, match=r"e\.npy: events have 1 axes; needs neurons x samples"):
        readers.read_session(path, "events", events=tmp_path / "e.npy")


def test_a_file_of_events_that_is_cut_short_is_named(tmp_path):
    path = allen_file(tmp_path / "s.nwb")
    np.savez(tmp_path / "events.npz", ev=np.ones((2, 60)))
    short = (tmp_path / "events.npz").read_bytes()[:200]
    (tmp_path / "events.npz").write_bytes(short)
    with pytest.raises(UserError, match=r"events\.npz: no events in it"):
        readers.read_session(path, "events", events=tmp_path / "events.npz")


def damaged(path):
    """A compressed archive, four bytes of which are others."""
    np.savez_compressed(path, ev=np.random.default_rng(0).normal(size=(2, 60)))
    held = bytearray(path.read_bytes())
    held[60:64] = b"\xff" * 4
    path.write_bytes(held)


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (lambda path: np.savez(path, events=np.ones((2, 60))), "'ev is not a file in"),
        (lambda path: path.write_bytes(b""), "No data left in file"),
        (lambda path: path.write_text("ev"), r"contains pickled \(object\) data\.\)"),
        (lambda path: np.save(path.open("wb"), np.ones((2, 60))), "no archive"),
        (lambda path: np.savez(path, ev=np.array([None])), "Object arrays cannot be loaded"),
        (lambda path: np.savez(path, ev=np.array([["a"]])), "of text"),
        (damaged, "while decompressing"),
    ],
)
def test_a_file_without_events_is_named(tmp_path, write, why):
    write(tmp_path / "e.npz")
    with pytest.raises(UserError, match=rf"e\.npz: no events in it \(.*{why}.*; needs `ev` in an"):
        readers.read_session(allen_file(tmp_path / "s.nwb"), "events", events=tmp_path / "e.npz")


def test_events_have_the_samples_of_the_session(tmp_path):
    np.save(tmp_path / "e.npy", np.ones((2, 59)))
    with pytest.raises(UserError, match="events has 59 samples and time 60; traces are neurons"):
        readers.read_session(allen_file(tmp_path / "s.nwb"), "events", events=tmp_path / "e.npy")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"time": np.arange(9) * 0.1}, "dff has 10 samples and time 9"),
        ({"image": [0, 1, 2]}, "image goes from 0 to 2, but there are 2"),
        ({"end": [0.1, 0.2, 0.6]}, "presentation 0 ends before it starts"),
        ({"time": np.zeros(10)}, "time goes back or repeats"),
        ({"start": [0.0, 0.2]}, "image, start and end have 3, 2 and 3 rows"),
        ({"end": [0.2, 0.4]}, "image, start and end have 3, 3 and 2 rows"),
        ({"end": [0.4, 0.0, 0.6]}, "presentation 1 ends before it starts"),  # of no time at all
        ({"time": [*np.arange(9) * 0.1, 0.75]}, "time goes back or repeats"),
        ({"image": [1, -2, 0]}, "image goes from -2 to 1, but there are 2 images"),
        ({"images": np.zeros((2, 4, 4, 1))}, "images has 4 axes; needs 3"),
        ({"image": [[1], [0], [-1]]}, "image has 2 axes; needs 1"),
        ({"time": np.arange(10)[:, None]}, "time has 2 axes; needs 1"),
        ({"dff": np.zeros((1, 2, 10))}, "dff has 3 axes; needs 2"),
        ({"end": [[0.4], [0.2], [0.6]]}, "end has 2 axes; needs 1"),
        ({"speed": np.zeros((10, 2))}, "speed has 2 axes; needs 1"),
        ({"dff": np.full((2, 10), "x", "S1")}, "no 'dff' in it"),
        (
            {"time": [*np.arange(9) * 0.1, np.nan]},
            "time has no number for 1 sample; interpolate it",
        ),
        ({"image": [0, 1.5, 1]}, r"image has 1\.5; needs whole numbers"),
        ({"image": [0, 1, np.nan]}, "image has nan; needs whole numbers"),
        (
            {"speed": np.ones(10), "speed_time": np.arange(10) % 9},
            "speed_time goes back; time stamps must increase",
        ),
    ],
)
def test_bad_sessions_are_named(tmp_path, change, words):
    with pytest.raises(UserError, match=words):
        readers.read_session(hdf5(tmp_path / "s.h5", **PLAIN | change), covariates=["speed"])


def test_arrays_of_a_folder_that_are_no_numbers_are_named(tmp_path):
    for name, value in (PLAIN | {"dff": np.full((2, 10), "x")}).items():
        np.save(tmp_path / f"{name}.npy", np.asarray(value))
    with pytest.raises(UserError, match=r": no 'dff' in it; it holds: end, image, images"):
        readers.read_session(tmp_path)
    np.save(tmp_path / "dff.npy", PLAIN["dff"])
    np.save(tmp_path / "image.npy", ["a", "b", "c"])
    with pytest.raises(UserError, match=r": no 'image' in it"):
        readers.read_session(tmp_path)


@pytest.mark.parametrize("kind", ["words", "bytes", "npy"])
def test_ids_of_neurons_may_be_words_to_the_end(tmp_path, kind):
    ids = ["nö 1", "2"]
    if kind == "npy":
        for name, value in (PLAIN | {"neurons": ids}).items():
            np.save(tmp_path / f"{name}.npy", np.asarray(value))
        file = tmp_path
    else:
        held = [one.encode() for one in ids] if kind == "bytes" else ids
        file = hdf5(tmp_path / "s.h5", **PLAIN | {"neurons": held})
    one = readers.read_session(file)
    assert one.neurons.tolist() == ids
    made = responses.make_responses(one, "s", image_size=None)
    responses.write_responses(made, tmp_path / "r.h5")
    again = responses.read_responses(tmp_path / "r.h5")
    assert again.neurons.tolist() == ids
    other = replace(again, neurons=again.neurons[::-1], response=again.response[:, ::-1])
    both = responses.join([again, other])
    assert np.array_equal(both.response[:3], both.response[3:])
    at = np.arange(3)
    parts = again.image, again.response, again.response, again.neurons, again.response[0]
    written = Predictions("m", "f", "s", "t", False, at, *parts)
    written.write(tmp_path / "p.h5")
    assert read_predictions(tmp_path / "p.h5").neurons.tolist() == ids


def test_frames_of_a_covariate_without_a_time_are_passed_over(tmp_path):
    clock = PLAIN["time"] - 0.05
    clock[[0, 3]] = np.nan
    given = PLAIN | {"speed": np.arange(10.0), "speed_time": clock}
    found = readers.read_session(hdf5(tmp_path / "s.h5", **given), covariates=["speed"])
    values, times = found.covariates["speed"]
    assert values.tolist() == [1, 2, 4, 5, 6, 7, 8, 9]
    assert np.array_equal(times, clock[values.astype(int)])


def test_times_of_few_digits_are_read_as_doubles(tmp_path):
    """At 1,000 s a single float has no microseconds, by which windows open early."""
    moved = {name: np.float32(np.add(PLAIN[name], 1000)) for name in ("start", "end", "time")}
    given = {"speed": np.float32(np.arange(10)), "speed_time": moved["time"]}
    path = hdf5(tmp_path / "s.h5", **PLAIN | moved | given)
    read = readers.read_session(path, covariates=["speed"])
    times = read.start, read.end, read.time, *read.covariates["speed"]
    assert {one.dtype.name for one in times} == {"float64"} and read.images.dtype == "float32"


# Responses


def by_hand(traces, start, end, time, how, lag=0.0, samples=None):
    """One response a presentation, sample by sample."""
    out = []
    for a, b in zip(start, end, strict=True):
        inside = [i for i, t in enumerate(time) if t >= a + lag - 1e-6]
        if samples is None:
            inside = [i for i in inside if time[i] < b + lag - 1e-6]
        else:
            inside = inside[:samples]
        out.append([how([trace[i] for i in inside]) for trace in traces])
    return np.array(out)


@pytest.mark.parametrize("reduce", ["mean", "max"])
@pytest.mark.parametrize("options", [{}, {"lag": 0.1}, {"samples": 7}, {"lag": 0.05, "samples": 3}])
def test_responses_are_mean_or_max_of_the_samples_of_the_window(made, reduce, options):
    one = session(made, "dff")
    found = responses.make_responses(one, "s", reduce=reduce, image_size=None, **options)
    how = {"mean": np.mean, "max": np.max}[reduce]
    wanted = by_hand(made.dff, made.start, made.end, made.time, how, **options)
    np.testing.assert_allclose(found.response, wanted, rtol=1e-5)


def test_presentations_outside_the_recording_and_missing_samples(made, capsys):
    one = session(made, "dff")
    traces = one.traces.copy()
    traces[3] = np.nan  # a neuron that was lost
    traces[0, :2] = np.nan  # a few samples
    cut = Session(
        *(one.images, one.image, one.start, one.end, one.time[:100], traces[:, :100], one.neurons)
    )
    found = responses.make_responses(cut, "s", image_size=None)
    assert len(found.image) == 13  # 100 samples at 30 Hz end in the 14th 250 ms
    assert found.neurons.tolist() == [n for n in range(12) if n != 3]
    assert "107 presentations left out" in capsys.readouterr().err
    assert found.response[0, 0] == pytest.approx(traces[0, 2:8].mean(), rel=1e-5)


def test_covariates_and_the_best_lag(made, tmp_path):
    one = session(made)
    found = responses.make_responses(
        one, "s", reduce="max", image_size=8, covariates=["speed"], lag=0.0
    )
    inside = (made.time >= made.start[5]) & (made.time < made.end[5])
    assert found.covariates[5, 0] == pytest.approx(made.speed[inside].mean(), rel=1e-4)
    assert found.images.shape == (10, 8, 8)
    best = found.lags[np.argmax(found.lag_explained)]
    shares = explainable(found.response, found.image).single
    assert found.lag_explained[found.lags == 0] == pytest.approx(np.nanmean(shares), rel=1e-4)
    assert -0.15 < best < 0.05  # events come 50 ms after the start
    assert np.allclose(found.lags, np.arange(-0.5, 1.01, 0.1))
    for lag in (-0.2, 0.1):  # as responses of that lag are, of the presentations that they have
        moved = responses.make_responses(one, "s", reduce="max", image_size=8, lag=lag)
        shares = explainable(moved.response, moved.image).single
        at = np.isclose(found.lags, lag)
        assert found.lag_explained[at] == pytest.approx(np.nanmean(shares), rel=1e-4)
    responses.write_responses(found, tmp_path / "r.h5")
    back = responses.read_responses(tmp_path / "r.h5")
    for name, value in vars(found).items():
        assert np.array_equal(getattr(back, name), value), name


def test_a_covariate_is_the_mean_of_its_samples_in_a_presentation_or_between_them():
    """A clock of its own, a blink, and none in the last one: 3 at .5 s, 5 at 2 s, at 1.25 s 4."""
    speed = np.array([1, np.nan, 3, 5.0]), np.array([0, 0.25, 0.5, 2])
    start = np.array([0, 0.5, 1])
    images = np.zeros((1, 2, 2), np.float32)
    timed = start, start + 0.5, np.arange(20) / 10
    one = Session(images, np.zeros(3, int), *timed, np.ones((1, 20)), np.array([7]), {"s": speed})
    found = responses.make_responses(one, "s", covariates=["s"], image_size=None)
    assert found.covariates.ravel().tolist() == [1, 3, 4]
    later = replace(one, time=one.time + 0.5)  # from the second presentation on
    found = responses.make_responses(later, "s", covariates=["s"], image_size=None)
    assert found.covariates.ravel().tolist() == [3, 4]


# Folds


def test_no_image_is_in_two_roles_and_all_are_tested_once(made):
    data = responses.make_responses(session(made), "s", image_size=None)
    tested, of_fold = [], folds.image_folds(data.image, 3, 4)
    assert sorted(np.bincount([*of_fold.values()])[1:]) == [3, 3, 4]
    for number in (1, 2, 3):
        split = folds.split_images(data, number, 3, seed=4)
        for rows, fold in ((split.test, number), (split.valid, {1: 2, 2: 3, 3: 1}[number])):
            assert {of_fold[image] for image in data.image[rows]} == {fold}
        assert split.fit.tolist() == sorted([*split.train, *split.valid])
        images = [set(data.image[rows]) for rows in (split.train, split.valid, split.test)]
        assert sum(map(len, images)) == len(set.union(*images)) == 10
        assert len(split.train) + len(split.valid) + len(split.test) == len(data.image)
        tested += images[2]
    assert sorted(tested) == list(range(10))
    assert folds.image_folds(data.image, 3, 4) != folds.image_folds(data.image, 3, 5)
    with pytest.raises(UserError, match="10 images for 11 folds"):
        folds.split_images(data, 1, 11, 0)


def test_a_held_out_session_trains_nothing(made):
    parts = [responses.make_responses(session(made), name, image_size=None) for name in "abc"]
    fewer = parts[0].__class__(**vars(parts[0]) | {"neurons": np.arange(5, 17)})
    data, split = folds.split_sessions([parts[1], fewer], parts[2], 3, 7)
    assert data.neurons.tolist() == list(range(5, 12))  # those of every session
    assert set(data.session_of[split.test]) == {2} and not set(split.test) & set(split.fit)
    assert not set(data.image[split.train]) & set(data.image[split.valid])
    of_fold = folds.image_folds(data.image, 3, 7)
    assert {of_fold[image] for image in data.image[split.valid]} == {1}
    other = folds.image_folds(data.image, 3, 0)  # the seed says which images validate
    assert {other[image] for image in data.image[split.valid]} != {1}
    assert set(data.session_of[split.valid]) == {0, 1}
    assert np.array_equal(data.response[split.test], parts[2].response[:, 5:])
    assert np.array_equal(data.response[:120], parts[1].response[:, 5:])
    assert np.array_equal(data.response[120:240], parts[0].response[:, :7])


def sessions_of_three() -> list[responses.Responses]:
    """Two sessions of two presentations, of neurons 1, 2, 3 and 3, 1, 9."""
    images = np.zeros((2, 4, 4), np.float32)
    made = []
    for name, ids in (("a", [1, 2, 3]), ("b", [3, 1, 9])):
        response = 10.0 * np.array(ids) + (name == "b") + np.array([[0], [5]])
        made.append(
            responses.Responses(
                **{"session": name, "images": images, "image": np.array([0, 1])},
                **{"response": response, "covariates": np.full((2, 1), ord(name))},
                **{"neurons": np.array(ids), "covariate_names": ("speed",), "lag": 0.1},
                **{"lags": np.array([0.1]), "lag_explained": np.array([0.5])},
                session_of=np.zeros(2, np.int64),
            )
        )
    return made


def test_sessions_are_joined_by_the_ids_of_their_neurons():
    whole = responses.join(sessions_of_three())
    assert whole.neurons.tolist() == [1, 3] and whole.image.tolist() == [0, 1, 0, 1]
    assert whole.response.tolist() == [[10, 30], [15, 35], [11, 31], [16, 36]]
    assert whole.covariates.ravel().tolist() == [97, 97, 98, 98]
    assert whole.session_of.tolist() == [0, 0, 1, 1] and whole.session == "a+b"


def test_sessions_that_cannot_be_joined_are_named():
    a, b = sessions_of_three()
    for change, words in (
        ({"images": b.images[:1]}, r"^sessions a and b show other images; use folds.by: images$"),
        ({"images": b.images + 1}, r"^sessions a and b show other images; use folds.by: images$"),
        ({"neurons": b.neurons + 5}, r"^sessions a, b share no neuron; use folds.by: images$"),
        ({"neurons": np.array([3, 1, 3])}, "^session b: neuron 3 is there twice, by whose id"),
    ):
        with pytest.raises(UserError, match=words):
            responses.join([a, replace(b, **change)])


def hand_made(seconds=0.5) -> Session:
    """Eight presentations of two images in turn, without a pause; the trace is the time."""
    n = 8
    time, start = np.arange(5 * n) * seconds / 5, np.arange(n) * seconds
    trace = time + np.random.default_rng(0).normal(0, 0.01, len(time))
    images = np.stack([np.zeros((4, 4)), np.ones((4, 4))])
    return Session(
        *(images, np.arange(n) % 2, start, start + seconds, time, trace[None], np.zeros(1), {})
    )


@pytest.mark.parametrize("samples", [None, 5])
def test_windows_that_leave_the_recording_are_left_out_at_both_ends(samples):
    images = {0.0: [0, 1] * 4, -0.2: [1, *[0, 1] * 3], 0.2: [*[0, 1] * 3, 0]}
    for (lag, image), first in zip(images.items(), (0, 3, 2), strict=True):
        found = responses.make_responses(
            hand_made(), "s", lag=lag, samples=samples, image_size=None
        )
        assert found.image.tolist() == image, lag
        mean = np.mean(hand_made().traces[0, first : first + 5])
        assert found.response[0, 0] == pytest.approx(mean, abs=1e-6)


@pytest.mark.parametrize(("seconds", "last"), [(0.5, 1.0), (0.25, 0.7)])
def test_a_lag_is_looked_at_where_it_has_more_than_half_of_the_presentations(seconds, last):
    """Of eight of a quarter of a second, four lie outside the recording from .8 s on."""
    found = responses.make_responses(hand_made(seconds), "s", image_size=None)
    np.testing.assert_allclose(found.lags, np.arange(-0.5, last + 0.01, 0.1), atol=1e-9)


def test_neurons_without_a_sample_in_some_window_are_left_out(made, capsys):
    """And those that miss single samples are not."""
    one = session(made)
    traces = one.traces.copy()
    first = np.flatnonzero((one.time >= one.start[3]) & (one.time < one.end[3]))
    traces[2, first] = np.nan
    traces[5, first[:-1]] = np.nan
    found = responses.make_responses(replace(one, traces=traces), "s")
    assert found.neurons.tolist() == [0, 1, *range(3, 12)] and np.isfinite(found.response).all()
    assert capsys.readouterr().err == "s: 1 neuron left out (no samples)\n"
    whole = responses.make_responses(one, "s").response
    np.testing.assert_array_equal(found.response[:, 2:4], whole[:, 3:5])
    assert found.response[3, 4] == pytest.approx(one.traces[5, first[-1]])
    assert capsys.readouterr().err == ""


def test_windows_without_samples_or_values_are_refused(made):
    one = session(made)
    with pytest.raises(UserError, match=r"^session s: windows without samples \(0 of 120 present"):
        responses.make_responses(one, "s", lag=1e4)
    few = replace(one, time=one.time[::30], traces=one.traces[:, ::30])  # one a second
    with pytest.raises(UserError, match=r"windows without samples \(120 of 120 presentations lie"):
        responses.make_responses(few, "s")
    with pytest.raises(UserError, match=r"^session s: no neuron has samples in every window$"):
        responses.make_responses(replace(one, traces=one.traces * np.nan), "s")
    blind = replace(one, covariates={"speed": (made.speed * np.nan, made.time)})
    with pytest.raises(UserError, match=r"^speed: not a single value of it; leave it out of resp"):
        responses.make_responses(blind, "s", covariates=["speed"])


def test_a_window_begins_with_the_sample_at_its_start_by_sums_of_fractions():
    """Of .1 + .2 s, which is more than .3 s by the last bit, the sample at .3 s is the first."""
    time = np.arange(10) / 10
    traces = np.arange(10.0)[None]
    start = np.array([0.1, 0.5])
    images = np.zeros((1, 2, 2), np.float32)
    one = Session(images, np.zeros(2, int), start, start + 0.2, time, traces, np.array([7]))
    one = replace(one, images=images.astype(np.uint8))
    found = responses.make_responses(one, "s", lag=0.2, samples=1, image_size=None)
    assert found.images.dtype == "float32"
    assert found.response.ravel().tolist() == [3, 7]
    found = responses.make_responses(one, "s", lag=0.2, image_size=None)
    assert found.response.ravel().tolist() == [3.5, 7.5]


@pytest.mark.parametrize(
    ("fold", "by", "names", "words"),
    [
        ("s9", "sessions", "ab", r"^--fold s9: no such fold; known: test-a, test-b$"),
        ("test-a", "sessions", "a", r"^--by sessions: needs responses of two sessions or more$"),
    ],
)
def test_folds_that_are_not_there_are_refused(fold, by, names, words):
    args = SimpleNamespace(by=by, folds=2, fold_seed=0)
    sessions = {one.session: one for one in sessions_of_three() if one.session in names}
    with pytest.raises(UserError, match=words):
        _data.split(args, sessions, fold)


def test_predictions_of_a_held_out_session_say_what_was_fitted():
    """Of sessions a, b and c, c is held out, of the others image 1 validates."""
    a, b = sessions_of_three()
    c = replace(b, session="c", response=b.response + 100)
    data = responses.join([a, b, c])
    rows = [np.array(rows) for rows in ([0, 2], [1, 3], [5, 4])]
    predicted = np.arange(4.0).reshape(2, 2)
    made = _data.predictions("net", "test-c", data, folds.Split(*rows), predicted, oracle=True)
    assert (made.model, made.fold, made.session, made.train_sessions) == (
        *("net", "test-c", "c", "a+b"),
    )
    assert made.oracle and made.presentation.tolist() == [5, 4] and made.image.tolist() == [1, 0]
    assert made.response.tolist() == [[116, 136], [111, 131]] and made.prediction is predicted
    assert made.neurons.tolist() == [1, 3] and made.mean.tolist() == [13, 33]
    one = _data.predictions(
        "net", "a.fold-1", a, folds.Split(*np.array([[0], [1], [0]])), predicted
    )
    assert (one.session, one.train_sessions, one.oracle) == ("a", "a", False)


def a_study(**change) -> study.Study:
    config = {
        **{"kind": "encoding", "study": "e", "sessions": ["a", "b"], "folds": {"k": 3}},
        "recordings": {"file": "raw/{session}.h5", "events": "ev/{session}.npz"},
        "models": {
            "ridge": {"model": "ridge"},
            "net": {"backbone": "vgg11", "learning_rate": 0.02},
            "deep": {"like": "net", "hidden": [8, 8]},
        },
    }
    return study.resolve(config | change)


def test_a_study_says_where_files_are_and_what_its_jobs_are():
    made = a_study(diagnose=["deep"])
    assert made.source("file", "b") == "raw/b.h5"
    assert made.source("events", "b") is None  # responses are made of ΔF/F
    assert a_study(responses={"signal": "events"}).source("events", "b") == "ev/b.npz"
    simulated = a_study(simulate={}, responses={"signal": "events"})
    assert simulated.source("file", "b") == "results/e/simulated/b.h5"
    assert simulated.source("events", "b") is None  # in the file itself
    without = a_study(recordings={"file": "{session}.nwb"}, responses={"signal": "events"})
    assert without.source("events", "b") is None
    of_images = [f"{session}.fold-{n}" for session in "ab" for n in (1, 2, 3)]
    assert made.networks == ["net", "deep"]
    assert made.names == [["a", "b"], of_images, ["ridge"], ["deep"], ["net", "deep"], []]
    sweep = {"model": "deep", "momentum": [0.0, 0.5, 0.9], "l2": [0.0, 1e-4], "chunks": 3}
    swept = a_study(sweep=sweep)
    assert swept.n_swept == 6 and swept.names[-1] == ["1", "2", "3"]
    assert swept.config["sweep"]["learning_rate"] == [0.02]  # of the network, as of its parent
    assert len(a_study(sweep=sweep | {"chunks": 6}).names[-1]) == 6  # a training a job
    with pytest.raises(UserError, match=r"sweep\.chunks: 7 jobs for 6 trainings; lower it"):
        a_study(sweep=sweep | {"chunks": 7})
    by_session = a_study(folds={"by": "sessions"})
    assert [(f.id, f.train, f.test) for f in by_session.folds.values()] == [
        ("test-a", ("b",), "a"),
        ("test-b", ("a",), "b"),
    ]


def test_only_settings_that_have_a_default_are_filled_in():
    table = {"properties": {"a": {"default": None}, "b": {"type": "string"}, "c": {"default": 3}}}
    assert study._filled(table) == {"a": None, "c": 3}


@pytest.mark.parametrize("kind", ["file", "events"])
@pytest.mark.parametrize("pattern", ["all.h5", "{session}{x}.h5", "{session"])
def test_patterns_of_files_hold_the_session_and_nothing_else(kind, pattern):
    words = rf"^config: recordings\.{kind}: '{re.escape(pattern)}' must hold {{session}}, no other"
    with pytest.raises(UserError, match=words):
        a_study(recordings={"file": "{session}.h5", kind: pattern})


def test_models_and_sweeps_that_can_be_are_taken_and_others_are_not():
    models = {"net": {"backbone": "vgg11"}}
    for model in (
        {"model": "image_mean"},
        {"model": "ridge", "covariates": True, "screen": True},
        {"like": "net", "covariates": True},
        {"like": "net", "screen": True},
        {"like": "net", "train_on": "averages"},
    ):
        assert a_study(models=models | {"x": model}, responses={"covariates": ["speed"]})
    wrong = {"train_on": "averages", "covariates": True}
    with pytest.raises(UserError, match=r"^config: models\.x\.train_on: averages have no covaria"):
        a_study(models=models | {"x": wrong}, responses={"covariates": ["speed"]})
    with pytest.raises(UserError, match=r"^config: sweep\.model: no network 'none'"):
        a_study(sweep={"model": "none"})
    both = {"models": {"ridge": {"model": "ridge"}}, "diagnose": ["net"]}
    with pytest.raises(UserError, match=r"diagnose: no network 'net'; known: none"):
        a_study(**both)
