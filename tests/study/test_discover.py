"""A first config from a folder: layouts that labs have, and folders that no config fits.

Of each tree of files, what `init` says and writes stands in `found/`, as a person last read it;
what was changed on purpose is read in the diff: `FOUND=write pytest -n 0 …`.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path, PurePosixPath

import h5py
import jsonschema
import numpy as np
import pytest
import tifffile
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kept import assert_kept
from make import ROOT
from mesodecode.base.files import UserError
from mesodecode.base.natural_order import matching
from mesodecode.cli import main
from mesodecode.study import file_formats
from mesodecode.study import study as studies
from mesodecode.study.discovery import by_clock, config_text, discover, file_names, file_roles
from mesodecode.study.discovery.file_names import parsed
from mesodecode.study.discovery.found import Found, Session
from mesodecode.study.discovery.found_table import found_table
from mesodecode.study.discovery.layouts import layout_of
from mesodecode.study.discovery.mice_of_names import Place, mice_of
from mesodecode.study.discovery.movie_files import units_of


def tree(folder: Path, *names: str) -> Path:
    """Make files; movies are the larger ones."""
    for name in names:
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (999 if path.suffix in (".tif", ".h5", ".npy") else 9))
    return folder / "data"


def made(folder: Path) -> tuple[studies.Study, str]:
    """The study of the config that is written for a folder, and its text."""
    text = config_text.config_text(discover.look(folder))
    return studies.resolve(yaml.safe_load(text)), text


def spoken(text: str) -> str:
    """The comments of a config, on one line."""
    return " ".join(line.lstrip("# ") for line in text.splitlines())


def assert_found(folder: Path, name: str) -> str:
    """The config that is written for ./data, which with the table on the terminal is as kept."""
    found = discover.look("data")
    text = config_text.config_text(found)
    both = "\n".join([*found_table(found), "", text]).replace(str(folder), "")
    path = Path(__file__).with_name("found") / f"{re.sub(r'[^a-z]+', '_', name.lower())}.txt"
    assert_kept(both, path, "FOUND")
    return text


def made_text(folder: Path) -> tuple[dict, str]:
    """The config that is written for a folder, whether or not it can be run, and its text."""
    text = config_text.config_text(discover.look(folder))
    return yaml.safe_load(text), text


def check_paths(study: studies.Study, *kinds: str) -> None:
    for session in study.mouse_of:
        for kind in kinds:
            paths = study.source(kind, session)
            for path in [paths] if isinstance(paths, str) else paths:
                found = matching(path)
                assert found and all(file.exists() for file in found), (kind, session)


PAPER = yaml.safe_load((ROOT / "config.yaml").read_text())["mice"]
PUBLISHED = [session for sessions in PAPER.values() for session in sessions]

# layout -> (files, mouse -> sessions, patterns after the folder)
LAYOUTS = {
    "simulated": (
        [
            f"m{m}_s{s}{end}"
            for m in range(1, 6)
            for s in (1, 2)
            for end in (".tif", "_behavior.mat", "_roi.mat", "_truth.h5")
        ],
        {f"m{m}": [f"m{m}_s1", f"m{m}_s2"] for m in range(1, 6)},
        {
            **{"movie": "{session}.tif", "behavior": "{session}_behavior.mat"},
            "rois": "{session}_roi.mat",
        },
    ),
    "a folder a mouse": (
        [
            f"mouse{m}/{m}_2018010{d}{end}"
            for m in "ABC"
            for d in (1, 2)
            for end in (".tif", ".csv")
        ],
        {f"mouse{m}": [f"{m}_20180101", f"{m}_20180102"] for m in "ABC"},
        {"movie": "{mouse}/{session}.tif", "behavior": "{mouse}/{session}.csv"},
    ),
    "a folder a kind": (
        [
            name
            for m in ("a1", "b1", "c1")
            for s in (1, 2)
            for name in (f"movies/{m}_day{s}.ome.tif", f"wheel/{m}_day{s}.mat")
        ],
        {m: [f"{m}_day1", f"{m}_day2"] for m in ("a1", "b1", "c1")},
        {"movie": "movies/{session}.ome.tif", "behavior": "wheel/{session}.mat"},
    ),
    "a folder a session": (
        [
            name
            for m in "123"
            for s in "12"
            for name in (
                f"M{m}_run{s}/stack.tif",
                f"M{m}_run{s}/wheel.csv",
                f"M{m}_run{s}/dark.tif",
            )
        ],
        {f"M{m}": [f"M{m}_run1", f"M{m}_run2"] for m in "123"},
        {"movie": "{session}/stack.tif", "behavior": "{session}/wheel.csv"},
    ),
    "numbered parts of a movie": (
        [
            f"{m}_s{s}/{name}"
            for m in "abc"
            for s in "12"
            for name in ("img_0001.tif", "img_0002.tif", "labels.mat")
        ],
        {m: [f"{m}_s1", f"{m}_s2"] for m in "abc"},
        {"movie": "{session}", "behavior": "{session}/labels.mat"},
    ),
    "spaces and Unicode around names": (
        [
            f"Mäuse {{2020}}/Versuch 1 {m}_s{s}{end}"
            for m in "abc"
            for s in "12"
            for end in (".tif", " speed.mat")
        ],
        {m: [f"{m}_s1", f"{m}_s2"] for m in "abc"},
        {
            "movie": "Mäuse {{2020}}/Versuch 1 {session}.tif",
            "behavior": "Mäuse {{2020}}/Versuch 1 {session} speed.mat",
        },
    ),
    "HDF5": (
        [f"{m}_{n:03}.{end}" for m in "abc" for n in (1, 12) for end in ("h5", "mat")],
        {m: [f"{m}_001", f"{m}_012"] for m in "abc"},
        {"movie": "{session}.h5", "behavior": "{session}.mat"},
    ),
    "SVD components": (
        [
            f"m{m}_s{s}/{name}"
            for m in "123"
            for s in "12"
            for name in ("U.npy", "SVT.npy", "speed.csv")
        ],
        {f"m{m}": [f"m{m}_s1", f"m{m}_s2"] for m in "123"},
        {"movie": ["{session}/U.npy", "{session}/SVT.npy"], "behavior": "{session}/speed.csv"},
    ),
    "NWB holds both": (
        [f"sub-{m}/sub-{m}_ses-{s}_behavior+ophys.nwb" for m in "abc" for s in "12"],
        {f"sub-{m}": [f"sub-{m}_ses-{s}" for s in "12"] for m in "abc"},
        {
            **{"movie": "{mouse}/{session}_behavior+ophys.nwb"},
            "behavior": "{mouse}/{session}_behavior+ophys.nwb",
        },
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_labs(tmp_path, monkeypatch, layout):
    names, mice, patterns = LAYOUTS[layout]
    tree(tmp_path, *names)
    monkeypatch.chdir(tmp_path)
    text = assert_found(tmp_path, layout)
    study = studies.resolve(yaml.safe_load(text))
    assert yaml.safe_load(text)["mice"] == mice
    recordings = study.config["recordings"]
    for kind, pattern in patterns.items():
        names = [pattern] if isinstance(pattern, str) else pattern
        wanted = [f"data/{name}" for name in names]
        assert recordings[kind] == (wanted[0] if isinstance(pattern, str) else wanted)
    check_paths(study, *patterns)
    assert "FILL IN" not in text.replace("CHECK or FILL IN", "") and "ln -s" not in text


@pytest.mark.parametrize("layout", ["simulated", "HDF5", "SVD components", "NWB holds both"])
def test_layouts_whose_suffixes_are_in_upper_case(tmp_path, monkeypatch, layout):
    def upper(name):
        return re.sub(r"[.]\w+$", lambda suffix: suffix[0].upper(), f"data/{name}")

    monkeypatch.chdir(tmp_path)
    names, mice, patterns = LAYOUTS[layout]
    names = [*names, *(name.replace(".tif", ".avi") for name in names if name.endswith(".tif"))]
    tree(tmp_path, *names)  # videos beside movies are not of the brain
    for name in names:
        Path("data", name).rename(upper(name))
    config, text = made_text(Path("data"))
    assert config["mice"] == mice and "FILL IN:" not in text
    for kind, pattern in patterns.items():
        wanted = upper(pattern) if isinstance(pattern, str) else [*map(upper, pattern)]
        assert config["recordings"][kind] == wanted


def test_names_of_the_published_study_do_not_tell_all_mice_apart(tmp_path):
    folder = tree(tmp_path, *(f"{s}{end}" for s in PUBLISHED for end in (".tif", "_behavior.mat")))
    study, text = made(folder)
    check_paths(study, "movie", "behavior")
    assert len(study.mouse_of) == 64 and len(study.mice) == 4
    # mice 2 and 5 bear one name; their sessions are five weeks apart
    assert sorted(study.mice["Emx1G6_non_1"]) == sorted(PAPER["2"] + PAPER["5"])
    assert sorted(study.mice["Emx1G6_LR_1"]) == sorted(PAPER["1"])
    assert "'Emx1G6_non_1' pause for 33 days, from 2018-02-16 to 2018-03-21" in text
    assert text.count("two animals of one name") == 1


M = ("m1", "m2", "m3")
DAYS = ("20240101", "20240102")
DAILY = [f"{m}/{day}/" for m in M for day in DAYS]
TWICE = dict.fromkeys(M, 2)
FOUR = dict.fromkeys(M, 4)


def in_each(folders: list[str], *names: str) -> list[str]:
    return [folder + name for folder in folders for name in names]


def named(*ends: str, mice: tuple[str, ...] = M) -> list[str]:
    return [f"{m}_{day}{end}" for m in mice for day in DAYS for end in ends]


# What a lab writes -> (files, mouse -> number of sessions, movie, behaviour; None: linked)
TREES = {
    "wfield, with results": (  # jcouto/wfield: U belongs to SVTcorr
        in_each(
            DAILY,
            *("U.npy", "SVT.npy", "SVTcorr.npy", "frames_average.npy", "rcoeffs.npy", "T.npy"),
            *("frames_2_540_640_uint16.dat", "info.json", "frames.camlog", "wheel.csv"),
        ),
        TWICE,
        ["{mouse}/{session}/U.npy", "{mouse}/{session}/SVTcorr.npy"],
        "{mouse}/{session}/wheel.csv",
    ),
    "cortex-lab, an experiment a folder": (
        [
            f"{m}/2024-01-0{d}/{name}"
            for m in M
            for d in (1, 2)
            for name in (
                *("svdSpatialComponents_blue.npy", "svdSpatialComponents_purple.npy"),
                *(f"{d}/svdTemporalComponents_{v}.npy" for v in ("blue", "purple", "corr")),
                *(f"{d}/svdTemporalComponents_corr.timestamps.npy", f"{d}/wheel.npy"),
            )
        ],
        TWICE,
        [
            "{mouse}/{session}/svdSpatialComponents_blue.npy",
            "{mouse}/{session}/*/svdTemporalComponents_corr.npy",
        ],
        None,
    ),
    "IBL, raw": (  # a movie in a video, beside those of the mouse
        [
            f"lab/Subjects/SP06{m}/2025-01-2{d}/001/{name}"
            for m in (1, 2, 3)
            for d in (7, 8)
            for name in (
                *("raw_widefield_data/imaging.frames.mov", "alf/_ibl_wheel.timestamps.npy"),
                *("raw_video_data/_iblrig_leftCamera.raw.mp4", "alf/_ibl_wheel.position.npy"),
            )
        ],
        {"SP061": 2, "SP062": 2, "SP063": 2},
        "lab/Subjects/{mouse}/{session}/001/raw_widefield_data/imaging.frames.mov",
        "lab/Subjects/{mouse}/{session}/001/alf",
    ),
    "WidefieldImager, a file a trial": (
        [
            f"{m}/SpatialDisc/0{d}-Jan-2024/{name}"
            for m in M
            for d in (1, 2)
            for name in (
                *("Frames_2_640_540_uint16_0001.dat", "Frames_2_640_540_uint16_0002.dat"),
                *(
                    "Analog_1.dat",
                    "Snapshot_1.mat",
                    "handles.mat",
                    f"{m}_SpatialDisc_Jan0{d}_2024_Session1.mat",
                ),
            )
        ],
        TWICE,
        "{mouse}/SpatialDisc/{session}/Frames_2_640_540_uint16_*.dat",
        None,
    ),
    "labcams, raw": (
        in_each(
            DAILY,
            *("frames_2_24_32_uint16.dat", "frames.camlog", "motion_correction_shifts.npy"),
            *("wheel.csv", "stimuli.npy"),
        ),
        TWICE,
        "{mouse}/{session}/frames_2_24_32_uint16.dat",
        "{mouse}/{session}/wheel.csv",
    ),
    "WidefieldImager, reduced": (
        in_each(
            DAILY, "Vc.mat", "blueV.mat", "hemoV.mat", "opts.mat", "frameTimes.mat", "wheel.mat"
        ),
        TWICE,
        "{mouse}/{session}/Vc.mat",
        "{mouse}/{session}/wheel.mat",
    ),
    "Miniscope": (
        [
            f"{folder}/{name}"
            for folder in DAILY
            for name in (
                *(f"My_V4_Miniscope/{i}.avi" for i in range(12)),
                *("My_V4_Miniscope/timeStamps.csv", "My_V4_Miniscope/metaData.json"),
                *("My_WebCam/0.avi", "My_WebCam/1.avi", "My_WebCam/timeStamps.csv", "wheel.csv"),
            )
        ],
        TWICE,
        "{mouse}/{session}/My_V4_Miniscope/*.avi",
        "{mouse}/{session}/wheel.csv",
    ),
    "Umit": (
        in_each(DAILY, "fluo_475.dat", "fluo_475.mat", "green.dat", "AcqInfos.mat", "wheel.csv"),
        TWICE,
        ["{mouse}/{session}/fluo_475.dat", "{mouse}/{session}/green.dat"],
        "{mouse}/{session}/wheel.csv",
    ),
    "Allen": (
        [
            f"M35101{m}/2018030{d}_session{d}/{name}"
            for m in (2, 3, 4)
            for d in (1, 2)
            for name in ("widefield.h5", "running_speed.csv", "face.avi")
        ],
        {"M351012": 2, "M351013": 2, "M351014": 2},
        "{mouse}/{session}/widefield.h5",
        "{mouse}/{session}/running_speed.csv",
    ),
    "DANDI": (
        [
            f"sub-{m}/sub-{m}_ses-{day}T143614_behavior+image+ophys.nwb"
            for m in (440957, 440958, 440959)
            for day in DAYS
        ],
        {"sub-440957": 2, "sub-440958": 2, "sub-440959": 2},
        "{mouse}/{session}_behavior+image+ophys.nwb",
        "{mouse}/{session}_behavior+image+ophys.nwb",
    ),
    "BIDS": (
        [
            f"sub-{m}/ses-{s}/sub-{m}_ses-{s}_{what}"
            for m in ("01", "02", "03")
            for s in ("01", "02")
            for what in ("widefield.tif", "behavior.tsv")
        ],
        {"sub-01": 2, "sub-02": 2, "sub-03": 2},
        "{mouse}/{session}/{mouse}_{session}_widefield.tif",
        "{mouse}/{session}/{mouse}_{session}_behavior.tsv",
    ),
    "labcams, a folder a run": (
        [
            f"21031{d}_YW00{m}/run00_18130{m}_ori/2021031{d}_run000_0000000{part}.tif"
            for m in (1, 2, 3)
            for d in (5, 6)
            for part in (0, 1, 2)
        ],
        {"YW001": 2, "YW002": 2, "YW003": 2},
        None,
        "",
    ),
    "ScanImage": (  # acquisition and part
        [f"{m}/20240101/{m}_0000{a}_0000{p}.tif" for m in M for a in (1, 2) for p in (1, 2, 3)]
        + [f"{m}/20240101/{m}_0000{a}_wheel.csv" for m in M for a in (1, 2)],
        TWICE,
        "{mouse}/20240101/{session}_*.tif",
        "{mouse}/20240101/{session}_wheel.csv",
    ),
    "Andor Solis": (
        in_each(DAILY, "rec.tif", "rec_X2.tif", "rec_X3.tif", "dark.tif", "wheel.csv"),
        TWICE,
        "{mouse}/{session}/rec*.tif",
        "{mouse}/{session}/wheel.csv",
    ),
    "Camware": (
        named("@0001.tif", "@0002.tif", "_wheel.csv"),
        TWICE,
        "{session}@*.tif",
        "{session}_wheel.csv",
    ),
    "Micro-Manager 1.4, two channels": (
        [
            f"{m}_1/Pos0/img_00000000{t}_{c}_000.tif"
            for m in M
            for c in ("Blue", "UV")
            for t in (0, 1)
        ]
        + [f"{m}_1/wheel.csv" for m in M],
        dict.fromkeys(("m1_1", "m2_1", "m3_1"), 1),
        ["{session}/Pos0/img_*_Blue_000.tif", "{session}/Pos0/img_*_UV_000.tif"],
        "{session}/wheel.csv",
    ),
    "Micro-Manager, parts": (
        [f"{m}_1/{m}_1_MMStack_Pos0{end}.ome.tif" for m in M for end in ("", "_1", "_2")]
        + [f"{m}_1/wheel.csv" for m in M],
        dict.fromkeys(("m1_1", "m2_1", "m3_1"), 1),
        "{session}",
        "{session}/wheel.csv",
    ),
    "parts in one folder": (
        [f"{m}_s{s}_000{p}.tif" for m in M for s in (1, 2) for p in (1, 2, 3)]
        + [f"{m}_s{s}_wheel.csv" for m in M for s in (1, 2)],
        TWICE,
        "{session}_*.tif",
        "{session}_wheel.csv",
    ),
    "mouse, date, run": (
        in_each([f"{day}{run}/" for day in DAILY for run in ("run1", "run2")], "a.tif", "a.csv"),
        FOUR,
        None,
        None,
    ),
    "date, mouse, run": (
        [
            f"2024-01-0{d}/{m}_{run}{end}"
            for d in (1, 2)
            for m in M
            for run in (1, 2)
            for end in (".tif", "_wheel.csv")
        ],
        FOUR,
        None,
        None,
    ),
    "date, mouse": (
        [f"{day}/{m}/{name}" for m in M for day in DAYS for name in ("stack.tif", "speed.csv")],
        TWICE,
        "{session}/{mouse}/stack.tif",
        "{session}/{mouse}/speed.csv",
    ),
    "folders of year, month and day": (
        [f"2024/01/0{d}/{m}_143005{end}" for d in (1, 2) for m in M for end in (".tif", ".csv")],
        TWICE,
        None,
        None,
    ),
    "mice of numbers": (
        [f"{m}/{d}/{n}" for m in (4071, 4072, 4073) for d in DAYS for n in ("img.tif", "beh.mat")],
        {"4071": 2, "4072": 2, "4073": 2},
        "{mouse}/{session}/img.tif",
        "{mouse}/{session}/beh.mat",
    ),
    "cage and ear mark": (
        named(".tif", ".csv", mice=("C57_L1", "C57_R1", "C57_L1R2", "C57_N")),
        {"C57_L1": 2, "C57_R1": 2, "C57_L1R2": 2, "C57_N": 2},
        "{session}.tif",
        "{session}.csv",
    ),
    "marks of the tail, not light": (
        named(".tif", ".csv", mice=("red", "green", "blue")),
        {"red": 2, "green": 2, "blue": 2},
        "{session}.tif",
        "{session}.csv",
    ),
    "cohorts": (
        [
            f"cohort{c}/{m}/{day}{end}"
            for c, m in ((1, "m1"), (1, "m2"), (2, "m3"))
            for day in DAYS
            for end in (".tif", ".csv")
        ],
        TWICE,
        "*/{mouse}/{session}.tif",
        None,
    ),
    "conditions above mice": (
        [f"{c}/{m}/a{end}" for c in ("control", "muscimol") for m in M for end in (".tif", ".csv")],
        TWICE,
        "{session}/{mouse}/a.tif",
        "{session}/{mouse}/a.csv",
    ),
    "conditions in names": (
        [f"{m}_{c}{end}" for m in M for c in ("saline", "cno") for end in (".tif", "_beh.csv")],
        TWICE,
        "{session}.tif",
        "{session}_beh.csv",
    ),
    "ages": (
        [f"EM1{m}_P{age}{e}" for m in (2, 3, 4) for age in (30, 45) for e in (".tif", "_run.csv")],
        {"EM12": 2, "EM13": 2, "EM14": 2},
        "{session}.tif",
        "{session}_run.csv",
    ),
    "wavelengths in names": (
        named("_405nm.tif", "_470nm.tif", "_wheel.csv"),
        TWICE,
        ["{session}_470nm.tif", "{session}_405nm.tif"],
        "{session}_wheel.csv",
    ),
    "a folder of frames a wavelength": (
        in_each(DAILY, "wheel.csv")
        + in_each(DAILY, *(f"{w}/img_000{i}.tif" for w in ("blue", "violet") for i in (0, 1))),
        TWICE,
        ["{mouse}/{session}/blue", "{mouse}/{session}/violet"],
        "{mouse}/{session}/wheel.csv",
    ),
    "two cameras": (  # of two indicators: one is decoded
        [f"20240101_{m}_{c}_1/img_00{i}.tif" for m in M for c in "GR" for i in (0, 1)]
        + [f"20240101_{m}_wheel.csv" for m in M],
        dict.fromkeys(M, 1),
        "{session}_G_1",
        "{session}_wheel.csv",
    ),
    "raw and processed": (
        [f"{kind}/{day}stack.tif" for kind in ("raw", "processed") for day in DAILY]
        + [f"wheel/{day}speed.csv" for day in DAILY],
        TWICE,
        "processed/{mouse}/{session}/stack.tif",
        "wheel/{mouse}/{session}/speed.csv",
    ),
    "versions beside each other": (
        in_each(DAILY, "rec.tif", "rec_mc.tif", "rec_dff.h5", "speed.csv"),
        TWICE,
        "{mouse}/{session}/rec_dff.h5",
        "{mouse}/{session}/speed.csv",
    ),
    "a date in another spelling": (
        [f"{m}/2024-01-0{d}/rec.tif" for m in M for d in (1, 2)]
        + [f"{m}/2024-01-0{d}/{m}_2024010{d}_wheel.csv" for m in M for d in (1, 2)],
        TWICE,
        "{mouse}/{session}/rec.tif",
        None,
    ),
}


@pytest.mark.parametrize("name", TREES)
def test_trees_of_labs(tmp_path, monkeypatch, name):
    names, mice, movie, behavior = TREES[name]
    tree(tmp_path, *names)
    monkeypatch.chdir(tmp_path)
    text = assert_found(tmp_path, name)
    config = yaml.safe_load(text)
    assert {mouse: len(sessions) for mouse, sessions in config["mice"].items()} == mice
    written = config["recordings"]
    for wanted, kind in ((movie, "movie"), (behavior, "behavior")):
        if wanted is None:
            assert written[kind].startswith("links/")
        elif wanted:
            many = [wanted] if isinstance(wanted, str) else wanted
            assert written[kind] == (
                f"data/{wanted}" if isinstance(wanted, str) else [f"data/{one}" for one in many]
            )
    if behavior == "":
        return
    study = studies.resolve(config)
    commands = [line[4:] for line in text.splitlines() if line[4:].startswith(("mkdir", "ln "))]
    subprocess.run(["bash", "-ec", "\n".join(commands)], check=True)
    check_paths(study, "movie", "behavior")
    movies = [str(study.source("movie", session)) for session in study.mouse_of]
    assert len(set(movies)) == len(movies)


def test_time_stamps_of_a_miniscope_are_those_of_its_frames(tmp_path):
    names = ("My_V4_Miniscope/0.avi", "My_V4_Miniscope/1.avi", "My_V4_Miniscope/timeStamps.csv")
    config, _ = made_text(tree(tmp_path, *in_each([f"m{i}/d1/" for i in range(5)], *names)))
    recordings = config["recordings"]
    assert recordings["frame_times"].endswith("My_V4_Miniscope/timeStamps.csv")
    assert recordings["frame_times_dataset"] == "Time Stamp (ms)"
    assert recordings["frame_times_unit"] == "ms"


@pytest.mark.parametrize("folder", ["running", "wheel_task", "left_side", "behavior"])
def test_videos_in_folders_named_after_behaviour_are_movies(tmp_path, folder):
    sessions = [f"m{i}/{folder}{day}/" for i in range(3) for day in (1, 2)]
    config, _ = made_text(tree(tmp_path, *in_each(sessions, "widefield.avi", "speed.csv")))
    assert config["recordings"]["movie"].endswith("/widefield.avi")
    assert [len(found) for found in config["mice"].values()] == [2, 2, 2]


def test_a_miniscope_without_time_stamps_has_no_settings_of_them(tmp_path):
    names = ("My_V4_Miniscope/0.avi", "My_V4_Miniscope/1.avi", "wheel.csv")
    config, _ = made_text(tree(tmp_path, *in_each([f"m{i}/d1/" for i in range(5)], *names)))
    assert config["recordings"].keys() == {"movie", "behavior", "frame_rate"}
    studies.resolve(config)


@pytest.mark.parametrize(
    ("program", "held", "words"),
    [
        ("SLEAP", ("tracks", "node_names"), "in behavior and the part in behavior_position"),
        ("DeepLabCut", ("df_with_missing",), "deeplabcut.analyze_videos_converth5_to_csv"),
    ],
)
def test_points_of_a_body_are_no_movies_and_what_takes_them_is_said(tmp_path, program, held, words):
    sessions = [f"m{i}_20240101" for i in range(5)]
    folder = tree(tmp_path, *(f"{s}.tif" for s in sessions), *(f"{s}_run.csv" for s in sessions))
    for session in sessions:
        with h5py.File(folder / f"{session}_movieDLC_resnet50.h5", "w") as file:
            for name in held:  # as large as a movie
                file[name] = np.zeros((1, 2, 3, 400))
    study, text = made(folder)
    assert study.source("movie", sessions[0]).endswith(f"{sessions[0]}.tif")
    assert study.source("behavior", sessions[0]).endswith(f"{sessions[0]}_run.csv")
    assert f"points of {program} in {sessions[0]}_movieDLC" in spoken(text) and words in spoken(
        text
    )
    assert "and 3 more are not taken" in spoken(text)


def test_two_movies_named_left_and_right_may_be_halves_of_one_image(tmp_path):
    names = [f"m{i}_20240101_{side}.tif" for i in range(3) for side in ("left", "right")]
    _, text = made_text(tree(tmp_path, *names))
    assert "'m0_left', 'm0_right' may be one animal" in spoken(text)
    assert "One movie is read a session: join them side by side" in spoken(text)
    _, text = made_text(tree(tmp_path / "ears", "m1L_x.tif", "m1R_x.tif", "m2_x.tif"))
    assert "side by side" not in text


@pytest.mark.parametrize(
    ("movie", "behavior"),
    [
        ("m{i}_2024010{d}_{side}.tif", "m{i}_2024010{d}_behaviour log.csv"),
        ("m{i}/2024010{d}/{side}.tif", "m{i}/2024010{d}/wheel.csv"),
        ("m{i}_2024010{d}_{letter}.tif", "m{i}_2024010{d}_speed.csv"),
    ],
)
def test_halves_of_one_image_with_one_behaviour_are_one_session(tmp_path, movie, behavior):
    def names(pattern):
        at = [(i, d, side) for i in range(3) for d in (1, 2) for side in ("left", "right")]
        return [pattern.format(i=i, d=d, side=s, letter=s[0].upper()) for i, d, s in at]

    study, text = made(tree(tmp_path / "one", *names(movie), *names(behavior)))
    assert {mouse: len(of) for mouse, of in study.mice.items()} == {"m0": 2, "m1": 2, "m2": 2}
    assert study.source("movie", next(iter(study.mouse_of))).endswith(names(movie)[0])
    check_paths(study, "movie", "behavior")
    assert "halves of one image, of which the first alone is read" in spoken(text)
    # each has a behaviour of its own: ear marks, say
    own = names(movie.replace(".tif", "_speed.csv").replace("/", "_"))
    config, _ = made_text(tree(tmp_path / "two", *names(movie.replace("/", "_")), *own))
    assert sum(map(len, config["mice"].values())) == 12


def test_what_wfield_took_out_of_its_corrected_components_is_said(tmp_path):
    names = ("U.npy", "SVT.npy", "SVTcorr.npy", "wheel.csv")
    _, text = made(tree(tmp_path, *in_each(DAILY, *names)))
    assert "has lost what is slower than 10 s" in " ".join(text.split())
    _, text = made(tree(tmp_path / "raw", *in_each(DAILY, "U.npy", "SVT.npy", "wheel.csv")))
    assert "slower than 10 s" not in text


def test_a_movie_and_its_own_behaviour_are_linked(tmp_path, monkeypatch):
    names = [f"Maus {m} {s}{end}" for m in "äöü" for s in (1, 2) for end in (".tif", "_speed.csv")]
    folder = tree(tmp_path, *names)
    monkeypatch.chdir(tmp_path)
    study, text = made(folder)
    assert [len(sessions) for sessions in study.mice.values()] == [2, 2, 2]
    commands = [line[4:] for line in text.splitlines() if line[4:].startswith(("mkdir", "ln "))]
    for command in commands:
        subprocess.run(shlex.split(command), check=True)
    for session in study.mouse_of:
        movie, behavior = (Path(study.source(k, session)).resolve() for k in ("movie", "behavior"))
        assert behavior.name == f"{movie.stem}_speed.csv"


def test_the_terminal_says_what_makes_the_links(tmp_path, monkeypatch, capsys):
    names = [f"Maus {m} {s}{end}" for m in "äöü" for s in (1, 2) for end in (".tif", "_speed.csv")]
    tree(tmp_path, *names)
    monkeypatch.chdir(tmp_path)
    assert main(["init", "data", "--out", "my lab.yaml"]) == 0
    said = re.search(r"reads 12 links that are not there yet.*?: (sed .*)", capsys.readouterr().err)
    subprocess.run(said[1], shell=True, check=True)
    check_paths(studies.load("my lab.yaml"), "movie", "behavior")


def test_links_of_another_study_are_left_and_those_that_are_there_counted(
    tmp_path, monkeypatch, capsys
):
    """Two folders with the same names; then the first one, with a session more."""

    def studied(folder, out):
        assert main(["init", folder, "--out", out]) == 0
        said = capsys.readouterr().err
        return studies.load(out), said, re.search(r": (sed .*)", said)

    def sources(study):
        return {Path(study.source("movie", s)).resolve().parent.name for s in study.mouse_of}

    names = [f"Maus {m} {s}{end}" for m in "äöü" for s in (1, 2) for end in (".tif", "_speed.csv")]
    for folder in ("one", "two"):
        tree(tmp_path, *names).rename(tmp_path / f"data_{folder}")
    monkeypatch.chdir(tmp_path)
    first, said, make = studied("data_one", "one.yaml")
    assert "reads 12 links that are not there yet. Make" in said and "CHECK: links" not in said
    _, _, late = studied("data_two", "late.yaml")  # before the first links are made
    subprocess.run(make[1], shell=True, check=True)
    *_, last = (
        line.split() for line in Path("late.yaml").read_text().splitlines() if "ln -s" in line
    )
    leads = Path(last[-1]).readlink()
    Path(last[-1]).unlink()  # the last one alone could be made
    assert subprocess.run(late[1], shell=True, capture_output=True).returncode != 0
    Path(last[-1]).symlink_to(leads)
    second, said, make = studied("data_two", "two.yaml")
    assert "reads 12 links that are not there yet. Make" in said
    assert f"is there and leads to {tmp_path}/data_one/Maus " in said and "are in links_2." in said
    subprocess.run(make[1], shell=True, check=True)
    assert sources(first) == {"data_one"} and sources(second) == {"data_two"}
    check_paths(second, "movie", "behavior")
    assert "not there yet" not in studied("data_two", "again.yaml")[1]
    for path in tree(tmp_path, "Maus ü 3.tif", "Maus ü 3_speed.csv").iterdir():
        path.rename(tmp_path / "data_one" / path.name)
    more, said, make = studied("data_one", "more.yaml")
    assert "reads 2 links that are not there yet, beside 12 that are. Make" in said
    subprocess.run(make[1], shell=True, check=True)
    assert sources(more) == {"data_one"} and len(more.mouse_of) == 7


def test_tables_that_may_be_of_frames_are_said_where_no_times_are_found(tmp_path):
    folder = tree(tmp_path, *(f"{m}_s1{end}" for m in M for end in (".tif", "_speed.csv")))
    text = "frame,time,lick\n" + "".join(f"{i},{i / 20},{i % 3 % 2}\n" for i in range(9))
    for m in M:
        (folder / f"{m}_s1_camera.csv").write_text(text)
    (folder / "m1_s1_licks.csv").write_text("time,lick\n1,0\n2,1\n3,1\n4,0\n5,0\n")
    said = "CHECK: m1_s1_camera.csv, m2_s1_camera.csv and 1 more, not used, have times and numbers"
    study, written = made(folder)
    assert said in spoken(written) and "frame_times" not in written.partition("study:")[2]
    check_paths(study, "movie", "behavior")
    lights = [folder / f"{m}_s1_lightSource.npy" for m in M]  # a value a frame says when, too
    for path in lights:
        path.touch()
    assert "have times and numbers" not in made_text(folder)[1]
    for path in lights:
        path.unlink()
    for m in M:  # of others, now that there are times
        (folder / f"{m}_s1_timestamps.csv").write_text(text)
    study, written = made(folder)
    assert "have times and numbers" not in written
    check_paths(study, "movie", "behavior", "frame_times")


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_mice_are_asked_for_in_one_number(tmp_path, monkeypatch, n):
    monkeypatch.chdir(tmp_path)
    config, text = made_text(
        tree(tmp_path, *(f"{m}_s1{end}" for m in M[:n] for end in (".tif", ".csv")))
    )
    assert config["allocation"] == {"train": 1, "valid": 1, "test": 1}
    lacks = f"config: mice: {n} in all, fewer than allocation.train + valid + test = 1 + 1 + 1"
    assert text.startswith(f"# FILL IN: {lacks}; add mice") == (n < 3)
    assert (f"mice found: {n}; to decode unseen mice takes 3 or more" in text) == (n < 3)


@pytest.mark.parametrize(("n", "choose"), [(6, None), (7, "each_test")])
def test_of_more_than_six_mice_each_is_tested_once(tmp_path, n, choose):
    mice = [f"m{i}" for i in range(n)]
    study, _ = made(tree(tmp_path, *(f"{m}_s1{end}" for m in mice for end in (".tif", ".csv"))))
    assert study.config["allocation"].get("choose") == (choose or "all")
    assert len(study.allocations) == (n if choose else 6 * 5 * 4)
    assert {len(one.train) for one in study.allocations.values()} == {3}


def test_a_study_is_called_as_its_folder(tmp_path, monkeypatch):
    folder = tree(tmp_path, *(f"{m}_s1{end}" for m in M for end in (".tif", ".csv")))
    folder = folder.rename(tmp_path / "rig.2 b")
    monkeypatch.chdir(folder)
    for where in (".", "../rig.2 b", folder):
        assert made_text(Path(where))[0]["study"] == "rig_2_b"


@pytest.mark.parametrize(
    ("lights", "asked"),
    [
        (("blue", "violet"), False),
        (("blue", "green"), False),
        (("blue", "led2"), True),
        (("led1", "led2"), True),
    ],
)
def test_which_light_is_of_calcium_is_asked_unless_names_say_it_of_both(tmp_path, lights, asked):
    ends = (*(f"{light}.tif" for light in reversed(lights)), "wheel.csv")
    study, text = made(tree(tmp_path, *(f"{m}_s1_{end}" for m in M for end in ends)))
    assert ("CHECK: is the first one of calcium?" in text) == asked
    movies = study.source("movie", next(iter(study.mouse_of)))
    assert [Path(movie).stem.rpartition("_")[2] for movie in movies] == list(lights)


def test_of_two_wavelengths_notes_name_the_movie_of_calcium(tmp_path):
    ends = ("_violet.tif", "_blue.tif", "_s1.csv", "_s2.csv")
    folder = tree(tmp_path, *(f"{m}{end}" for m in M for end in ends))
    (note,) = [n for n in discover.look(folder).notes if "of several sessions?" in n]
    assert note.startswith("FILL IN: m1_blue.tif has 2 files of behavior, m1_s1.csv to m1_s2.csv")
    assert note.count("/m1_blue.csv ") == note.count("/m1_blue.tif ") == 1 and "violet" not in note


def test_a_folder_of_links_that_holds_more_than_a_movie_is_left(tmp_path, monkeypatch):
    """All files in it would be read as one movie."""
    monkeypatch.chdir(tmp_path)
    parts = [f"Maus {m} {n:03}.tif" for m in "äöü" for n in (1, 2)]
    study, text = made(tree(tmp_path, *parts, *(f"Maus {m}.csv" for m in "äöü")))
    folder = Path(study.source("movie", next(iter(study.mouse_of))))
    assert folder.parts[0] == "links", folder
    folder.mkdir(parents=True)
    (folder / "Maus 003.tif").touch()
    study, text = made(tmp_path / "data")
    assert Path(study.source("movie", next(iter(study.mouse_of)))).parts[0] == "links_2"
    assert f"{folder}/Maus 003.tif is there, of another study" in " ".join(text.split("\n#  "))
    Path("links_2").touch()
    study, _ = made(tmp_path / "data")
    movie = Path(study.source("movie", next(iter(study.mouse_of))))
    assert movie.parts[0] == "links_3"
    _, target = discover.look(tmp_path / "data").links[0]  # a link whose file is gone
    Path(target).parent.mkdir(parents=True)
    Path(target).symlink_to("gone")
    study, _ = made(tmp_path / "data")
    assert Path(study.source("movie", next(iter(study.mouse_of)))).parts[0] == "links_4"


def rows(*columns):
    return "\n".join("\t".join(map(str, row)) for row in zip(*columns, strict=True)) + "\n"


def test_tables_in_txt_are_behaviour_and_signals_and_notes_are_none(tmp_path):
    folder = tree(tmp_path, *(f"{m}_s1.tif" for m in M))
    for m in M:
        (folder / f"{m}_s1.txt").write_text(rows(["time", 0, 0.1, 0.2, 0.3], ["speed", 0, 1, 2, 1]))
        signals = rows(["V1", 0.5, 0.4, 0.2, 1e-3], ["M1", 1, 2, 1, -2])
        (folder / f"{m}_s1_roi.txt").write_text(signals.replace("\t", " "))
        (folder / f"{m}_s1_protocol.txt").write_text(
            "Imaged at 30 Hz\n\nfor 20 min.\nWater: 1 ml\n"
        )
    (folder / "m1_s1_speed.TXT").write_text("It ran fast.\n")
    study, text = made(folder)
    check_paths(study, "movie", "behavior", "rois")
    recordings = study.config["recordings"]
    assert recordings["behavior"].endswith("/{session}.txt")
    assert recordings["rois"].endswith("/{session}_roi.txt")
    assert "Files not used: m1_s1_protocol.txt, m1_s1_speed.TXT" in " ".join(
        text.replace("#", "").split()
    )


def test_one_file_of_all_sessions_of_a_mouse_is_said_with_what_splits_it(tmp_path):
    folder = tree(tmp_path, *(f"{m}_s{s}.tif" for m in M for s in (1, 2)))
    for m in M:
        table = rows(["session", *["s1"] * 4, *["s2"] * 3], ["speed", *range(7)])
        (folder / f"{m}.csv").write_text(table.replace("\t", ","))
    (note,) = [n for n in discover.look(folder).notes if "of several sessions" in n]
    assert (
        note.startswith("FILL IN: m1.csv and 2 more may hold behavior") and "By session: " in note
    )
    split = shlex.split(note.partition("By session: ")[2])
    subprocess.run([sys.executable, *split[1:]], check=True)
    assert (folder / "m2_s2.csv").read_text().split() == ["session,speed", "s2,4", "s2,5", "s2,6"]
    study, text = made(folder)
    check_paths(study, "movie", "behavior")
    assert "of several sessions" not in text
    for m in M:
        (folder / f"{m}_s1.csv").unlink(), (folder / f"{m}_s2.csv").unlink()
        (folder / f"{m}.csv").write_text("time,speed\n" + "0.1,2\n" * 9)
    notes = " ".join(discover.look(folder).notes)
    assert "m1.csv and 2 more may hold behavior of several sessions" in notes
    assert "python -c" not in notes and "of one clock" in notes
    # columns of fewer values than half the rows, by their names; one row is cut off
    lines = [f"a,{i % 2},{i % 3},{i // 2},5" for i in range(7)]
    table = "\n".join(["animal,day,Movie name,session,speed", *lines, "a,1", "a,1", ""])
    for m in M:
        (folder / f"{m}.csv").write_text(table)
    assert ". By animal and day and Movie name: " in " ".join(discover.look(folder).notes)
    for m in M:
        (folder / f"{m}.csv").rename(folder / f"{m}.CSV")
    assert ". By animal and day and Movie name: " in " ".join(discover.look(folder).notes)


def test_files_of_every_format_of_movies_or_behaviour_have_a_role(tmp_path):
    for one in file_formats.FORMATS:
        for suffix in one.suffixes if {"movie", "traces"} & set(one.gives) else ():
            path = PurePosixPath(f"m1_2024-05-01_widefield{suffix}")
            Path(tmp_path, path).write_text("speed\n" + "1.5\n" * 9)
            (role,) = [
                role for role, found in file_roles.by_role({path: 40}, tmp_path).items() if found
            ]
            assert role in one.gives or (role, one.gives[0]) == ("behavior", "traces"), suffix


@pytest.mark.parametrize(
    ("stem", "role"),
    [
        *((f"m1_{word}", "times") for word in ["times", "timestamps", "timestamp", "frameTimes"]),
        *(("frame_time", "times"), ("lightSource", "lights"), ("light_source", "lights")),
        *(("wheel_timestamps", "aside"), ("notes", "aside"), ("mask", "aside"), ("T", "aside")),
        *(("rois", "rois"), ("roi_1", "rois"), ("dff", "movie"), ("frames", "movie")),
    ],
)
def test_words_of_a_files_name_tell_its_role(tmp_path, stem, role):
    path = PurePosixPath(f"m1/{stem}.npy")
    found = file_roles.by_role({path: 40}, tmp_path)
    assert [name for name, files in found.items() if files] == [role]


def test_one_movie_of_all_sessions_of_a_mouse_is_said_with_what_joins_or_splits(tmp_path):
    folder = tree(tmp_path, "notes.md")
    for m in M:
        tifffile.imwrite(folder / f"{m}.tif", np.zeros((5, 6, 8), np.uint16))
        for s, speed in ((1, "1 2 3"), (2, "4 5")):
            (folder / f"{m}_s{s}.csv").write_text("\n".join(["speed", *speed.split()]))
    (note,) = [n for n in discover.look(folder).notes if "of several sessions?" in n]
    assert note.startswith("FILL IN: m1.tif has 2 files of behavior, m1_s1.csv to m1_s2.csv (and 2")
    join, cut = (
        shlex.split(part)[:n] for part, n in zip(note.split("python -c ")[1:], (4, 5), strict=True)
    )
    for words in (join, cut):
        words[-1] = words[-1].rstrip(";")
    subprocess.run([sys.executable, "-c", *cut[:3], "3", "5"], check=True)
    assert tifffile.imread(folder / "m1_s1.tif").shape == (2, 6, 8)
    (folder / "m1_s1.tif").unlink()
    subprocess.run([sys.executable, "-c", *join], check=True)
    joined = (folder / "m1.csv").read_text()
    assert joined.split() == ["speed,segment", "1,0", "2,0", "3,0", "4,1", "5,1"]
    for m in M[1:]:
        (folder / f"{m}.csv").write_text(joined)
    study, text = made(folder)
    assert study.config["recordings"]["behavior"].endswith("/{session}.csv")
    assert "of several sessions?" not in text
    for m in M:
        (folder / f"{m}.csv").unlink()
    for path in [*folder.glob("*.tif"), *folder.glob("*.csv")]:
        path.rename(path.with_suffix(path.suffix.upper()))
    (note,) = [n for n in discover.look(folder).notes if "of several sessions?" in n]
    assert note.count("python -c ") == 2


def test_what_is_missing_is_said(tmp_path):
    names = [f"{m}_s1{end}" for m in "abcd" for end in (".tif", "_behavior.mat", "_roi.mat")]
    names = [name for name in names if name not in ("b_s1_behavior.mat", "c_s1_roi.mat")]
    study, text = made(tree(tmp_path, *names, "notes.txt", "mask.png", ".hidden.tif"))
    assert "FILL IN: no behaviour found for b_s1;" in text
    assert "ROI signals for 3 of 4 sessions only" in text
    assert study.config["recordings"]["rois"] is None
    assert "Files not used: mask.png, notes.txt" in text and "hidden" not in text
    chosen = {"train": 2, "valid": 1, "test": 1, "choose": "all"}
    assert study.config["allocation"] | chosen == study.config["allocation"]


def test_names_that_look_alike_and_are_not_are_said(tmp_path):
    """J\u00fcrgen and Ju\u0308rgen, of files of which some were copied from a Mac."""
    names = [f"{mouse}_s1" for mouse in ("anna", "ben", "J\u00fcrgen")]
    folder = tree(tmp_path, *(f"{name}.tif" for name in names))
    tree(tmp_path, *(f"{name}_run.csv" for name in (*names[:2], "Ju\u0308rgen_s1")))
    _, text = made_text(folder)
    assert "FILL IN: 'J\u00fcrgen' is in names in two forms that look alike" in spoken(text)
    assert f"--nfc -r --notest {folder}" in spoken(text)
    (folder / "Ju\u0308rgen_s1_run.csv").rename(folder / "J\u00fcrgen_s1_run.csv")
    _, text = made_text(folder)
    assert "look alike" not in text and "no behaviour found" not in text


def test_of_many_mice_each_is_tested_once(tmp_path):
    names = [f"m{m}_s1{end}" for m in range(1, 41) for end in (".tif", ".csv")]
    study, _ = made(tree(tmp_path, *names))
    assert len(study.mice) == len(study.allocations) == 40


def test_long_paths_and_lists_stand_whole_on_a_line():
    """Of more than 80 characters, with blanks, where YAML would break them."""
    long = "a folder of the rig/" * 6 + "{session} of the day.npy"
    files = {kind: [f"{kind} {long}"] for kind in ("movie", "behavior", "rois")}
    found = Found("lab", files, {m: [f"{m}_s1", f"{m}_s2"] for m in M})
    found.settings = {"frame_rate": (20, ""), "behavior_time": (f"{long}:2", "CHECK")}
    found.settings["movie_shape"] = [*range(1000, 1040)], "FILL IN"
    found.corrections = {"brain_mask": (f"masks of {long}", ""), "hemodynamics": ("ratio", "")}
    config = yaml.safe_load(config_text.config_text(found))
    settings = {key: value for key, (value, _) in found.settings.items()}
    assert config["recordings"] == settings | {kind: one for kind, (one,) in files.items()}
    assert config["corrections"] == {"brain_mask": f"masks of {long}", "hemodynamics": "ratio"}


def test_what_no_study_can_be_made_of_is_said_in_the_first_line(tmp_path):
    days = [f"2020010{d}{end}" for d in (1, 2) for end in (".tif", "_speed.mat")]
    text = config_text.config_text(discover.look(tree(tmp_path, *days)))
    assert text.startswith("# FILL IN: config: mice: 1 in all, fewer than")
    assert "names do not say which mouse" in text
    assert yaml.safe_load(text)["mice"] == {"FILL_IN": ["20200101", "20200102"]}
    movies = tree(tmp_path / "more", *(f"{m}_s1.tif" for m in "abc"))
    text = config_text.config_text(discover.look(movies))
    assert text.startswith("# FILL IN: config: recordings: 'movie' and 'behavior'")
    assert "no behaviour files found" in text


@pytest.mark.parametrize(
    "samples",
    [
        "{m}_g0/{m}_g0_t0.nidq.bin",
        "{m}_g0/{m}_g0_imec0/{m}_g0_t0.imec0.ap.bin",
        "{m}_g0/Record Node 101/experiment1/recording1/continuous/NI-DAQmx-103/continuous.dat",
    ],
)
def test_samples_of_ephys_recorders_are_no_movies(tmp_path, samples):
    names = [n.format(m=m) for m in "abc" for n in ("{m}_g0/{m}_wf.tif", samples)]
    study, _ = made(tree(tmp_path, *names, *(f"{m}_g0/{m}_speed.csv" for m in "abc")))
    assert len(study.mice) == 3 and len(study.mouse_of) == 3
    assert study.config["recordings"]["movie"].endswith(".tif")


def test_a_folder_of_no_known_format_says_which_it_holds(tmp_path):
    folder = tree(tmp_path, "a/run1.seq", *(f"{m}/run2.SEQ" for m in "abc"), "a/speed.csv")
    for file in folder.glob("*/run*"):
        file.write_bytes(bytes(99))
    with pytest.raises(UserError, match=r"most of it is \.seq \(4 files\), no known .*TIFF"):
        discover.look(folder)


def test_days_of_half_a_year_are_in_the_order_of_time(tmp_path):
    """02-11-23 is before 01-03-24, and text has them the other way round."""
    days = ["14-09-23", "02-11-23", "27-12-23", "01-03-24"]
    names = [f"{m}/{day}/{n}" for m in "abc" for day in days for n in ("wf.tif", "speed.csv")]
    study, text = made(tree(tmp_path, *names))
    assert study.config["mice"] == dict.fromkeys("abc", days)
    assert "order of time" not in text


def test_the_binary_of_suite2p_is_of_signed_numbers(tmp_path):
    files = ("suite2p/plane0/data.bin", "suite2p/plane0/ops.npy", "speed.csv")
    found = discover.look(tree(tmp_path, *(f"{m}/{name}" for m in "abc" for name in files)))
    assert found.settings["movie_dtype"][0] == "int16"
    assert "ops.npy" in found.settings["movie_shape"][1]


def test_a_session_whose_name_begins_another(tmp_path):
    sessions = ["a_s1", "a_s1_late", "b_s1", "c_s1"]
    names = [f"{s}{end}" for s in sessions[::-1] for end in (".tif", "_speed.mat")]
    study, text = made(tree(tmp_path, *names))
    check_paths(study, "movie", "behavior")
    assert study.config["recordings"]["behavior"].endswith("/{session}_speed.mat")
    assert "otherwise" not in text and "not used" not in text


def mice(*names: str) -> list[str]:
    """The mice of movies."""
    paths = [PurePosixPath(name) for name in names]
    return mice_of([Place(path.parts, parsed(path, path.name)) for path in paths]).mice


@pytest.mark.parametrize(
    ("session", "mouse"),
    [
        ("20180125_Emx1G6_LR_1", "Emx1G6_LR_1"),
        *[("m1_s1", "m1"), ("EMXJ25", "EMXJ25"), ("20200101", ""), ("20200101_01", "")],
        *[("20200101_s2", ""), ("20200101_0915", "")],
        *[("sub-01_ses-02", "sub-01"), ("GC5-2020-03-04", "GC5"), ("anna run2", "anna")],
        *[("rat_day1_trial3", "rat"), ("m1_2024-01-01_14-30-05", "m1"), ("m1run2", "m1")],
        *[("m1_01-Jan-2024_09h15", "m1"), ("240101_GC5", "GC5"), ("m1_20240101T091500", "m1")],
        *[("GC5_2_20240101", "GC5_2"), ("m1_pre_20240101b", "m1"), ("m1_blue_dff", "m1")],
        *[("Jan01_2024_m1_Session1", "m1"), ("mouse 3 day2", "mouse 3"), ("s3_day2", "s3")],
        *[("mouseA_rest_0412", "mouseA"), ("ratB_0412", "ratB_0412")],
        *[("mouse_1T091500", "mouse_1"), ("mouse_3aT091500", "mouse_3a"), ("mouse_T1", "mouse_T1")],
        *[("501729_20240101", "501729"), ("20240101143005_m1", "m1"), ("m1_awake_rest", "m1")],
    ],
)
def test_mouse_in_a_name(session, mouse):
    assert mice(session, session + "_run9")[0] == mouse


@pytest.mark.parametrize("word", ["mouse", "Mouse", "mouse_", "MOUSE", "animal", "subject"])
def test_letters_tell_mice_of_one_day_apart(word):
    named = [f"{word}{letter}" for letter in "ABCD"]
    assert mice(*[f"{name}/{name}_0412" for name in named]) == named


def test_numbers_behind_a_name_count_sessions_unless_they_do_not_begin_as_counts_do():
    days = [f"202401{day:02}" for day in range(1, 5)]
    runs = [f"{day}_GC_{run}" for day in days for run in (1, 2)]
    assert set(mice(*runs)) == {"GC"}
    animals = [f"{day}_GC_{animal}" for day in days for animal in (2, 5)]
    assert set(mice(*animals)) == {"GC_2", "GC_5"}
    assert set(mice("mouse3_004", "mouse3_012", "mouse4_001")) == {"mouse3", "mouse4"}
    assert set(mice(*(f"GC_{animal}/{day}" for day in days for animal in (1, 2)))) == {
        "GC_1",
        "GC_2",
    }


@pytest.mark.parametrize(("numbers", "named"), [((5, 7), "57"), ((1, 2), None), ((0, 1), None)])
def test_numbers_behind_dates_name_mice_unless_they_begin_as_counts_do(numbers, named):
    names = [f"2024010{day}_{one}_{run}" for day in (1, 2) for one in numbers for run in (1, 2)]
    paths = [PurePosixPath(name) for name in names]
    found = mice_of([Place(path.parts, parsed(path, path.name)) for path in paths])
    assert found.mice == (["5", "5", "7", "7"] * 2 if named else [""] * 8)
    assert found.notes == ["CHECK: the numbers behind dates are taken for mice."] * bool(named)


def test_a_word_that_only_some_sessions_of_a_mouse_have_is_none_of_its_name():
    assert mice("m1_s1", "m1_tones_s2", "m2_s1") == ["m1", "m1", "m2"]
    assert mice("m1_s1", "m1_x7_s2", "m2_s1") == ["m1", "m1_x7", "m2"]  # may be an animal's


@pytest.mark.parametrize(
    ("word", "light"),
    [
        *(("470", 0), ("470nm", 0), ("LED470", 0), ("blue", 0), ("blue470", 0), ("470blue", 0)),
        *(("ch2", 1), ("led3", 1), ("violet", 3), ("violet405", 3), ("405", 3)),
        *(("x470", None), ("blue999", None), ("m405x", None), ("4055", None)),
    ],
)
def test_light_in_a_word(word, light):
    assert file_names.light_of(word) == light


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["GC-5_20240101", "GC5_20240102", "GC6_20240101"], "'GC-5', 'GC5' may be one animal"),
        (["M1_20240101", "m01_20240102", "m2_20240101"], "'M1', 'm01' may be one animal"),
        (["GC5_x7_s1", "GC5_y8_s1", "GC6_x7_s1"], "'GC5_x7', 'GC5_y8' may be one animal"),
        (["m1_odorant", "m1_tones", "m2_tones"], "odorant, tones in names are taken for what was"),
        (["s1_day1", "s2_day1", "s3_day1"], "s1 and the like are taken for mice"),
        (["C12a_20240101", "C12b_20240101", "C13a_20240101"], "'C12a', 'C12b' may be one animal"),
        (["m1_left_run1", "m1_right_run1", "m2_left_run1"], "'m1_left', 'm1_right' may be one"),
        (["m1/gloom", "m1/glee", "m2/gloom"], "'m1' is taken for one mouse, with sessions glee"),
    ],
)
def test_what_may_be_one_animal_is_said(tmp_path, names, said):
    _, text = made_text(tree(tmp_path, *(n + end for n in names for end in (".tif", ".csv"))))
    assert said in spoken(text)


@pytest.mark.parametrize("name", ["{}/{}/rec{}", "{}_{}{}", "{}/{}{}"])
@pytest.mark.parametrize(
    "days", [("12-30-2023", "01-02-2024"), ("31.12.2023", "01.01.2024"), ("30Nov2023", "01Dec2023")]
)
def test_sessions_are_listed_in_order_of_time(tmp_path, name, days):
    names = [name.format(m, day, end) for m in M for day in days for end in (".tif", ".csv")]
    config, text = made_text(tree(tmp_path, *names))
    assert list(config["mice"]) == [*M]
    for sessions in config["mice"].values():
        assert [next(day for day in days if day in one) for one in sessions] == [*days]
    assert "order of time" not in text and "pause for" not in text


def test_dates_that_tell_no_order_of_sessions_are_said(tmp_path):
    names = [f"{m}_{day}{end}" for m in M for day in ("03-01-2024", "02-02-2024")
             for end in (".tif", ".csv")]  # fmt: skip
    assert "CHECK: dates in names begin with the month, the day or the year" in spoken(
        made_text(tree(tmp_path, *names))[1]
    )


@pytest.mark.parametrize(
    "copy", ["rec_backup.tif", "rec - Copy.tif", "rec_bak.tif", "rec copy.tif"]
)
def test_a_copy_beside_a_movie_is_no_session(tmp_path, copy):
    config, text = made_text(tree(tmp_path, *in_each(DAILY, "rec.tif", copy, "speed.csv")))
    assert [len(sessions) for sessions in config["mice"].values()] == [2, 2, 2]
    assert config["recordings"]["movie"].endswith("/rec.tif")
    said = f"sessions have several movies; {DAILY[0]}rec.tif is taken, not {DAILY[0]}{copy}, and"
    assert said in spoken(text)


def test_light_that_is_not_paired_names_a_movie_not_a_session(tmp_path):
    names = in_each(DAILY, "blue.tif", "violet.tif", "speed.csv")
    config, text = made_text(tree(tmp_path, *(set(names) - {"m2/20240102/violet.tif"})))
    assert config["corrections"] == {
        "channels": 2,
        "reference_channel": 2,
        "hemodynamics": "regression",
    }
    assert config["recordings"]["wavelengths"] == "separate"
    assert [len(sessions) for sessions in config["mice"].values()] == [2, 2, 2]
    assert "not all sessions have files of the same wavelengths" in text


def test_headers_tell_movies_from_recorders_where_names_do_not(tmp_path):
    folder = tmp_path / "data"
    for mouse in M:
        (folder / mouse).mkdir(parents=True)
        with h5py.File(folder / mouse / "20240101.h5", "w") as file:
            file["x"] = np.zeros((20, 8, 8), "u1")
        with h5py.File(
            folder / mouse / "20240101_a.h5", "w"
        ) as file:  # 3 channels, the larger file
            file["x"] = np.zeros((3, 9000))
        (folder / mouse / "20240101_b.h5").write_bytes(b"damaged")
    config, _ = made_text(folder)
    assert config["recordings"]["movie"] == f"{folder}/{{mouse}}/{{session}}.h5"
    assert config["mice"] == {mouse: ["20240101"] for mouse in M}


def test_settings_that_files_ask_for_are_written(tmp_path):
    config, text = made_text(tree(tmp_path, *TREES["IBL, raw"][0]))
    assert (
        config["recordings"]
        | {
            "behavior_encoder": "_ibl_wheel.position",
            "behavior_time": "_ibl_wheel.timestamps",
            "counts_per_turn": 6.2832,  # position is in rad
        }
        == config["recordings"]
    )
    config, _ = made_text(tree(tmp_path / "vc", *TREES["WidefieldImager, reduced"][0]))
    assert config["recordings"]["movie_dataset"] == ["U", "Vc"]
    assert config["recordings"]["frame_times"].endswith("{mouse}/{session}/frameTimes.mat")
    raw = [f"{day}{n}" for day in DAILY for n in ("a.tif", "imaging.imagingLightSource.npy")]
    config, text = made_text(tree(tmp_path / "raw", *raw))
    assert config["recordings"]["light_sources"].endswith("/imaging.imagingLightSource.npy")
    assert "signal_channel: 1   # CHECK: its value in light_sources" in text
    assert config["corrections"]["hemodynamics"] == "regression"
    corrected = [name.replace("a.tif", "a_hemocorrected.tif") for name in raw]  # no other light
    config, _ = made_text(tree(tmp_path / "corrected", *corrected))
    assert config["corrections"] == {"signal_channel": 1}
    _, text = made_text(tree(tmp_path / "h5", *TREES["Allen"][0]))
    assert "CHECK: axes of the movie are taken as TYX" in text
    config, text = made_text(tree(tmp_path / "dat", *TREES["Umit"][0]))
    assert "movie_shape" not in config["recordings"]  # fluo.mat says it
    bare = [f"{day}movie.raw" for day in DAILY]
    _, text = made_text(tree(tmp_path / "raw pixels", *bare))
    assert "movie_shape: null   # FILL IN: [height, width] of these pixels" in text


def test_layouts_are_told_by_name_with_their_channels_and_what_lies_beside(tmp_path):
    raw = [f"{day}frames_2_24_32_uint16.dat" for day in DAILY]
    config, text = made_text(tree(tmp_path / "labcams", *raw))
    assert config["corrections"]["channels"] == config["corrections"]["reference_channel"] == 2
    assert "channels: 2   # CHECK: in turn, the first one of calcium?" in text
    one = [f"{day}V1_S1_1_24_32_uint16.dat" for day in DAILY]
    config, _ = made_text(tree(tmp_path / "one", *one))
    assert "corrections" not in config
    trials = [f"{day}Frames_2_32_24_uint16_000{n}.dat" for day in DAILY for n in (1, 2, 3)]
    config, _ = made_text(tree(tmp_path / "trials", *trials))
    assert config["recordings"]["movie"].endswith("/Frames_2_32_24_uint16_*.dat")
    assert len(config["mice"]) == 3 and config["corrections"]["channels"] == 2
    harvey = [f"{day}{name}" for day in DAILY for name in ("Delta_F.h5", "Generous_Mask.npy")]
    config, text = made_text(tree(tmp_path / "harvey", *harvey))
    assert config["recordings"]["movie_mask"].endswith("{mouse}/{session}/Generous_Mask.npy")
    assert "axes of the movie" not in text


@pytest.mark.parametrize(("of", "paired"), [("m1", 6), ("m9", 5)])
def test_files_of_another_clock_are_paired_by_it(tmp_path, of, paired):
    """Two sessions a day: a wheel begins some seconds before or after its movie, of its mouse."""
    names = [f"{of}_20240101_142958_wheel.csv", "m1_20240101_160103_wheel.csv"]
    for m in ("m1", "m2", "m3"):
        names += [f"{m}_20240101_143005.tif", f"{m}_20240101_160000.tif"]
    for m in ("m2", "m3"):
        names += [f"{m}_20240101_142958_wheel.csv", f"{m}_20240101_160103_wheel.csv"]
    _, text = made(tree(tmp_path, *names))
    assert f"{paired} files are paired with movies by the time in their names" in spoken(text)
    links = [line for line in text.splitlines() if "ln -s" in line and "wheel.csv" in line]
    assert len(links) == paired
    for line in links:
        source, target = line.split()[-2:]
        assert ("142958" in source) == ("143005" in target)


@pytest.mark.parametrize(
    ("file", "seconds"),
    [
        ("m1_20240101_143958", 593),
        ("m1_20240101_142005", 600),  # either way
        ("m1_20240101_144006", None),  # later by more than ten minutes
        ("m2_20240101_143005", None),
        ("20240101_143005", 0),  # of no animal by its name
        ("m1_20240102_143005", None),
        ("m1_20240101", None),
        ("m1_20240101_1430", 5),  # to the minute
        ("m1_20240101_12-00-00_14-30-05", 0),  # the last of two
        ("m1_20231231_20240101_143005", 0),
        ("m1_20240101_14.30.06.500", 1),
    ],
)
def test_a_file_is_of_a_session_that_began_within_ten_minutes_and_has_none(file, seconds):
    def session(**files):
        name = "m1_20240101_143005"
        return Session(None, Place((name,), parsed(PurePosixPath(f"{name}.tif"), name)), (), files)

    path, bare, full = PurePosixPath(f"{file}.csv"), session(), session(behavior="own.csv")
    found = by_clock.pair_by_clock("behavior", [path], [bare])
    assert found == ([] if seconds is None else [(path, bare, seconds)])
    assert bare.files == ({} if seconds is None else {"behavior": path})
    assert by_clock.pair_by_clock("behavior", [path], [full]) == []
    assert full.files == {"behavior": "own.csv"}
    assert by_clock.pair_by_clock("behavior", [path], [session(behavior=path), session()]) == []


@pytest.mark.parametrize(
    ("begun", "files", "paired"),
    [
        (["1430"], ["142958", "143005"], {"1430": "142958"}),  # two of one session: the nearest
        (["1430"], ["143005", "142958"], {"1430": "142958"}),
        (["1430"], ["142955", "143005"], {}),  # which of two that are as near?
        (["1430", "1440"], ["143600"], {"1440": "143600"}),  # one of two sessions
        (["1430", "1440"], ["143500"], {}),
        (["1430", "1440"], ["143600", "144001"], {"1440": "144001"}),  # the other is of neither
        (["1430", "1440"], ["144001", "143001"], {"1430": "143001", "1440": "144001"}),
    ],
)
def test_a_file_and_a_session_are_paired_if_each_is_nearest_the_other(begun, files, paired):
    def named(time):
        return PurePosixPath(f"m1_20240101_{time}.csv")

    places = [Place((p.stem,), parsed(p, p.stem)) for p in map(named, begun)]
    sessions = [Session(None, place, (), {}) for place in places]
    found = by_clock.pair_by_clock("behavior", map(named, files), sessions)
    wanted = {begin: named(time) for begin, time in paired.items()}
    of = zip(begun, sessions, strict=True)
    assert {begin: s.files["behavior"] for begin, s in of if s.files} == wanted
    assert {path for path, *_ in found} == {*wanted.values()}


def test_movies_and_components_are_in_the_order_of_their_paths():
    a, b, c = (PurePosixPath(f"{day}/m1.npy") for day in ("d1", "d2", "d3"))
    assert [unit.files for unit in units_of({c: 0, a: 0}, [], [b])] == [(a,), (b,), (c,)]


def test_links_to_folders_above_are_no_trap(tmp_path):
    folder = tree(tmp_path, "m1/a.tif", "m2.zarr/0/0", "results/x.tif")
    (folder / "m1" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "gone.tif").symlink_to(folder / "nothing")
    assert [str(path) for path in discover.files_in(folder)] == ["m1/a.tif", "m2.zarr"]
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/b.tif").touch()
    (folder / "m3").symlink_to(tmp_path / "disk", target_is_directory=True)
    found = [str(path) for path in discover.files_in(folder)]
    assert found == ["m1/a.tif", "m2.zarr", "m3/b.tif"]


def test_links_to_files_of_the_folder_are_no_other_files(tmp_path):
    """Those that an earlier config reads are in it, where `init` is run on the folder itself."""
    folder = tree(tmp_path, "m1/a.tif", "m2.zarr/0/0", "results/x.tif")
    (tmp_path / "b.tif").touch()
    (folder / "links").mkdir()
    leads = {"1": "m1/a.tif", "2": "../b.tif", "3": "results/x.tif", "4": "links/1.tif"}
    for name, source in leads.items():
        (folder / f"links/{name}.tif").symlink_to(folder / source)
    (folder / "links/5.zarr").symlink_to(folder / "m2.zarr", target_is_directory=True)
    assert [str(path) for path in discover.files_in(folder)] == [
        *("links/2.tif", "links/3.tif", "m1/a.tif", "m2.zarr")
    ]


WORD = st.text(st.sampled_from("ab12ü _-.{}'\"#:\n"), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WORD, WORD, st.sampled_from([".tif", "_speed.csv", ".h5"])), min_size=1))
def test_whatever_the_names_the_config_is_one_or_says_what_is_not(names):
    paths = [
        PurePosixPath("x", folder.strip("./") or "y", stem.strip(".") + end)
        for folder, stem, end in names
    ]
    files = {path: 9 for path in paths if str(path).isprintable()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discover, "files_in", lambda folder: dict(sorted(files.items())))
        try:
            text = config_text.config_text(discover.look(ROOT))
        except UserError as error:
            assert "no movie in it" in str(error)
            return
    config = yaml.safe_load(text)
    try:
        study = studies.resolve(config)
    except UserError as error:
        assert f"# FILL IN: {error}" in text
    else:
        n_movies = sum(path.suffix == ".tif" for path in files)
        assert len(study.mouse_of) == len(set(study.mouse_of)) and study.mouse_of
        assert len(study.mouse_of) <= max(n_movies, len(files))


def test_the_verb_writes_a_config_once(tmp_path, capsys):
    folder, out = tree(tmp_path, *LAYOUTS["simulated"][0]), tmp_path / "my lab.yaml"
    assert main(["init", str(folder), "--out", str(out)]) == 0
    assert "CHECK: frames/s" in capsys.readouterr().err
    study = studies.load(out)
    assert (
        study.name == "data" and next(iter(study.allocations)) == "train-m3+m4+m5.valid-m2.test-m1"
    )
    assert main(["init", str(folder), "--out", str(out)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["init", str(folder)]) == 0
    # beside the file of a config lies the schema that its first line names, for editors
    first, rest = out.read_text().split("\n", 1)
    assert capsys.readouterr().out == rest
    assert first.startswith("# yaml-language-server: $schema=")
    described = json.loads((tmp_path / first.partition("=")[2]).read_text())
    jsonschema.validate(yaml.safe_load(rest), described)
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "m1.tif").touch()
    assert main(["init", str(tmp_path / "alone"), "--out", str(tmp_path / "b.yaml")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "FILL IN: config: recordings: 'movie' and 'behavior' say where" in "|".join(lines)
    assert not any(line.startswith("#") for line in lines)
    (tmp_path / "empty").mkdir()
    for bad, words in (
        (tmp_path / "none", "no such folder"),
        (tmp_path / "empty", "no movie in it"),
    ):
        assert main(["init", str(bad)]) == 1
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1


def test_files_of_a_day_with_numbers_from_0_on_are_parts_and_no_times(tmp_path):
    names = [f"m{m}/20240101_{i:04d}.tif" for m in range(1, 6) for i in range(4)]
    config, _ = made_text(tree(tmp_path, *names, *(f"m{m}/20240101.csv" for m in range(1, 6))))
    assert config["mice"] == {f"m{m}": [f"m{m}"] for m in range(1, 6)}
    assert config["recordings"]["movie"].endswith("/data/{session}")


def test_of_two_versions_of_a_movie_the_last_one_made_is_taken(tmp_path):
    names = [f"m{m}_s1_{made}.tif" for m in range(1, 6) for made in ("dff", "hemocorrected", "raw")]
    config, _ = made_text(tree(tmp_path, *names, *(f"m{m}_s1.csv" for m in range(1, 6))))
    assert config["recordings"]["movie"].endswith("/{session}_hemocorrected.tif")


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("mouse 20240101", "name date"),
        ("x_mouse20240101", "name name date"),
        ("m20240101_s1", "name date count"),
        ("mouse 2024", "subject"),
        ("mouse anna", "subject"),
        ("sub day 3", "name count"),
        ("mouse_20240101a", "name date count"),
    ],
)
def test_a_date_after_the_word_mouse_is_no_animal(name, kinds):
    assert " ".join(token.kind for token in file_names.tokens(name)) == kinds


@pytest.mark.parametrize(
    ("name", "program", "channels"),
    [
        ("m1_2_540_640_uint16.dat", "labcams or wfield", 2),
        ("2_540_640_uint16.dat", "labcams or wfield", 2),
        ("run_2_540_640_uint16_00000000.dat", "labcams or wfield", 2),
        ("m1_540_640_uint16.dat", "labcams or wfield", 1),
        ("m1_20240115_540_640_uint16.dat", "labcams or wfield", 1),  # a date, no 15 channels
        ("20240102_540_640_uint16.dat", "labcams or wfield", 1),
        ("rec_30_540_640_uint16.dat", "labcams or wfield", 1),  # as preprocess takes it
        ("Frames_2_640_540_uint16_0001.dat", "WidefieldImager, trials", 2),
        ("Frames_0001.dat", "WidefieldImager, trials", 2),
    ],
)
def test_channels_of_a_flat_file_are_a_number_of_its_own(name, program, channels):
    layout, found = layout_of(PurePosixPath(name))
    assert (layout.program, found) == (program, channels)


@pytest.mark.parametrize("suffix", [".mat", ".MAT"])
def test_files_of_no_telling_name_are_said_to_be_taken_for_behaviour(tmp_path, suffix):
    folder = tree(tmp_path, *(f"{m}_s1{end}" for m in M for end in (".tif", suffix)))
    assert f"CHECK: m1_s1{suffix} and the like are taken for behaviour" in spoken(made(folder)[1])
