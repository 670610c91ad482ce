"""What else than run and rest is decoded: a trace or named states of a session, a value a frame."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mesodecode.base.files import UserError, doubt, say
from mesodecode.recordings import locomotion
from mesodecode.recordings.readers.arrays import Bouts, Unreadable, is_empty
from mesodecode.recordings.readers.behavior import check_names as check_behavior
from mesodecode.recordings.readers.behavior import read_behavior, segment_of
from mesodecode.recordings.readers.clocks import Frames
from mesodecode.recordings.readers.intervals import bouts_of, joined
from mesodecode.recordings.readers.run_labels import MISSING
from mesodecode.recordings.readers.samples import Trace
from mesodecode.recordings.readers.speeds import bridged
from mesodecode.recordings.readers.traces import bracketed, read_variables
from mesodecode.study.targets import FEWEST, RUN, Target, read_states

USUAL = ("states", "labels", "runrest")  # where states are looked for that nothing names
MOST_CODES = 10  # whole numbers of a trace that may be those of states
NAMED = ("behavior_labels", "behavior_speed", "behavior_encoder", "behavior_position")


def read_beside(
    path: str | Path,
    threshold: float,
    frames: Frames,
    target: str,
    variable: str | None,
    labelling: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Return what `read_behavior` does of a session whose target is another than run and rest.

    Run and rest are then shown, not decoded: where the file has neither labels of two states nor a
    speed, and the config names none, all frames count as rest, and a line says so. `labelling` are
    the arguments of `read_behavior`.
    """
    own, needed = _beside(target, variable, labelling)
    if needed:
        return read_behavior(path, threshold, frames=frames, **own)
    why = None
    for states in dict.fromkeys((own.get("states", "auto"), "speed")):
        try:
            return read_behavior(path, threshold, frames=frames, **own | {"states": states})
        except UserError as error:
            why = why or error
    say(f"{why}: run and rest are not decoded here, and every frame counts as rest in figures")
    beside = {"labels": np.zeros(frames.count, np.uint8)}
    name = own.get("behavior_segment")
    held, _ = read_variables(path, [name or "segment"])
    if name or (held and not is_empty(held["segment"])):
        beside["segment"] = segment_of(_trace(path, [name or "segment"], frames, own))
    return beside


def _beside(
    target: str, variable: str | None, labelling: Mapping[str, Any]
) -> tuple[dict[str, Any], bool]:
    """Return the arguments of `read_behavior` beside a target, and whether it has to be there."""
    own = dict(labelling)
    if target == "states" and variable is None:
        own["behavior_labels"] = None  # which holds the states
        if own.get("behavior_stop"):
            own |= {"behavior_stop": None, "behavior_time": None}
    named = any(own.get(key) for key in NAMED)
    return own, named or (target == "speed" and variable is None)


def check_names(
    path: str | Path, target: str, variable: str | None, labelling: Mapping[str, Any]
) -> None:
    """Raise UserError unless a file has what is decoded, and what the config names beside it.

    The arguments are those of `read_beside`. Names and columns alone are looked at.
    """
    own, needed = _beside(target, variable, labelling) if target != RUN.name else (labelling, True)
    if needed:
        check_behavior(path, own)
    if target == "states":
        variable = variable or labelling.get("behavior_labels")
        _held(path, [variable] if variable else USUAL, labelling, states=True)
    elif target != RUN.name and (target != "speed" or variable is not None):
        _held(path, [variable or target], labelling)


def read_target(
    path: str | Path,
    target: str,
    frames: Frames,
    behavior: Mapping[str, np.ndarray],
    labelling: Mapping[str, Any],
    *,
    variable: str | None = None,
    states: Sequence[str] | None = None,
) -> tuple[Target, np.ndarray]:
    """Return what is decoded: a trace (T,) float32 in the file's unit, or codes (T,) uint8.

    `target`: "states", "speed" (that of `behavior`, in cm/s, unless `variable` names another) or
    the name of a trace; `states` as of `targets.read_states`. Raises UserError if it is not there,
    is not a value a sample, has gaps, never changes, or holds states that have no name.
    """
    if target == "states":
        return _states(path, variable, states or (), frames, labelling)
    if target == "speed" and variable is None:
        if "speed" not in behavior:
            raise UserError(
                f"{path}: no speed in it, which 'target: speed' needs; name it in behavior_speed, "
                "behavior_encoder or behavior_position"
            )
        unit, values = "cm/s", behavior["speed"]
    else:
        trace = _trace(path, [variable or target], frames, labelling)
        held = bridged(trace)
        values = trace.trace_at_frames(held)
        _look_for_codes(path, variable or target, held)
        unit = getattr(trace.data, "unit", None) or bracketed(trace.name)
    if len(values) and np.ptp(values) == 0:
        raise UserError(
            f"{path}: {variable or target} is {values[0]:g} in every frame, so there is nothing to "
            "decode; check behavior_target and its clock, or list the session under exclude"
        )
    if len(np.unique(values)) == 2:
        doubt(
            path,
            f"{variable or target} has two values only: a state against rest is decoded by "
            "target: run (behavior_labels), with an AUC",
        )
    return Target(target, unit=unit), np.asarray(values, np.float32)


def _look_for_codes(path: str | Path, name: str, values: np.ndarray) -> None:
    """Say so if a trace looks like the numbers of states, between which there is nothing."""
    codes = np.unique(values)
    if FEWEST <= len(codes) <= MOST_CODES and not np.any(codes % 1):
        doubt(
            path,
            f"{name} has {len(codes)} values only, all whole numbers, and is decoded as a "
            "trace; if they are states, take target: states (behavior_target, target_states)",
        )


def _trace(
    path: str | Path,
    names: Sequence[str],
    frames: Frames,
    labelling: Mapping[str, Any],
    *,
    states: bool = False,
) -> Trace:
    """Return the first of `names` that the file has, placed on the frames, as `_held` finds it."""
    name, found, clock, stop = _held(path, names, labelling, states=states)
    rate, unit = labelling.get("behavior_rate"), labelling.get("behavior_time_unit")
    if stop:
        found[name] = joined(found.get(clock), found[stop], found[name], unit, frames)
    found[name].place(found.get(clock), rate, frames, unit)
    return found[name]


def _held(
    path: str | Path, names: Sequence[str], labelling: Mapping[str, Any], *, states: bool = False
) -> tuple[str, dict[str, Trace], str | None, str | None]:
    """Return the first of `names` that the file has, traces by name, and those of its times.

    `states`: it may be what intervals are of; their times are not those of anything else.
    """
    clock, stop = labelling.get("behavior_time"), labelling.get("behavior_stop")
    if stop and not states:
        clock = stop = None
    asked = [*names, *filter(None, (clock, stop))]
    held, inside = read_variables(path, asked, None)
    holds = f"it holds: {', '.join(inside) or 'nothing'}"
    name = next((n for n in names if n in held and (len(names) < 2 or not is_empty(held[n]))), None)
    if name is None:
        raise UserError(f"{path}: no '{names[0]}' in it; {holds}; name it in behavior_target")
    for other in filter(None, (clock, stop)):
        if other not in held:
            raise UserError(f"{path}: no '{other}' in it; {holds}")
    found = {key: Trace(path, key, held[key]) for key in ({name, clock, stop} - {None})}
    for trace in found.values():
        if isinstance(trace.data, Unreadable):
            raise UserError(f"{path}: {trace.name} {trace.data.why}")
    return name, found, clock, stop


def _states(
    path: str | Path,
    variable: str | None,
    given: Sequence[str],
    frames: Frames,
    labelling: Mapping[str, Any],
) -> tuple[Target, np.ndarray]:
    names, codes = read_states(given)
    variable = variable or labelling.get("behavior_labels")
    trace = _trace(path, [variable] if variable else USUAL, frames, labelling, states=True)
    target = Target("states", names)
    if isinstance(trace.data, Bouts):
        return target, _of_intervals(trace, names, codes)
    values = trace.values()
    numbers = values.dtype.kind in "buif"
    values = trace.numbers() if numbers else values.astype(str)  # what a table lacks is NaN
    values, inverse = np.unique(values, return_inverse=True)
    words = [f"{value:g}" if numbers else str(value).strip() for value in values]
    coded = _coded(trace, words, names, codes)[inverse.ravel()]
    return target, trace.codes_at_frames(coded)


def _coded(
    trace: Trace, words: Sequence[str], names: Sequence[str], codes: Mapping[str, int]
) -> np.ndarray:
    """Return the code of each word (n,) uint8. Raises UserError for one that has no state."""
    unknown = list(dict.fromkeys(word for word in words if word not in codes))
    if not unknown:
        return np.array([codes[word] for word in words], np.uint8)
    empty = [word for word in unknown if word.lower() in MISSING]
    shown = ", ".join(repr(word) for word in unknown[:5]) + (", …" if len(unknown) > 5 else "")
    do = f"join it to one ({names[0]}={unknown[0]}) or name it too"
    if empty:
        do = "write the state of each sample"
    raise UserError(
        f"{trace.path}: {trace.name} holds {shown}, none of target_states ({', '.join(codes)}); "
        f"{do}"
    )


def _of_intervals(trace: Trace, names: Sequence[str], codes: Mapping[str, int]) -> np.ndarray:
    """Return the state of each frame (T,) by intervals; the first one's is what lies in none."""
    if trace.data.words is None:
        raise UserError(
            f"{trace.path}: {trace.name} holds intervals of one kind, a state against rest, which "
            "target: run decodes (behavior_labels); for several states name the column that tells "
            "them (TABLE/COLUMN)"
        )
    start, stop = bouts_of(trace)
    of = _coded(trace, list(trace.data.words), names, codes)
    inside = np.stack(
        [
            locomotion.within(start[of == code], stop[of == code], trace.frames.starts)
            for code in range(len(names))
        ]
    )
    twice = np.flatnonzero(inside.sum(0) > 1)
    if twice.size:
        a, b = np.flatnonzero(inside[:, twice[0]])[:2]
        raise UserError(
            f"{trace.path}: {trace.name}: {twice.size} frames, the first {twice[0]}, lie in "
            f"intervals of {names[a]} and of {names[b]}; a frame has one state: mend the intervals"
        )
    return inside.argmax(0).astype(np.uint8)
