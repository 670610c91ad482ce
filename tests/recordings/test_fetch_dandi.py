"""Files fetched from a dandiset: against a local server of the routes of the archive's API."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h5py
import numpy as np
import pytest
import requests

from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.recordings import dandi, fetch, remote_hdf5
from mesodecode.study import schema

ONE = np.random.default_rng(0).bytes(3_000_000)
FILES = {
    "sub-1/sub-1_ses-a_ophys.nwb": ONE,
    "sub-1/sub-1_ses-b_ophys.nwb": b"second",
    "sub-10/sub-10_ses-a_ophys.nwb": b"another mouse",
    "dataset.csv": b"about",
}
VERSION = "/api/dandisets/001425/versions/0.250101.1200/assets"


def digest(content, sha=True):
    etag = f"{hashlib.md5(hashlib.md5(content).digest()).hexdigest()}-1"
    kinds = {"dandi:dandi-etag": etag}
    return kinds | ({"dandi:sha2-256": hashlib.sha256(content).hexdigest()} if sha else {})


class Archive(BaseHTTPRequestHandler):
    """A dandiset of FILES on pages of two; a download is another address, as at the archive."""

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        site = f"http://127.0.0.1:{server.server_port}"
        names = list(server.files)
        if self.path == "/api/dandisets/001425/":
            return self.answer(200, server.about)
        if match := re.fullmatch(rf"{VERSION}/\?page_size=1000(?:&page=(\d))?", self.path):
            page = int(match[1] or 1)
            shown = names[2 * page - 2 : 2 * page]
            results = [
                {
                    "asset_id": f"uuid{names.index(name)}",
                    "path": name,
                    "size": len(server.files[name]),
                    "zarr": "z" if name.endswith(".zarr") else None,
                }
                for name in shown
            ]
            more = f"{site}{VERSION}/?page_size=1000&page={page + 1}"
            following = server.next or (more if len(names) > 2 * page else None)
            return self.answer(200, {"count": 4, "next": following, "results": results})
        if match := re.fullmatch(rf"{VERSION}/uuid(\d)/info/", self.path):
            content = server.files[names[int(match[1])]]
            return self.answer(200, {"metadata": {"digest": digest(content, server.sha)}})
        if match := re.fullmatch(r"/api/assets/uuid(\d)/download/", self.path):
            self.send_response(302)
            self.send_header("Location", f"{site}/blobs/{match[1]}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if match := re.fullmatch(r"/blobs/(\d)", self.path):
            body, cut = server.files[names[int(match[1])]], None
            asked = self.headers.get("Range") or "bytes=0-"
            if server.whole:
                return self.answer(200, body)
            start, _, end = asked.removeprefix("bytes=").partition("-")
            if end:
                return self.answer(206, body[int(start) : int(end) + 1][: server.short])
            start = int(start)
            if server.cuts:
                cut = server.cuts.pop(0)
            return self.answer(206 if start else 200, body[start:], cut)
        return self.answer(server.refuses, b"")

    def answer(self, status, body, cut=None):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    # This process is server and client at once. h5py holds its lock while it reads from the server:
    # were the server's thread to collect garbage of h5py meanwhile, each would wait for the other.
    gc.disable()
    send = requests.Session.send

    def limited(session, request, **options):
        assert options["timeout"] == 60  # s: none waits for ever
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", limited)
    monkeypatch.setattr(fetch.time, "sleep", lambda seconds: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), Archive) as httpd:
        httpd.files, httpd.asked, httpd.cuts, httpd.sha, httpd.refuses = dict(FILES), [], [], 1, 404
        httpd.whole, httpd.next, httpd.short = False, None, None
        newest = {"most_recent_published_version": {"version": "0.250101.1200"}}
        httpd.about = newest | {"embargo_status": "OPEN"}
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield httpd
        httpd.shutdown()
        thread.join()
    gc.enable()


def run(server, folder, *words, source="dandi:001425@0.250101.1200"):
    site = f"http://127.0.0.1:{server.server_port}/api"
    return main(["fetch", source, "--site", site, "--out", str(folder), *words])


@pytest.mark.parametrize("sha", [True, False])
def test_files_of_a_version_are_there_and_whole(server, tmp_path, capsys, sha):
    """By SHA-256, or by the archive's own digest where it has none yet; broken off once."""
    server.sha, server.cuts = sha, [1_000_000]
    assert run(server, tmp_path) == 0
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {path.rpartition("/")[2]: content for path, content in FILES.items()}
    first, resumed = (r for path, r in server.asked if path == "/blobs/0")
    assert first is None and re.fullmatch(r"bytes=9\d{5}-|bytes=1000000-", resumed)
    assert ("sha256:" if sha else "dandi-etag:") in capsys.readouterr().err
    server.asked.clear()
    assert run(server, tmp_path) == 0
    assert not [path for path, _ in server.asked if "blobs" in path]  # nothing twice


@pytest.mark.parametrize(
    ("source", "words", "names"),
    [
        (
            "dandi:001425@0.250101.1200/sub-1",
            [],
            ["sub-1_ses-a_ophys.nwb", "sub-1_ses-b_ophys.nwb"],
        ),
        ("dandi:001425@0.250101.1200/dataset.csv", [], ["dataset.csv"]),
        ("DANDI:001425/sub-1/", ["--only", "*ses-b*"], ["sub-1_ses-b_ophys.nwb"]),
        ("dandi:001425", ["--only", "sub-10_ses-a_ophys.nwb"], ["sub-10_ses-a_ophys.nwb"]),
        (
            "dandi:001425",
            ["--only", "sub-10/*", "*.csv"],
            ["dataset.csv", "sub-10_ses-a_ophys.nwb"],
        ),
    ],
)
def test_some_files_by_folder_and_name(server, tmp_path, capsys, source, words, names):
    assert run(server, tmp_path, *words, source=source) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    said = (
        "version 0.250101.1200; dandi:001425@0.250101.1200 keeps to one" in capsys.readouterr().err
    )
    assert said == ("@" not in source)


def test_what_does_not_have_the_archives_digest_never_gets_its_name(server, tmp_path, capsys):
    server.sha = False
    name = "sub-1_ses-b_ophys.nwb"
    files = fetch.record_files(
        "dandi:001425@0.250101.1200", [name], f"http://127.0.0.1:{server.server_port}/api"
    )
    server.files["sub-1/" + name] = b"SECOND"
    with pytest.raises(fetch.UserError, match="does not have the dandi-etag:"):
        fetch.fetch(files, tmp_path)
    assert not list(tmp_path.iterdir())


def test_parts_of_the_archives_digest(tmp_path, monkeypatch):
    monkeypatch.setattr(dandi, "PART", 4)
    (tmp_path / "x").write_bytes(b"abcdefghij")
    parts = b"".join(hashlib.md5(part).digest() for part in (b"abcd", b"efgh", b"ij"))
    assert dandi.etag(tmp_path / "x") == f"{hashlib.md5(parts).hexdigest()}-3"


def test_parts_have_64_mib_or_more_where_there_would_be_ten_thousand(tmp_path, monkeypatch):
    path, whole = tmp_path / "x", 64 << 20
    path.touch()
    os.truncate(path, whole + 1)
    parts = bytes.fromhex("7f614da9329cd3aebf59b91aadc30bf0") + hashlib.md5(b"\0").digest()
    assert dandi.etag(path) == f"{hashlib.md5(parts).hexdigest()}-2"
    monkeypatch.setattr(dandi, "PART", 1)
    for size, n_parts in ((9_999, 9_999), (10_000, 10_000), (10_001, 5_001), (20_001, 6_667)):
        os.truncate(path, size)
        assert dandi.etag(path).endswith(f"-{n_parts}")


@pytest.mark.parametrize(
    ("change", "source", "line"),
    [
        (
            {},
            "dandi:001425@0.250101.1200/sub-2",
            "no file of that path in it; it holds: sub-1/sub-1_ses-a",
        ),
        ({}, "dandi:999999@draft", "404 Not Found; check the record"),
        ({"refuses": 403}, "dandi:001425@draft", "the record is embargoed or restricted"),
        ({"refuses": 400}, "dandi:001425@draft", "400 Bad Request; check the record"),
        ({"refuses": 410}, "dandi:001425@draft", "410 Gone; check the record"),
        ({"about": {"embargo_status": "EMBARGOED"}}, "dandi:001425", "this dandiset is embargoed"),
        ({"about": []}, "dandi:001425", "answered what is no record of files"),
        (
            {"next": "http://127.0.0.1:9/api/"},
            "dandi:001425",
            "answered what is no record of files",
        ),
        (
            {"files": {"a/x.nwb": b"", "b/x.nwb": b""}},
            "dandi:001425",
            "a/x.nwb and b/x.nwb have one",
        ),
        ({"files": {"a.nwb.zarr": b""}}, "dandi:001425", "a folder of Zarr; use `dandi download`"),
        ({"files": {"a/.bashrc": b""}}, "dandi:001425", "which could be a path; refused"),
        ({}, "dandi:1425", "write zenodo:NUMBER, dandi:NUMBER@VERSION"),
    ],
)
def test_what_cannot_be_had_is_one_line(server, tmp_path, capsys, change, source, line):
    for key, value in change.items():
        setattr(server, key, value)
    assert run(server, tmp_path / "data", source=source) == 1
    err = capsys.readouterr().err.splitlines()
    assert line in err[-1] and len(err) <= 2 and not (tmp_path / "data").exists()


@pytest.mark.parametrize("about", [{}, {"most_recent_published_version": None}])
def test_of_a_dandiset_without_a_version_the_draft_is_taken_and_said(capsys, about):
    asked = []

    def get(url):
        asked.append(url)
        return about if url.endswith("001425/") else {"results": [], "next": None}

    assert dandi.assets("dandi:001425", [], "https://x/api", get) == ([], [])
    assert asked[1] == "https://x/api/dandisets/001425/versions/draft/assets/?page_size=1000"
    line = "dandi:001425: version draft, which may change; dandi:001425@VERSION keeps to one\n"
    assert capsys.readouterr().err == line


@pytest.mark.parametrize("name", ["dandi:001425@0.250101.1200", "dandi:001425@draft"])
def test_a_config_names_a_version(name):
    fetches = schema.load("config")["properties"]["fetch"]["pattern"]
    assert re.search(fetches, name) and not re.search(fetches, "dandi:001425")


# --- parts of files ------------------------------------------------------------------------------


@pytest.fixture
def kept(server, tmp_path):
    """The archive's only file: HDF5 of 8 MB of frames, a table, and references to it."""
    path = tmp_path / "whole.h5"
    with h5py.File(path, "w") as file:
        file["acquisition/movie"] = np.frombuffer(np.random.default_rng(1).bytes(8_000_000), "u1")
        table = file.create_group("processing/areas")
        table.attrs["colnames"] = ["a", "b"]
        table["rows"] = np.arange(5.0)
        region = file.create_dataset("processing/region", data=[2, 0], chunks=True, compression=1)
        region.attrs["table"] = table.ref
        file["processing/again"] = h5py.SoftLink("/processing/areas/rows")
        kinds = np.dtype([("start", "i4"), ("of", h5py.ref_dtype)])
        file["processing/links"] = np.array([(3, table.ref)], kinds)
        file["processing/tables"] = np.array([table.ref, h5py.Reference()], h5py.ref_dtype)
        file["general/session"] = "one"
    server.files = {"s/x.nwb": path.read_bytes()}
    path.unlink()
    return path.parent / "new" / "data" / "x.nwb"


def test_a_copy_without_its_frames_downloads_little_and_keeps_the_rest(server, kept, capsys):
    words = ["--without", "/acquisition/*/"]
    assert run(server, kept.parent, *words) == 0
    with h5py.File(kept) as file:
        assert list(file["acquisition"]) == []
        assert file["processing/areas/rows"][:].tolist() == [0, 1, 2, 3, 4]
        assert file["processing/areas"].attrs["colnames"].tolist() == ["a", "b"]
        region = file["processing/region"]
        assert region[:].tolist() == [2, 0] and region.compression == "gzip"
        assert file[region.attrs["table"]].name == "/processing/areas"
        assert file["processing/again"][1] == 1
        start, of = file["processing/links"][0]
        assert start == 3 and file[of].name == "/processing/areas"
        first, none = file["processing/tables"]
        assert file[first].name == "/processing/areas" and not none
        assert file["general/session"].asstr()[()] == "one"
    ranges = [r for path, r in server.asked if path == "/blobs/0"]
    assert 0 < len(ranges) <= 4  # blocks of 1 MiB of 8
    assert "cannot be checked by the record's checksum" in capsys.readouterr().err
    server.asked.clear()
    assert run(server, kept.parent, *words) == 0  # it is there
    assert not [path for path, _ in server.asked if "blobs" in path]
    assert run(server, kept.parent, "--without", "general/*") == 1
    assert "is there, but is not this copy" in capsys.readouterr().err
    kept.write_text("my own")
    assert run(server, kept.parent, *words) == 1 and kept.read_text() == "my own"
    assert "is there, but is not this copy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        ("areas/rows", None),  # a path begins at the top, not in any group
        ("rows", None),
        ("processing", None),  # the whole of a name: there is only processing2
        ("PROCESSING2/areas/rows", None),
        ("*/areas/rows", "processing2/areas/rows"),
        ("/processing2/areas/r?ws", "processing2/areas/rows"),
        ("processing2/areas/", "processing2/areas"),
    ],
)
def test_a_pattern_is_of_a_whole_path(server, tmp_path, pattern, gone):
    path, out = tmp_path / "whole.h5", tmp_path / "part.h5"
    with h5py.File(path, "w") as file:
        file["processing2/areas/rows"] = file["x"] = np.arange(3)
    server.files = {"x": path.read_bytes()}
    url = f"http://127.0.0.1:{server.server_port}/blobs/0"

    def copied(*without):
        return remote_hdf5.copy(url, path.stat().st_size, "sum", out, without)

    if gone is None:
        with pytest.raises(UserError, match=f"nothing in it is called {pattern}; it holds: "):
            copied(pattern)
        assert not out.exists()
        assert copied(pattern, "x")
    else:
        assert copied(pattern)
    with h5py.File(out) as file:
        kept = {"processing2", "processing2/areas", "processing2/areas/rows", "x"}
        left_out = "x" if gone is None else gone
        found: list[str] = []
        file.visit(found.append)
        assert set(found) == {name for name in kept if not name.startswith(left_out)}


def test_a_copy_is_known_by_its_file_and_its_patterns_in_any_order(server, tmp_path):
    path, out = tmp_path / "whole.h5", tmp_path / "part.h5"
    with h5py.File(path, "w") as file:
        file["x"] = file["y"] = file["z"] = np.arange(3)
        file["beside"] = h5py.ExternalLink("not here.h5", "/x")
    server.files = {"x": path.read_bytes()}
    url = f"http://127.0.0.1:{server.server_port}/blobs/0"

    def copied(checksum, *without):
        return remote_hdf5.copy(url, path.stat().st_size, checksum, out, without)

    with pytest.raises(UserError, match="called q; it holds: beside, x, y, z"):
        copied("sum", "q")
    assert copied("sum", "z", "x") == path.stat().st_size  # less than a block
    assert copied("sum", "x", "z") is None
    for other in (("sum", "x"), ("sum", "x", "y"), ("of a later version", "x", "z")):
        with pytest.raises(UserError, match=r"part\.h5: is there, but is not this copy"):
            copied(*other)
    with h5py.File(out) as file:
        assert set(file) == {"y", "beside"}
        assert file.get("beside", getlink=True).filename == "not here.h5"


def test_of_the_blocks_of_a_remote_file_the_last_few_are_kept(server, monkeypatch):
    monkeypatch.setattr(remote_hdf5, "BLOCK", 10)
    monkeypatch.setattr(remote_hdf5, "KEPT", 2)
    server.files = {"x": bytes(range(35))}
    file = remote_hdf5.Ranges(f"http://127.0.0.1:{server.server_port}/blobs/0", 35)

    def read(at, n, whence=os.SEEK_SET):
        server.asked.clear()
        file.seek(at, whence)
        buffer = bytearray(n)
        got = buffer[: file.readinto(buffer)]
        assert file.tell() == file.seek(0, os.SEEK_CUR)
        return list(got), [asked for _, asked in server.asked]

    assert read(8, 4) == ([8, 9, 10, 11], ["bytes=0-9", "bytes=10-19"])
    assert read(0, 3) == ([0, 1, 2], [])
    assert read(-7, 9, os.SEEK_END) == ([*range(28, 35)], ["bytes=20-29", "bytes=30-34"])
    assert read(15, 1) == ([15], ["bytes=10-19"])  # which was put aside
    assert read(35, 4) == ([], [])
    assert file.fetched == 10 + 10 + 10 + 5 + 10
    server.short = -1  # cut on the way, though what is asked for came
    with pytest.raises(OSError, match="206 for bytes 0 to 9"):
        read(2, 3)


@pytest.mark.parametrize(
    ("without", "change", "line"),
    [
        ("nothing", {}, "nothing in it is called nothing; it holds: acquisition/movie, general/"),
        ("processing/areas", {}, "refers to /processing/areas, which is left out"),
        ("acquisition/*", {"whole": True}, "cannot be read in parts (200 for bytes 0 to"),
        ("x", {"files": {"x.nwb": b"no HDF5"}}, "is it HDF5, or NWB in HDF5? fetch "),
    ],
)
def test_a_copy_that_cannot_be_made_leaves_nothing(server, kept, capsys, without, change, line):
    for key, value in change.items():
        setattr(server, key, value)
    assert run(server, kept.parent, "--without", without) == 1
    error = capsys.readouterr().err
    assert line in error and error.count("\n") == 1 and not list(kept.parent.iterdir())
