"""Public cohorts' layouts, written small by pynwb, are read by the configs in examples/."""

from __future__ import annotations

import datetime
import shlex
import shutil
import sys

import h5py
import numpy as np
import pytest
import yaml
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.epoch import TimeIntervals
from pynwb.ophys import DfOverF, Fluorescence, ImageSegmentation, RoiResponseSeries

import fresh
from make import ROOT, plan
from make_movies import photon_series
from mesodecode.base.tables import read_table
from mesodecode.cli import main
from mesodecode.recordings.recording import read_recording
from mesodecode.study import study as studies

N, HEIGHT, WIDTH = 60, 12, 16
RNG = np.random.default_rng(3)
MASKS = np.zeros((4, HEIGHT, WIDTH))
MASKS[0, :5, :8] = MASKS[1, :5, 8:] = MASKS[2, 6:, :8] = MASKS[3, 6:, 8:] = 1
AREAS = ["MOs-L", "MOs-R", "VISp-L", "VISp-R"]
SIGNALS = RNG.normal(size=(N, 4))
PULLS = (np.arange(N) % 20 < 8).astype(float)


def nwb_file():
    start = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    file = NWBFile("s", "s1", start)
    return file, photon_series()(file).imaging_plane


def segmented(plane, name, masks, names):
    """A PlaneSegmentation in an ImageSegmentation, and what makes the region of all its rows."""
    segmentation = ImageSegmentation(name=f"segmentation of {name}")
    table = segmentation.create_plane_segmentation(name=name, description="d", imaging_plane=plane)
    table.add_column(name="roi_name", description="name of the ROIs")
    for mask, word in zip(masks, names, strict=True):
        table.add_roi(image_mask=mask, roi_name=word)
    every = list(range(len(masks)))
    return segmentation, lambda: table.create_roi_table_region(region=every, description="all")


def write(file, path):
    with NWBHDF5IO(path, "w") as io:
        io.write(file)


def write_braidyn(path, signals=SIGNALS, pulls=PULLS):
    """As bdbc-nwb-packager: raw channels of the rig, areas, dF/F, and all of it downsampled."""
    file, plane = nwb_file()
    times = 12.0 + np.arange(len(pulls)) / 30.0  # of the blue frames
    raw = TimeSeries(name="state_lever", data=np.zeros(4), unit="a.u.", rate=5000.0)
    file.add_acquisition(raw)
    file.add_trial_column(name="pull_time", description="d")
    file.add_trial(start_time=12.0, stop_time=13.0, pull_time=12.5)
    ophys = file.create_processing_module(name="ophys", description="d")
    segmentation, rows = segmented(plane, "ROIs", MASKS, AREAS)
    ophys.add(segmentation)
    series = [
        RoiResponseSeries(name=name, data=data, rois=rows(), unit="a.u.", timestamps=times)
        for name, data in (("dFF_B", signals + 1), ("dFF", signals))
    ]
    ophys.add(DfOverF(roi_response_series=series))
    small = file.create_processing_module(name="downsampled", description="d")
    small.add(TimeSeries(name="state_lever", data=pulls, unit="a.u.", timestamps=times))
    small.add(TimeSeries(name="lick", data=1 - pulls, unit="a.u.", timestamps=times))
    trials = TimeIntervals(name="trials", description="d")
    trials.add_interval(start_time=12.5, stop_time=13.0)
    small.add(trials)
    write(file, path)


def write_ibl(path, signals=SIGNALS, pulls=PULLS):
    """As IBL-widefield-to-nwb, desc-processed: SVD components, and the wheel's movements."""
    file, plane = nwb_file()
    times = 5.0 + np.arange(len(pulls)) * 0.03202  # of the calcium channel
    ophys = file.create_processing_module(name="ophys", description="d")
    names = [f"component_{i}" for i in range(4)]
    segmentation, rows = segmented(plane, "SVDTemporalComponentsCalcium", MASKS, names)
    ophys.add(segmentation)
    series = [
        RoiResponseSeries(name=f"{kind}SVDTemporalComponentsCalcium", data=data, rois=rows(),
                          unit="n.a.", timestamps=times)
        for kind, data in (("Denoised", signals + 1), ("HaemoCorrected", signals))
    ]  # fmt: skip
    ophys.add(Fluorescence(name="SVDTemporalComponents", roi_response_series=series))
    wheel = file.create_processing_module(name="wheel", description="d")
    moves = TimeIntervals(name="WheelMovementIntervals", description="d")
    moves.add_column(name="peak_amplitude", description="d")
    starts = np.flatnonzero(np.diff(pulls, prepend=0) > 0)
    for start in starts:
        begin, end = times[start] - 0.01, times[start + 7] + 0.03
        moves.add_interval(start_time=begin, stop_time=end, peak_amplitude=0.5)
    wheel.add(moves)
    velocity = 12.0 * np.repeat(pulls, 4)  # rad/s
    wheel.add(
        TimeSeries(
            name="WheelVelocitySmoothed",
            data=velocity,
            unit="rad/s",
            rate=4 / 0.03202,
            starting_time=5.0,
        )
    )
    write(file, path)


def preprocess(folder, example, writer, **changes):
    """Preprocess the first session of an example by its config; return what the recording holds."""
    config = yaml.safe_load((ROOT / "examples" / example).read_text())
    (mouse, (session, *_)) = next(iter(config["mice"].items()))
    settings = config["recordings"] | changes
    words = ["preprocess", "--session", "s1", "--mouse", mouse, "--out", str(folder / "r.h5")]
    for key, value in settings.items():
        if value is not None:
            given = value if isinstance(value, list) else [value]
            given = [str(v).format(mouse=mouse, session=session) for v in given]
            words += [f"--{key.replace('_', '-')}", *given]
    (folder / "data").mkdir(exist_ok=True)
    movie = folder / str(settings["movie"]).format(mouse=mouse, session=session)
    if not movie.exists():  # or what the test has read before
        writer(movie)
    assert main(words) == 0
    with h5py.File(folder / "r.h5") as file:
        found = {name: item[()] for name, item in file.items() if isinstance(item, h5py.Dataset)}
        return found | {"names": list(file["rois"].attrs["names"]) if "rois" in file else None}


def test_braidyn_areas_and_lever(tmp_path, monkeypatch):
    """Two channels are called state_lever, two tables trials: the example says which it means."""
    monkeypatch.chdir(tmp_path)
    got = preprocess(tmp_path, "braidyn.yaml", write_braidyn)
    assert got["names"] == AREAS
    np.testing.assert_allclose(got["rois"], SIGNALS, rtol=1e-6)
    assert got["labels"].tolist() == PULLS.tolist()
    np.testing.assert_allclose(got["frames"], np.tensordot(SIGNALS, MASKS, 1), atol=1e-5)
    licks = preprocess(tmp_path, "braidyn.yaml", write_braidyn, behavior_labels="lick")
    assert licks["labels"].tolist() == (1 - PULLS).tolist()
    tabled = preprocess(tmp_path, "braidyn.yaml", write_braidyn, behavior_labels="root/trials")
    assert np.flatnonzero(tabled["labels"]).tolist() == list(range(30))
    tabled = preprocess(
        tmp_path, "braidyn.yaml", write_braidyn, behavior_labels="downsampled/trials"
    )
    assert np.flatnonzero(tabled["labels"]).tolist() == list(range(15, 30))


def test_a_name_of_two_things_is_refused_with_their_full_names(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, both in (
        ("state_lever", ("downsampled/state_lever", "root/state_lever")),
        ("trials", ("downsampled/trials", "root/trials")),
    ):
        with pytest.raises(AssertionError):
            preprocess(tmp_path, "braidyn.yaml", write_braidyn, behavior_labels=name)
        error = capsys.readouterr().err
        assert f"no '{name}' in it; it holds: " in error and all(full in error for full in both)


def test_ibl_components_and_the_wheels_movements(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    got = preprocess(tmp_path, "ibl.yaml", write_ibl)
    np.testing.assert_allclose(got["frames"], np.tensordot(SIGNALS, MASKS, 1), atol=1e-5)
    assert got["labels"].tolist() == PULLS.tolist()
    changes = {"behavior_labels": None, "behavior_speed": "WheelVelocitySmoothed"}
    got = preprocess(tmp_path, "ibl.yaml", write_ibl, **changes, speed_scale=3.1)
    assert got["speed"].max() == pytest.approx(12 * 3.1)
    assert got["labels"].tolist() == PULLS.tolist()


def test_times_of_a_series_are_frame_times_by_name(tmp_path, monkeypatch):
    """As where the frames lie in a TIFF beside the file."""
    monkeypatch.chdir(tmp_path)
    times = {"frame_times": "data/x.nwb", "frame_times_dataset": "dFF/timestamps"}
    write_braidyn_to = {"movie": "data/x.nwb", "behavior": "data/x.nwb", "rois": None}
    changes = times | write_braidyn_to | {"roi_dataset": None}
    got = preprocess(tmp_path, "braidyn.yaml", write_braidyn, **changes)
    np.testing.assert_allclose(got["time"], 12 + np.arange(N) / 30)


@pytest.mark.parametrize(
    ("example", "writer", "named"),
    [
        (
            "braidyn.yaml",
            write_braidyn,
            "sub-VG1-GC#{}/sub-VG1-GC#{}_ses-{}_widefield+behavior.nwb",
        ),
        ("ibl.yaml", write_ibl, "sub-FD-{}/sub-FD-{}_ses-{}_desc-processed_behavior+ophys.nwb"),
    ],
)
def test_init_reads_the_layouts_as_the_examples_do(
    tmp_path, monkeypatch, capsys, example, writer, named
):
    """With its folder a mouse, as the archive has it, or all in one, as `fetch` puts them."""
    monkeypatch.chdir(tmp_path)
    sessions = "2023-08-21-task-day1", "81f90b18-e61c-4d32-bbce-3e0c5f33f06c"
    session = sessions[example == "ibl.yaml"]
    writer(tmp_path / "any.nwb")
    for folder in ("data", "flat"):
        for mouse in (28, 31, 105):
            path = tmp_path / folder / named.format(mouse, mouse, session)
            path = path if folder == "data" else path.parents[1] / path.name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(tmp_path / "any.nwb", path)
        assert main(["init", folder]) == 0
        text = capsys.readouterr().out
        config = yaml.safe_load(text)
        assert "could not be read" not in text and "links/" not in text
        assert [len(each) for each in config["mice"].values()] == [1, 1, 1]
        wanted = yaml.safe_load((ROOT / "examples" / example).read_text())["recordings"]
        for key in ("movie_dataset", "movie_axes", "behavior_labels", "roi_dataset", "frame_rate"):
            assert config["recordings"].get(key) == wanted.get(key), key
        assert ("rois" in config["recordings"]) == ("rois" in wanted)


@pytest.mark.parametrize("example", ["braidyn.yaml", "ibl.yaml"])
def test_the_examples_are_studies(example):
    """That of the IBL, once its mice are named."""
    config = yaml.safe_load((ROOT / "examples" / example).read_text())
    config["mice"] |= {f"{i}": ["s1"] for i in range(5)}
    study = studies.resolve(config)
    assert set(study.decoders) == set(config["comparisons"]["decoders"]["decoders"])


def test_two_public_cohorts_are_one_study(tmp_path, monkeypatch):
    """Planned on files in both layouts; a recording of each comes out at one size and rate."""
    config = yaml.safe_load((ROOT / "examples/two-labs.yaml").read_text())
    study = studies.resolve(config)
    writers = {"braidyn": write_braidyn, "ibl": write_ibl}
    (tmp_path / "data").mkdir()
    for cohort, mice in study.config["cohorts"].items():
        first, *others = (tmp_path / study.source("movie", *study.mice[mouse]) for mouse in mice)
        writers[cohort](first)
        for other in others:
            shutil.copy(first, other)
    jobs, lines = plan(tmp_path, config=config | {"fetch": None} | without_fetch(config))
    assert (jobs["preprocess"], jobs["harmonise"], jobs["cohorts"]) == (12, 12, 1)
    assert jobs["fit_linear"] <= 12  # trainings of a cohort are shared by the mice of both
    monkeypatch.chdir(tmp_path)
    made = []
    for session in (study.mice["48"][0], study.mice["FD-28"][0]):
        for verb in ("preprocess", "harmonise"):
            words = [line for line in lines if line.startswith(f"mesodecode {verb} ")]
            (line,) = [line for line in words if f"recordings/{session}.h5" in line or (
                verb == "preprocess" and f"recorded/{session}.h5" in line)]  # fmt: skip
            (tmp_path / "results/two-labs/recordings").mkdir(parents=True, exist_ok=True)
            (tmp_path / "results/two-labs/recorded").mkdir(exist_ok=True)
            assert main(shlex.split(line)[1:]) == 0
        made.append(read_recording(f"results/two-labs/recordings/{session}.h5"))
    braidyn, ibl = made
    assert braidyn.frame_rate == ibl.frame_rate == 30
    assert braidyn.shape == (N, 64, 64) and ibl.shape == (N * 30 // 31.23, 64, 64)
    assert braidyn.labels.tolist() == PULLS.tolist()
    # a pull of 8 frames every 20: at 30 of 31.23 frames/s as many pulls, as long to a frame
    assert np.sum(np.diff(ibl.labels.astype(int)) == 1) == np.sum(np.diff(PULLS) == 1)
    assert ibl.labels.mean() == pytest.approx(PULLS.mean(), abs=0.03)


def without_fetch(config):
    """The same cohorts, whose files are there."""
    own = config["by_cohort"]["ibl"] | {"fetch": None}
    return {"by_cohort": {"ibl": own}}


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("example", "writer", "few"),
    [
        ("braidyn.yaml", write_braidyn, {"decoders": {"gru": {"epochs": 2}}}),
        (
            "ibl.yaml",
            write_ibl,
            {
                "image_size": 32,
                "decoders": {"cnn": {"epochs": 1}, "cnn_gru": {"epochs": 1}},
                "mice": {f"FD-{i}": ["81f90b18-e61c-4d32-bbce-3e0c5f33f06c"] for i in (28, 29, 30)},
                "allocation": {"train": 1, "choose": "each_test"},
            },
        ),
    ],
)
def test_whole_studies_of_small_files_in_public_layouts(tmp_path, example, writer, few):
    """The example as it is (`few`: smaller), to its report: the lever or wheel is decoded."""
    config = yaml.safe_load((ROOT / "examples" / example).read_text())
    mice, rng = few.get("mice", config["mice"]), np.random.default_rng(5)
    (tmp_path / "data").mkdir()
    for mouse, sessions in mice.items():
        pulls = (np.arange(300) % 70 < 25).astype(float)
        signals = rng.normal(0, 0.5, (300, 4))
        signals[:, 0] += 2 * pulls
        for session in sessions:
            name = config["recordings"]["movie"].format(mouse=mouse, session=session)
            writer(tmp_path / name, signals, pulls)
    (tmp_path / "few.yaml").write_text(yaml.safe_dump(few))
    line = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", ROOT / "Snakefile"]
    line += ["--configfile", ROOT / "examples" / example, "few.yaml"]
    done = fresh.Process("mesodecode.cli:main", "warm", *line, folder=tmp_path).finish()
    assert done.returncode == 0, done.stdout + done.stderr
    results = tmp_path / "results" / config["study"]
    auc = read_table(results / "tables" / "auc.tsv", numbers=("auc",))
    means = auc.groupby("decoder")["auc"].mean()
    assert set(means.index) == set(config["decoders"]) and means["linear"] > 0.75
    assert set(auc["test_mouse"].astype(str)) == set(mice)
    assert (results / "report.html").exists()
