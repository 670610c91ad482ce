"""Output files are whole or absent."""

from __future__ import annotations

import errno
import os
import re
import resource
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from mesodecode.base import files
from mesodecode.base.files import (
    UserError,
    atomic_path,
    check_memory,
    check_stored,
    file_of,
    first_few,
    free_memory,
    in_words,
    keep_with,
    listed,
    refused,
    sha256,
    unpacked_size,
    verify_checksum,
    write_checksum,
)
from mesodecode.base.natural_order import in_order
from mesodecode.base.tables import write_table


def test_file_appears_whole_when_the_block_ends(tmp_path):
    path = tmp_path / "table.tsv"
    with atomic_path(path) as part:
        part.write_text("half")
        assert not path.exists()
        part.write_text("whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_error_leaves_nothing_behind(tmp_path, error):
    with pytest.raises(error), atomic_path(tmp_path / "table.tsv") as part:
        part.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_error_keeps_the_file_that_was_there(tmp_path):
    path = tmp_path / "table.tsv"
    path.write_text("old")
    with pytest.raises(ValueError), atomic_path(path) as part:
        part.write_text("new")
        raise ValueError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_replaces_the_whole_of_a_longer_file_and_not_its_other_links(tmp_path):
    path, link = tmp_path / "a.h5", tmp_path / "backup.h5"
    path.write_text("old and longer")
    os.link(path, link)
    with atomic_path(path) as part:
        part.write_text("new")
    assert path.read_text() == "new"
    assert link.read_text() == "old and longer"


@pytest.mark.parametrize("name", ["a.svg", "a.history.tsv", "train-1+2.valid-3.test-4.h5"])
def test_temporary_name_is_hidden_beside_the_file_with_its_suffix(tmp_path, name):
    path = tmp_path / name
    with atomic_path(path) as part:
        assert part.suffix == path.suffix
        assert part.parent == path.parent  # the same file system, so that renaming is atomic
        assert part.name.startswith(".")
        assert part != path


def test_two_writers_have_two_temporary_names(tmp_path):
    path = tmp_path / "a.tsv"
    with atomic_path(path) as one, atomic_path(path) as two:
        one.write_text("one")
        two.write_text("two")
        assert one != two
    assert path.read_text() == "one"  # the last to end; `one` ends after `two`
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (OSError(errno.ENOSPC, "no room", "part.h5"), errno.ENOSPC),
        (RuntimeError("Unable to close file (errno = 27, error message = 'x')"), errno.EFBIG),
        (RuntimeError("PytorchStreamWriter failed"), errno.EDQUOT),  # as the disk says, if asked
        (RuntimeError("PytorchStreamWriter failed"), errno.EIO),
    ],
)
def test_a_disk_without_room_is_said_with_the_file_that_it_lacks(
    tmp_path, monkeypatch, error, number
):
    def full(_):
        raise OSError(number, "asked")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises((OSError, RuntimeError)) as caught, atomic_path(tmp_path / "a.h5"):
        raise error
    if number == errno.EIO:  # of another fault the library's own words are kept
        assert caught.value is error
    else:
        assert (caught.value.errno, caught.value.filename) == (number, str(tmp_path / "a.h5"))
    assert list(tmp_path.iterdir()) == []


def test_json_is_read_with_a_mark_of_utf8_too_and_anything_else_is_refused(tmp_path):
    path = tmp_path / "a.json"
    for content in ('{"ä": 1}'.encode(), '\ufeff{"ä": 1}'.encode()):
        path.write_bytes(content)
        assert files.read_json(path) == {"ä": 1}
    for content in (b"{", b'{"\xe4": 1}'):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"a\.json: not JSON \(.*\); mend it$"):
            files.read_json(path, "; mend it")


def test_a_library_that_does_not_say_why_it_could_not_write_met_a_limit(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))  # of this process, for now
    try:
        with pytest.raises(OSError) as caught, atomic_path(tmp_path / "a.pt"):
            raise RuntimeError("PytorchStreamWriter failed")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    found = caught.value
    assert (found.errno, found.filename) == (errno.EFBIG, str(tmp_path / "a.pt"))


def test_of_a_library_that_fails_the_file_is_named_once():
    said = r"^a\.h5: not readable \(in two lines\)!$"
    with pytest.raises(UserError, match=said), refused("a.h5", "not readable", "!"):
        raise ValueError("in two\n lines")
    for error in (UserError("a.h5: x"), MemoryError(), OSError(errno.EIO, "x", "b.h5")):
        with pytest.raises(type(error)) as caught, refused("a.h5", "not readable"):
            raise error
        assert caught.value is error


def test_folders_are_made_and_text_is_a_path(tmp_path):
    with atomic_path(f"{tmp_path}/new/deep/a.tsv") as part:
        part.write_text("x")
    assert (tmp_path / "new/deep/a.tsv").read_text() == "x"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_permissions_follow_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        with atomic_path(tmp_path / "a.tsv") as part:
            part.write_text("x")
        assert os.umask(umask) == umask  # still the same
    finally:
        os.umask(before)
    assert (tmp_path / "a.tsv").stat().st_mode & 0o777 == mode


def test_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("old")
    code = (
        "import os, sys\nfrom mesodecode.base.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as part:\n    part.write_text('new'); os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, path]).returncode == 9
    assert path.read_text() == "old"


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(tmp_path / "a") == digest


def test_a_device_or_pipe_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in ("/dev/stdout", tmp_path / "pipe"):  # as root, any could be
        with pytest.raises(UserError, match="a pipe or device"), atomic_path(path):
            pytest.fail("was opened")


def test_a_list_is_there_only_while_its_files_are(tmp_path):
    listing, files = tmp_path / "a.txt", [tmp_path / "1.h5", tmp_path / "2.h5"]
    keep_with(listing, files)
    assert not list(tmp_path.iterdir())
    for path in (*files, listing):
        path.write_text(path.name)
    os.utime(listing, (1, 1))
    keep_with(listing, files)
    assert listing.exists()
    files[0].rename(tmp_path / "elsewhere")
    for _ in range(2):
        keep_with(listing, files)
        assert not listing.exists()
    (tmp_path / "elsewhere").rename(files[0])
    keep_with(listing, files)
    assert listing.read_text() == "a.txt" and listing.stat().st_mtime == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.h5", "2.h5", "a.txt"]


def test_a_list_names_a_file_a_line_and_words_behind_a_hash(tmp_path):
    path = tmp_path / "m1.txt"
    path.write_text("# made at noon\na.h5\n\n  data/b.h5 \n")
    assert [str(one) for one in listed(path, "recordings")] == ["a.h5", "data/b.h5"]
    assert listed("m1.h5", "recordings") == [Path("m1.h5")]
    path.write_text("# made at noon\n")
    with pytest.raises(UserError, match=r"m1\.txt: lists no recordings; write one path a line"):
        listed(path, "recordings")


def test_numbers_of_a_table_have_digits_that_count(tmp_path):
    """A p value of 1e-7 is no 0."""
    table = pd.DataFrame({"p": [1.23456789e-7, 123456.789, None], "name": list("abc")})
    for name, between in (("t.tsv", "\t"), ("t.csv", ",")):
        write_table(table, tmp_path / name)
        rows = [line.split(between) for line in (tmp_path / name).read_text().splitlines()]
        assert rows == [["p", "name"], ["1.23457e-07", "a"], ["123457", "b"], ["nan", "c"]]


def test_a_mouse_is_called_one_once():
    assert in_words("4") == "mouse 4" and in_words("WT-7") == "mouse WT-7"
    assert in_words("mouseA") == "mouseA" and in_words("Mouse_21") == "Mouse_21"
    assert in_words("1+4") == "mice 1, 4"


def test_the_first_of_many_names_are_named_and_the_rest_counted():
    assert first_few(["a", "b"], 2) == "a, b"
    assert first_few(["a", "b", "c", "d"], 2, "; ") == "a; b and 2 more"
    assert first_few([Path("x.tif"), Path("y.tif")], 1) == "x.tif and 1 more"


def test_free_memory_is_that_of_the_machine_or_of_the_job(monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=3 << 30))
    for limit, free in (("", 3 << 30), ("2048", 2 << 30), ("4096", 3 << 30), ("x", 3 << 30)):
        monkeypatch.setenv("SLURM_MEM_PER_NODE", limit)
        assert free_memory() == free
    monkeypatch.delenv("SLURM_MEM_PER_NODE")
    assert free_memory() == 3 << 30


def test_what_takes_more_than_the_memory_that_is_free_is_not_read(monkeypatch):
    for n_bytes, free, read in (
        *(((1 << 26) + 1, 1 << 26, False), ((1 << 26) + 1, (1 << 26) + 1, True)),
        (1 << 26, 0, True),  # little is always tried
    ):
        monkeypatch.setattr(files, "free_memory", lambda free=free: free)
        if read:
            check_memory(n_bytes, "a.h5", "its movie")
            continue
        with pytest.raises(
            UserError, match=r"^a\.h5: its movie takes 0\.1 GB of memory, and 0\.1 GB"
        ):
            check_memory(n_bytes, "a.h5", "its movie")
    monkeypatch.setattr(files, "free_memory", lambda: 1_500_000_000)
    words = "a.h5: its movie takes 2,300.0 GB of memory, and 1.5 GB are free; damaged? if not, "
    with pytest.raises(UserError, match=f"^{re.escape(words)}read it where there is more$"):
        check_memory(2_300_000_000_000, "a.h5", "its movie")


def test_an_archive_holds_the_bytes_that_it_says(tmp_path):
    path, other = tmp_path / "a.zip", tmp_path / "b.txt"
    other.write_text("no archive")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one", b"x" * 300)
        archive.writestr("two", b"y" * 200)
    assert unpacked_size(path) == 500 and unpacked_size(other) == 0
    check_stored(path)
    check_stored(other)
    held = path.read_bytes()
    path.write_bytes(held.replace(b"yyy", b"yzy", 1))
    with pytest.raises(
        UserError, match=r"a\.zip: its bytes of two were changed on the way; make it"
    ):
        check_stored(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one", b"x" * 30_000)
    size = f"{path.stat().st_size:,}"
    with pytest.raises(
        UserError, match=rf"a\.zip: {size} bytes that say to hold 30,000; weights are"
    ):
        check_stored(path)


def test_a_file_is_held_against_the_checksum_beside_it(tmp_path):
    path = tmp_path / "a.pt"
    path.write_bytes(b"abc")
    verify_checksum(path)  # there is none
    write_checksum(path)
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (tmp_path / "a.pt.sha256").read_text() == f"{digest}  a.pt\n"
    verify_checksum(path)
    path.write_bytes(b"abd")
    with pytest.raises(
        UserError, match=r"a\.pt: does not have the SHA-256 in a\.pt\.sha256: damaged"
    ):
        verify_checksum(path)


def test_paths_are_in_the_order_of_the_numbers_in_their_names():
    names = ["b/rec10.tif", "b/rec2.tif", "b/rec-2.tif", "b/rec.tif", "a10/x.tif", "a9/x.tif"]
    names += ["b/rec.ome.tif", "b/rec.OME.tiff"]
    assert [str(path) for path in in_order(map(Path, names))] == [
        *("a9/x.tif", "a10/x.tif", "b/rec.tif", "b/rec.ome.tif", "b/rec.OME.tiff", "b/rec2.tif"),
        *("b/rec10.tif", "b/rec-2.tif"),
    ]


def test_a_setting_names_a_file_by_a_word_before_it():
    assert file_of("file:a/b.pt") == "a/b.pt" and file_of("imagenet") is None


@pytest.mark.parametrize(
    ("mice", "words"),
    [
        ("4", "mouse 4"),
        ("WT-7", "mouse WT-7"),
        ("a+b", "mice a, b"),
        ("mouseA", "mouseA"),
        ("Mice_2", "Mice_2"),
        ("ANIMAL3", "ANIMAL3"),
        ("mouseA+b", "mouseA, b"),
        ("a+animal_b", "a, animal_b"),
        ("a_mouse", "mouse a_mouse"),
    ],
)
def test_mice_in_words(mice, words):
    assert files.in_words(mice) == words


def test_mice_that_are_tested_together_are_sets():
    said = [
        files.of_test_mice(mice) for mice in (["1"] * 3, ["1", "2", "2"], ["1+2"], ["1+2", "3"])
    ]
    assert said == ["1 test mouse", "2 test mice", "1 set of test mice", "2 sets of test mice"]
