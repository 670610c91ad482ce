"""Frames written and read beside HDF5 are those that HDF5 reads and writes."""

import os
import threading
import zlib

import h5py
import numpy as np
import pytest

from mesodecode.base.files import UserError
from mesodecode.recordings import chunks

TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "float32", "float64"]


def movie(dtype, n=23, seed=0):
    """Frames (n, 7, 5): a bright image and noise over all bits of their lowest byte."""
    rng = np.random.default_rng(seed)
    values = 20 * rng.random((7, 5)) + rng.normal(0, 5, (n, 7, 5))
    if np.dtype(dtype).kind in "ui":
        return (values + (300 if np.dtype(dtype).itemsize > 1 else 50)).astype(dtype)
    return (values / 100).astype(dtype)


def written(path, frames, monkeypatch, in_chunk=4, block=6):
    monkeypatch.setattr(chunks, "CHUNK", in_chunk * frames[0].nbytes)
    held = np.empty_like(frames[:block])
    with h5py.File(path, "w") as file, chunks.Writer(file, frames.shape, frames.dtype) as writer:
        for start in range(0, len(frames), block):
            some = frames[start : start + block]
            held[: len(some)] = some  # the caller's, who writes the next ones there
            writer.write(held[: len(some)])
    return path


@pytest.mark.parametrize("n_threads", ["1", "3"])
@pytest.mark.parametrize("dtype", TYPES)
def test_hdf5_and_we_read_what_was_written(tmp_path, monkeypatch, dtype, n_threads):
    monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
    frames = movie(dtype)
    path = written(tmp_path / "r.h5", frames, monkeypatch)
    with h5py.File(path) as file:
        assert file["frames"].chunks == (4, 7, 5)
        assert (file["frames"].compression, file["frames"].shuffle) == ("gzip", True)
        np.testing.assert_array_equal(file["frames"][:], frames)
    for start, stop in [(0, None), (0, 1), (3, 5), (4, 8), (21, 23), (22, 40), (5, 5), (9, 3)]:
        found = chunks.read_frames(path, start, stop)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, frames[start:stop])


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8, 9, 21])
@pytest.mark.parametrize("block", [1, 4, 6, 30])
def test_every_frame_is_written_however_many_are_in_the_last_chunk(tmp_path, monkeypatch, n, block):
    frames = movie("uint16", n)
    path = written(tmp_path / "r.h5", frames, monkeypatch, block=block)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["frames"][:], frames)
    np.testing.assert_array_equal(chunks.read_frames(path), frames)


@pytest.mark.parametrize(
    "filters",
    [
        {"chunks": (4, 7, 5), "compression": "gzip", "compression_opts": 4, "shuffle": True},
        {"chunks": (4, 7, 5), "compression": "gzip"},
        {"chunks": (4, 7, 5), "compression": "lzf", "shuffle": True},
        {"chunks": (4, 7, 2), "compression": "gzip", "shuffle": True},
        {"chunks": (4, 7, 5), "compression": "gzip", "shuffle": True, "fletcher32": True},
        {},
    ],
)
def test_recordings_of_other_filters_are_read(tmp_path, filters):
    frames = movie("uint16")
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file.create_dataset("frames", data=frames, **filters)
    np.testing.assert_array_equal(chunks.read_frames(tmp_path / "r.h5", 2, 20), frames[2:20])


@pytest.mark.parametrize("dtype", TYPES)
def test_recordings_are_read_past_hdf5(tmp_path, monkeypatch, dtype):
    """Which would inflate them one after another."""
    path = written(tmp_path / "r.h5", movie(dtype), monkeypatch)
    inflated = []
    inflate = chunks._frames
    monkeypatch.setattr(chunks, "_frames", lambda *a: inflated.append(1) or inflate(*a))
    chunks.read_frames(path, 3, 9)
    assert len(inflated) == 3  # chunks of frames 0-3, 4-7 and 8-11


@pytest.mark.parametrize("dtype", [">u2", ">f4"])
def test_another_order_of_bytes_is_read(tmp_path, dtype):
    frames = movie("uint16").astype(dtype)
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file.create_dataset("frames", data=frames, chunks=(4, 7, 5), **chunks.FILTERS)
    np.testing.assert_array_equal(chunks.read_frames(tmp_path / "r.h5"), frames)


def test_chunks_that_were_never_written_are_zeros(tmp_path):
    with h5py.File(tmp_path / "r.h5", "w") as file:
        data = file.create_dataset("frames", (12, 7, 5), "u2", chunks=(4, 7, 5), **chunks.FILTERS)
        data[4:8] = 9
    found = chunks.read_frames(tmp_path / "r.h5")
    np.testing.assert_array_equal(found[:, 0, 0], [0] * 4 + [9] * 4 + [0] * 4)


def test_a_damaged_chunk_is_refused_with_its_file(tmp_path, monkeypatch):
    path = written(tmp_path / "r.h5", movie("uint16"), monkeypatch)
    with h5py.File(path) as file:
        place = file["frames"].id.get_chunk_info(2)
    with open(path, "r+b") as file:
        file.seek(place.byte_offset + 20)
        file.write(b"\xff" * 20)
    np.testing.assert_array_equal(chunks.read_frames(path, 0, 8), movie("uint16")[:8])
    with pytest.raises(UserError, match=r"r.h5: its frames cannot be read .* delete it"):
        chunks.read_frames(path, 0, 12)
    with h5py.File(path, "a") as file:  # of fewer bytes, which HDF5 takes for frames
        file["frames"].id.write_direct_chunk((8, 0, 0), zlib.compress(b"short"))
    with pytest.raises(
        UserError, match=r"r.h5: its frames cannot be read \(a chunk of fewer bytes"
    ):
        chunks.read_frames(path, 0, 12)


@pytest.mark.parametrize(
    ("name", "error"), [("none.h5", FileNotFoundError), ("folder.h5", IsADirectoryError)]
)
def test_what_is_no_file_is_not_called_damaged(tmp_path, name, error):
    """The error names the path itself; "delete it" would be the wrong advice."""
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(error, match=name):
        chunks.read_frames(tmp_path / name)


def test_noise_is_stored_and_takes_no_more_than_itself(tmp_path, monkeypatch):
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 2**16, (8, 64, 64), np.uint16)  # more than one block of deflate
    path = written(tmp_path / "r.h5", frames, monkeypatch, in_chunk=8)
    np.testing.assert_array_equal(chunks.read_frames(path), frames)
    with h5py.File(path) as file:
        assert file["frames"].id.get_storage_size() < 1.01 * frames.nbytes


def test_as_many_threads_as_the_job_was_told(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert chunks.threads() == 5
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for told in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        assert chunks.threads() == cores


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_next_item_is_made_while_one_is_looked_at(monkeypatch, n_threads):
    monkeypatch.setattr(chunks, "threads", lambda: n_threads)
    begun = [threading.Event() for _ in range(4)]

    def items():
        for i, event in enumerate(begun):
            event.set()
            if i == 3:
                raise ValueError("damaged")
            yield i

    got = []
    with pytest.raises(ValueError, match="damaged"):
        for i in chunks.ahead(items()):
            got.append(i)
            assert begun[i + 1].wait(0 if n_threads == 1 else 20) == (n_threads == 2)
    assert got == [0, 1, 2]


def test_a_plane_that_is_noise_in_part_only_is_deflated():
    noise = np.random.default_rng(0).integers(0, 256, 1 << 16, np.uint8)
    flat = np.zeros_like(noise)
    assert chunks._is_noise(noise) and not chunks._is_noise(flat)
    for halves in ((noise, flat), (flat, noise)):
        assert not chunks._is_noise(np.concatenate(halves))
    for piece in (slice(1024), slice(-1024, None)):  # the first and the last that are looked at
        other = noise.copy()
        other[piece] = 0
        assert not chunks._is_noise(other)


@pytest.mark.parametrize("kind", ["never written", "without filters", "shuffled alone"])
def test_chunks_that_are_stored_in_another_way_are_left_to_hdf5(tmp_path, kind):
    frames = np.arange(4 * 2 * 3, dtype=np.uint16).reshape(4, 2, 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("frames", (4, 2, 3), "u2", chunks=(2, 2, 3), **chunks.FILTERS)
        data[:2] = frames[:2]
        if kind == "never written":
            frames[2:] = 0
        elif kind == "without filters":  # HDF5 keeps which of them a chunk went without
            data.id.write_direct_chunk((2, 0, 0), frames[2:].tobytes(), filter_mask=0b11)
        else:
            planes = frames[2:].view(np.uint8).reshape(-1, 2).T
            data.id.write_direct_chunk((2, 0, 0), planes.tobytes(), filter_mask=0b10)
    assert chunks.planes_of(tmp_path / "a.h5") is None
    np.testing.assert_array_equal(chunks.read_frames(tmp_path / "a.h5"), frames)
    np.testing.assert_array_equal(chunks.read_frames(tmp_path / "a.h5", 1, 3), frames[1:3])
    np.testing.assert_array_equal(chunks.read_frames(tmp_path / "a.h5", 0, 2), frames[:2])
