"""Recordings fetched from a record: against a local server that answers as Zenodo's API does."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import pytest
import requests

from mesodecode.base import progress
from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.recordings import fetch
from mesodecode.study import file_formats

CONTENT = {
    "s1.tif": np.random.default_rng(0).bytes(3_500_000),
    "s1_behavior.mat": b"behaviour of s1",
    "s2 (ä).mat": b"behaviour of s2",
    "empty.txt": b"",
}


class Record(BaseHTTPRequestHandler):
    """Answers /api/records/7 and the addresses of its files; `faults` are played one a request."""

    def do_GET(self):
        server = self.server
        server.asked.append((self.path, self.headers.get("Range")))
        site = f"http://127.0.0.1:{server.server_port}"
        if self.path == "/api/records/7":
            files = [
                {
                    "key": name,
                    "size": len(content),
                    "checksum": f"md5:{hashlib.md5(content).hexdigest()}",
                    "links": {"self": f"{site}/api/records/7/files/{number}/content"},
                }
                for number, (name, content) in enumerate(server.content.items())
            ]
            return self.answer(200, json.dumps(server.record or {"id": 7, "files": files}).encode())
        match = re.fullmatch(r"/api/records/7/files/(\d)/content", self.path)
        if match is None:
            return self.answer(404, b"")
        fault = server.faults.pop(0) if server.faults else None
        if fault in (404, 408, 416, 429, 503):
            return self.answer(fault, b"busy")
        body = list(server.content.values())[int(match[1])]
        if fault == "changed":
            body = bytes(len(body))
        start, status = 0, 200
        if self.headers.get("Range") and fault != "no ranges":
            start, status = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1]), 206
        return self.answer(status, body[start:], fault if isinstance(fault, int) else None)

    def answer(self, status, body, cut=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        self.close_connection = True  # after a cut, in the middle of the file

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Record) as httpd:
        httpd.content, httpd.record, httpd.faults, httpd.asked = dict(CONTENT), None, [], []
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield httpd
        httpd.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """No pause between tries; and no request that may wait for ever."""
    send = requests.Session.send

    def limited(session, request, **options):
        assert options["timeout"] == 60
        return send(session, request, **options)

    monkeypatch.setattr(fetch.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(requests.Session, "send", limited)


def run(server, folder, *words, source="zenodo:7"):
    site = f"http://127.0.0.1:{server.server_port}"
    return main(["fetch", source, "--site", site, "--out", str(folder), *words])


def downloads(server):
    """The ranges asked for of s1.tif, in order."""
    return [asked for path, asked in server.asked if path.endswith("/files/0/content")]


def test_all_files_of_a_record_are_there_and_whole(server, tmp_path, capsys):
    folder = tmp_path / "new" / "data"
    assert run(server, folder) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    err = capsys.readouterr().err
    assert f"s1.tif: 3.5 MB, md5:{hashlib.md5(CONTENT['s1.tif']).hexdigest()}" in err
    server.asked.clear()
    assert run(server, folder) == 0
    assert [path for path, _ in server.asked] == ["/api/records/7"]  # nothing twice


@pytest.mark.parametrize("source", ["10.5281/zenodo.7", "doi:10.5281/zenodo.7"])
def test_some_files_by_name(server, tmp_path, source):
    assert run(server, tmp_path, "--only", "*.mat", "s1.t?f", source=source) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s1.tif", "s1_behavior.mat", "s2 (ä).mat"]


def test_the_list_downloads_nothing(server, tmp_path, capsys):
    assert run(server, tmp_path, "--list", "--only", "s1*") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [
        ["s1.tif", "3.5 MB"],
        ["s1_behavior.mat", "0.0 MB"],
    ]
    assert not list(tmp_path.iterdir()) and not downloads(server)


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server, tmp_path):
    server.faults = [2_000_000, 503, 1_000_000]
    assert run(server, tmp_path, "--only", "s1.tif") == 0
    assert (tmp_path / "s1.tif").read_bytes() == CONTENT["s1.tif"]
    first, *later = downloads(server)
    assert first is None
    starts = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in later]
    assert len(starts) == 3 and 0 < starts[0] == starts[1] < starts[2] <= 3_000_000


def test_each_try_waits_twice_as_long_and_progress_goes_on(server, tmp_path, capsys, monkeypatch):
    waited = []
    monkeypatch.setattr(fetch.time, "sleep", waited.append)
    monkeypatch.setattr(progress, "LOG_EVERY", 0)
    server.faults = [2_500_000, 408, 416, 429, 503]
    assert run(server, tmp_path, "--only", "s1.tif") == 0
    assert waited == [2, 4, 8, 16, 32]
    said = [re.sub(r"\d+/s, \d+ min", "…", line) for line in capsys.readouterr().err.splitlines()]
    assert said[:-1] == [f"s1.tif: {done}/3 MB, … left" for done in (1, 2, 3, 3)]


def test_what_six_tries_do_not_bring_is_one_line(server, tmp_path, capsys, monkeypatch):
    waited = []
    monkeypatch.setattr(fetch.time, "sleep", waited.append)
    server.faults = [0] * 6
    assert run(server, tmp_path, "--only", "s1.tif") == 1
    address = f"http://127.0.0.1:{server.server_port}/api/records/7/files/0/content"
    line = capsys.readouterr().err
    assert line.startswith(f"mesodecode fetch: error: {address}: 6 tries failed, the last since ")
    assert line.endswith("; run the same command again, it goes on from there\n")
    assert len(waited) == 5


def test_a_record_of_the_older_kind_is_read_too(server):
    """Without links, with other names of the keys, and checksums that name no algorithm."""
    about = {"filename": "s1.tif", "filesize": "35", "checksum": "0a"}
    server.record = {"files": [about, about | {"checksum": "sha256:0b", "links": {}}]}
    site = f"http://127.0.0.1:{server.server_port}"
    url = f"{site}/records/7/files/s1.tif"
    assert fetch.record_files("https://doi.org/10.5281/zenodo.7", site=site) == [
        fetch.RemoteFile("s1.tif", 35, "md5:0a", url),
        fetch.RemoteFile("s1.tif", 35, "sha256:0b", url),
    ]


def test_another_run_goes_on_where_the_last_one_ended(server, tmp_path, capsys):
    server.faults = [2_500_000] + [503] * 5
    assert run(server, tmp_path, "--only", "s1.tif") == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "run the same command again" in err
    (part,) = tmp_path.iterdir()
    assert part.name == ".s1.tif.part"
    size = part.stat().st_size
    assert 0 < size <= 2_500_000
    assert run(server, tmp_path, "--only", "s1.tif") == 0
    assert downloads(server)[-1] == f"bytes={size}-"
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"s1.tif": CONTENT["s1.tif"]}


def test_a_server_without_ranges_sends_all_of_it_again(server, tmp_path):
    server.faults = [2_000_000, "no ranges"]
    assert run(server, tmp_path, "--only", "s1.tif") == 0
    assert len(downloads(server)) == 2  # what it sends is taken as it is
    assert (tmp_path / "s1.tif").read_bytes() == CONTENT["s1.tif"]


@pytest.mark.parametrize(
    ("content", "asked"),
    [(b"", [None]), (CONTENT["s1.tif"], []), (CONTENT["s1.tif"] + b"more", [None])],
    ids=["empty", "whole", "longer"],
)
def test_any_part_left_over_ends_in_the_right_file(server, tmp_path, content, asked):
    (tmp_path / ".s1.tif.part").write_bytes(content)
    assert run(server, tmp_path, "--only", "s1.tif") == 0
    assert downloads(server) == asked
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"s1.tif": CONTENT["s1.tif"]}


def test_a_file_with_another_checksum_never_gets_its_name(server, tmp_path, capsys):
    server.faults = ["changed"]
    assert run(server, tmp_path, "--only", "s1.tif") == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "does not have the md5:" in err
    assert not list(tmp_path.iterdir())
    (tmp_path / ".s1.tif.part").write_bytes(b"of another record")
    assert run(server, tmp_path, "--only", "s1.tif") == 1  # its first bytes are wrong
    assert run(server, tmp_path, "--only", "s1.tif") == 0  # and gone
    assert (tmp_path / "s1.tif").read_bytes() == CONTENT["s1.tif"]


@pytest.mark.parametrize("algorithm", ["md5", "sha256", "sha1"])
@pytest.mark.parametrize("write", [str.lower, str.upper])
def test_checksums_are_of_any_algorithm_in_any_case(tmp_path, algorithm, write):
    (tmp_path / "a").write_bytes(b"whole")
    digest = write(hashlib.new(algorithm, b"whole").hexdigest())
    fetch.fetch([fetch.RemoteFile("a", 5, f"{algorithm}:{digest}", "http://127.0.0.1:9")], tmp_path)
    (tmp_path / "a").write_bytes(b"other")
    with pytest.raises(UserError, match=rf"is not the file of the record \(5 bytes, {algorithm}:"):
        fetch.fetch([fetch.RemoteFile("a", 5, f"{algorithm}:{digest}", "")], tmp_path)


def test_a_users_own_file_of_that_name_is_not_overwritten(server, tmp_path, capsys):
    (tmp_path / "s1.tif").write_bytes(b"mine")
    assert run(server, tmp_path) == 1
    assert "is there, but is not the file of the record" in capsys.readouterr().err
    assert (tmp_path / "s1.tif").read_bytes() == b"mine"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("source", "words", "line"),
    [
        ("zenodo:8", [], "404"),
        ("zenodo:x", [], "write zenodo:NUMBER"),
        ("https://example.org/a.tif", [], "write zenodo:NUMBER"),
        ("zenodo:7", ["--only", "*.nwb"], "no file *.nwb in it; it holds: s1.tif, s1_behavior.mat"),
    ],
)
def test_what_is_not_there_is_one_line(server, tmp_path, capsys, source, words, line):
    assert run(server, tmp_path / "data", *words, source=source) == 1
    err = capsys.readouterr().err
    assert err.startswith("mesodecode fetch: error: ") and err.count("\n") == 1 and line in err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("n_files", "held"),
    [
        (0, "none"),
        (1, "f0"),
        (8, "f0, f1, f2, f3, f4, f5, f6, f7"),
        (9, "f0, f1, f2, f3, f4, f5, f6, f7, …"),
    ],
)
def test_of_what_a_record_holds_the_first_eight_are_named(server, tmp_path, capsys, n_files, held):
    server.content = {f"f{i}": b"" for i in range(n_files)}
    assert run(server, tmp_path, "--only", "*.nwb", "x") == 1
    line = f"zenodo:7: no file *.nwb or x in it; it holds: {held}\n"
    assert capsys.readouterr().err == f"mesodecode fetch: error: {line}"


def test_what_the_server_refuses_is_not_asked_for_again(server, tmp_path, capsys):
    server.faults = [404]
    assert run(server, tmp_path, "--only", "s1.tif") == 1
    assert "/files/0/content: 404 Not Found" in capsys.readouterr().err
    assert len(downloads(server)) == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [(200, ""), (399, ""), (400, "check the record"), (401, "embargoed"), (403, "embargoed")],
)
def test_a_record_that_a_site_does_not_give_is_said_with_its_status(monkeypatch, status, words):
    answer = SimpleNamespace(status_code=status, reason="x")
    monkeypatch.setattr("requests.get", lambda *_, **__: answer)
    if words:
        with pytest.raises(UserError, match=rf"^u: {status} x; .*{words}"):
            fetch._get("u")
    else:
        assert fetch._get("u") is answer


@pytest.mark.parametrize("record", [[], {"files": 3}, {"message": "x"}, {"files": [{"key": "a"}]}])
def test_an_answer_that_is_no_record_is_one_line(server, tmp_path, capsys, record):
    server.record = record or ["x"]
    assert run(server, tmp_path) == 1
    assert "no record of files" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", ".bashrc", ""])
def test_a_name_that_could_be_a_path_is_refused(server, tmp_path, capsys, name):
    server.content = {name: b"x"}
    assert run(server, tmp_path / "data") == 1
    assert "could be a path" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_no_network_is_one_line(server, tmp_path, capsys):
    words = ["fetch", "zenodo:7", "--site", "http://127.0.0.1:9", "--out", str(tmp_path)]
    assert main(words) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "on a machine with internet" in err


def test_a_disk_without_room_is_said_before_the_download(server, tmp_path, monkeypatch):
    """Room is needed for what is still to come: of whole files none, of one in part the rest."""
    usage = fetch.shutil.disk_usage(tmp_path)
    site = f"http://127.0.0.1:{server.server_port}"
    files = fetch.record_files("zenodo:7", site=site)

    def with_room(free):
        monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: usage._replace(free=free))
        fetch.fetch(files, tmp_path)

    with pytest.raises(UserError, match="4 MB to download, but 1 MB are free"):
        with_room(1_000_000)
    (tmp_path / ".s1.tif.part").write_bytes(CONTENT["s1.tif"][:2_600_000])
    rest = 900_000 + sum(len(content) for content in list(CONTENT.values())[1:])
    with pytest.raises(UserError, match="1 MB to download, but 1 MB are free"):
        with_room(rest - 1)
    assert not downloads(server)
    with_room(rest)
    with_room(0)
    (tmp_path / "s1_behavior.mat").unlink()
    with_room(len(CONTENT["s1_behavior.mat"]))
    assert downloads(server)[0] == "bytes=2600000-"


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc/x.mat", "folder that Snakemake"),
        ("../x.mat", "folder that Snakemake"),
        ("data/../../x.mat", "folder that Snakemake"),
        ("data/sitecustomize.py", "name of data"),
        (".bashrc", "name of data"),
        ("data/authorized_keys", "name of data"),
        (".", "folder that Snakemake"),
    ],
)
def test_a_config_has_no_other_file_written_by_a_record(tmp_path, monkeypatch, path, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words):
        file_formats.check_fetched(path)


@pytest.mark.parametrize("path", ["x.mat", "data/s1.TIF", "./a/../b/x.nwb", "link/x.csv"])
def test_a_record_fills_the_folder_of_the_study(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("/tmp")  # the data are on another disk
    file_formats.check_fetched(path)
    file_formats.check_fetched(tmp_path / path)
