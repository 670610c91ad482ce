"""Which files a recording was made of: what is made again when they change, and what is not."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from make import LINEAR, plan, snakemake
from mesodecode.base.files import UserError, sha256
from mesodecode.running import fingerprints
from mesodecode.running.fingerprints import Comparison, Watched, compare

FRAMES = np.arange(24 * 6 * 7, dtype=np.uint16).reshape(24, 6, 7)


def recorded(record: Path, revision: str = "", **sources) -> None:
    watched = Watched(sources)
    watched.fingerprints()
    watched.write(record, revision)


def in_place(path: Path, data: bytes) -> None:
    """Write other bytes, as many, and put the date back."""
    before = path.stat()
    assert len(data) == before.st_size and data != path.read_bytes()
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def made(tmp_path, monkeypatch) -> Path:
    """A movie of each kind with its behaviour, and the record of all of them."""
    monkeypatch.chdir(tmp_path)
    for name in ("file.tif", "parts/1.tif", "parts/2.tif", "folder/1.tif", "folder/2.tif"):
        Path(name).parent.mkdir(exist_ok=True)
        tifffile.imwrite(name, FRAMES, photometric="minisblack")
    zarr.save_array("store.zarr", FRAMES)
    Path("traces").mkdir()
    np.save("traces/speed.npy", np.arange(9))
    return tmp_path


SOURCES = {
    "file": "file.tif",
    "pattern": "parts/*.tif",
    "list": ["parts/1.tif", "parts/2.tif"],
    "folder": "folder",
    "store": "store.zarr",
    "traces": "traces",
    "none": None,
}
PARTS = {
    "file": "file.tif",
    "pattern": "parts/2.tif",
    "list": "parts/1.tif",
    "folder": "folder/2.tif",
    "traces": "traces/speed.npy",
    "store": "store.zarr/c/0/0/0",
}


def test_the_same_files_are_the_same_without_being_read(made, monkeypatch):
    assert compare("r.json", SOURCES) == Comparison()  # nothing is known of them
    recorded("r.json", **SOURCES)
    monkeypatch.setattr(fingerprints, "sha256", None)
    assert compare("r.json", SOURCES) == Comparison(same=True)


@pytest.mark.parametrize("kind", PARTS)
def test_touched_and_copied_files_are_the_same_and_read_once(made, monkeypatch, kind):
    recorded("r.json", **SOURCES)
    part = Path(PARTS[kind])
    shutil.copyfile(part, "copy")
    os.replace("copy", part)
    os.utime(part, (1.7e9, 1.7e9))
    assert compare("r.json", SOURCES) == Comparison(same=True)
    monkeypatch.setattr(fingerprints, "sha256", None)
    assert compare("r.json", SOURCES) == Comparison(same=True)


@pytest.mark.parametrize("kind", PARTS)
def test_bytes_that_change_in_place_are_seen_whatever_their_date(made, kind):
    recorded("r.json", **SOURCES)
    part = Path(PARTS[kind])
    data = part.read_bytes()
    in_place(part, data[:-1] + bytes([data[-1] ^ 1]))
    found = compare("r.json", SOURCES)
    assert not found.same and len(found.revision) == 12
    name = ", ".join(SOURCES[kind]) if kind == "list" else SOURCES[kind]
    assert name in found.changed
    assert compare("r.json", SOURCES) == found  # as each job of a cluster finds too
    recorded("r.json", found.revision, **SOURCES)
    assert compare("r.json", SOURCES) == Comparison(True, found.revision)
    in_place(part, data)  # and back: other files than those of the last record
    assert compare("r.json", SOURCES).revision not in ("", found.revision)


def test_an_older_file_of_another_size_is_not_read(made, monkeypatch):
    recorded("r.json", movie="file.tif")
    tifffile.imwrite("file.tif", FRAMES[:9], photometric="minisblack")
    os.utime("file.tif", (1.7e9, 1.7e9))
    monkeypatch.setattr(fingerprints, "sha256", None)
    assert compare("r.json", {"movie": "file.tif"}).changed == ("file.tif",)


def test_a_large_file_that_is_read_again_is_said(made, monkeypatch, capsys):
    recorded("r.json", movie="file.tif")
    size = Path("file.tif").stat().st_size
    for large, said in ((size, ""), (size - 1, "file.tif: has other dates; comparing its cont")):
        monkeypatch.setattr(fingerprints, "LARGE", large)
        os.utime("file.tif", (1.7e9 + large, 1.7e9))
        assert compare("r.json", {"movie": "file.tif"}) == Comparison(same=True)
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "same"),
    [
        *(("folder/3.tif", False), ("folder/3.TIFF", False)),
        *(("folder/notes.txt", True), ("folder/.x.tif", True)),
    ],
)
def test_files_that_are_read_of_a_folder_count(made, name, same):
    recorded("r.json", movie="folder")
    Path(name).write_bytes(b"x")
    assert compare("r.json", {"movie": "folder"}).same == same
    Path(name).unlink()
    Path("folder/suite2p").mkdir()
    assert compare("r.json", {"movie": "folder"}).same


def test_all_files_beside_an_index_of_spooled_frames_count(made):
    """An index (.sifx) names the files of frames in its folder, whatever these are called."""
    for name in ("a.SIFX", "1spool.dat"):
        Path("traces", name).write_bytes(b"x")
    recorded("r.json", movie="traces/a.SIFX")
    Path("traces/2spool.dat").write_bytes(b"y")
    assert not compare("r.json", {"movie": "traces/a.SIFX"}).same
    Path("traces/preview.tif").write_bytes(b"z")  # in a folder without an index it is the movie
    recorded("r.json", movie="traces")
    Path("traces/2spool.dat").write_bytes(b"z")
    assert not compare("r.json", {"movie": "traces"}).same


def test_what_is_missing_or_named_otherwise_is_left_to_snakemake(made):
    recorded("r.json", "abc", movie="file.tif", behavior="traces")
    other = {"movie": "parts/1.tif", "behavior": "traces"}
    assert compare("r.json", other) == Comparison(False, "abc")
    assert compare("r.json", {"movie": "file.tif"}) == Comparison(False, "abc")
    more = {"movie": "file.tif", "behavior": "traces", "rois": "parts/1.tif"}
    assert compare("r.json", more) == Comparison(False, "abc")
    Path("file.tif").unlink()
    assert compare("r.json", {"movie": "file.tif", "behavior": "traces"}).revision == "abc"


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "{}", "\xff", '{"revision": "", "sources": {"a": {}}}'),
        '{"revision": "", "sources": []}',
        '{"revision": 1, "sources": {}}',
    ],
)
def test_a_damaged_record_says_nothing(made, text):
    Path("r.json").write_text(text, encoding="latin-1")
    assert compare("r.json", {"movie": "file.tif"}) == Comparison()


def test_a_file_that_changes_while_it_is_read(made):
    watched = Watched({"movie": "folder"})
    tifffile.imwrite("folder/3.tif", FRAMES, photometric="minisblack")
    with pytest.raises(UserError, match="folder: changed while it was read; start again"):
        watched.fingerprints()
    watched = Watched({"behavior": "traces", "movie": "file.tif", "none": None})
    assert [name for name, _ in watched.fingerprints().values()] == ["traces", "file.tif"]
    path = Path("file.tif")  # written again, as long as before
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, (1.7e9, 1.7e9))
    with pytest.raises(UserError, match=r"file\.tif: changed while it was read; start again"):
        watched.fingerprints()


# With Snakemake: a movie that is a file, a folder, and a Zarr store


def study(folder: Path) -> dict:
    (folder / "data").mkdir()
    tifffile.imwrite(folder / "data/a.tif", FRAMES, photometric="minisblack")
    (folder / "data/a.tif").rename(folder / "data/a")
    (folder / "data/b").mkdir()
    tifffile.imwrite(folder / "data/b/1.tif", FRAMES, photometric="minisblack")
    zarr.save_array(folder / "data/c", FRAMES)
    for name in "abc":
        labels = ["runrest", *["0"] * 12, *["1"] * 12]
        (folder / f"data/{name}.csv").write_text("\n".join(labels) + "\n")
    recordings = {"movie": "data/{session}", "behavior": "data/{session}.csv", "frame_rate": 30}
    mice = {f"m{name}": [name] for name in "abc"}
    return {
        "study": "lab",
        "recordings": recordings,
        "mice": mice,
        "allocation": {"train": 1},
        "decoders": {"linear": LINEAR},
    }


@pytest.mark.slow
def test_recordings_of_changed_sources_are_made_again_and_no_others(tmp_path):
    config, data = study(tmp_path), tmp_path / "data"
    lists = [f"results/lab/recordings/m{name}.txt" for name in "abc"]
    done = snakemake(tmp_path, "--cores", "1", *lists, config=config, warm=True)
    assert done.returncode == 0, done.stdout + done.stderr
    known = json.loads((tmp_path / "results/lab/sources/a.json").read_text())
    assert known["sources"]["movie"]["sha256"] == sha256(data / "a")
    for path in (data / "a", data / "a.csv", data / "b/1.tif", data / "c/zarr.json"):
        path.touch()
    shutil.copytree(data / "b", tmp_path / "copy")
    shutil.rmtree(data / "b")
    (tmp_path / "copy").rename(data / "b")
    assert plan(tmp_path, *lists, config=config)[0] == {}

    other = tmp_path / "other.tif"
    tifffile.imwrite(other, FRAMES[::-1], photometric="minisblack")
    os.utime(other, (1.7e9, 1.7e9))
    shutil.copy2(other, data / "a")
    in_place(data / "b/1.tif", other.read_bytes())
    done = snakemake(tmp_path, "--cores", "1", *lists, config=config, warm=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "data/a: changed since results of session a were made" in said
    assert "data/b: changed since results of session b were made" in said
    assert "--session=c" not in said and said.count("Preprocessing session") == 2
    shutil.rmtree(data)  # archived
    assert plan(tmp_path, *lists, config=config)[0] == {}


@pytest.mark.slow
def test_simulated_recordings_follow_their_settings(tmp_path):
    mice = {f"m{name}": [name] for name in "abc"}
    settings = {"n_frames": 300, "image_size": 32}
    config = {"study": "sim", "simulate": settings, "mice": mice, "decoders": {"linear": LINEAR}}
    config["allocation"] = {"train": 1}
    target = "results/sim/recordings/a.h5"
    done = snakemake(tmp_path, "--cores", "1", target, config=config, warm=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert plan(tmp_path, target, config=config)[0] == {}
    jobs, _ = plan(tmp_path, target, config=config | {"simulate": settings | {"seed": 9}})
    assert jobs["simulate"] == jobs["preprocess"] == 1


def test_a_pipe_is_not_waited_for(tmp_path):
    """Who reads a session says what is wrong with it; the thread that hashes must not keep it."""
    os.mkfifo(tmp_path / "x.tif")
    with pytest.raises(OSError, match="a pipe or device"):
        fingerprints.fingerprint(tmp_path / "x.tif")
    with pytest.raises(IsADirectoryError):
        sha256(tmp_path)
    with (
        pytest.raises(UserError, match="said by the reader"),
        fingerprints.Watched({"movie": tmp_path / "x.tif"}),
    ):
        raise UserError("said by the reader")


def test_what_fails_does_not_wait_for_its_files_to_be_hashed(monkeypatch):
    told = threading.Event()

    def hashing(source, stopped):
        for _ in range(500):
            if stopped():
                told.set()
                break
            time.sleep(0.002)
        return source, ""

    monkeypatch.setattr(fingerprints, "fingerprint", hashing)
    with pytest.raises(UserError), Watched({"movie": "m.tif"}):
        raise UserError("no frames in it")
    assert told.is_set()
