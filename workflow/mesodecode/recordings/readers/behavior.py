"""Run and rest, speed and segments of a session, a value a frame, from the files that labs have."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mesodecode.base.files import UserError, say
from mesodecode.recordings import locomotion
from mesodecode.recordings.readers.arrays import Bouts, Unreadable, Variable, is_empty
from mesodecode.recordings.readers.clocks import Frames
from mesodecode.recordings.readers.intervals import joined, say_ends
from mesodecode.recordings.readers.run_labels import states_of
from mesodecode.recordings.readers.samples import Trace
from mesodecode.recordings.readers.speeds import (
    check_use,
    speed_of,
    speed_of_position,
    speed_of_wheel,
)
from mesodecode.recordings.readers.traces import read_variables

# Looked for where the config names nothing; the first are the names of Ajioka et al. 2024.
USUAL = {"labels": ("runrest", "labels"), "speed": ("speed_rs", "speed"), "segment": ("segment",)}
MOVES = {"speed", "encoder", "position"}


def read_behavior(
    path: str | Path,
    speed_threshold: float = 0.5,
    *,
    frames: Frames | None = None,
    behavior_labels: str | None = None,
    behavior_speed: str | None = None,
    behavior_segment: str | None = None,
    behavior_encoder: str | None = None,
    behavior_position: str | Sequence[str] | None = None,
    behavior_time: str | None = None,
    behavior_stop: str | None = None,
    behavior_time_unit: str | float | None = None,
    behavior_rate: float | None = None,
    run_label: str = "run",
    states: str = "auto",
    speed_unit: str | None = None,
    speed_offset: float = 0.0,
    speed_scale: float | None = None,
    counts_per_turn: float | None = None,
    wheel_circumference: float | None = None,
    speed_threshold_low: float | None = None,
    min_bout: float = 0.0,
) -> dict[str, np.ndarray]:
    """Read the labels of a session, and its speed and segments where it has them.

    The arguments are keys of `recordings` in the config, whose schema explains them. `frames` is
    needed for what is not one value a frame, for an encoder and for `min_bout`.

    Returns a dict of vectors (T,): labels uint8 (1 run, 0 rest), and speed float32 (cm/s, whatever
    its direction), segment int64 if there. Raises UserError if there are neither labels nor speed,
    or more than two states.
    """
    asked = _asked(
        path,
        behavior_labels=behavior_labels,
        behavior_speed=behavior_speed,
        behavior_segment=behavior_segment,
        behavior_encoder=behavior_encoder,
        behavior_position=behavior_position,
        behavior_time=behavior_time,
        behavior_stop=behavior_stop,
    )
    found = _find(path, asked, run_label, states)
    if behavior_stop:
        _join(found, asked, behavior_time_unit, frames, run_label)
    _place(found, behavior_rate, frames, behavior_time_unit)
    unused = speed_threshold_low is not None or bool(min_bout)
    behavior = {} if states == "speed" else _recorded(path, found, run_label, unused)
    speed = _speed(
        found,
        speed_threshold,
        "labels" not in behavior,
        unit=speed_unit,
        offset=speed_offset,
        scale=speed_scale,
        wheel=(counts_per_turn, wheel_circumference),
    )
    if speed is not None:
        behavior["speed"] = speed
    if "segment" in found:
        behavior["segment"] = segment_of(found["segment"])
    if "labels" not in behavior:
        behavior["labels"] = _states_of_speed(
            path,
            behavior,
            states,
            frames,
            above=speed_threshold,
            below=speed_threshold_low,
            min_bout=min_bout,
        )
    return {k: v.astype(np.float32) if k == "speed" else v for k, v in behavior.items()}


def check_names(path: str | Path, labelling: Mapping[str, Any]) -> None:
    """Raise UserError unless a file has what `read_behavior` asks for by these arguments.

    Each is there under its name and column, and not empty; times are not looked at.
    """
    asked = _asked(path, **labelling)
    _find(path, asked, labelling.get("run_label", "run"), labelling.get("states", "auto"))


def _asked(path: str | Path, **settings: Any) -> dict[str, str | None]:
    """Return what the config names by role; settings of other kinds are passed over."""
    roles = ("labels", "speed", "segment", "encoder", "time", "stop")
    asked = {role: settings.get(f"behavior_{role}") for role in roles}
    return asked | _axes(path, settings.get("behavior_position"))


def _place(
    found: dict[str, Trace], rate: float | None, frames: Frames | None, unit: str | float | None
) -> None:
    """Give each trace its times; a wheel or a mouse that is not logged rests."""
    for role, trace in found.items():
        rests = role.startswith(("encoder", "position"))
        trace.place(found.get("time"), rate, frames, unit, rests=rests)


def _join(
    found: dict[str, Trace],
    asked: dict[str, str | None],
    unit: str | float | None,
    frames: Frames | None,
    run_label: str,
) -> None:
    """Take the intervals whose ends are named for the labels, and what is not asked for out."""
    kinds = found.pop("labels", None) if asked["labels"] else None
    start, stop = found.pop("time", None), found.pop("stop")
    for role in [role for role in found if not asked[role]]:
        del found[role]  # a value an interval, such as its speed
    found["labels"] = joined(start, stop, kinds, unit, frames, run_label)


def _recorded(
    path: str | Path, found: dict[str, Trace], run_label: str, unused: bool
) -> dict[str, np.ndarray]:
    """Return the labels of the file, if it has some.

    Raises UserError if there are settings of states by speed, which have no use then (`unused`).
    """
    if "labels" not in found:
        return {}
    labels = states_of(found["labels"], run_label)
    if unused:
        raise UserError(
            f"{path}: its labels '{found['labels'].name}' are taken, so speed_threshold_low and "
            "min_bout have no use; leave them out or set states: speed"
        )
    return {"labels": labels}


def _speed(
    found: dict[str, Trace],
    threshold: float,
    decides: bool,
    *,
    unit: str | None,
    offset: float,
    scale: float | None,
    wheel: tuple[float | None, float | None],
) -> np.ndarray | None:
    """Return the speed (T,) in cm/s: of an encoder, else of a position, else as recorded.

    None if there is none. `decides`: whether run and rest come of it, by the threshold; `wheel`:
    counts a turn, and circumference.
    """
    if "encoder" in found:
        check_use(found["encoder"], unit, offset, scale)
        return speed_of_wheel(found["encoder"], *wheel, threshold=threshold, decides=decides)
    if "position" in found:
        traces = [trace for role, trace in found.items() if role.startswith("position")]
        check_use(traces[0], None, offset)
        return speed_of_position(
            traces, unit=unit, scale=scale, threshold=threshold, decides=decides
        )
    if "speed" in found:
        return speed_of(
            found["speed"],
            unit=unit,
            offset=offset,
            scale=scale,
            threshold=threshold,
            decides=decides,
        )
    return None


def _states_of_speed(
    path: str | Path,
    behavior: dict[str, np.ndarray],
    states: str,
    frames: Frames | None,
    **limits: float | None,
) -> np.ndarray:
    """Return labels (T,) by threshold. Raises UserError where there is no speed to take them of."""
    if states == "labels" or "speed" not in behavior:
        lacking = "labels" if states == "labels" else "speed"
        raise UserError(f"{path}: has no {lacking}, which 'states: {states}' needs")
    return locomotion.states_of_speed(
        behavior["speed"],
        frame_rate=frames.rate if frames else 1.0,
        segment=behavior.get("segment"),
        **limits,
    )


def _axes(path: str | Path, names: str | Sequence[str] | None) -> dict[str, str]:
    """Return the names of x, y, z of a position by role: those given, or columns of a matrix."""
    given = [names] if isinstance(names, str) else list(names or [])
    if len(given) == 1:
        (whole,) = given
        axes = [f"{whole}:{column}" for column in (1, 2, 3)]
        held, _ = read_variables(path, [whole, *axes])
        if isinstance(held.get(whole), Unreadable):
            given = [name for name in axes if isinstance(held.get(name), Variable)] or given
    return {f"position{i or ''}": name for i, name in enumerate(given)}


def _find(
    path: str | Path, asked: dict[str, str | None], run_label: str, states: str
) -> dict[str, Trace]:
    """Return what the file has for each role.

    Raises UserError if a name is not there, or what is there under it cannot be read: only empty
    variables of the usual names count as absent.
    """
    known = {role: (name,) if name else USUAL.get(role, ()) for role, name in asked.items()}
    held, inside = read_variables(path, [n for names in known.values() for n in names], run_label)
    holds = f"it holds: {', '.join(inside) or 'nothing'}"
    for name in filter(None, asked.values()):
        if name not in held:
            raise UserError(f"{path}: no '{name}' in it; {holds}")
    if asked["labels"] and asked.get("time") and not asked.get("stop"):
        say_ends(path, asked["time"], inside)
    found = {}
    for role, names in known.items():
        for name in names:
            if name in held and (asked[role] or not is_empty(held[name])):
                found[role] = Trace(path, name, held[name])
                break
    if not found.keys() & {"labels", "stop", *MOVES}:
        raise UserError(
            f"{path}: neither '{USUAL['labels'][0]}' nor '{USUAL['speed'][0]}' in it; {holds}; "
            "name what it has in behavior_labels or behavior_speed, or, of an encoder's counts, in "
            "behavior_encoder, or, of a position, in behavior_position (in behavior_encoder, if it "
            "begins anew each turn or lap), or, of intervals of run, in behavior_time and "
            "behavior_stop"
            + (" (NAME:2 is the second column of a matrix)" if " x " in holds else "")
        )
    for role, trace in list(found.items()):
        if isinstance(trace.data, Unreadable) and not asked[role]:
            _pass_over(role, found, states)
    for trace in found.values():
        if isinstance(trace.data, Unreadable):
            raise UserError(f"{path}: {trace.name} {trace.data.why}")
    return found


def _pass_over(role: str, found: dict[str, Trace], states: str) -> None:
    """Leave out what cannot be read where labels come from something else, as asked for."""
    trace = found[role]
    if role == "speed" and (found.keys() & {"labels", "encoder", "position"}) and states != "speed":
        say(f"{trace.path}: {trace.name} {trace.data.why}; goes on without a speed")
        del found[role]
    elif role == "labels" and states == "speed":
        del found[role]
    elif role == "labels" and (found.keys() & MOVES):
        raise UserError(
            f"{trace.path}: {trace.name} {trace.data.why} (or set states: speed, for labels by "
            "threshold)"
        )


def segment_of(trace: Trace) -> np.ndarray:
    """Return the segment of each frame (T,). Raises UserError if they are no whole numbers."""
    values = trace.numbers()
    segment = values.astype(np.int64)
    if (segment != values).any():
        raise UserError(
            f"{trace.path}: {trace.name} holds fractions; needs whole numbers, one a segment"
        )
    return trace.segment_at_frames(segment)


def seen(
    path: str | Path,
    behavior: dict[str, np.ndarray],
    speed_threshold: float,
    *,
    frames: Frames,
    states: str = "auto",
    run_label: str = "run",
    speed_unit: str | None = None,
    speed_scale: float | None = None,
    **names: Any,
) -> str:
    """Return what a session's values are, and what to check, where but one state came of them.

    `behavior` is what `read_behavior` made of the file, by the same arguments.
    """
    asked = _asked(path, **names)
    timed = asked["time"] or names.get("behavior_rate")
    asked["time"] = asked["time"] if asked["stop"] else None
    found = _find(path, asked, run_label, states)
    if asked["stop"]:
        _join(found, asked, names.get("behavior_time_unit"), frames, run_label)
    clock = ["behavior_time", "frame_times"] if timed else []
    if "labels" in found and states != "speed":
        trace = found["labels"]
        if isinstance(trace.data, Bouts):
            return (
                f"{trace.name} holds {len(trace.data.start)} intervals, of which "
                + _frames_at(frames)
                + " holds all or none; check run_label and frame_times"
            )
        words = trace.values().dtype.kind not in "buif"
        values = trace.values().astype(str) if words else trace.numbers().astype(np.uint8)
        values, count = np.unique(values, return_counts=True)
        held = ", ".join(f"{v} {n:,} times" for v, n in zip(values, count, strict=True))
        if len(values) > 1:
            clock = ["behavior_time", "frame_times", "movie_axes"]
            held += f", one of them during {_frames_at(frames)}"
        keys = ["behavior_labels", *(["run_label"] if words else []), *clock]
        return f"{trace.name} holds {held}; check {_listed(keys)}"
    speed = behavior["speed"]
    role = next(role for role in ("encoder", "position", "speed") if role in found)
    name = found[role].name
    held = f"the speed of {name} is {speed.min():.3g} to {speed.max():.3g} cm/s"
    keys = ["counts_per_turn", "wheel_circumference"] if "encoder" in found else ["speed_unit"]
    keys = ["speed_scale", "speed_offset"] if speed_scale else keys
    if role == "speed":
        unit = speed_unit or getattr(found["speed"].data, "unit", None)
        taken = f"{speed_scale:g} cm/s each" if speed_scale else f"in {unit or 'cm/s'}"
        held += f" (taken to be {taken})"
        values = found["speed"].numbers()
        if timed:
            held += f" during {_frames_at(frames)}; the file holds {values.min():.3g} to "
            held += f"{values.max():.3g}"
    held += f", and run is above speed_threshold, {speed_threshold:g} cm/s"
    return f"{held}; check {_listed([*keys, 'speed_threshold', *clock])}"


def _frames_at(frames: Frames) -> str:
    return f"the movie's {frames.count:,} frames ({frames.count * frames.lasts:.4g} s)"


def _listed(keys: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(keys[:-1]), keys[-1]]))
