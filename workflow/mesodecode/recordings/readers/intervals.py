"""Intervals of run, or of named states: when each begins and ends."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError, first_few, say
from mesodecode.recordings import locomotion
from mesodecode.recordings.readers.arrays import Bouts
from mesodecode.recordings.readers.clocks import Frames, fitting, is_text, moments
from mesodecode.recordings.readers.samples import Trace

# Words of names of starts -> of ends
BEGIN_END = (("start", "stop"), ("start", "end"), ("onset", "offset"), ("begin", "end"))


def bouts_of(trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Return start and stop (n,) s of intervals. Raises UserError if one has no end after them."""
    start, stop = (np.asarray(t, np.float64) for t in (trace.data.start, trace.data.stop))
    whole = len(start) == len(stop) and np.isfinite([*start, *stop]).all()
    if not whole or (start >= stop).any():
        raise UserError(
            f"{trace.path}: {trace.name}: an interval without an end after its start; mend it"
        )
    if trace.frames is None:
        raise UserError(f"{trace.path}: {trace.name}: intervals need the frames' times")
    return start, stop


def labels_of(trace: Trace) -> np.ndarray:
    """Return labels (T,) by intervals of run. Raises UserError if they are of others too."""
    if trace.data.several:
        raise UserError(
            f"{trace.path}: {trace.name} holds intervals of run and of others, by its column "
            f"{trace.data.several}: name it in behavior_labels, {trace.name}/{trace.data.several}"
        )
    return locomotion.within(*bouts_of(trace), trace.frames.starts)


def joined(
    start: Trace | None,
    stop: Trace,
    kinds: Trace | None,
    unit: str | float | None,
    frames: Frames | None,
    run_label: str | None = None,
) -> Trace:
    """Return the intervals from `start` to `stop` (n,), in any order.

    `kinds`: the word, or number, of each; with `run_label` only those of it (of numbers that it is
    none of: 1) are kept. `unit` is that of both times. Raises UserError if there is no start, or
    not one to each stop, if no interval is of run, or if the unit is not said and they go on after
    the movie.
    """
    if start is None:
        raise UserError(
            f"{stop.path}: behavior_stop says when intervals end; when they begin is missing: name "
            "it in behavior_time"
        )
    for other in filter(None, (stop, kinds)):
        if len(other.values()) != len(start.values()):
            raise UserError(
                f"{stop.path}: {start.name} has {len(start.values())} values, but {other.name} "
                f"{len(other.values())}; one of each belongs to an interval"
            )
    begin, end = (moments(t.values(), unit, t.name, t.path) for t in (start, stop))
    words = None if kinds is None else _words(kinds)
    if words is not None and run_label is not None:
        numbers = kinds.values().dtype.kind in "buif"
        wanted = "1" if numbers and run_label not in words else run_label
        kept = words == wanted
        if not kept.any():
            raise UserError(
                f"{stop.path}: no interval is of '{wanted}' by {kinds.name}, which holds "
                f"{first_few(sorted(set(words)), 5)}; "
                + ("write 1 for run" if numbers else which_is_run(set(words), run_label))
            )
        begin, end, words = begin[kept], end[kept], None
    guessed = unit is None and not is_text(stop.values())
    if guessed and frames is not None and len(end):
        _check_unit(stop, end.max(), frames)
    return Trace(stop.path, f"{start.name} to {stop.name}", Bouts(begin, end, words))


def which_is_run(words: Iterable[str], run_label: str) -> str:
    """Return what to set where no word of a file is that of run."""
    like = [word for word in words if word.casefold() == run_label.casefold()]
    if len(like) == 1:
        return f"{like[0]!r} is another word, though by case alone: set run_label: {like[0]!r}"
    among = " or ".join(map(repr, sorted(words)[:5]))
    return f"set run_label: {among}, whichever says run"


def _words(kinds: Trace) -> np.ndarray:
    values = kinds.values()
    numbers = values.dtype.kind in "buif"
    return np.array([f"{v:g}" if numbers else str(v).strip() for v in values], object)


def _check_unit(stop: Trace, last: float, frames: Frames) -> None:
    """Raise UserError if the last interval, if in s, ends long after the movie."""
    begin, end = frames.starts[0], frames.starts[-1] + frames.lasts
    tenth = 0.1 * (end - begin)
    if last > end + tenth + 1:
        hint = fitting(
            lambda scale: begin + tenth < last * scale < end + tenth, "behavior_time_unit"
        )
        raise UserError(
            f"{stop.path}: the last interval by {stop.name}, if in s, ends at {last:.10g} s, but "
            f"the movie at {end:.10g} s; {hint} (of numbers of frames: {1 / frames.lasts:.4g}; s, "
            "if it is)"
        )


def say_ends(path: str | Path, start: str, held: Sequence[str]) -> None:
    """Say so if labels are held from each `start` on in a table that has ends too."""
    for begin, end in BEGIN_END:
        stop = re.sub(begin, end, start.lower())
        beside = [name for name in held if name.lower() == stop != start.lower()]
        if beside:
            say(
                f"{path}: each state is held from its '{start}' to the next one's; if it ends at "
                f"'{beside[0]}', and the mouse rests from there on, set behavior_stop: {beside[0]}"
            )


def check_events(trace: Trace, words: list[str]) -> None:
    """Say what is taken for run where words (n,) begin and end it; refuse those of several kinds.

    BORIS writes so, with the events of all behaviours in one table.
    """
    twice = next((i for i, word in enumerate(words[1:], 1) if word == words[i - 1]), None)
    mend = "keep the rows of run alone, or save aggregated events and set behavior_stop"
    if twice is not None:
        raise UserError(
            f"{trace.path}: {trace.name} is {words[twice]} at samples {twice - 1} and {twice}: "
            f"events of several behaviours; {mend}"
        )
    say(
        f"{trace.path}: {trace.name} says {words[0]} and {words[1]}: all are taken for run, which "
        f"is wrong of events of other behaviours: {mend}"
    )
