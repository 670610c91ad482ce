"""Frames in memory and frames streamed from HDF5 are the same, in the same order."""

import itertools
import os
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cuda_rules import CUDA_INDEXES
from make_recordings import stack, write_recording
from mesodecode.base.files import UserError
from mesodecode.decoders import frames
from mesodecode.decoders.frames import Resident, Streamed, counts, free_memory, kept, open_frames
from mesodecode.decoders.inputs import Images, ImageWindows
from mesodecode.recordings import chunks
from mesodecode.recordings.movie import check_frame

CPU = torch.device("cpu")
LENGTHS = (9, 4, 6)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Three recordings, and all their frames in one array."""
    folder = tmp_path_factory.mktemp("recordings")
    stacks = [stack("uint16", n, seed=n) for n in LENGTHS]
    paths = [folder / f"s{i}.h5" for i in range(len(stacks))]
    return [write_recording(p, x) for p, x in zip(paths, stacks, strict=True)], np.concatenate(
        stacks
    )


@settings(max_examples=50, deadline=None)
@given(shape=st.sampled_from([(1,), (5,), (4, 3)]), seed=st.integers(0, 999))
def test_any_positions_are_read_as_from_the_array(recorded, shape, seed):
    recordings, everything = recorded
    at = np.random.default_rng(seed).integers(0, sum(LENGTHS), shape)  # any order, some twice
    streamed = Streamed(recordings, CPU)
    streamed._parts = [at]
    np.testing.assert_array_equal(counts(streamed[0], everything.dtype).numpy(), everything[at])


@pytest.mark.parametrize("kind", [Resident, Streamed])
def test_batches_come_in_the_order_asked_for(recorded, kind):
    recordings, everything = recorded
    parts = torch.randperm(sum(LENGTHS), generator=torch.Generator().manual_seed(0)).split(4)
    found = list(kind(recordings, CPU).stream(parts))
    assert len(found) == len(parts)
    for part, block in zip(parts, found, strict=True):
        np.testing.assert_array_equal(block.numpy(), everything[part])


@pytest.mark.parametrize(
    ("threads", "n_parts", "workers"), [(8, 3, 3), (8, 20, 7), (1, 20, 1), (2, 20, 1)]
)
def test_frames_are_read_by_what_threads_the_network_leaves_and_no_more_than_batches(
    recorded, monkeypatch, threads, n_parts, workers
):
    class Loader(list):
        def __init__(self, source, **how):
            super().__init__(source[i] for i in range(len(source)))
            asked.append(how["num_workers"])

    asked, parts = [], torch.arange(10).split(1) * 2
    monkeypatch.setattr(frames, "DataLoader", Loader)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    found = list(Streamed(recorded[0], CPU).stream(parts[:n_parts]))
    assert asked == [workers] and len(found) == n_parts


def test_streaming_draws_no_number_that_a_network_would_draw(recorded):
    recordings, _ = recorded
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    list(Streamed(recordings, CPU).stream([torch.arange(3)]))
    assert torch.equal(torch.rand(2), expected)


def test_damaged_frames_are_named_where_they_are_streamed(tmp_path):
    recording = write_recording(tmp_path / "s.h5", stack("uint16", 9))
    with h5py.File(recording.path, "r+") as file:
        values = file["frames"][()]
        del file["frames"]
        chunked = {"chunks": (3, *values.shape[1:]), "compression": "gzip"}
        place = file.create_dataset("frames", data=values, **chunked).id.get_chunk_info(1)
    with open(recording.path, "r+b") as file:
        file.seek(place.byte_offset)
        file.write(b"\xff" * 20)
    parts = torch.arange(9).split(3)
    with pytest.raises(UserError, match=r"s\.h5: frames 3-5 cannot be read .*; delete it, and"):
        list(Streamed([recording], CPU).stream(parts))


# Every type of pixels that readers let pass.
TYPES = {np.dtype(t) for t in np.sctypeDict.values() if np.dtype(t).kind in "uif"}
TYPES = sorted(TYPES, key=str)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_frames_of_every_type_are_kept_as_cuda_can_index_them(dtype, order):
    dtype = dtype.newbyteorder(order)
    check_frame(SimpleNamespace(path="movie.tif", dtype=dtype, shape=(8, 1, 2)))  # can be here
    if dtype.kind == "f":
        values = [0.0, -1.5, np.pi, 65504.0, -1e-7]
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        # both ends, around the sign, and what float32 rounds: to even, up, and by a last bit
        values = [low, low + 1, high // 2, high // 2 + 1, high - 1, high, 0, 1]
        values += [2**24 + 1, 2**24 + 3, 2**63 + 2**39, 2**63 + 2**39 + 1, 2**63 + 3 * 2**39]
        values = [v for v in values if low <= v <= high]
    frames = np.array(values, dtype)[::-1, None, None].repeat(2, axis=2)
    stored = kept(frames)
    assert stored.dtype in CUDA_INDEXES
    assert dtype.itemsize > 1 or stored.dtype == getattr(torch, dtype.name)  # a byte as it is
    assert stored.element_size() == min(dtype.itemsize, 8)  # nothing is widened
    found = counts(stored, dtype)
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), frames.astype(np.float32))


@pytest.mark.parametrize("n_threads", ["1", "3"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int32", "float32", "float64"])
def test_what_a_gpu_puts_together_are_the_frames(tmp_path, monkeypatch, dtype, n_threads):
    """In turns of two chunks of 4 frames, the last of one frame: buffers are used again."""
    monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
    movie = np.random.default_rng(0).integers(0, 60_000, (21, 7, 5)).astype(dtype)
    monkeypatch.setattr(chunks, "CHUNK", 4 * movie[0].nbytes)
    monkeypatch.setattr(frames, "PINNED", 2 * 4 * movie[0].nbytes)
    path = tmp_path / "r.h5"
    with h5py.File(path, "w") as file, chunks.Writer(file, movie.shape, movie.dtype) as writer:
        writer.write(movie)
    expected = kept(movie)
    found = torch.zeros_like(expected)
    assert frames.put_planes(chunks.planes_of(tmp_path / "r.h5"), found)
    assert torch.equal(found, expected)


def test_memory_that_a_gpu_copies_from_is_filled_again_once_it_has(tmp_path, monkeypatch):
    """Each of two pieces has an event, set behind its copy and waited for before its next turn."""
    did, movie = [], np.arange(21 * 35, dtype=np.uint16).reshape(21, 7, 5)
    numbers, empty, fill = itertools.count(), torch.empty, chunks.Planes.fill

    class Event:
        def __init__(self):
            self.number = next(numbers)

        def synchronize(self):
            did.append(f"wait {self.number}")

        def record(self):
            did.append(f"copied {self.number}")

    class OnAGpu:
        """Frames that say so, and lie on the CPU."""

        is_cuda = True

        def __init__(self, held):
            self.held = held

        def __getattr__(self, name):
            return getattr(self.held, name)

        def __getitem__(self, at):
            return self.held[at]

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch, "empty", lambda *size, pin_memory, **how: empty(*size, **how))
    monkeypatch.setattr(chunks.Planes, "fill", lambda *given: did.append("fill") or fill(*given))
    monkeypatch.setattr(chunks, "CHUNK", 4 * movie[0].nbytes)
    monkeypatch.setattr(frames, "PINNED", 2 * 4 * movie[0].nbytes)
    with (
        h5py.File(tmp_path / "r.h5", "w") as file,
        chunks.Writer(file, movie.shape, movie.dtype) as writer,
    ):
        writer.write(movie)
    expected = kept(movie)
    found = torch.zeros_like(expected)
    assert frames.put_planes(chunks.planes_of(tmp_path / "r.h5"), OnAGpu(found))
    assert torch.equal(found, expected)
    turns = [[f"wait {n}", "fill", f"copied {n}"] for n in (0, 1, 0)]
    assert did == [*itertools.chain(*turns)]


def test_what_is_stored_in_another_way_or_damaged_is_left_to_hdf5(tmp_path, monkeypatch):
    movie = np.full((12, 7, 5), 300, np.uint16)
    monkeypatch.setattr(chunks, "CHUNK", 4 * movie[0].nbytes)
    with h5py.File(tmp_path / "r.h5", "w") as file:
        file["plain"] = movie
        with chunks.Writer(file, movie.shape, movie.dtype) as writer:
            writer.write(movie)
        place = file["frames"].id.get_chunk_info(1)
    planes = chunks.planes_of(tmp_path / "r.h5")
    found = torch.zeros(movie.shape, dtype=torch.int16)
    assert not frames.put_planes(None, found)
    assert not frames.put_planes(planes, found.double())  # a type that is not kept as it is
    with open(tmp_path / "r.h5", "r+b") as file:
        file.seek(place.byte_offset + 4)
        file.write(b"\xff" * 20)
    assert not frames.put_planes(planes, found)
    with h5py.File(tmp_path / "r.h5", "r+") as file:
        del file["frames"]
        file.move("plain", "frames")
    assert chunks.planes_of(tmp_path / "r.h5") is None


def test_images_and_windows_do_not_depend_on_where_frames_are(recorded):
    recordings, _ = recorded
    for make in (Images, lambda r, **o: ImageWindows(r, 1, **o)):
        memory, streamed = (make(recordings, feed=feed) for feed in ("memory", "stream"))
        parts = memory.centres.split(5)
        for one, other in zip(memory.batches(parts), streamed.batches(parts), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_second_pass_reads_again(recorded):
    recordings, everything = recorded
    streamed = Streamed(recordings, CPU)
    for _ in range(2):
        (block,) = streamed.stream([torch.tensor([3, 10])])
        np.testing.assert_array_equal(block.numpy(), everything[[3, 10]])


def test_frames_are_streamed_where_they_do_not_fit(recorded, monkeypatch):
    recordings, everything = recorded
    needed = everything.nbytes / 0.7
    monkeypatch.setattr(frames, "free_memory", lambda device: needed + 1)
    assert isinstance(open_frames(recordings, CPU), Resident)
    monkeypatch.setattr(frames, "free_memory", lambda device: needed - 1)
    assert isinstance(open_frames(recordings, CPU), Streamed)
    monkeypatch.setattr(frames, "SHARE", 0.5)  # a share that has no rounding
    monkeypatch.setattr(frames, "free_memory", lambda device: everything.nbytes * 2)
    assert isinstance(open_frames(recordings, CPU), Resident)  # just


def test_the_memory_of_a_job_is_its_limit(monkeypatch):
    monkeypatch.delenv("SLURM_MEM_PER_NODE", raising=False)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < free_memory(CPU) < total
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "10")
    assert free_memory(CPU) == 10 * 2**20
