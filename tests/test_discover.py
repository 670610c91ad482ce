"""A first config from a folder: layouts that labs have, and folders that no config fits."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path, PurePosixPath

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mesodecode import cohort, discover
from mesodecode.cli import main
from mesodecode.files import UserError

ROOT = Path(__file__).parents[1]


def tree(folder: Path, *names: str) -> Path:
    """Make files; movies are the larger ones."""
    for name in names:
        path = folder / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (999 if path.suffix in (".tif", ".h5", ".npy") else 9))
    return folder / "data"


def made(folder: Path) -> tuple[cohort.Study, str]:
    """The study of the config that is written for a folder, and its text."""
    text = discover.config_text(discover.look(folder))
    return cohort.resolve(yaml.safe_load(text)), text


def check_paths(study: cohort.Study, *kinds: str) -> None:
    for session in study.mouse_of:
        for kind in kinds:
            paths = study.source(kind, session)
            for path in [paths] if isinstance(paths, str) else paths:
                assert Path(path).exists(), (kind, session)


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
        {f"sub-{m}": [f"sub-{m}_ses-{s}_behavior+ophys" for s in "12"] for m in "abc"},
        None,
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_labs(tmp_path, layout):
    names, mice, patterns = LAYOUTS[layout]
    study, text = made(tree(tmp_path, *names))
    if patterns is None:  # '+' is in no session's name: linked
        assert {mouse: len(sessions) for mouse, sessions in study.mice.items()} == {
            mouse: len(sessions) for mouse, sessions in mice.items()
        }
        assert "ln -s" in text
        return
    assert study.mice == mice
    recordings = study.config["recordings"]
    folder = str(tmp_path / "data")
    for kind, pattern in patterns.items():
        names = [pattern] if isinstance(pattern, str) else pattern
        wanted = [f"{folder}/{name}" for name in names]
        assert recordings[kind] == (wanted[0] if isinstance(pattern, str) else wanted)
    check_paths(study, *patterns)
    assert "FILL IN" not in text.replace("CHECK or FILL IN", "") and "ln -s" not in text


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


REPEATED = [
    f"{kind}/mouse{m}/2018010{d}{end}"
    for m in "ABC"
    for d in (1, 2)
    for kind, end in (("movies", ".tif"), ("speed", ".csv"))
]
NAMED = [f"Maus {m} {s}{end}" for m in "äöü" for s in (1, 2) for end in (".tif", "_speed.csv")]
BIDS = [
    f"sub-{m}/ses-{s}/sub-{m}_ses-{s}_{what}"
    for m in ("01", "02", "03")
    for s in ("01", "02")
    for what in ("widefield.tif", "behavior.tsv")
]


@pytest.mark.parametrize("names", [REPEATED, NAMED, BIDS], ids=["repeated", "Unicode", "BIDS"])
def test_files_that_no_pattern_names_are_linked(tmp_path, monkeypatch, names):
    folder = tree(tmp_path, *names)
    monkeypatch.chdir(tmp_path)
    study, text = made(folder)
    assert [len(sessions) for sessions in study.mice.values()] == [2, 2, 2]
    commands = [line[4:] for line in text.splitlines() if line[4:].startswith(("mkdir", "ln "))]
    for command in commands:
        subprocess.run(shlex.split(command), check=True)
    check_paths(study, "movie", "behavior")
    for session in study.mouse_of:  # a movie and its own behaviour
        movie, behavior = (Path(study.source(k, session)).resolve() for k in ("movie", "behavior"))
        assert behavior.name.startswith(movie.stem.replace("_widefield", ""))
        assert movie.parent.name == behavior.parent.name or names is NAMED


def test_what_is_missing_is_said(tmp_path):
    names = [f"{m}_s1{end}" for m in "abcd" for end in (".tif", "_behavior.mat", "_roi.mat")]
    names = [name for name in names if name not in ("b_s1_behavior.mat", "c_s1_roi.mat")]
    study, text = made(tree(tmp_path, *names, "notes.txt", "mask.png", ".hidden.tif"))
    assert "FILL IN: no behaviour found for b_s1;" in text
    assert "ROI signals for 3 of 4 sessions only" in text
    assert study.config["recordings"]["rois"] is None
    assert "Files not used: mask.png, notes.txt" in text and "hidden" not in text
    assert study.config["allocation"] == {"train": 2, "valid": 1, "test": 1, "choose": "all"}


def test_what_no_study_can_be_made_of_is_said_in_the_first_line(tmp_path):
    days = [f"2020010{d}{end}" for d in (1, 2) for end in (".tif", "_speed.mat")]
    text = discover.config_text(discover.look(tree(tmp_path, *days)))
    assert text.startswith("# FILL IN: config: mice: 1 mice are fewer than")
    assert "names do not say which mouse" in text
    assert yaml.safe_load(text)["mice"] == {"FILL_IN": ["20200101", "20200102"]}
    movies = tree(tmp_path / "more", *(f"{m}_s1.tif" for m in "abc"))
    text = discover.config_text(discover.look(movies))
    assert text.startswith("# FILL IN: config: recordings: 'movie' and 'behavior'")
    assert "no behaviour files found" in text


def test_a_session_whose_name_begins_another(tmp_path):
    sessions = ["a_s1", "a_s1_late", "b_s1", "c_s1"]
    names = [f"{s}{end}" for s in sessions[::-1] for end in (".tif", "_speed.mat")]
    study, text = made(tree(tmp_path, *names))
    check_paths(study, "movie", "behavior")
    assert study.config["recordings"]["behavior"].endswith("/{session}_speed.mat")
    assert "otherwise" not in text and "not used" not in text


@pytest.mark.parametrize(
    ("session", "mouse"),
    [
        ("20180125_Emx1G6_LR_1", "Emx1G6_LR_1"),
        *[("m1_s1", "m1"), ("EMXJ25", "EMXJ25"), ("mouse3_004", "mouse3"), ("20200101", "")],
        *[("sub-01_ses-02", "sub-01"), ("GC5-2020-03-04", "GC5"), ("anna run2", "anna")],
        *[("rat_day1_trial3", "rat"), ("2020-03-04_GC5_2", "GC5_2")],
    ],
)
def test_mouse_in_a_name(session, mouse):
    assert discover.mouse_of(session) == mouse


def test_links_to_folders_above_are_no_trap(tmp_path):
    folder = tree(tmp_path, "m1/a.tif", "m2.zarr/0/0", "results/x.tif")
    (folder / "m1" / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "gone.tif").symlink_to(folder / "nothing")
    assert [str(path) for path in discover.files_in(folder)] == ["m1/a.tif", "m2.zarr"]


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
            text = discover.config_text(discover.look(ROOT))
        except UserError as error:
            assert "no movie in it" in str(error)
            return
    config = yaml.safe_load(text)
    try:
        study = cohort.resolve(config)
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
    study = cohort.load(out)
    assert (
        study.name == "data" and next(iter(study.allocations)) == "train-m3+m4+m5.valid-m2.test-m1"
    )
    assert main(["init", str(folder), "--out", str(out)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert main(["init", str(folder)]) == 0
    assert capsys.readouterr().out == out.read_text()
    (tmp_path / "empty").mkdir()
    for bad, words in (
        (tmp_path / "none", "no such folder"),
        (tmp_path / "empty", "no movie in it"),
    ):
        assert main(["init", str(bad)]) == 1
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
