"""When frames and samples of behaviour were taken, by one clock in s."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mesodecode.base.files import UserError, say
from mesodecode.recordings.axes import ask, other
from mesodecode.recordings.readers import npy
from mesodecode.recordings.readers.arrays import Bouts, Unreadable, Variable, is_empty
from mesodecode.recordings.readers.pulses import onsets
from mesodecode.recordings.readers.traces import NUMBER, finite, read_variables

UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "day": 86400.0}  # in s
COUNTERS = 2**16, 2**32  # at which counters of milliseconds and of samples begin anew
MANY_TURNS = 8  # channels that take turns in a movie
RATE = 0.95, 1.05  # of the measured rate of frames to that of the config


# --- time stamps -------------------------------------------------------------------------------


def seconds(
    values: np.ndarray, unit: str | float | None, name: str, path: str | Path
) -> np.ndarray:
    """Return time stamps (n,) in s: of numbers in `unit`, of dates or times of day.

    `unit` is one of `UNITS` or the ticks in a second, None is s. Text is ISO 8601 (without a zone:
    UTC) or HH:MM:SS; a whole counter of 16 or 32 bits that begins anew goes on. Raises UserError
    unless each is later than the one before.
    """
    if is_text(values):
        if unit is not None:
            raise UserError(f"{path}: {name} holds text, no numbers in {unit}; leave the unit out")
        time = _of_text(values, name, path)
        if (np.diff(time) < -43200).any() and np.ptp(time) <= 86400:
            raise UserError(f"{path}: {name} goes past midnight; write dates as well")
        return increasing(time, name, path)
    if values.dtype.kind in "uif" and values.ndim == 1 and np.isfinite(values).all():
        values = _running_on(values, name, path)
    return increasing(values, name, path) * _scale(unit)


def moments(
    values: np.ndarray, unit: str | float | None, name: str, path: str | Path
) -> np.ndarray:
    """Return times (n,) in s as `seconds` does, but in any order."""
    if is_text(values):
        return _of_text(values, name, path)
    return finite(values, name, path).astype(np.float64) * _scale(unit)


def _scale(unit: str | float | None) -> float:
    return UNITS[unit] if unit in UNITS else 1 / float(unit or 1)


def is_text(values: np.ndarray) -> bool:
    """Return whether time stamps are dates or times of day."""
    return values.dtype.kind not in "buif"


def _of_text(values: np.ndarray, name: str, path: str | Path) -> np.ndarray:
    import pandas as pd

    if values.dtype.kind == "M":
        return (values - np.datetime64(0, "s")) / np.timedelta64(1, "s")
    words = [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values]
    text = pd.Series(words).str.strip()
    text = text.str.replace(r"(:\d\d),(\d+)", r"\1.\2", regex=True)  # as ISO 8601 allows, too
    try:
        if text.str.fullmatch(r"(\d+ days? )?\d{1,2}:\d{2}:\d{2}([.]\d+)?").all():
            return pd.to_timedelta(text).dt.total_seconds().to_numpy()
        dates = pd.to_datetime(text, utc=True, format="ISO8601")
    except ValueError as error:
        bad = text[pd.to_datetime(text, utc=True, format="ISO8601", errors="coerce").isna()]
        numbers = bad.str.fullmatch(NUMBER)
        bad = bad if numbers.all() else bad[~numbers]
        raise UserError(
            f"{path}: {name} holds text that is no time, such as {bad.iloc[0][:40]!r} at sample "
            f"{bad.index[0]}; needs numbers, "
            "ISO 8601 (2024-01-31T12:00:00.033) or HH:MM:SS.fff"
        ) from error
    if dates.isna().any():
        raise UserError(f"{path}: {name} holds no time at sample {dates.isna().argmax()}")
    return ((dates - pd.Timestamp(0, unit="s", tz="UTC")) / pd.Timedelta(1, "s")).to_numpy()


def _running_on(values: np.ndarray, name: str, path: str | Path) -> np.ndarray:
    """Return a counter (n,) without its returns to 0; anything else as it is."""
    time = values.astype(np.float64)
    steps = np.diff(time)
    back = steps < 0
    if not back.any() or (time != np.rint(time)).any():
        return values
    for size in COUNTERS:
        fits = np.ptp(time) < size
        if fits and (steps[back] + size <= max(10 * np.median(steps), 1)).all():
            say(f"{path}: {name} begins anew after {size:,} in {back.sum()} places and is run on")
            return time + size * np.append(0, np.cumsum(back))
    return values


def increasing(time: np.ndarray, name: str, path: str | Path) -> np.ndarray:
    """Return time stamps as float64. Raises UserError unless each is later than the one before."""
    known = np.isfinite(time) if time.dtype.kind == "f" else np.ones(time.shape, bool)
    n_first = int(np.cumprod(known).sum())  # values before the first that is not finite
    if 0 < n_first < len(time) and not known[n_first:].any():
        _refuse_unwritten(time, n_first, name, path)
    exact = finite(time, name, path).astype(np.float64)
    if len(exact) < 2:
        raise UserError(f"{path}: {name} has {len(exact)} time stamps; needs two or more")
    late = np.flatnonzero(np.diff(exact) <= 0) + 1
    if not late.size:
        return exact
    first = late[0]
    if first > 1 and (exact[first:] == 0).all():
        _refuse_unwritten(time, first, name, path)
    fault = "repeats" if exact[first] == exact[first - 1] else "goes back"
    hint = ""
    if time.dtype == np.float32 and fault == "repeats":
        hint = f": float32 has steps of {np.spacing(time[first]):g} there; save it as float64"
    elif abs(exact[first - 1] - exact[first] - 3600) < 60:
        hint = ": an hour back, as clocks go when summer time ends; add it to all from there on"
    raise UserError(
        f"{path}: {name} {fault} at sample {first} ({exact[first]:.10g} s), in {late.size} "
        f"places in all; time stamps must increase{hint}"
    )


def _refuse_unwritten(time: np.ndarray, first: int, name: str, path: str | Path) -> None:
    raise UserError(
        f"{path}: the last {len(time) - first} of {len(time)} values of {name} are {time[-1]:g}: "
        "never written? cut them off, and what belongs to them"
    )


def fitting(matches: Callable[[float], bool], setting: str) -> str:
    """Return what to set for the first unit, other than s, that matches; else what there is."""
    fit = next((unit for unit, scale in UNITS.items() if unit != "s" and matches(scale)), None)
    if fit:
        return f"are they in {fit}? set {setting}: {fit}"
    return f"say their unit in {setting} (s, ms, us, ns, min, day or the ticks in a second)"


# --- frames ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frames:
    """The frames of a movie: their number, rate in frames/s, and time stamps (T,) s or None.

    `taken` (T,) are their numbers among the `n_raw` frames of all channels that the camera took;
    None: they are all. `orders` are other orders of the movie's axes, and how many frames it then
    has; `sure` if the user says which axis is time, or has a time stamp for each frame.
    """

    count: int
    rate: float
    time: np.ndarray | None = None
    taken: np.ndarray | None = None
    n_raw: int | None = None
    orders: Mapping[str, int] = field(default_factory=dict)
    sure: bool = True

    @property
    def starts(self) -> np.ndarray:
        """When each frame begins, in s: its time stamp, or from 0 on by the rate."""
        return np.arange(self.count) / self.rate if self.time is None else self.time

    @property
    def lasts(self) -> float:
        """The median interval between frames, in s."""
        return float(np.median(np.diff(self.starts))) if self.count > 1 else 1 / self.rate

    @property
    def every(self) -> int:
        """How many frames of all channels there are to one of these."""
        return 1 if self.taken is None or self.count < 2 else int(np.median(np.diff(self.taken)))

    def among(self, n_values: int) -> tuple[np.ndarray, str] | None:
        """Return which of `n_values` values are of these frames (T,), and whose values they are.

        None if there is one for each of these frames, or no telling.

        The values are one for each frame of all channels, of which those of a last cycle that is
        not complete may lack; or one for each frame of the signal, some of which were left out.
        """
        if self.taken is None or n_values == self.count:
            return None
        if n_values in (self.n_raw, self.n_raw // self.count * self.count):
            return (self.taken, "of all channels") if self.taken.max() < n_values else None
        cycles, left = np.divmod(self.taken, self.every)
        whole = n_values == self.n_raw // self.every and cycles.max() < n_values
        return (cycles, "of the signal") if whole and (left == left[0]).all() else None


def read_times(
    path: str | Path,
    name: str | None,
    n_frames: int,
    rate: float,
    *,
    unit: str | float | None = None,
    clock: str | float | None = None,
    edge: str | None = None,
    taken: np.ndarray | None = None,
    n_raw: int | None = None,
    orders: Mapping[str, int] | None = None,
) -> np.ndarray:
    """Read the time stamps (T,) s of a movie's frames.

    They are the variable `name` of a file; None looks for frame_times or time; a plain NPY vector
    needs no name. A trace of pulses gives the times when they begin, at an `edge` (see `pulses`);
    it is sampled at `clock`, samples/s or the name of its times, or has times of its own. `unit` as
    for `seconds`; `taken`, `n_raw` and `orders` as in `Frames`. Raises UserError unless there is
    one a frame (or one for each of all channels, or two an exposure: see `of_frames`), each later
    than the one before, at `rate` frames/s.
    """
    frames = Frames(n_frames, rate, taken=taken, n_raw=n_raw, orders=orders or {})
    found, time = stamps_of(path, name, frames, unit, clock, edge)
    return check_times(time, found, path, rate, every=frames.every)


def stamps_of(
    path: str | Path,
    name: str | None,
    frames: Frames,
    unit: str | float | None = None,
    clock: str | float | None = None,
    edge: str | None = None,
) -> tuple[str, np.ndarray]:
    """Return the variable of `read_times`, and the time stamps (T,) s of `frames`, of any rate."""
    known = (name,) if name else ("frame_times", "time")
    if name is None and Path(path).suffix.lower() == ".npy" and not npy.load(path).dtype.names:
        found, time = "the file", npy.time_stamps(npy.load(path)).squeeze()
        if time.ndim != 1:
            raise UserError(f"{path}: has shape {time.shape}; needs one time stamp a frame")
        if clock is not None:
            time = _pulses(time, _sampled(path, clock, len(time), unit), found, path, edge)
        else:
            time = seconds(time, unit, found, path)
    else:
        found, time = _held_times(path, known, unit, clock, edge)
    return found, of_frames(time, found, path, frames)


def _pulses(
    values: np.ndarray, time: np.ndarray, name: str, path: str | Path, edge: str | None
) -> np.ndarray:
    begin, said = onsets(values, time, name, path, edge)
    if said:
        say(f"{path}: {said}")
    return begin


def _held_times(
    path: str | Path,
    known: Sequence[str],
    unit: str | float | None,
    clock: str | float | None,
    edge: str | None,
) -> tuple[str, np.ndarray]:
    """Return the first variable of `known` that a file has, and the times in s that it gives."""
    held, inside = read_variables(path, known)
    found = next((n for n in known if n in held and (len(known) < 2 or not is_empty(held[n]))), "")
    if not found:
        raise UserError(
            f"{path}: no '{known[0]}' in it; it holds: {', '.join(inside) or 'no numbers'}; "
            "name the frames' time stamps in frame_times_dataset"
        )
    trace = held[found]
    if isinstance(trace, Unreadable):
        raise UserError(f"{path}: {found} {trace.why}")
    if isinstance(trace, Bouts):
        raise UserError(f"{path}: {found} holds intervals; needs a time stamp a frame")
    sampled = None
    if clock is not None:
        sampled = _sampled(path, clock, len(trace.values), unit)
    elif trace.time is not None:
        values = finite(trace.values, found, path)
        sampled = None if (values[1:] > values[:-1]).all() else trace.time
    if sampled is None:
        return found, seconds(trace.values, unit, found, path)
    return found, _pulses(finite(trace.values, found, path), sampled, found, path, edge)


def _sampled(
    path: str | Path, clock: str | float, n_samples: int, unit: str | float | None
) -> np.ndarray:
    """Return when the samples of a trace were taken, by their rate or the name of their times."""
    if not isinstance(clock, str):
        return np.arange(n_samples) / clock
    held, inside = read_variables(path, [clock])
    if not isinstance(held.get(clock), Variable):
        raise UserError(
            f"{path}: no '{clock}' (frame_times_clock) in it, or no vector of times; it holds: "
            f"{', '.join(inside) or 'no numbers'}"
        )
    time = seconds(held[clock].values, unit, clock, path)
    if len(time) != n_samples:
        raise UserError(
            f"{path}: {clock} has {len(time)} time stamps for {n_samples} samples; one belongs to "
            "each"
        )
    return time


def of_frames(time: np.ndarray, name: str, path: str | Path, frames: Frames) -> np.ndarray:
    """Return those of time stamps (n,) that are of `frames`.

    There may be one a frame, one for each frame of all channels, or twice as many: both edges of
    the camera's exposures, of which the first of each pair is taken. Raises UserError else.
    """
    n_frames, n_raw = frames.count, frames.n_raw or frames.count
    if len(time) == n_frames:
        return time
    if among := frames.among(len(time)):
        at, each = among
        say(
            f"{path}: of {len(time)} time stamps in {name}, one for each frame {each}, "
            f"those of the signal's {n_frames} frames are taken"
        )
        return time[at]
    near = next((n for n in (n_frames, n_raw) if 0 < abs(len(time) - n) <= max(3, n // 100)), None)
    if len(time) in (2 * n_raw, 2 * n_frames) and near is None and _alternate(time):
        say(
            f"{path}: of {len(time)} time stamps in {name}, twice as many as frames, the first of "
            "each two is taken: where an exposure begins"
        )
        return of_frames(time[::2], name, path, frames)
    fit = [f"{n_frames} (one a frame)"]
    fit += [f"{n_raw} (one for each frame of all channels)"] if n_raw != n_frames else []
    hint = ""
    if near is not None and len(time) < near:
        hint = "; which frames lack one is not known: find those that are missing, or cut the movie"
    elif near is not None:
        hint = "; cut off those without a frame (pulses before the start or after the end?)"
    raise UserError(
        f"{path}: {name} has {len(time)} time stamps, but the movie has {n_frames} frames; "
        f"{ask(other(frames.orders, len(time)))}needs {', '.join(fit)} or {2 * n_raw} (both edges "
        f"of exposures){hint}"
    )


def _alternate(time: np.ndarray) -> bool:
    """Return whether two intervals (exposure and readout, or two equal ones) follow in turn."""
    period = np.median(time[2:] - time[:-2]) if len(time) > 2 else np.inf
    parts = np.diff(time)[::2], np.diff(time)[1::2]
    low, high = np.transpose([np.quantile(part, [0.1, 0.9]) for part in parts if part.size])
    return bool((high - low < 0.2 * period).all())


def check_times(
    time: np.ndarray, name: str, path: str | Path, rate: float, *, every: int = 1
) -> np.ndarray:
    """Return time stamps (T,) s. Raises UserError unless they are of `rate` frames/s.

    `every`: how many frames of all channels there are to one of those that have these times.
    """
    measured = 1 / np.median(np.diff(time))

    def near(scale: float) -> bool:
        return RATE[0] < measured / scale / rate < RATE[1]

    if not near(1.0):
        hint = fitting(near, "frame_times_unit")
        if near(1 / rate):
            hint = "are they numbers of frames? leave frame_times out"
        turns = next((n for n in range(2, MANY_TURNS + 1) if near(float(n))), 1)
        raise UserError(
            f"{path}: {name} says {measured:.4g} frames/s, but frame_rate is {rate:g} (of one "
            f"channel); correct frame_rate, or {in_turn(turns * every) if turns > 1 else ''}"
            f"if the time stamps are not in s: {hint}"
        )
    return time


def in_turn(channels: int) -> str:
    """Return words that ask for channels which take turns in a movie's frames, at their end "or".

    `channels`: how many there may be, 0 if that is not known.
    """
    setting = f"channels: {channels}" if channels else "channels"
    return (
        f"if {channels or 'several'} channels take turns in its frames, set corrections: {setting} "
        "(of some mice only: in cohorts and by_cohort, docs/cohorts.md), or "
    )
