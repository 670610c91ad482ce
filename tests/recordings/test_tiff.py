"""TIFF stacks whose pages are fewer than they say, and those that lie another way."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import tifffile

from make_movies import GRAY, read, refusal
from mesodecode.base.files import UserError
from mesodecode.recordings.axes import Asked
from mesodecode.recordings.readers import tiff

STACK = np.arange(6 * 8 * 9, dtype=np.uint16).reshape(6, 8, 9)
SAVED = {  # what says that there are six frames
    "ImageJ": {"imagej": True, "metadata": {"axes": "TYX"}},
    "OME": {"ome": True, "metadata": {"axes": "TYX"}},
}


def end_after(path, n):
    """Make page `n` of a file the last one, as where a program was stopped."""
    with tifffile.TiffFile(path) as tif:
        offset, form = tif.pages[n - 1].offset, tif.tiff
    content = bytearray(path.read_bytes())
    (n_tags,) = struct.unpack_from(form.tagnoformat, content, offset)
    at = offset + form.tagnosize + n_tags * form.tagsize
    struct.pack_into(form.offsetformat, content, at, 0)
    path.write_bytes(content)


@pytest.mark.parametrize("program", SAVED)
def test_packed_pages_that_are_fewer_than_frames_are_told(tmp_path, program):
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, STACK, compression="zlib", **GRAY, **SAVED[program])
    np.testing.assert_array_equal(read(path), STACK)
    end_after(path, 3)
    assert refusal(path) == f"{path}: 3 pages for 6 frames; truncated?"


@pytest.mark.parametrize("alone", [False, True])
def test_a_file_without_pages_is_told(tmp_path, alone):
    path = tmp_path / "s.tif"
    path.write_bytes(b"II*\0" + bytes(4))  # the first page is nowhere
    with pytest.raises(UserError) as caught, tiff.open_movie(path, Asked(alone=alone)):
        pass
    assert str(caught.value) == f"{path}: a TIFF file without pages; truncated?"


def test_what_helps_is_said_of_pages_that_cannot_be_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "s.tif"
    tifffile.imwrite(path, STACK, compression="zlib", **GRAY)
    with tifffile.TiffFile(path, mode="r+") as tif:
        tif.filehandle.seek(tif.pages[4].dataoffsets[0])
        tif.filehandle.write(b"none")
    line = refusal(path, size=3)
    assert line.startswith(f"{path}: frames 3-5 cannot be read (")
    assert line.endswith("); truncated?")

    why = "<COMPRESSION.LERC: 34887> requires the 'imagecodecs' package"

    def lacks(*args, **options):
        raise ValueError(why)

    monkeypatch.setattr(tifffile.TiffFile, "asarray", lacks)
    assert refusal(path, size=4) == (
        f"{path}: frames 0-3 cannot be read ({why}); save it with another compression"
    )


@pytest.mark.parametrize("packed", [{}, {"compression": "zlib"}])
@pytest.mark.parametrize("axes", ["TYX", "YTX", "XYT", "YXT", "XTY"])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_pages_may_be_rows_or_columns_of_all_frames(tmp_path, monkeypatch, axes, packed, size):
    monkeypatch.setattr(tiff, "SLAB", 4 * 3 * 9 * 8 * 2)  # three pages at a time
    array = STACK.transpose(["TYX".index(axis) for axis in axes])
    tifffile.imwrite(tmp_path / "s.tif", array, metadata=None, **GRAY, **packed)
    np.testing.assert_array_equal(read(tmp_path / "s.tif", size, axes=axes), STACK)


@pytest.mark.parametrize("packed", [{}, {"compression": "zlib"}])
@pytest.mark.parametrize("axes", ["TCYX", "CTYX"])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_channels_take_turns_in_whatever_order_pages_lie(tmp_path, axes, packed, size):
    array = STACK.reshape(3, 2, 8, 9)
    array = array if axes == "TCYX" else array.swapaxes(0, 1)
    about = {"ome": True, "metadata": {"axes": axes}}
    tifffile.imwrite(tmp_path / "s.tif", array, **GRAY, **packed, **about)
    np.testing.assert_array_equal(read(tmp_path / "s.tif", size, channels=2), STACK)


@pytest.mark.parametrize(
    ("begins", "known"),
    [(b"II*\0", True), (b"MM\0*", True), (b"II+\0", True), (b"MM\0+", True), (b"II*", False),
     (b"MM*\0", False), (b"II\0*", False), (b"", False)],
)  # fmt: skip
def test_a_tiff_file_is_known_by_its_first_bytes(tmp_path, begins, known):
    (tmp_path / "s").write_bytes(begins)
    assert tiff.is_tiff(tmp_path / "s") == known


def test_files_of_ome_that_name_time_have_no_other_axes(tmp_path):
    for name in ("a1.ome.tif", "a2.ome.tif"):
        tifffile.imwrite(tmp_path / name, STACK, metadata={"axes": "TYX"}, **GRAY)
    for path in ("a1.ome.tif", "a*.ome.tif"):
        with pytest.raises(UserError, match=r"a1\.ome\.tif: names its axes itself; leave"):
            read(tmp_path / path, axes="YXT")
    for name in ("b1.ome.tif", "b2.ome.tif"):  # of rows by columns, and times as depths
        rows = STACK.transpose(1, 2, 0)
        tifffile.imwrite(tmp_path / name, rows, metadata={"axes": "ZYX"}, **GRAY)
    found = read(tmp_path / "b*.ome.tif", axes="YXT")
    np.testing.assert_array_equal(found, np.concatenate([STACK, STACK]))


@pytest.mark.parametrize(
    ("error", "found", "words"),
    [
        (OSError(5, "Input/output error"), OSError, "^.Errno 5. Input/output error$"),
        (UserError("x"), UserError, "^x$"),
        (KeyError("y"), UserError, "a.tif: a damaged TIFF file .'y'.; truncated?"),
    ],
)
def test_a_disk_that_fails_is_no_damaged_file(tmp_path, monkeypatch, error, found, words):
    def fail(*_):
        raise error

    tifffile.imwrite(tmp_path / "a.tif", STACK, **GRAY)
    monkeypatch.setattr(tiff, "TiffMovie", fail)
    with pytest.raises(found, match=words):
        read(tmp_path / "a.tif")
