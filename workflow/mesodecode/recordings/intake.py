"""A session's source files, opened together: what they hold is checked, none is written yet."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mesodecode.base.files import UserError, say
from mesodecode.recordings.axes import Axes, ask, other
from mesodecode.recordings.corrections.chain import Chain, corrected
from mesodecode.recordings.corrections.movies import signal_frames
from mesodecode.recordings.corrections.turns import InTurn
from mesodecode.recordings.masks import Masks, read_brain, read_masks
from mesodecode.recordings.movie import InterleavedMovie, WithoutBlank
from mesodecode.recordings.qc_measures import Measured
from mesodecode.recordings.readers import Movie
from mesodecode.recordings.readers.behavior import read_behavior, seen
from mesodecode.recordings.readers.checks import CheckedMovie
from mesodecode.recordings.readers.clocks import Frames, check_times, increasing, read_times
from mesodecode.recordings.readers.filled import FilledMovie, say_outside
from mesodecode.recordings.readers.image_files import IMAGES
from mesodecode.recordings.readers.light_sources import Lights, lights_of
from mesodecode.recordings.readers.series import check_signal
from mesodecode.recordings.readers.target_traces import read_beside, read_target
from mesodecode.recordings.roi_files import read_signals
from mesodecode.recordings.session_sources import Sources
from mesodecode.study.file_formats import format_of
from mesodecode.study.targets import RUN, Target


@dataclass(frozen=True)
class Intake:
    """A session whose files fit together, open.

    `raw`: its movie as recorded, measured while it is read; `stack`: as corrected (T, H, W);
    `traces`: vectors (T,), and ROI signals (T, R) that come from a file; `masks`, of ROIs whose
    signals the movie gives; `brain` (H, W) bool; `outside` (H, W) bool, pixels outside the brain
    or None; `axes` of the movie, and what told them; `target`: what is decoded, of which traces
    have the values where it is not run and rest.
    """

    raw: Measured
    stack: Measured | Chain
    traces: dict[str, np.ndarray]
    roi_names: list[str] | None
    masks: Masks | None
    brain: np.ndarray | None
    filled: FilledMovie
    axes: Axes
    target: Target

    @property
    def outside(self) -> np.ndarray | None:
        """Pixels that are outside the brain (H, W) bool, None if none is known."""
        return self.filled.outside

    def say(self) -> None:
        """Say what was assumed of the movie: its axes, and pixels taken for outside the brain."""
        if self.axes.by is None:
            say_axes(self.filled, self.axes)
        if self.outside is not None:
            say_outside(self.filled, self.brain)


@contextmanager
def opened(sources: Sources) -> Iterator[Intake]:
    """Yield a session's files, checked. Raises UserError if they do not fit together."""
    with sources.open() as movie:
        movie = without_blank(movie, sources)
        brain = sources.files["brain_mask"]
        if movie.names and sources.corrections is not None and sources.light_sources is None:
            check_signal(movie.names, sources.corrections["signal_channel"], movie.path)
        if brain is not None:
            brain = read_brain(brain, *movie.shape[1:], movie.path)
        filled = FilledMovie(movie, brain)
        sources, lights = with_lights(sources, movie)
        raw = _measured(sources, movie, filled, lights)
        told = lights and lights.values
        stack = corrected(raw, sources.corrections, sources.frame_rate, told, filled.outside)
        taken = signal_frames(movie.shape[0], sources.corrections, told)
        frames = frames_of(sources, movie, taken, lights)
        target, traces = _behavior(sources, frames)
        if frames.time is not None:
            traces["time"] = frames.time
        if movie.segment is not None:
            traces["segment"] = of_both(movie.segment[taken], traces.get("segment"))
        names, masks = None, roi_masks(sources, *stack.shape[1:])
        if masks is not None and filled.outside is not None:
            masks = masks.within(~filled.outside, sources.roi_masks)
        if sources.rois is not None:
            signals = read_signals(
                sources.rois, stack.shape[0], sources.roi_dataset, sources.behavior_names
            )
            traces["rois"], names = signals
        check_session(stack, traces, sources, frames.orders)
        if sources.rois is not None:
            check_leak(traces, names, sources.rois)
        if target == RUN:
            check_states(traces, sources, frames)
        names = names if masks is None else masks.names
        axes = axes_of(sources, movie)
        yield Intake(raw, stack, traces, names, masks, brain, filled, axes, target)


def _behavior(sources: Sources, frames: Frames) -> tuple[Target, dict[str, np.ndarray]]:
    """Return what is decoded, and the traces (T,) of a session's behaviour."""
    path, threshold, labelling = sources.behavior, sources.speed_threshold, sources.labelling
    if sources.target == RUN.name:
        return RUN, read_behavior(path, threshold, frames=frames, **labelling)
    variable = sources.behavior_target
    traces = read_beside(path, threshold, frames, sources.target, variable, labelling)
    target, traces["target"] = read_target(
        path,
        sources.target,
        frames,
        traces,
        labelling,
        variable=variable,
        states=sources.target_states,
    )
    return target, traces


def without_blank(movie: Movie, sources: Sources) -> Movie:
    """Return a movie without its frames that have no values, which a line counts."""
    if movie.blank is None:
        return movie
    movie = WithoutBlank(movie, sources.channels if sources.light_sources is None else 1)
    left = movie.n_all - movie.shape[0]
    say(f"{movie.path}: {left} of {movie.n_all} frames have no values: left out")
    return movie


def with_lights(sources: Sources, movie: Movie) -> tuple[Sources, Lights | None]:
    """Return the light sources of a movie, None if no file tells them, and the sources with them.

    A movie of the signal alone has one channel, whatever number its light has.
    """
    if sources.light_sources is None:
        return sources, None
    corrections = sources.corrections or {}
    signal = corrections.get("signal_channel", 1)
    lights = movie_lights(sources.light_sources, sources.light_sources_dataset, movie, signal)
    if lights.values is not None:
        say_left_out(sources.light_sources, lights.values, signal, corrections)
    if lights.values is not None or not corrections:
        return sources, lights
    if corrections["reference_channel"] is not None:
        raise UserError(
            f"{movie.path}: holds the frames of light source {signal} alone, by "
            f"{sources.light_sources}: leave reference_channel out"
        )
    alone = {**corrections, "channels": 1, "signal_channel": 1}
    return replace(sources, corrections=alone), lights


def say_left_out(
    path: str | Path, lights: np.ndarray, signal: int | str, corrections: Mapping[str, Any]
) -> None:
    """Say which light sources (T,) are taken for calcium, and which no setting names."""
    held, counts = np.unique(lights, return_counts=True)
    count = {str(light): f"{light} ({n} frames)" for light, n in zip(held, counts, strict=True)}
    shown = count.pop(str(signal), None)
    count.pop(str(corrections.get("reference_channel")), None)
    if shown and count:
        say(
            f"{path}: light source {shown} is taken for calcium (signal_channel); left out: "
            f"{', '.join(count.values())}"
        )


def say_in_turn(movie: Movie, corrections: Mapping[str, Any]) -> None:
    """Say which frames are taken for calcium where channels take turns and no file tells them."""
    n, signal, reference = (
        corrections[key] for key in ("channels", "signal_channel", "reference_channel")
    )
    told = {signal: "calcium (signal_channel)", reference: "blood (reference_channel)"}
    taken = [
        f"frames {i - 1}, {i - 1 + n}, {i - 1 + 2 * n} … "
        + (f"({movie.names[i - 1]}) " if len(movie.names) == n else "")
        + (f"for {told[i]}" if i in told else "for none of both and left out")
        for i in range(1, n + 1)
    ]
    say(f"{movie.path}: {n} channels take turns in its frames; taken are {', '.join(taken)}")


def movie_lights(
    path: str | Path, name: str | None, movie: Movie, signal: int | str | None
) -> Lights:
    """Return the light sources of a movie, of its blank frames none."""
    if not isinstance(movie, WithoutBlank):
        return lights_of(path, name, movie.shape[0], signal)
    lights = lights_of(path, name, movie.n_all, signal)
    values = None if lights.values is None else lights.values[movie.kept]
    return replace(lights, values=values, numbers=lights.numbers[movie.kept])


def _measured(
    sources: Sources, movie: Movie, filled: FilledMovie, lights: Lights | None
) -> Measured:
    """Return the movie as it is measured."""
    told, channels = lights is not None and lights.values is not None, sources.channels
    used = None if told else of_used_channels(movie, sources)
    checked: Movie | InTurn = CheckedMovie(
        filled, keep_zero=sources.zero_frames == "keep", used=used
    )
    if told:
        channels = len(np.unique(lights.values))
    elif channels > 1:
        if not isinstance(movie, InterleavedMovie):  # whose files or datasets are said by name
            say_in_turn(movie, sources.corrections)
        checked = InTurn(checked, channels, apart=isinstance(movie, InterleavedMovie))
    return Measured(checked, channels)


def roi_masks(sources: Sources, height: int, width: int) -> Masks | None:
    """Return the masks of ROIs whose signals a movie of height x width px gives, None without."""
    if (path := sources.roi_masks) is None:
        return None
    if (sources.corrections or {}).get("binning", 1) > 1:
        raise UserError(
            f"{path}: masks are in pixels of the movie as recorded, so binning cannot go with "
            "them; use image_size, which comes after them"
        )
    return read_masks(path, height, width, sources.roi_dataset)


def of_used_channels(movie: Movie, sources: Sources) -> np.ndarray | None:
    """Return which frames are of channels that are used, (T,) bool; None if all are.

    Of the colours of a pixel, one may be empty throughout.
    """
    corrections = sources.corrections
    if "C" not in movie.axes.letters or corrections is None:
        return None
    used = [corrections[f"{role}_channel"] for role in ("signal", "reference")]
    return np.isin(
        np.arange(movie.shape[0]) % movie.channels + 1, [n for n in used if n is not None]
    )


def of_both(segment: np.ndarray, other: np.ndarray | None) -> np.ndarray:
    """Return segments (T,) that begin where those of the movie or of its behaviour do."""
    if other is None:
        return segment
    if len(other) != len(segment):  # `check_session` says so
        return other
    begins = [np.diff(each, prepend=each[0]) != 0 for each in (segment, other)]
    return np.cumsum(begins[0] | begins[1])


def axes_of(sources: Sources, movie: Movie) -> Axes:
    """Return the axes of a movie; what an image of its size says of rows and columns is said."""
    images = [sources.files[kind] for kind in ("brain_mask", "dark_frame", "roi_masks")]
    axes, (height, width) = movie.axes, movie.shape[1:]
    told = [path for path in images if path is not None and format_of(path, "masks") in IMAGES]
    open_ = not axes.by and not axes.flat and height != width
    return replace(axes, by=str(told[0])) if told and open_ else axes


def say_axes(movie: Movie, axes: Axes) -> None:
    """Say which axes were taken, in one line on standard error."""
    n_frames, height, width = movie.shape
    looks = "scrambled" if axes.flat else "turned"
    exchanged = axes.letters.translate(str.maketrans("XY", "YX"))
    say(
        f"{movie.path}: axes taken as {axes.letters}, the usual order, since nothing in the files "
        f"says which: {n_frames} frames of {height} rows x {width} columns; if the mean image on "
        f"the page of `mesodecode qc` is {looks}, set movie_axes: {exchanged}"
    )


def numbers_of(
    movie: Movie, taken: np.ndarray, lights: Lights | None = None
) -> tuple[np.ndarray, int]:
    """Return which of all frames that the camera took frames `taken` (T,) are, and their number."""
    if lights is not None:
        return lights.numbers[taken], lights.n_all
    if isinstance(movie, WithoutBlank):
        return movie.kept[taken], movie.n_all
    return taken, movie.shape[0]


def frames_of(
    sources: Sources, movie: Movie, taken: np.ndarray, lights: Lights | None = None
) -> Frames:
    """Return the frames `taken` (T,) of a movie.

    Their time stamps are those of the file `frame_times`, else the movie's own.
    """
    times, rate = sources.frame_times, sources.frame_rate
    # those of the signal only: wavelengths in series of their own may share their times
    time = None if movie.time is None else movie.time[taken]
    orders = movie.axes.others(sources.channels)
    if isinstance(movie, WithoutBlank) and time is None:
        time = movie.camera_times(taken, rate)
    taken, n_raw = numbers_of(movie, taken, lights)
    if times is not None:
        time = read_times(
            times,
            sources.frame_times_dataset,
            len(taken),
            rate,
            unit=sources.frame_times_unit,
            clock=sources.frame_times_clock,
            edge=sources.frame_times_edge,
            taken=taken,
            n_raw=n_raw,
            orders=orders,
        )
    elif time is not None:
        time = increasing(time, "its time", movie.path)
        every = Frames(len(taken), rate, taken=taken).every
        time = check_times(time, "the movie", movie.path, rate, every=every)
    sure = times is not None or movie.axes.by == "movie_axes"
    return Frames(len(taken), rate, time, taken, n_raw, orders, sure)


def check_session(
    stack: Measured | Chain,
    traces: dict[str, np.ndarray],
    sources: Sources,
    orders: Mapping[str, int],
) -> None:
    """Raise UserError if a session's files have other lengths than the movie."""
    n_frames, left = stack.shape[0], getattr(stack, "left", 0)
    for name, values in traces.items():
        if len(values) != n_frames:
            path = sources.rois if name == "rois" else sources.behavior
            raise UserError(
                f"{path}: {name} of {len(values)} frames, but {stack.path} has {n_frames} of "
                f"{stack.shape[1]} x {stack.shape[2]} px; {ask(other(orders, len(values)))}"
                f"{of_another_length(name, len(values), n_frames, left)}"
            )


def check_leak(
    traces: Mapping[str, np.ndarray], names: Sequence[str] | None, path: str | Path
) -> None:
    """Raise UserError if an ROI signal is behaviour itself, which decoders would read off.

    That is the speed or the target in every frame, or two values, one of run and one of rest.
    """
    for at, signal in enumerate(traces["rois"].T):
        high, low = signal == signal.max(), signal == signal.min()
        steps = (high | low).all() and not high.all()
        found = "labels" if steps and len({*zip(high, traces["labels"], strict=True)}) == 2 else ""
        for name in ("speed", "target"):
            if name in traces and np.array_equal(signal, traces[name].astype(signal.dtype)):
                found = name
        if found:
            shown = f"ROI {at + 1}" + (f" '{names[at]}'" if names else "")
            raise UserError(
                f"{path}: {shown} is the {found} of every frame, which decoders would read off "
                "instead of brain activity; take it out"
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


def check_states(traces: dict[str, np.ndarray], sources: Sources, frames: Frames) -> None:
    """Raise UserError, saying what the values are, if a session has but one state."""
    behavior, labelling = sources.behavior, sources.labelling
    n_run = int(traces["labels"].sum())
    if n_run in (0, frames.count):
        held = seen(behavior, traces, sources.speed_threshold, frames=frames, **labelling)
        raise UserError(
            f"{behavior}: all {frames.count} frames are {'run' if n_run else 'rest'}; a session "
            f"needs both states: {held}; a session in which the mouse did nothing else is listed "
            "under exclude"
        )
