"""Ten frames of one session and its behaviour, read as a config says: is it the right one?"""

import inspect
import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mesodecode.base.files import UserError, line_of
from mesodecode.recordings.corrections.movies import signal_frames
from mesodecode.recordings.intake import (
    check_states,
    movie_lights,
    numbers_of,
    of_another_length,
)
from mesodecode.recordings.movie import Movie, WithoutBlank
from mesodecode.recordings.readers.arrays import Variable
from mesodecode.recordings.readers.behavior import read_behavior
from mesodecode.recordings.readers.clocks import UNITS as UNITS_OF_TIME
from mesodecode.recordings.readers.clocks import Frames, seconds, stamps_of
from mesodecode.recordings.readers.intervals import BEGIN_END
from mesodecode.recordings.readers.light_sources import read_light_sources
from mesodecode.recordings.readers.speeds import WRITTEN, apart
from mesodecode.recordings.readers.traces import bracketed, read_variables
from mesodecode.recordings.session_sources import Sources
from mesodecode.recordings.source_files import session_movie
from mesodecode.study.discovery import file_names as names
from mesodecode.study.study import Study

FRAMES = 10
RATES = 1.0, 500.0  # frames/s of one wavelength, of imaging
GUESSED = {  # key of `recordings` -> how a variable of a behaviour file may be named, but for units
    "behavior_time": ("time", "times", "timestamps", "timestamp", "t", "seconds", "frame_time"),
    "behavior_speed": ("speed", "velocity", "running_speed", "wheel_speed", "running", "wheel"),
}
ENDS = (  # names of the starts and ends of intervals
    *BEGIN_END,
    *((f"{begin}_time", f"{end}_time") for begin, end in BEGIN_END if begin == "start"),
)
KINDS = "behavior", "behaviour", "state"  # of what intervals are
WITHIN = {"behavior_speed": ("speed", "velocity")}  # else the only name that has such a word
TIME_UNIT = re.compile(r"(?<=[a-z])[ _](?:in[ _])?(s|sec|secs|seconds?|ms|msec|us|ns|min)$")
EVEN = 0.1  # of their median, by which intervals of even time stamps differ at most
TURNS = 0.05  # share of the brightness by which frames of wavelengths in turn differ at least
UNITS = (None, "ms", "us", "ns", "day")  # of time stamps, in the order in which they are tried


@dataclass
class FirstLook:
    """What was read of a session: `n_frames` of the signal, their `size` (H, W) px.

    image (H, W): the mean of the first ten; rate, frames/s by time stamps, in `unit` (None: s),
    None without any; time (T,) s, speed (T,) cm/s where known, labels (T,); `lights`: the
    values of light sources, that of calcium first, `lights_by` what said so, and `alone`: the movie
    holds the frames of that one only; `guessed`: keys of `recordings` without which behaviour could
    not be read, and `guessed_times` those of time stamps; `turns`: how many wavelengths seem to
    take turns in the first frames (see `in_turn`); `wrong`: why movie or behaviour could not be, a
    line each.
    """

    session: str
    n_frames: int = 0
    size: tuple[int, int] = (0, 0)
    image: np.ndarray | None = None
    rate: float | None = None
    unit: str | None = None
    time: np.ndarray | None = None
    speed: np.ndarray | None = None
    labels: np.ndarray | None = None
    lights: list[int | str] = field(default_factory=list)
    lights_by: str = ""
    alone: bool = False
    guessed: dict[str, str] = field(default_factory=dict)
    guessed_times: dict[str, str] = field(default_factory=dict)
    turns: int = 1
    wrong: list[str] = field(default_factory=list)


def look_at(study: Study, session: str) -> FirstLook:
    """Read the first frames of a session's movie, its time stamps and its behaviour."""
    seen = FirstLook(session)
    try:
        with session_movie(study, session) as movie:
            frames = _look_at_movie(seen, study, movie)
    except (UserError, OSError) as error:
        seen.wrong.append(line_of(error))
        return seen
    settings = dict(
        study.of_session(session)["recordings"], behavior=study.source("behavior", session)
    )
    try:
        _look_at_behavior(seen, settings, frames)
    except (UserError, OSError) as error:
        guessed = _guessed(settings)
        try:
            _look_at_behavior(seen, settings | guessed, _at_rate(seen, settings | guessed, frames))
            seen.guessed = guessed
        except (UserError, OSError) as other:
            seen.wrong.append(line_of(error))
            if guessed and line_of(other) != line_of(error):
                by = ", ".join(f"{key}: {name}" for key, name in guessed.items())
                seen.wrong.append(f"by its names ({by}): {line_of(other)}")
    return seen


def _at_rate(seen: FirstLook, settings: dict[str, Any], frames: Frames) -> Frames:
    """Return frames at the rate of behaviour's time stamps, if these are even and one a frame.

    Where nothing else tells the rate: it is `seen` then.
    """
    name = settings["behavior_time"]
    if seen.rate is not None or name is None:
        return frames
    held, _ = read_variables(settings["behavior"], [name])
    values = held[name].values if isinstance(held.get(name), Variable) else np.empty(0)
    if len(values) != frames.count:
        return frames
    unit = settings["behavior_time_unit"] or _unit_of_time(name)
    steps = np.diff(seconds(values, unit, name, settings["behavior"]))
    usual = float(np.median(steps))
    if np.abs(steps - usual).max() > EVEN * usual or not RATES[0] <= 1 / usual <= RATES[1]:
        return frames
    seen.rate = 1 / usual
    return replace(frames, rate=seen.rate)


def _look_at_behavior(seen: FirstLook, settings: dict[str, Any], frames: Frames) -> None:
    known = inspect.signature(read_behavior).parameters.keys() & settings.keys()
    asked = {key: settings[key] for key in known}
    traces = read_behavior(settings["behavior"], frames=frames, **asked)
    if (n_values := len(traces["labels"])) != frames.count:
        raise UserError(
            f"{settings['behavior']}: {n_values} values, but the movie has {frames.count} frames; "
            f"{of_another_length('labels', n_values, frames.count)}"
        )
    seen.labels, seen.speed = traces["labels"], traces.get("speed")
    if seen.rate is not None:  # by another rate they are other moments
        try:
            check_states(traces, Sources.of(settings, None), frames)
        except UserError as error:
            seen.wrong.append(line_of(error))


def _guessed(settings: dict[str, Any]) -> dict[str, str]:
    """Return what of a behaviour file's variables may be its times and its speed, by their names.

    Only of what the config does not say.
    """
    try:
        _, inside = read_variables(settings["behavior"], [])
    except (UserError, OSError):
        return {}
    held = {_plain(name): name for name in reversed(inside)}
    found = {}
    for key, usual in GUESSED.items():
        said = settings.get(key) or (key == "behavior_speed" and settings.get("behavior_encoder"))
        name = next((held[word] for word in usual if word in held), None)
        if name is None:
            parts = set(WITHIN.get(key, ()))
            having = [name for plain, name in held.items() if parts & set(plain.split("_"))]
            name = having[0] if len(having) == 1 else None
        if not said and name is not None:
            found[key] = name
    given = any(settings[f"behavior_{key}"] for key in ("time", "stop", "encoder", "position"))
    ends = next((pair for pair in ENDS if {*pair} <= held.keys()), None)
    if ends and not found and not given:
        found = {"behavior_time": held[ends[0]], "behavior_stop": held[ends[1]]}
        kind = next((held[word] for word in KINDS if word in held), None)
        found |= {"behavior_labels": kind} if kind and not settings["behavior_labels"] else {}
    time = found.get("behavior_time")
    if time and not settings["behavior_time_unit"] and (unit := _unit_of_time(time)):
        found["behavior_time_unit"] = unit
    return found


def _plain(name: str) -> str:
    """Return a variable's name in lower case, without its unit and what it is in: Speed [cm/s]."""
    words = apart(name)
    name = WRITTEN.sub("", words) if WRITTEN.search(words) else name.lower()
    name = re.sub(r"[(\[][^()\[\]]*[)\]]$", "", name).strip()
    name = TIME_UNIT.sub("", name).rpartition("/")[2]
    return "_".join(re.findall(r"[^\W_]+", name))


def _unit_of_time(name: str) -> str | None:
    """Return the unit that the name of time stamps ends in, None of s and of none."""
    found = TIME_UNIT.search(name.lower())
    unit = bracketed(name.lower()) or (found[1] if found else "")
    unit = {"msec": "ms", "msecs": "ms", "milliseconds": "ms", "µs": "us"}.get(unit, unit)
    return unit if unit in UNITS_OF_TIME and unit != "s" else None


def _look_at_movie(seen: FirstLook, study: Study, movie: Movie) -> Frames:
    tables, lights = study.of_session(seen.session), None
    corrections = tables["corrections"]
    source, path = movie, study.source("light_sources", seen.session)
    if movie.blank is not None:
        source = WithoutBlank(movie, 1 if path else corrections["channels"])
    if path:
        name = tables["recordings"]["light_sources_dataset"]
        _, values = read_light_sources(path, name)
        seen.lights, seen.lights_by = calcium_first(np.unique(values).tolist(), Path(path))
        lights = movie_lights(path, name, source, seen.lights[0])
        seen.alone = lights.values is None
        corrections = corrections | {"signal_channel": 1 if seen.alone else seen.lights[0]}
    taken = signal_frames(source.shape[0], corrections, lights and lights.values)
    seen.n_frames, seen.size = len(taken), source.shape[1:]
    first = taken[:FRAMES]
    _, block = next(source.blocks(int(first[-1]) + 1))
    seen.image = block[first].mean(axis=0, dtype=np.float64)
    seen.turns = in_turn(block) if corrections["channels"] == 1 and lights is None else 1
    numbers, n_raw = numbers_of(source, taken, lights)
    frames = Frames(len(taken), tables["recordings"]["frame_rate"], None, numbers, n_raw)
    seen.time = _times(seen, study, source.time, taken, frames)
    if seen.time is None and isinstance(source, WithoutBlank):
        seen.time = source.camera_times(taken, frames.rate)
        return replace(frames, time=seen.time)
    if seen.time is None:
        seen.time = numbers / n_raw * len(taken) / frames.rate
        return frames
    return Frames(frames.count, seen.rate, seen.time, numbers, n_raw)


def in_turn(block: np.ndarray) -> int:
    """Return how many wavelengths seem to take turns in frames (n, H, W): 2, 3, or 1 if none do.

    Those of each are of one brightness, those of two differ by `TURNS` of it or more.
    """
    bright = block.mean(axis=(1, 2), dtype=np.float64)
    for n in (2, 3):
        each = [bright[i::n] for i in range(n)]
        if min(map(len, each)) < 3:
            break
        within = max(float(np.ptp(one)) for one in each)
        means = sorted(float(one.mean()) for one in each)
        apart = min(b - a for a, b in pairwise(means))
        if apart > max(TURNS * abs(float(bright.mean())), 3 * within):
            return n
    return 1


def calcium_first(lights: list[int | str], path: Path) -> tuple[list[int | str], str]:
    """Return light sources, that of calcium first and that of blood second, and what says so.

    Words say so themselves; of numbers, a table of ALF beside the file (imagingLightSource.
    properties, whose channel_id has a wavelength); else the first is taken, and of IBL's the 2.
    """
    table, told = _properties(path)
    shows = {light: names.light_of(str(light)) for light in lights}
    if any(str(light) in told for light in lights):
        shows, by = {light: told.get(str(light)) for light in lights}, table
    elif any(isinstance(light, str) and shows[light] is not None for light in lights):
        by = "its word"
    elif "imagingLightSource" in path.name and 2 in lights:
        shows, by = {light: 0 if light == 2 else None for light in lights}, "IBL's usual number"
    else:
        return lights, ""
    last = max(names.LIGHTS.values())
    ranks = {0: 0, last: 1, last - 1: 2}  # calcium, blood by the same indicator, by reflection
    return sorted(lights, key=lambda light: ranks.get(shows[light], len(ranks))), by


def _properties(path: Path) -> tuple[str, dict[str, int | None]]:
    """Return the name of ALF's table of light sources, and source -> what its light shows."""
    for file in sorted(path.parent.glob(names.LIGHT_TABLE)):
        text = file.read_bytes().decode(errors="replace")
        header, *rows = ([*map(str.strip, re.split("[\t,]", line))] for line in text.splitlines())
        if "channel_id" in header:
            at = header.index("channel_id")
            told = {row[at]: _shown(row[:at] + row[at + 1 :]) for row in rows if row[at:]}
            return file.name, told
    return "", {}


def _shown(cells: list[str]) -> int | None:
    shown = [names.light_of(cell.removesuffix(".0")) for cell in cells]
    return min((light for light in shown if light is not None), default=None)


def _times(
    seen: FirstLook, study: Study, own: np.ndarray | None, taken: np.ndarray, frames: Frames
) -> np.ndarray | None:
    """Return the time stamps of frames in s, in the unit in which their rate is one of imaging.

    `own`: those of the movie, of which `taken` are the frames'.
    """
    path = study.source("frame_times", seen.session)
    settings = study.of_session(seen.session)["recordings"]
    if path is None and own is None:
        return None
    if path is not None and settings["frame_times_dataset"] is None:
        settings = settings | {"frame_times_dataset": _named_times(seen, path)}
    for unit in (settings["frame_times_unit"],) if settings["frame_times_unit"] else UNITS:
        if path is None:
            time = own[taken]
        else:
            name, *pulses = (settings[f"frame_times_{key}"] for key in ("dataset", "clock", "edge"))
            _, time = stamps_of(path, name, frames, unit, *pulses)
        steps = np.diff(time)
        rate = 1 / float(np.median(steps)) if len(steps) and np.median(steps) > 0 else 0.0
        if RATES[0] <= rate <= RATES[1]:
            seen.rate, seen.unit = rate, unit
            return time
    path = path or study.source("movie", seen.session)
    raise UserError(f"{path}: time stamps of {rate:.4g} frames/s; see frame_times_unit")


def _named_times(seen: FirstLook, path: str) -> str | None:
    """Return the variable of time stamps in a file in which readers look for another, by name."""
    if Path(path).suffix.lower() == ".npy":
        return None
    _, inside = read_variables(path, [])
    if {"frame_times", "time"} & set(inside):
        return None
    held = {_plain(name): name for name in reversed(inside)}
    name = next((held[word] for word in GUESSED["behavior_time"] if word in held), None)
    if name is not None:
        seen.guessed_times["frame_times_dataset"] = name
    return name
