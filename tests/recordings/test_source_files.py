"""The files of a study before they are recordings: how large, whose, and whether all are there."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from mesodecode.recordings import source_files
from mesodecode.study import study as studies
from told import assert_told

TOLD = Path(__file__).with_name("told")
GRAY = {"photometric": "minisblack"}
STACK = np.arange(7 * 40 * 50, dtype=np.uint16).reshape(7, 40, 50)


def study(**changes):
    recordings = {"movie": "data/{session}.tif", "behavior": "data/{session}.csv"}
    config = {
        "study": "lab",
        "recordings": recordings | changes.pop("recordings", {}),
        "mice": {"a": ["a1", "a2"]} | {mouse: [f"{mouse}1"] for mouse in "bcde"},
        "decoders": {"linear": {"model": "logistic_regression"}},
    }
    return studies.resolve(config | changes)


SESSIONS = ("a1", "a2", "b1", "c1", "d1", "e1")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()


def write(*sessions, kinds=("tif", "csv")):
    for session in sessions:
        for kind in kinds:
            Path(f"data/{session}.{kind}").write_text(session)


def test_frames_and_bytes_of_a_movie_by_its_first_page(capsys):
    def size(write, **changes):
        for session in SESSIONS:
            write(f"data/{session}.tif")
        return source_files.movie_sizes(study(**changes))["b1"]

    def pages(path):
        with tifffile.TiffWriter(path) as writer:
            for i, page in enumerate(STACK[:3]):
                one = page if i == 0 else page[:20].astype("u1")
                writer.write(one, contiguous=False, metadata=None, **GRAY)

    cases = {
        "a stack": lambda: size(lambda path: tifffile.imwrite(path, STACK, metadata=None, **GRAY)),
        "a stack of one page": lambda: size(
            lambda path: tifffile.imwrite(path, STACK[0], metadata=None, **GRAY)
        ),
        "a packed stack": lambda: size(
            lambda path: tifffile.imwrite(path, STACK, compression="zlib", **GRAY)
        ),
        "a packed page": lambda: size(
            lambda path: tifffile.imwrite(path, STACK[0], compression="zlib", **GRAY)
        ),
        "pages that shrink": lambda: size(pages),
        "pages that shrink, of a suffix in upper case": lambda: size(
            lambda path: pages(path.replace(".tif", ".TIF")),
            recordings={"movie": "data/{session}.TIF"},
        ),
        "two channels": lambda: size(
            lambda path: tifffile.imwrite(path, STACK, metadata=None, **GRAY),
            corrections={"channels": 2},
        ),
        "another image size": lambda: size(
            lambda path: tifffile.imwrite(path, STACK, metadata=None, **GRAY), image_size=8
        ),
        "no TIFF": lambda: size(lambda path: Path(path).write_bytes(b"II*\0")),
        "still to be fetched": lambda: source_files.movie_sizes(
            study(fetch="zenodo:1", recordings={"movie": "other/{session}.tif"})
        )["b1"],
        "one of two still to be fetched": lambda: source_files.movie_sizes(
            study(
                fetch="zenodo:1",
                recordings={"movie": ["data/{session}.tif", "other/{session}.tif"]},
            )
        )["b1"],
        "another format": lambda: size(
            lambda path: np.save(path.replace(".tif", ".npy"), STACK),
            recordings={"movie": "data/{session}.npy"},
        ),
        "several files": lambda: size(
            lambda path: [
                tifffile.imwrite(path.replace(".tif", f"_{i}.tif"), STACK, **GRAY) for i in (1, 2)
            ],
            recordings={"movie": "data/{session}_*.tif"},
        ),
    }
    assert_told(cases, TOLD / "movie_sizes.txt", capsys)


def test_of_a_session_with_a_recording_that_is_measured():
    made = Path("results/lab/recordings/a2.h5")
    made.parent.mkdir(parents=True)
    for session in SESSIONS:
        tifffile.imwrite(f"data/{session}.tif", STACK, **GRAY)
    with h5py.File(made, "w") as file:
        file["frames"] = np.zeros((11, 3, 2), np.float32)
    found = source_files.movie_sizes(study())
    assert found == dict.fromkeys(SESSIONS, (7, 28000)) | {"a2": (11, 264)}
    assert source_files.movie_sizes(study(image_size=8))["a2"] == (11, 11 * 64 * 4)
    assert source_files.unread(study()) == [s for s in SESSIONS if s != "a2"]
    file = h5py.File(made.with_name("b1.h5"), "w")
    file.close()
    with pytest.raises(Exception, match=r"b1\.h5: not a preprocessed recording"):
        source_files.movie_sizes(study())


def test_whether_all_files_are_there_and_of_one_session_each(capsys):
    def data(**changes):
        found = source_files.data(study(**changes))
        return [found.state, found.words]

    def made(*sessions):
        folder = Path("results/lab/recordings")
        folder.mkdir(parents=True, exist_ok=True)
        for session in sessions:
            (folder / f"{session}.h5").touch()
        return data()

    def link(target, name):
        Path(name).unlink(missing_ok=True)
        os.link(target, name)
        return data()

    def beside(*names):
        for name in names:
            Path("data", name).touch()
        return data(recordings={"movie": "data/{session}*.tif"})

    def first():
        write(*SESSIONS)
        return data()

    def removed(*names):
        for name in names:
            Path(name).unlink()
        return data()

    rois = {"rois": "data/{session}.mat"}
    cases = {
        "none": data,
        "none, with patterns": lambda: data(recordings={"movie": "data/{session}_*.tif"}),
        "none, to be fetched": lambda: data(fetch="zenodo:1"),
        "none, by patterns, to be fetched": lambda: data(
            fetch="zenodo:1", recordings={"movie": "data/{session}_*.tif"}
        ),
        "none, from home": lambda: data(recordings={"movie": "~/{session}.tif"}),
        "all": first,
        "all but one": lambda: removed("data/b1.csv"),
        "all but one, which is recorded": lambda: made("b1"),
        "one movie of two sessions": lambda: link("data/a1.tif", "data/c1.tif"),
        "one movie of two sessions of a mouse": lambda: link("data/a1.tif", "data/a2.tif"),
        "one file of behaviour": lambda: [
            os.remove("data/a2.tif"),
            os.remove("data/c1.tif"),
            write("a2", "c1", kinds=["tif"]),
            link("data/a1.csv", "data/c1.csv"),
        ][-1],
        "one file of ROI signals": lambda: [
            write(*SESSIONS, kinds=["mat"]),
            link("data/a1.mat", "data/d1.mat"),
            data(recordings=rois),
        ][-1],
        "parts that are no series": lambda: beside("a1_x.tif", "a1_other.tif"),
    }
    assert_told(cases, TOLD / "data.txt", capsys)
