"""Ten frames of one session and its behaviour, read as a config says: is it the right one?"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.recordings.corrections.movies import signal_frames
from mesodecode.recordings.intake import of_another_length
from mesodecode.recordings.movie import Movie, WithoutBlank
from mesodecode.recordings.readers.behavior import read_behavior
from mesodecode.recordings.readers.clocks import Frames, stamps_of
from mesodecode.recordings.readers.light_sources import read_light_sources
from mesodecode.recordings.readers.traces import read_variables
from mesodecode.recordings.source_files import session_movie
from mesodecode.study.study import Study

FRAMES = 10
RATES = 1.0, 500.0  # frames/s of one wavelength, of imaging
GUESSED = {  # key of `recordings` -> how a variable of a behaviour file may be named
    "behavior_time": ("time", "times", "timestamps", "timestamp", "time_s", "t", "seconds"),
    "behavior_speed": ("speed", "velocity", "running_speed", "wheel_speed", "running", "wheel"),
}
UNITS = (None, "ms", "us", "ns", "day")  # of time stamps, in the order in which they are tried


@dataclass
class FirstLook:
    """What was read of a session: `n_frames` of the signal, their `size` (H, W) px.

    image (H, W): the mean of the first ten; rate, frames/s by time stamps, in `unit` (None: s),
    None without any; time (T,) s, speed (T,) cm/s where known, labels (T,); `lights`: the
    values of light sources; `guessed`: keys of `recordings` without which behaviour could not be
    read; `wrong`: why movie or behaviour could not be, a line each.
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
    guessed: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def look_at(study: Study, session: str) -> FirstLook:
    """Read the first frames of a session's movie, its time stamps and its behaviour."""
    seen = FirstLook(session)
    try:
        with session_movie(study, session) as movie:
            frames = _look_at_movie(seen, study, movie)
    except (UserError, OSError) as error:
        seen.wrong.append(_line(error))
        return seen
    settings = dict(study.config["recordings"], behavior=study.source("behavior", session))
    try:
        _look_at_behavior(seen, settings, frames)
    except (UserError, OSError) as error:
        guessed = _guessed(settings)
        try:
            _look_at_behavior(seen, settings | guessed, frames)
            seen.guessed = guessed
        except (UserError, OSError):
            seen.wrong.append(_line(error))
    return seen


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


def _guessed(settings: dict[str, Any]) -> dict[str, str]:
    """Return what of a behaviour file's variables may be its times and its speed, by their names.

    Only of what the config does not say.
    """
    try:
        _, inside = read_variables(settings["behavior"], [])
    except (UserError, OSError):
        return {}
    names = {name.rpartition("/")[2].lower(): name for name in inside}
    found = {}
    for key, usual in GUESSED.items():
        said = settings.get(key) or (key == "behavior_speed" and settings.get("behavior_encoder"))
        name = next((names[word] for word in usual if word in names), None)
        if not said and name is not None:
            found[key] = name
    return found


def _look_at_movie(seen: FirstLook, study: Study, movie: Movie) -> Frames:
    corrections, lights = study.config["corrections"], None
    source = WithoutBlank(movie) if movie.blank is not None else movie
    if path := study.source("light_sources", seen.session):
        name = study.config["recordings"]["light_sources_dataset"]
        lights = read_light_sources(path, name, source.shape[0])
        seen.lights = [value.item() for value in np.unique(lights)]
        if corrections["signal_channel"] not in seen.lights:
            corrections = corrections | {"signal_channel": seen.lights[0]}
    taken = signal_frames(source.shape[0], corrections, lights)
    seen.n_frames, seen.size = len(taken), source.shape[1:]
    first = taken[:FRAMES]
    _, block = next(source.blocks(int(first[-1]) + 1))
    seen.image = block[first].mean(axis=0, dtype=np.float64)
    numbers = source.kept[taken] if isinstance(source, WithoutBlank) else taken
    frames = Frames(
        len(taken), study.config["recordings"]["frame_rate"], None, numbers, movie.shape[0]
    )
    seen.time = _times(seen, study, movie, frames)
    if seen.time is None:
        seen.time = numbers / movie.shape[0] * len(taken) / frames.rate
        return frames
    return Frames(frames.count, seen.rate, seen.time, numbers, movie.shape[0])


def _times(seen: FirstLook, study: Study, movie: Movie, frames: Frames) -> np.ndarray | None:
    """Return the time stamps of frames in s, in the unit in which their rate is one of imaging."""
    path, settings = study.source("frame_times", seen.session), study.config["recordings"]
    if path is None and movie.time is None:
        return None
    for unit in (settings["frame_times_unit"],) if settings["frame_times_unit"] else UNITS:
        if path is None:
            time = movie.time[frames.taken]
        else:
            name, clock = settings["frame_times_dataset"], settings.get("frame_times_clock")
            _, time = stamps_of(path, name, frames, unit, clock)
        steps = np.diff(time)
        rate = 1 / float(np.median(steps)) if len(steps) and np.median(steps) > 0 else 0.0
        if RATES[0] <= rate <= RATES[1]:
            seen.rate, seen.unit = rate, unit
            return time
    raise UserError(
        f"{path or movie.path}: time stamps of {rate:.4g} frames/s; see frame_times_unit"
    )


def _line(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror or error}"
    return " ".join(str(error).split())
