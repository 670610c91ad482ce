"""Turn a session's source files into the HDF5 recording that every later stage reads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mesodecode.base.files import UserError, atomic_path
from mesodecode.base.progress import Progress
from mesodecode.recordings.axes import Axes, ask, other
from mesodecode.recordings.chunks import Writer
from mesodecode.recordings.corrections.chain import Chain, corrected
from mesodecode.recordings.corrections.movies import signal_frames
from mesodecode.recordings.corrections.turns import InTurn
from mesodecode.recordings.masks import read_brain, read_masks
from mesodecode.recordings.movie import InterleavedMovie, WithoutBlank, resize
from mesodecode.recordings.qc_measures import Measured
from mesodecode.recordings.readers import Movie, open_movie
from mesodecode.recordings.readers.behavior import read_behavior, seen
from mesodecode.recordings.readers.checks import CheckedMovie
from mesodecode.recordings.readers.clocks import Frames, check_times, increasing, read_times, say
from mesodecode.recordings.readers.filled import FilledMovie
from mesodecode.recordings.readers.image_files import IMAGES
from mesodecode.recordings.readers.light_sources import read_light_sources
from mesodecode.recordings.readers.series import check_signal
from mesodecode.recordings.roi_files import read_signals
from mesodecode.running.fingerprints import Watched
from mesodecode.study.file_formats import format_of

BLOCK = 32 << 20  # bytes of frames in memory at a time


def preprocess(
    out: str | Path,
    *,
    movie: str | Path | Sequence[str | Path],
    movie_dataset: str | Sequence[str] | None = None,
    movie_axes: str | None = None,
    movie_shape: Sequence[int] | None = None,
    movie_dtype: str | None = None,
    movie_mask: str | Path | None = None,
    wavelengths: str = "auto",
    zero_frames: str = "refuse",
    frame_times: str | Path | None = None,
    frame_times_dataset: str | None = None,
    frame_times_unit: str | float | None = None,
    frame_times_clock: str | float | None = None,
    light_sources: str | Path | None = None,
    light_sources_dataset: str | None = None,
    behavior: str | Path,
    rois: str | Path | None = None,
    roi_dataset: str | None = None,
    roi_masks: str | Path | None = None,
    session: str,
    session_name: str | None = None,
    mouse: str,
    frame_rate: float,
    image_size: int | None = None,
    speed_threshold: float = 0.5,
    corrections: dict[str, Any] | None = None,
    measures: str | Path | None = None,
    record: str | Path | None = None,
    revision: str = "",
    **labelling: Any,
) -> None:
    """Check a session's files and write them as one recording (see `recording`).

    `session` is its id, `session_name` what paths call it where that is another.
    `frame_rate` is in frames/s, `image_size` in px (None keeps the size), `speed_threshold` in
    cm/s; `movie_…` as for `open_movie`, `labelling` as for `read_behavior`.
    ROI signals come from the file `rois` or from the movie, as means over `roi_masks`; not both.
    `roi_dataset` says which array of that file. `light_sources` tell which channel a frame is of
    (see `read_light_sources`); without them, channels take turns. `corrections` are the settings of
    `tables/corrections.yaml` (None makes none). What is measured of the movie as recorded and as
    corrected goes to the HDF5 file `measures`, what the sources are to `record` (see
    `mesodecode.running.fingerprints`). Raises UserError if the files do not fit together;
    then no output is written.
    """
    if not 0 < frame_rate < math.inf:
        raise UserError(f"frame_rate: {frame_rate} frames/s; needs a number above 0")
    if image_size is not None and image_size < 1:
        raise UserError(f"image_size: {image_size} px; needs 1 or more")
    if rois is not None and roi_masks is not None:
        raise UserError(f"{rois}, {roi_masks}: ROI signals from a file or from masks; give one")
    sources = {
        "movie": movie,
        "behavior": behavior,
        "rois": rois,
        "roi_masks": roi_masks,
        "frame_times": frame_times,
        "light_sources": light_sources,
        "movie_mask": movie_mask,
    }
    for kind in ("dark_frame", "brain_mask"):
        sources[kind] = corrections and corrections[kind]
    watched = Watched(sources)
    channels, lights = (corrections or {}).get("channels", 1), None
    if light_sources is not None:
        if wavelengths == "separate":
            raise UserError(
                f"{light_sources}: light_sources tell frames that take turns, but wavelengths is "
                "separate; leave one of them out"
            )
        wavelengths = "in_turn"
    with open_movie(
        movie,
        dataset=movie_dataset,
        axes=movie_axes,
        channels=channels if light_sources is None else None,
        wavelengths=wavelengths,
        shape=movie_shape,
        dtype=movie_dtype,
        mask=movie_mask,
    ) as opened:
        if opened.blank is not None:
            opened = WithoutBlank(opened)
            without = opened.n_all - opened.shape[0]
            say(f"{opened.path}: {without} of {opened.n_all} frames have no values: left out")
        if opened.names and corrections is not None and light_sources is None:
            check_signal(opened.names, corrections["signal_channel"], opened.path)
        brain = sources["brain_mask"]
        if brain is not None:
            brain = read_brain(brain, *opened.shape[1:], opened.path)
        filled = FilledMovie(opened, brain)
        used = None if light_sources is not None else of_used_channels(opened, corrections)
        checked: Movie | InTurn = CheckedMovie(filled, keep_zero=zero_frames == "keep", used=used)
        if light_sources is not None:
            lights = read_light_sources(light_sources, light_sources_dataset, opened.shape[0])
        elif channels > 1:
            checked = InTurn(checked, channels, apart=isinstance(opened, InterleavedMovie))
        raw = Measured(checked, channels if lights is None else len(np.unique(lights)))
        stack = corrected(raw, corrections, frame_rate, lights, filled.outside)
        taken = signal_frames(opened.shape[0], corrections, lights)
        stamps = {
            "dataset": frame_times_dataset,
            "unit": frame_times_unit,
            "clock": frame_times_clock,
        }
        frames = frames_of(opened, taken, frame_rate, frame_times, channels, **stamps)
        traces = read_behavior(behavior, speed_threshold, frames=frames, **labelling)
        if frames.time is not None:
            traces["time"] = frames.time
        if opened.segment is not None:
            traces["segment"] = of_both(opened.segment[taken], traces.get("segment"))
        names, masks, means = None, None, []
        if rois is not None:
            traces["rois"], names = read_signals(rois, stack.shape[0], roi_dataset)
        if roi_masks is not None:
            if (corrections or {}).get("binning", 1) > 1:
                raise UserError(
                    f"{roi_masks}: masks are in pixels of the movie as recorded, so binning cannot "
                    "go with them; use image_size, which comes after them"
                )
            masks = read_masks(roi_masks, *stack.shape[1:], roi_dataset)
            if filled.outside is not None:
                masks = masks.within(~filled.outside, roi_masks)
            names = masks.names
        check_session(stack, traces, behavior, rois, frames.orders)
        check_states(traces, behavior, speed_threshold, frames, labelling)
        axes = told_by_size(opened, [sources["brain_mask"], sources["dark_frame"], roi_masks])
        with atomic_path(out) as part, h5py.File(part, "w") as file:
            pixel_mean, stack_sd = write_frames(
                file, stack, image_size, masks and (lambda block: means.append(masks.means(block)))
            )
            if masks is not None:
                traces["rois"] = np.concatenate(means)
            file["pixel_mean"] = pixel_mean.astype(np.float32)
            file["stack_sd"] = np.float32(stack_sd)
            for name, values in traces.items():
                file[name] = values
            if names is not None:
                file["rois"].attrs["names"] = names
            file.attrs.update(session=session, mouse=mouse, frame_rate=float(frame_rate))
            if session_name is not None:
                file.attrs["session_name"] = session_name
            file.attrs["recorded_size"] = stack.shape[1:]  # px, height and width
            if filled.outside is not None:
                file["outside"] = filled.outside
            file.attrs["movie_axes"] = axes.letters
            file.attrs["movie_axes_by"] = axes.by or "nothing"
            for kind, (name, digest) in watched.fingerprints().items():
                file.attrs[kind], file.attrs[f"{kind}_sha256"] = name, digest
            if isinstance(stack, Chain):
                stack.write(file)
            elif stack.unit == "dff":  # no correction made it so
                file.attrs["unit"] = stack.unit
            if measures is not None:
                write_measures(measures, raw, stack, session)
    if record is not None:
        watched.write(record, revision)
    if axes.by is None:
        say_axes(opened, axes)
    if filled.outside is not None:
        say_outside(filled, brain)


def of_used_channels(movie: Movie, corrections: dict[str, Any] | None) -> np.ndarray | None:
    """Return which frames are of channels that are used, (T,) bool; None if all are.

    Of the colours of a pixel, one may be empty throughout.
    """
    if "C" not in movie.axes.letters or corrections is None:
        return None
    used = [corrections[f"{role}_channel"] for role in ("signal", "reference")]
    return np.isin(np.arange(movie.shape[0]) % movie.channels + 1, [n for n in used if n])


def of_both(segment: np.ndarray, other: np.ndarray | None) -> np.ndarray:
    """Return segments (T,) that begin where those of the movie or of its behaviour do."""
    if other is None:
        return segment
    if len(other) != len(segment):  # `check_session` says so
        return other
    begins = [np.diff(each, prepend=each[0]) != 0 for each in (segment, other)]
    return np.cumsum(begins[0] | begins[1])


def told_by_size(movie: Movie, images: Sequence[str | Path | None]) -> Axes:
    """Return the axes of a movie; what an image of its size says of rows and columns is said."""
    axes, (height, width) = movie.axes, movie.shape[1:]
    told = [path for path in images if path is not None and format_of(path, "masks") in IMAGES]
    return replace(axes, by=str(told[0])) if told and not axes.by and height != width else axes


def say_outside(movie: FilledMovie, brain: np.ndarray | None) -> None:
    """Say which pixels were taken for outside the brain, unless brain_mask has said so."""
    known = np.zeros_like(movie.outside) if brain is None else ~brain
    more = (movie.outside & ~known).sum()
    if more:
        where = "" if brain is None else " inside brain_mask"
        say(
            f"{movie.path}: {more} of {known.size} pixels{where} are NaN or infinite in every "
            "frame; they are taken for outside the brain and are 0"
        )


def say_axes(movie: Movie, axes: Axes) -> None:
    """Say which axes were taken, in one line on standard error."""
    n_frames, height, width = movie.shape
    exchanged = axes.letters.translate(str.maketrans("XY", "YX"))
    say(
        f"{movie.path}: axes taken as {axes.letters}, the usual order, since nothing in the files "
        f"says which: {n_frames} frames of {height} rows x {width} columns; if the mean image on "
        f"the page of `mesodecode qc` is turned, set movie_axes: {exchanged}"
    )


def write_measures(path: str | Path, raw: Measured, stack: Measured | Chain, session: str) -> None:
    """Write what was measured: `recorded` (all channels) and, if it is another, `corrected`."""
    with atomic_path(path) as part, h5py.File(part, "w") as file:
        file.attrs["session"] = session
        raw.result().write(file.create_group("recorded"))
        if isinstance(stack, Chain):
            stack.measures.write(file.create_group("corrected"))


def frames_of(
    movie: Movie,
    taken: np.ndarray,
    rate: float,
    times: str | Path | None,
    channels: int = 1,
    *,
    dataset: str | None = None,
    **stamps: Any,
) -> Frames:
    """Return the frames `taken` (T,) of a movie of `channels`, at `rate` frames/s.

    Their time stamps are those of the file `times` (`stamps` as for `read_times`), else the
    movie's own.
    """
    n_raw, time, orders = movie.shape[0], movie.time, movie.axes.others(channels)
    if isinstance(movie, WithoutBlank):
        n_raw, time = movie.n_all, movie.kept / rate if time is None else time
    if time is not None:
        # those of the signal only: wavelengths in series of their own may share their times
        time = time[taken]
    taken = movie.kept[taken] if isinstance(movie, WithoutBlank) else taken
    if times is not None:
        many = {"taken": taken, "n_raw": n_raw, "orders": orders}
        time = read_times(times, dataset, len(taken), rate, **stamps, **many)
    elif time is not None:
        time = increasing(time, "its time", movie.path)
        time = check_times(time, "the movie", movie.path, rate)
    sure = times is not None or movie.axes.by == "movie_axes"
    return Frames(len(taken), rate, time, taken, n_raw, orders, sure)


def check_session(
    stack: Measured | Chain,
    traces: dict[str, np.ndarray],
    behavior: str | Path,
    rois: str | Path | None,
    orders: Mapping[str, int],
) -> None:
    """Raise UserError if a session's files have other lengths than the movie."""
    n_frames, left = stack.shape[0], getattr(stack, "left", 0)
    for name, values in traces.items():
        if len(values) != n_frames:
            path = rois if name == "rois" else behavior
            raise UserError(
                f"{path}: {name} of {len(values)} frames, but {stack.path} has {n_frames} of "
                f"{stack.shape[1]} x {stack.shape[2]} px; {ask(other(orders, len(values)))}"
                f"{of_another_length(name, len(values), n_frames, left)}"
            )


def of_another_length(name: str, n_values: int, n_frames: int, left: int = 0) -> str:
    """Return what to do about values of a session that are not one a frame.

    `left`: frames of an incomplete cycle of channels at the end of the movie.
    """
    if left and n_values == n_frames + 1:
        return (
            f"its last {left} frames are no whole cycle of channels: if a frame was dropped, give "
            "each frame's light source in light_sources, else cut the last value off"
        )
    if abs(n_values - n_frames) <= max(3, n_frames // 100):  # a few frames at an end
        return "cut both to the same frames"
    if name == "rois":
        return "needs a value a frame of the signal: bring ROI signals onto the frames"
    if n_values in (2 * n_frames, 3 * n_frames):
        n = n_values // n_frames
        return (
            f"is there one for each frame of {n} channels? keep those of the movie's channel; what "
            "has another rate needs its time stamps, in behavior_time, or behavior_rate"
        )
    return (
        "is a file cut short? what has another rate than the movie needs its time stamps, in "
        "behavior_time, or its rate, in behavior_rate"
    )


def check_states(
    traces: dict[str, np.ndarray],
    behavior: str | Path,
    speed_threshold: float,
    frames: Frames,
    labelling: dict[str, Any],
) -> None:
    """Raise UserError, saying what the values are, if a session has but one state."""
    n_run = int(traces["labels"].sum())
    if n_run in (0, frames.count):
        held = seen(behavior, traces, speed_threshold, frames=frames, **labelling)
        raise UserError(
            f"{behavior}: all {frames.count} frames are {'run' if n_run else 'rest'}; a session "
            f"needs both states: {held}; a session in which the mouse did nothing else is listed "
            "under exclude"
        )


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
    Raises UserError if corrections made infinite pixels or all are equal throughout.
    """
    n_frames, height, width = stack.shape
    if image_size is not None:
        height = width = image_size
    frame_bytes = height * width * stack.dtype.itemsize
    total = np.zeros((height, width))
    squares, offset = 0.0, None
    step = max(1, BLOCK // max(frame_bytes, stack.shape[1] * stack.shape[2] * 4))
    shape = n_frames, height, width
    with (
        Progress(n_frames, "frames", stack.path.name) as progress,
        Writer(file, shape, stack.dtype) as frames,
    ):
        for _, block in stack.blocks(step):
            if each_block is not None:
                each_block(block)
            if image_size is not None:
                block = _round_to(resize(block, image_size), stack.dtype)
            frames.write(block)
            if offset is None:  # a shift near the mean keeps the sum of squares exact
                offset = float(block[0].mean())
            shifted = block.astype(np.float64) - offset
            total += shifted.sum(axis=0)
            squares += float(np.square(shifted).sum())
            progress.update(len(block))
    count = n_frames * height * width
    variance = squares / count - (total.sum() / count) ** 2
    if not np.isfinite(variance):  # of finite pixels, see `FilledMovie`
        raise UserError(f"{stack.path}: pixels beyond the range of their type, once corrected")
    if variance <= 0:
        raise UserError(f"{stack.path}: every pixel of every frame has the same value")
    return total / n_frames + offset, float(np.sqrt(variance))


def _round_to(frames: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        frames = np.clip(np.rint(frames), info.min, info.max)
    return frames.astype(dtype)
