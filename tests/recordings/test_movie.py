"""Movies of arrays and of other movies: their frames in order, in blocks, and what is refused."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from mesodecode.recordings import movie
from mesodecode.recordings.axes import Axes
from told import assert_told

TOLD = Path(__file__).with_name("told")
ARRAY = np.arange(7 * 2 * 3 * 4).reshape(7, 2, 3, 4)  # T, C, Y, X


class Held(movie.Movie):
    """A movie of an array, in blocks of its own."""

    def __init__(self, n, path="a.tif", size=(1, 2), dtype="u2", first=0, own=None, **about):
        self.path, self.shape, self.dtype = Path(path), (n, *size), np.dtype(dtype)
        frames = first + np.arange(n)[:, None, None] + np.zeros(size)
        self.frames, self.own = frames.astype(dtype), own
        for key, value in about.items():
            setattr(self, key, value)

    def blocks(self, size):
        size = self.own or size
        for start in range(0, len(self.frames), size):
            yield start, self.frames[start : start + size]


def told(made, size=3):
    blocks = list(made.blocks(size))
    frames = np.concatenate([block for _, block in blocks])
    assert frames.shape == made.shape and frames.dtype == made.dtype
    assert [start for start, _ in blocks] == list(range(0, len(frames), size))
    return {
        "frames": [int(frame.flat[0]) for frame in frames],
        "time": made.time,
        "segment": made.segment,
        "axes": made.axes.letters,
        "names": list(made.names),
        "channels": made.channels,
    }


@pytest.mark.parametrize("size", [1, 2, 5, 100])
@pytest.mark.parametrize("depth", [None, 1, 3, 50])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("letters", ["TYX", "TCYX", "YTXC", "XCYT", "CTYX", "T1YX", "1YXT"])
def test_an_array_is_read_by_any_axes_in_blocks_of_any_size(letters, turned, depth, size):
    values = ARRAY if "C" in letters else ARRAY[:, 0]
    order = "TCYX" if "C" in letters else "TYX"
    plain = letters.replace("1", "")
    array = values.transpose([order.index(letter) for letter in plain])
    array = array[:, None] if letters == "T1YX" else array[None] if letters == "1YXT" else array
    read = []

    def part(index):
        read.append(index)
        return (array.T if turned else array)[index]

    axes = Axes(letters, None, array.shape)
    made = movie.ArrayMovie(Path("x.h5"), ">i8", axes, part, depth, turned=turned)
    assert made.channels == (2 if "C" in letters else 1) and made.dtype == np.dtype("=i8")
    blocks = list(made.blocks(size))
    np.testing.assert_array_equal(
        np.concatenate([block for _, block in blocks]), values.reshape(-1, 3, 4)
    )
    assert [start for start, _ in blocks] == list(range(0, made.shape[0], size))
    stored = letters[:: -1 if turned else 1]
    deep = depth or (1 if stored.replace("1", "")[0] == "T" else 7)
    slab = max(1, size // made.channels)
    if deep > 1:  # whole chunks
        slab = -(-slab // deep) * deep
    assert len(read) == -(-7 // slab)


def test_chunks_are_read_whole_as_far_as_memory_allows(monkeypatch):
    frame = 3 * 4 * 8  # bytes
    for slab, expected in ((frame * 5, 5), (frame * 9, 6), (frame, 2), (0, 2)):
        monkeypatch.setattr(movie, "SLAB", slab)
        lengths = []

        def part(index, lengths=lengths):
            lengths.append(len(range(40)[index[0]]))
            return np.zeros((lengths[-1], 3, 4))

        made = movie.ArrayMovie(Path("x"), "f8", Axes(shape=(40, 3, 4)), part, 6)
        assert [len(block) for _, block in made.blocks(2)] == [2] * 20
        assert max(lengths) == expected


def joined(*movies):
    return movie.JoinedMovie(
        [(one.path, (lambda one=one: contextlib.nullcontext(one))) for one in movies]
    )


def blank(n, at, channels=1, **about):
    held = Held(n, blank=np.isin(np.arange(n), at), **about)
    made = movie.WithoutBlank(held, channels)
    return told(made) | {"kept": made.kept, "all": made.n_all}


def test_movies_of_movies(capsys):
    half, times = np.arange(4) / 2, np.arange(5.0)
    cases = {
        "joined": lambda: told(joined(Held(4), Held(3, "b.tif", first=10))),
        "joined, of other blocks": lambda: told(joined(Held(4, own=4), Held(3, own=1, first=10))),
        "joined, with times": lambda: told(joined(Held(4, time=half), Held(4, time=9 + half))),
        "joined, one without times": lambda: told(joined(Held(4, time=half), Held(4))),
        "joined, named": lambda: told(
            joined(Held(4, names=("b", "v"), axes=Axes("TCYX", None, (2, 2))), Held(2, first=4))
        ),
        "joined, of another size": lambda: told(joined(Held(4), Held(3, "b.tif", (2, 1)))),
        "joined, of another type": lambda: told(joined(Held(4), Held(3, "b.tif", dtype="i2"))),
        "joined, in order of their sets": lambda: told(joined(Held(4), Held(3, begins=4))),
        "joined, of two channels": lambda: told(joined(Held(4), Held(4, begins=2, channels=2))),
        "joined, without one before": lambda: told(joined(Held(4), Held(3, "b.tif", begins=5))),
        "joined, of one twice": lambda: told(joined(Held(4), Held(3, "b.tif", begins=3))),
        "joined, without the first": lambda: told(joined(Held(4, begins=5), Held(3))),
        "in turn": lambda: told(movie.InterleavedMovie([Held(4), Held(4, first=10)], ["b", "v"])),
        "in turn, one more": lambda: told(
            movie.InterleavedMovie([Held(5, time=times), Held(4, first=10, time=half)], "bv")
        ),
        "in turn, one more of the second": lambda: told(
            movie.InterleavedMovie([Held(4), Held(5, first=10), Held(4, first=20)], "bvr")
        ),
        "in turn, one of them with times": lambda: told(
            movie.InterleavedMovie([Held(4, time=half), Held(4, first=10)], "bv")
        ),
        "in turn, two more": lambda: told(movie.InterleavedMovie([Held(6), Held(4)], "bv")),
        "in turn, of another size": lambda: told(
            movie.InterleavedMovie([Held(4), Held(4, "b.tif", (2, 2))], "bv")
        ),
        "without blank ones": lambda: blank(9, [0, 4, 5], time=np.arange(9.0), names=("b",)),
        "without blank ones of cycles": lambda: blank(9, [3], 2),
        "without blank ones at the end": lambda: blank(5, [4]),
        "without blank ones, of segments": lambda: blank(
            8, [3], segment=np.array([2, 2, 2, 2, 2, 5, 5, 5])
        ),
        "all blank": lambda: blank(3, [0, 1, 2]),
        "an empty array": lambda: movie.ArrayMovie(
            Path("x.h5"), "u2", Axes(shape=(0, 3, 4)), lambda _: None
        ),
    }  # fmt: skip
    assert_told(cases, TOLD / "movies.txt", capsys)


def test_frames_of_arrays_join_their_axes_to_none_of_a_single_file():
    made = movie.InterleavedMovie([Held(4, axes=Axes("TYX", None, (4, 1, 2)))] * 3, "abc")
    assert made.axes == Axes("TYX", None, (4, 1, 2), movies=3) and made.shape == (12, 1, 2)
    assert joined(Held(4, axes=Axes("TYX", None, (4, 1, 2)))).axes == Axes("TYX", None, ())


@pytest.mark.parametrize("form", ["CLASSIC_LE", "BIG_BE"])
def test_pages_of_any_number_of_tags_follow_each_other(tmp_path, form):
    form, content = getattr(tifffile.TIFF, form), bytearray(8000)
    pages = {16: 40, 2000: 3, 1000: 17, 4000: 16, 6000: 1}  # of the first, 16 are read at once
    for (at, n_tags), following in zip(pages.items(), [*[*pages][1:], 0], strict=True):
        struct.pack_into(form.tagnoformat, content, at, n_tags)
        end = at + form.tagnosize + n_tags * form.tagsize
        struct.pack_into(form.offsetformat, content, end, following)
    (tmp_path / "s.tif").write_bytes(content)
    with open(tmp_path / "s.tif", "rb") as file:
        assert [*movie.page_places(file.fileno(), form, 16)] == [*pages]


@pytest.mark.parametrize("lengths", [[0, 3, 1, 4, 0], [8], [1] * 8, [2, 6]])
@pytest.mark.parametrize("size", [1, 3, 4, 8, 9])
def test_pieces_of_any_lengths_make_blocks_of_one(lengths, size):
    pieces = np.split(np.arange(8), np.cumsum(lengths)[:-1])
    found = list(movie.batched(iter(pieces), size))
    assert [start for start, _ in found] == list(range(0, 8, size))
    assert all(len(block) == size for _, block in found[:-1])
    assert np.concatenate([block for _, block in found]).tolist() == list(range(8))


def test_a_folder_is_no_file_and_no_pipe(tmp_path):
    with pytest.raises(IsADirectoryError, match="Is a directory") as caught:
        movie.check_opens(tmp_path)
    assert caught.value.filename == str(tmp_path)


def test_files_that_are_no_movies_and_frames_of_no_camera(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def opens(content):
        Path("m.tif").write_bytes(content)
        movie.check_opens("m.tif")

    def frame(size, dtype):
        movie.check_frame(SimpleNamespace(path="m.tif", shape=(3, *size), dtype=dtype))

    cases = {
        "any": lambda: opens(b"x"),
        "empty": lambda: opens(b""),
        "Git LFS": lambda: opens(b"version https://git-lfs.github.com/spec/v1\noid"),
        "a page": lambda: opens(b"\n <!DOCTYPE html><title>"),
        "another page": lambda: opens(b"<HTML>"),
        "a word of a page": lambda: opens(b"x <html>"),
        "a frame": lambda: frame((8, 9), "u1"),
        "a frame of real numbers": lambda: frame((8, 9), "f4"),
        "a frame of words": lambda: frame((8, 9), "S3"),
        "a frame of logicals": lambda: frame((8, 9), "?"),
        "the largest frame": lambda: frame((16384, 16384), "f4"),
        "a larger frame": lambda: frame((16384, 16385), "f4"),
        "a frame of 3 axes": lambda: frame((1024, 1024, 1025), "u1"),
    }
    assert_told(cases, TOLD / "opens.txt", capsys)
