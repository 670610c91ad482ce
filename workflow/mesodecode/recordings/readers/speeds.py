"""Speed of a mouse in cm/s, a value a frame, from traces of speed and encoders of wheels."""

import re
from collections.abc import Callable, Sequence

import numpy as np

from mesodecode.base.files import UserError, doubt, say
from mesodecode.recordings import locomotion
from mesodecode.recordings.readers.samples import Trace
from mesodecode.recordings.readers.traces import bracketed, finite

IN_CM_S = {"c": 1.0, "centi": 1.0, "m": 0.1, "milli": 0.1, None: 100.0}  # prefix of m/s -> cm/s
# A unit of speed in words: speed_mm_s, v_cmps, mean_speed_m_per_sec_smoothed, wheel_cms, v_deg/s
WRITTEN = re.compile(
    r"(?<![a-z0-9])(?:(?P<way>[cmk]?m|[uµ]m|deg(?:rees?)?|rad(?:ians?)?|rev(?:s|olutions?)?|turns?"
    r"|in(?:ch(?:es)?)?|ft|feet|px|pixels?|counts?|ticks?|pulses?)"
    r"(?:p(?P<each>s|h)|[ _.]?s-1|(?:[ _.]?per[ _.]?|[ _./])"
    r"(?P<time>s(?:ec(?:onds?)?)?|min(?:utes?)?|h(?:r|ours?)?|frames?|samples?))"
    r"|(?P<short>[cm]m)s|(?P<word>rpm|rps|mph|km?ph|kmh|dps))(?![a-z0-9])"
)
AT_END = re.compile(  # of what is no speed yet: wheelVolts, speed_counts
    r"(?:[ _.]|(?<=[a-z])(?=[A-Z]))(V|mV|[Vv]olts?|[Cc]ounts|[Tt]icks|[aA]\.?[uU]\.?)$"
)
OTHER = re.compile(  # units that are no speed in m/s, in brackets behind a name
    r"(/|per)\s*(s|sec|seconds?|min|minutes?|h|hr|hours?|frames?|samples?)\.?$"
    r"|^(rpm|rps|mph|kmh|m?v|volts?|counts?|ticks|a\.?u\.?)$"
)
# In names of what is no speed yet, if they say no speed besides
_COUNTS = re.compile(r"encoder|rotary|(?<![a-z])counts?(?![a-z])|(?<!s)ticks?(?![a-z])")
_SPEED = re.compile(r"speed|velocity")
FASTEST = 500.0  # cm/s; no mouse is as fast, so that the counts or their settings are wrong
NOISY = 0.03  # share of frames in which only noise turns the wheel the other way
COUNTED = (
    "; or, if these are an encoder's counts, name it in behavior_encoder, with counts_per_turn and "
    "wheel_circumference"
)
UNKNOWN = 0.2  # share of the samples of a position that may be interpolated
CLEAR = 100.0  # cm/s; a wheel whose turns are told up to less may be told wrong
USUAL = 2.0, 150.0  # cm/s; between them is the fastest of nearly every session


def in_cm_s(unit: str) -> float | None:
    """Return how many cm/s one of a unit of speed is; None if it is none that is known."""
    match = re.fullmatch(
        r"(c|centi|m|milli)?(?:m|met(?:er|re)s?)\s*"
        r"(?:(?:/|per)\s*s(?:ec(?:ond)?s?)?\.?|[*·.]?\s*s(?:(?:\^|\*\*)?-1|⁻¹))",
        unit.strip().lower(),
    )
    return None if match is None else IN_CM_S[match[1]]


def speed_of(
    trace: Trace,
    *,
    unit: str | None = None,
    offset: float = 0.0,
    scale: float | None = None,
    threshold: float,
    decides: bool,
) -> np.ndarray:
    """Return the speed (T,) in cm/s, whatever its direction, of a trace of speed.

    `offset` is what the trace holds at standstill and `scale` the cm/s of one of its unit; else
    `unit`, the file's own, or cm/s. Where the speed is below -`threshold` (cm/s) a line says so.
    Raises UserError if the unit is not known. Where the speed `decides` on run and rest, a line
    says that an assumed unit is doubtful; UserError if the mouse would be faster than any.
    """
    factor, said = _factor(trace, unit, scale)
    velocity = trace.speed_at_frames((trace.numbers().astype(np.float64) - offset) * factor)
    speed = np.abs(velocity)
    back = int((velocity < -threshold).sum())
    if back:
        say(
            f"{trace.path}: {trace.name} is negative in {back} of {len(speed)} frames (to "
            f"{velocity.min():.3g} cm/s): its size is the speed, run backwards is run"
        )
    if decides:
        _check_fast(trace, speed, said, _counted)
        _doubt_counts(trace, said)
        _say_noise(trace, velocity, threshold)
    return speed


def _factor(trace: Trace, unit: str | None, scale: float | None) -> tuple[float, bool]:
    """Return the cm/s of one of the trace's unit, and whether anything says so."""
    if scale is not None:
        return _one_of(trace, unit, scale), True
    unit = unit or _named(trace.name) or getattr(trace.data, "unit", None)
    factor = in_cm_s(unit or "cm/s")
    if factor is None:
        raise UserError(
            f"{trace.path}: {trace.name} is in '{unit}', no speed that is known; say what it is in "
            "speed_unit (cm/s, m/s or mm/s) or in speed_scale (cm/s of one of its unit) and "
            f"speed_offset{COUNTED if re.fullmatch('counts?|ticks', unit, re.I) else ''}"
        )
    return factor, unit is not None


def _one_of(trace: Trace, unit: str | None, scale: float) -> float:
    """Return the scale. Raises UserError if a unit is given beside it, or it makes no speed."""
    if unit is not None:
        raise UserError(f"{trace.path}: speed_unit and speed_scale are given; leave one out")
    if not scale:
        raise UserError(f"{trace.path}: speed_scale: 0 makes every speed 0; needs another number")
    return scale


def check_use(trace: Trace, unit: str | None, offset: float, scale: float | None = None) -> None:
    """Raise UserError for a setting of a recorded speed that would be passed over in silence."""
    given = {"speed_unit": unit, "speed_scale": scale, "speed_offset": offset or None}
    name = next((name for name, value in given.items() if value is not None), None)
    if name:
        raise UserError(
            f"{trace.path}: the speed is that of {trace.name}, of which {name} says nothing; leave "
            f"{name} out, or behavior_encoder and behavior_position if a speed is recorded"
        )


def _named(name: str) -> str | None:
    """Return the unit in the name of a column: "speed (m/s)", "speed_mm_s", "speedDegPerSec"."""
    unit = bracketed(name)
    if unit and (in_cm_s(unit) or OTHER.search(unit.lower())):
        return unit
    if at_end := AT_END.search(name):
        return at_end[1]
    found = WRITTEN.search(apart(name))
    if found is None or found["word"]:
        return found and found["word"]
    return f"{found['way'] or found['short']}/{found['time'] or found['each'] or 's'}"


def apart(name: str) -> str:
    """Return a name in lower case, its words apart: speedCmPerSec is speed_cm_per_sec."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _check_fast(
    trace: Trace, speed: np.ndarray, said: bool, other: Callable[[Trace], str] | None = None
) -> None:
    """Say, or raise UserError for, what is no speed of a mouse; one glitch is none.

    `other`: what else than a speed the trace may be.
    """
    fast, fastest = float(np.quantile(speed, 0.99)), float(speed.max())
    words = f"{trace.name} goes up to {fastest:.3g} cm/s"
    if fast > FASTEST:
        raise UserError(
            f"{trace.path}: {words}, and in a frame of 100 above {fast:.3g}, faster than any "
            "mouse; say its unit in speed_unit (cm/s, m/s or mm/s), or in speed_scale (cm/s of one "
            f"of its unit) and speed_offset{other(trace) if other else ''}"
        )
    if not said and fast > USUAL[1]:
        doubt(trace.path, f"{words}: taken to be in cm/s; if it is in mm/s, set speed_unit")
    elif not said and 0 < fastest < USUAL[0]:
        doubt(trace.path, f"{words}: taken to be in cm/s; if it is in m/s, set speed_unit")


def _counted(trace: Trace) -> str:
    """Return words for what may be an encoder's counts: by its name, or as numbers are whole."""
    named = _COUNTS.search(apart(trace.name))
    return COUNTED if named or not np.mod(trace.numbers(), 1).any() else ""


def _doubt_counts(trace: Trace, said: bool) -> None:
    """Say that a speed may be a wheel's counts, which no limit tells where a turn has few.

    They rise or fall, and begin anew at once, again and again; no mouse stops so, and starts never.
    """
    values = trace.numbers().astype(np.float64)
    if len(values) < 2 or np.mod(values, 1).any():
        return
    back, one_way, far = _turns(values)
    if one_way and far:
        how = f"goes from {values[back[0]]:g} to {values[back[0] + 1]:g} between two samples, "
        how += f"{len(back)} times so, as a wheel's counts do that begin anew each turn"
    elif not said and _COUNTS.search(apart(trace.name)) and not _SPEED.search(apart(trace.name)):
        how = "is of whole numbers, and named as an encoder's counts"
    else:
        return
    doubt(trace.path, f"{trace.name} {how}: taken to be a speed{COUNTED}")


def _turns(values: np.ndarray) -> tuple[np.ndarray, bool, bool]:
    """Return which steps (n,) are of more than half the range, and whether values begin anew there.

    First that these go one way, then that they are two or more, far larger than any other step.
    """
    steps, span = np.diff(values), float(np.ptp(values))
    size, jumps = np.abs(steps), np.abs(steps) > span / 2
    back = np.flatnonzero(jumps)
    one_way = abs(np.sign(steps[jumps]).sum()) == len(back) > 0
    far = len(back) > 1 and size[jumps].min() > 3 * size[~jumps].max(initial=0)
    return back, bool(one_way), bool(far)


def _say_noise(trace: Trace, velocity: np.ndarray, threshold: float) -> None:
    """Say that frames of noise are taken for run, where they are many."""
    back = locomotion.turning_back(velocity, threshold)
    if back > NOISY * len(velocity):
        doubt(
            trace.path,
            f"{trace.name} turns from one frame to the next, and is above "
            f"{threshold:g} cm/s both ways, {back} times: noise, taken for run; raise "
            "speed_threshold, set min_bout, or smooth it",
        )


def speed_of_wheel(
    trace: Trace,
    counts_per_turn: float | None,
    turn: float | None,
    *,
    threshold: float,
    decides: bool,
) -> np.ndarray:
    """Return the speed (T,) in cm/s of an encoder's counts; a turn of the wheel is `turn` cm.

    Counts that begin anew, each turn or at 16 or 32 bits, are run on, and a line says so; also
    where the speed `decides` on run and rest, and noise is above `threshold` (cm/s). Raises
    UserError if the wheel is not described, or the counts cannot be those of a mouse's wheel.
    """
    if counts_per_turn is None or turn is None:
        raise UserError(
            f"{trace.path}: encoder counts of {trace.name} need counts_per_turn and "
            "wheel_circumference (cm)"
        )
    counts, time = trace.numbers(), _times(trace)
    try:
        counts, size = locomotion.run_on(counts, counts_per_turn, counts_per_turn / turn)
    except ValueError as error:
        raise UserError(f"{trace.path}: {trace.name} {error}") from error
    if size is not None:
        say(f"{trace.path}: {trace.name} begins anew every {size:,.6g} counts and is run on")
        every = float(np.median(np.diff(time)))
        told = size / 2 / counts_per_turn * turn / every
        if told < CLEAR:
            say(
                f"{trace.path}: {trace.name} has a sample every {every:.3g} s, which tells speeds "
                f"up to {told:.3g} cm/s; a faster mouse would seem slower, or to run backwards: "
                "write it more often, or counts that run on"
            )
    if locomotion.are_ways(counts, counts_per_turn / turn):
        raise UserError(
            f"{trace.path}: {trace.name} is 0 whenever the wheel stands still: counts since the "
            "last sample? write their sum (cumsum), a position"
        )
    trace.check_way(counts)
    velocity = locomotion.velocity_of_encoder(
        counts, time, trace.frames.starts, counts_per_turn=counts_per_turn, wheel_circumference=turn
    )
    speed = np.abs(velocity)
    if speed.max() > FASTEST:
        raise UserError(
            f"{trace.path}: {trace.name} makes {speed.max():.0f} cm/s at frame {speed.argmax()}: "
            "the counter is reset there, or counts_per_turn or wheel_circumference (cm) are wrong"
        )
    if decides:
        _say_noise(trace, velocity, threshold)
    return speed


def speed_of_position(
    traces: Sequence[Trace],
    *,
    unit: str | None,
    scale: float | None,
    threshold: float,
    decides: bool,
) -> np.ndarray:
    """Return the speed (T,) in cm/s along all axes of a position, a trace each.

    That of a frame is the straight way between its beginning and its end, by its duration. Samples
    that are NaN are interpolated, and a line says so. `scale` is the cm of one of its unit, else
    `unit` is that of its speed; None takes the file's. Raises UserError if the unit is not known or
    given beside a scale, more than `UNKNOWN` of the samples are NaN, or the mouse would be faster
    than any.
    """
    first = traces[0]
    own = getattr(first.data, "unit", None)
    factor = in_cm_s(unit or f"{own}/s") if scale is None else _one_of(first, unit, scale)
    if factor is None:
        shown = f"its unit is {own}" if own else "its unit is not said"
        raise UserError(
            f"{first.path}: {first.name} is a position, and {shown}: say in speed_scale how many "
            "cm one of it is, or set speed_unit: m/s, cm/s or mm/s if it is in m, cm or mm"
        )
    ways = []
    for trace in traces:
        way, time = bridged(trace) * factor, _times(trace)
        trace.check_way(way, "cm")
        _check_laps(trace, way, time)
        ways.append(
            locomotion.velocity_of_encoder(
                way, time, trace.frames.starts, counts_per_turn=1.0, wheel_circumference=1.0
            )
        )
    speed = np.sqrt(np.sum(np.square(ways), axis=0))
    if decides:
        _check_fast(first, speed, said=True)
        for trace, velocity in zip(traces, ways, strict=True):
            _say_noise(trace, velocity, threshold)
    return speed


def _check_laps(trace: Trace, way: np.ndarray, time: np.ndarray) -> None:
    """Raise UserError if a position (n,) cm begins anew, as that on a belt or a virtual track does.

    Then it goes back by most of its range, always the same way, faster than any mouse or
    time and again far more than in any other step.
    """
    back, one_way, far = _turns(way)
    fast = (np.abs(np.diff(way)[back]) > FASTEST * np.diff(time)[back]).all()
    if one_way and (fast or far):
        raise UserError(
            f"{trace.path}: {trace.name} goes from {way[back[0]]:.4g} to {way[back[0] + 1]:.4g} cm "
            f"between two samples, {back.size} times so: a position that begins anew in each lap? "
            "name it in behavior_encoder, with a lap's length in its own unit as counts_per_turn "
            "and in cm as wheel_circumference, or write one that runs on"
        )


def _times(trace: Trace) -> np.ndarray:
    """Return when the samples of a trace were taken, of one a frame when the frames began."""
    if trace.time is not None:
        return trace.time
    if len(trace.values()) != len(trace.frames.starts):
        raise UserError(
            f"{trace.path}: {trace.name} of {len(trace.values())} samples, but the movie has "
            f"{len(trace.frames.starts)} frames; name their time stamps in behavior_time or "
            "behavior_rate"
        )
    return trace.frames.starts


def bridged(trace: Trace) -> np.ndarray:
    """Return the values (n,) of a trace, interpolated linearly where they are NaN."""
    values = trace.values()
    known = ~np.isnan(values) if values.dtype.kind == "f" else np.ones(len(values), bool)
    lost = 1 - known.mean()
    if lost > UNKNOWN:
        raise UserError(
            f"{trace.path}: {trace.name} is not known in {lost:.0%} of {len(values)} samples (NaN, "
            "or unlikely by the table's likelihood); name another point, or cut these parts out"
        )
    if lost:
        at = np.flatnonzero(known)
        longest = np.diff(at, prepend=-1, append=len(values)).max() - 1
        ends = " (held at an end)" if at[0] or at[-1] + 1 < len(values) else ""
        say(
            f"{trace.path}: {trace.name} is interpolated in {lost:.1%} of its samples (NaN), up to "
            f"{longest} in a row{ends}"
        )
    numbers = finite(values[known], trace.name, trace.path).astype(np.float64)
    return np.interp(np.arange(len(values)), np.flatnonzero(known), numbers)
