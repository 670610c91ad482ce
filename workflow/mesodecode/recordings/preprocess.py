"""Turn a session's source files into the HDF5 recording that every later stage reads."""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mesodecode.base.files import UserError, atomic_path, doubt, doubts
from mesodecode.base.progress import Progress
from mesodecode.recordings.chunks import Writer, ahead, each, threads
from mesodecode.recordings.corrections.chain import Chain
from mesodecode.recordings.intake import Intake, opened
from mesodecode.recordings.masks import read_brain
from mesodecode.recordings.qc_measures import Measured
from mesodecode.recordings.resizing import resize
from mesodecode.recordings.session_sources import Sources
from mesodecode.recordings.turned_masks import better_turned
from mesodecode.running.fingerprints import Watched

FAR = 100  # SD from the mean, where no light and no noise of a camera reaches
BLOCK = 32 << 20  # bytes of frames in memory at a time
PIECE = 1 << 16  # pixels of which a sum is taken at a time: they stay in the processor's cache


def preprocess(
    out: str | Path,
    *,
    session: str,
    session_name: str | None = None,
    mouse: str,
    image_size: int | None = None,
    corrections: Mapping[str, Any] | None = None,
    measures: str | Path | None = None,
    record: str | Path | None = None,
    revision: str = "",
    **settings: Any,
) -> None:
    """Check a session's files and write them as one recording (see `recording`).

    `session` is its id, `session_name` what paths call it where that is another. `image_size` is
    in px (None keeps the size). `settings` are keys of `recordings` in the config, and
    `corrections` those of `tables/corrections.yaml` (see `Sources`). What is measured of the movie
    as recorded and as corrected goes to the HDF5 file `measures`, what the sources are to `record`
    (see `mesodecode.running.fingerprints`). Raises UserError if the files do not fit together;
    then no output is written.
    """
    if image_size is not None and image_size < 1:
        raise UserError(f"image_size: {image_size} px; needs 1 or more")
    sources = Sources.of(settings, corrections)
    with doubts() as doubted, Watched(sources.files) as watched, opened(sources) as taken_in:
        with atomic_path(out) as part, h5py.File(part, "w") as file:
            file.attrs.update(session=session, mouse=mouse, frame_rate=float(sources.frame_rate))
            if session_name is not None:
                file.attrs["session_name"] = session_name
            write_session(file, taken_in, image_size)
            for kind, (name, digest) in watched.fingerprints().items():
                file.attrs[kind], file.attrs[f"{kind}_sha256"] = name, digest
            taken_in.say()
            _say_turned(taken_in)
            if doubted:
                file.attrs["doubts"] = [*doubted]
            if measures is not None:
                write_measures(measures, taken_in, session)
        if record is not None:
            watched.write(record, revision)


def _say_turned(taken_in: Intake) -> None:
    """Say which masks would cover the brain if they lay another way."""
    stack, image = taken_in.stack, taken_in.raw.result().mean
    masks = {}
    if isinstance(stack, Chain) and (path := stack.settings["brain_mask"]) is not None:
        masks["brain_mask"] = read_brain(path, *image.shape, stack.path)
    if taken_in.masks is not None:
        masks["roi_masks"] = np.zeros(image.shape, bool)
        masks["roi_masks"].flat[np.concatenate(taken_in.masks.pixels)] = True
    for key, inside in masks.items():
        if taken_in.raw.unit == "counts" and (way := better_turned(inside, image)):
            doubt(
                stack.path,
                f"{key} lies beside the bright part of the image, and would cover it "
                f"if {way}: see the page of `mesodecode qc`, and mend the mask if so",
            )


def write_session(file: h5py.File, taken_in: Intake, image_size: int | None) -> None:
    """Write what a session's files hold; the movie is read on the way."""
    stack, masks, traces, means = taken_in.stack, taken_in.masks, dict(taken_in.traces), []
    pixel_mean, stack_sd = write_frames(
        file, stack, image_size, masks and (lambda block: means.append(masks.means(block)))
    )
    if masks is not None:
        traces["rois"] = np.concatenate(means)
    file["pixel_mean"] = pixel_mean.astype(np.float32)
    file["stack_sd"] = np.float32(stack_sd)
    file["frame_codes"] = taken_in.raw.codes
    for name, values in traces.items():
        file[name] = values
    if "target" in traces:
        file["target"].attrs.update(taken_in.target.attributes())
    if taken_in.roi_names is not None:
        file["rois"].attrs["names"] = taken_in.roi_names
    file.attrs["recorded_size"] = stack.shape[1:]  # px, height and width
    if taken_in.outside is not None:
        file["outside"] = taken_in.outside
    file.attrs["movie_axes"] = taken_in.axes.letters
    file.attrs["movie_axes_by"] = taken_in.axes.by or "nothing"
    if isinstance(stack, Chain):
        stack.write(file)
    elif stack.unit == "dff":  # no correction made it so
        file.attrs["unit"] = stack.unit


def write_measures(path: str | Path, taken_in: Intake, session: str) -> None:
    """Write what was measured: `recorded` (all channels) and, if it is another, `corrected`."""
    with atomic_path(path) as part, h5py.File(part, "w") as file:
        file.attrs["session"] = session
        taken_in.raw.result().write(file.create_group("recorded"))
        if isinstance(taken_in.stack, Chain):
            taken_in.stack.measures.write(file.create_group("corrected"))


def write_frames(
    file: h5py.File,
    stack: Measured | Chain,
    image_size: int | None,
    each_block: Callable[[np.ndarray], None] | None = None,
) -> tuple[np.ndarray, float]:
    """Copy a movie to `file["frames"]` block by block, resized if asked for.

    `each_block` is shown every block (n, H, W) as recorded, before it is resized.

    Returns the temporal mean of each pixel (H, W) and the SD over all pixels and frames of the
    stack, both float64, in camera counts (the normalisation of Ajioka et al. 2024).
    Raises UserError if corrections made infinite pixels, all are equal throughout, or, of floats,
    one alone makes the SD: `FAR` SD from the mean, and a tenth of the variance.
    """
    n_frames, height, width = stack.shape
    if image_size is not None:
        height = width = image_size
    frame_bytes = height * width * stack.dtype.itemsize
    total = np.zeros((height, width))
    squares, offset, farthest = 0.0, None, (-1.0, 0, np.nan)
    step = max(1, BLOCK // max(frame_bytes, stack.shape[1] * stack.shape[2] * 4))
    shape = n_frames, height, width
    with (
        Progress(n_frames, "frames", stack.path.name) as progress,
        Writer(file, shape, stack.dtype) as frames,
        closing(ahead(stack.blocks(step))) as blocks,  # no thread reads on once this has failed
    ):
        for start, block in blocks:
            if each_block is not None:
                each_block(block)
            if image_size is not None:
                parts = np.array_split(block, min(threads(), len(block)))
                small = each(lambda part: round_to(resize(part, image_size), stack.dtype), parts)
                block = np.concatenate(list(small))
            frames.write(block)
            if offset is None:  # a shift near the mean keeps the sum of squares exact
                offset = float(block[0].mean())
            squares += (added := add(total, block, offset))
            if added > squares / 10 and stack.dtype.kind == "f":  # no other holds such a pixel
                farthest = max(farthest, _farthest(block, start, offset))
            progress.update(len(block))
    count = n_frames * height * width
    variance = squares / count - (total.sum() / count) ** 2
    if not np.isfinite(variance):  # of finite pixels, see `FilledMovie`
        raise UserError(f"{stack.path}: pixels beyond the range of their type, once corrected")
    if variance <= 0:
        raise UserError(f"{stack.path}: every pixel of every frame has the same value")
    _, frame, value = farthest
    off = (value - offset - total.sum() / count) ** 2 / variance
    if off > max(FAR**2, count / 10):
        raise UserError(
            f"{stack.path}: frame {frame} has a pixel of {value:.3g}, {np.sqrt(off):.3g} SD of the "
            "recording from its mean, and images are normalised by this SD; cut the frame out of "
            "movie and behaviour, or name a brain_mask that leaves the pixel out"
        )
    return total / n_frames + offset, float(np.sqrt(variance))


def _farthest(block: np.ndarray, start: int, offset: float) -> tuple[float, int, float]:
    """Return the largest distance to `offset` in a block (n, H, W), its frame, and the value."""
    ends = [(int(at), float(block.flat[at])) for at in (block.argmin(), block.argmax())]
    return max((abs(value - offset), start + at // block[0].size, value) for at, value in ends)


def add(total: np.ndarray, block: np.ndarray, offset: float) -> float:
    """Add a block (n, H, W) less an offset to `total` (H, W), and return the sum of its squares."""
    squares, step = 0.0, max(1, PIECE // total.size)
    memory = np.empty((min(step, len(block)), *total.shape))
    for start in range(0, len(block), step):
        some = block[start : start + step]
        shifted = memory[: len(some)]
        np.copyto(shifted, some)
        shifted -= offset
        total += np.einsum("tyx->yx", shifted)
        squares += float(np.einsum("i,i->", shifted.ravel(), shifted.ravel()))
    return squares


def round_to(frames: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return frames in a type, rounded and cut to its range if it is of whole numbers."""
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        frames = np.clip(np.rint(frames), info.min, info.max)
    return frames.astype(dtype)
