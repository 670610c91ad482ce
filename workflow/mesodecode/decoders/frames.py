"""The frames of recordings as one array (T, H, W): in the device's memory, or read when needed.

Wherever they are kept, it is in as many bytes as recorded, as `kept` says; networks get `counts`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import h5py
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from mesodecode.base import files
from mesodecode.base.files import UserError
from mesodecode.recordings.chunks import UNREADABLE, Planes, readable
from mesodecode.recordings.recording import Recording

SHARE = 0.7  # of the free memory that frames may take; the network needs the rest
PINNED = 64 << 20  # bytes of a file that a GPU copies at once


def free_memory(device: torch.device) -> int:
    """Return the bytes that are free on a device; on the CPU, within the limit of a job."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return files.free_memory()


def open_frames(
    recordings: Sequence[Recording], device: torch.device, feed: str = "auto"
) -> Resident | Streamed:
    """Return the frames of recordings one after another.

    `feed` memory: loaded once to the device; stream: read from HDF5 by worker processes, ahead of
    the network; auto: memory if they fit in 70 % of what is free on the device.
    Raises UserError if recordings differ in the type of their frames.
    """
    dtypes = []
    for recording in recordings:
        dtypes.append(_dtype(recording))
        if dtypes[-1] != dtypes[0]:
            raise UserError(f"{recording.path}: frames of type {dtypes[-1]}, others {dtypes[0]}")
    n_bytes = sum(int(np.prod(r.shape)) for r in recordings) * dtypes[0].itemsize
    if feed == "auto":
        feed = "memory" if n_bytes <= SHARE * free_memory(device) else "stream"
    return (Resident if feed == "memory" else Streamed)(recordings, device)


def kept(frames: np.ndarray) -> torch.Tensor:
    """Return frames of a recording's own type as a tensor of any device, for `counts` to read.

    CUDA neither indexes uint16, uint32 and uint64 nor calculates with them: such frames are kept as
    signed integers of the same bits. All other types stay, in this machine's order of bytes.
    """
    dtype = frames.dtype.newbyteorder("=")
    if dtype.itemsize > 8:  # long double, which torch does not have
        dtype = np.dtype(np.float64)
    frames = np.ascontiguousarray(frames, dtype)
    return torch.from_numpy(frames.view(f"i{dtype.itemsize}") if _wraps(dtype) else frames)


def counts(stored: torch.Tensor, dtype: np.dtype) -> torch.Tensor:
    """Return what `kept` made of frames of type `dtype` as the numbers that they are, float32."""
    if not _wraps(dtype):
        return stored.to(torch.float32)
    if dtype.itemsize == 8:  # no type is wider: halve, keeping whether the rest is above a tie
        half = ((stored >> 1) & (2**63 - 1)) | (stored & 1)
        return torch.where(stored < 0, half.to(torch.float32) * 2, stored.to(torch.float32))
    wide = stored.to(torch.int32 if dtype.itemsize == 2 else torch.int64)
    wide &= 2 ** (8 * dtype.itemsize) - 1
    return wide.to(torch.float32)


def _wraps(dtype: np.dtype) -> bool:
    """Whether numbers of the upper half of a type are kept as negative ones."""
    return dtype.kind == "u" and dtype.itemsize > 1


def _dtype(recording: Recording) -> np.dtype:
    return recording.read_frames(0, 1).dtype.newbyteorder("=")


class Frames:
    """Frames one after another: `feed` says which, or brings them; `read` makes them counts."""

    _dtype: np.dtype

    def stream(self, parts: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Yield the frames at each of `parts` (positions of any shape S) as float32 (*S, H, W)."""
        return map(self.read, self.feed(parts))

    def feed(self, parts: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Yield what `read` needs, on the device, for each of `parts` (positions of a shape S)."""
        raise NotImplementedError

    def read(self, fed: torch.Tensor) -> torch.Tensor:
        """Return the frames (*S, H, W) float32 of what was fed; asks the device only."""
        raise NotImplementedError


class Resident(Frames):
    """Frames in the memory of the device; fed are positions."""

    def __init__(self, recordings: Sequence[Recording], device: torch.device) -> None:
        self._dtype = _dtype(recordings[0])
        first = kept(np.empty((0, *recordings[0].shape[1:]), self._dtype))
        n_frames = sum(map(len, recordings))
        self._frames = torch.empty((n_frames, *first.shape[1:]), dtype=first.dtype, device=device)
        stop = 0
        for recording in recordings:
            start, stop = stop, stop + len(recording)
            here = self._frames[start:stop]
            if device.type == "cpu" or not put_planes(recording.planes(), here):
                here[:] = kept(recording.read_frames())

    def feed(self, parts: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Yield the positions themselves."""
        return iter(parts)

    def read(self, fed: torch.Tensor) -> torch.Tensor:
        """Return the frames (*S, H, W) float32 at positions of a shape S."""
        return counts(self._frames[fed], self._dtype)


def put_planes(planes: Planes | None, frames: torch.Tensor) -> bool:
    """Fill `frames` (T, H, W), as they are `kept`, from a file; tell whether that could be done.

    Threads inflate chunks into memory from which a GPU copies them while they inflate the next
    ones; there their bytes are put together. What is damaged is not read.
    """
    if planes is None or planes.dtype.itemsize != frames.element_size():
        return False
    cuda, each = frames.is_cuda, max(1, PINNED // math.prod(planes.chunk))
    hosts = [torch.empty(each, *planes.chunk, dtype=torch.uint8, pin_memory=cuda) for _ in range(2)]
    copied = [torch.cuda.Event() for _ in hosts] if cuda else []
    for turn, start in enumerate(range(0, len(planes), each)):
        host = hosts[turn % 2][: len(planes) - start]
        if cuda:
            copied[turn % 2].synchronize()  # of its last turn
        try:
            planes.fill(host.numpy(), start)
        except UNREADABLE:
            return False
        there = host.to(frames.device, non_blocking=True)
        if cuda:
            copied[turn % 2].record()
        values = there.transpose(1, 2).contiguous().view(frames.dtype)
        here = frames[start * planes.step :][: len(host) * planes.step]
        here.copy_(values.view(-1, *frames.shape[1:])[: len(here)])
    return True


class Streamed(Frames, Dataset):
    """Frames in HDF5; worker processes read those of the next batches, in order.

    The batches are those of `Resident`, so that both train to the same weights. Frames that lie
    together in a recording are read together: runs of frames stream faster than single ones.
    """

    def __init__(self, recordings: Sequence[Recording], device: torch.device) -> None:
        self._paths = [recording.path for recording in recordings]
        self._stops = np.cumsum([len(recording) for recording in recordings])
        self._dtype = _dtype(recordings[0])
        self._device, self._parts = device, []
        self._files: dict[int, h5py.File] = {}  # of this process

    def feed(self, parts: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Yield the frames as they are `kept`."""
        self._parts = [part.cpu().numpy() for part in parts]
        self._files = {}  # workers open their own
        cuda = self._device.type == "cuda"
        loader = DataLoader(
            self,
            batch_size=None,
            num_workers=min(len(parts), max(1, torch.get_num_threads() - 1)),
            pin_memory=cuda,
            prefetch_factor=4,
            generator=torch.Generator(),  # a loader draws a seed: not from the network's randomness
        )
        for frames in loader:
            if isinstance(frames, UserError):
                raise frames
            yield frames.to(self._device, non_blocking=cuda)

    def read(self, fed: torch.Tensor) -> torch.Tensor:
        """Return frames that were `kept` as float32."""
        return counts(fed, self._dtype)

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, i: int) -> torch.Tensor | UserError:
        """Return the frames of part i as `kept`; called in a worker.

        A UserError is returned: one that a worker raises has its traceback for words.
        """
        try:
            return self._read(i)
        except UserError as error:
            return error

    def _read(self, i: int) -> torch.Tensor:
        positions, inverse = np.unique(self._parts[i], return_inverse=True)
        recording = np.searchsorted(self._stops, positions, side="right")
        # Where one frame does not follow the other, or another recording begins, a read begins.
        breaks = np.flatnonzero((np.diff(positions) != 1) | (np.diff(recording) != 0)) + 1
        frames = None
        for run in np.split(np.arange(len(positions)), breaks):
            at = recording[run[0]]
            offset = self._stops[at - 1] if at else 0
            first, last = (int(positions[run[end]] - offset) for end in (0, -1))
            with readable(self._paths[at], f"frames {first}-{last}"):
                block = self._dataset(at)[first : last + 1]
            if frames is None:
                frames = np.empty((len(positions), *block.shape[1:]), block.dtype)
            frames[run] = block
        return kept(frames[inverse.reshape(self._parts[i].shape)])

    def _dataset(self, recording: int) -> h5py.Dataset:
        if recording not in self._files:
            self._files[recording] = h5py.File(self._paths[recording])
        return self._files[recording]["frames"]
