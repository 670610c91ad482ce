"""Quality control: is a recording fit to be decoded? A verdict and a sentence for each check.

Of the movie as recorded: frames dropped, repeated, flashing or saturated. Of the movie as decoded
(corrected, if it is): bleaching and drift. Of the behaviour: how much of both states, in how many
bouts, and whether labels and speed agree. What each correction did follows, without a verdict, and
what was assumed of the session's files and may well be wrong, as a warning.
Thresholds and their units are in `workflow/schemas/tables/qc.yaml`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.recordings.locomotion import bouts
from mesodecode.recordings.qc_measures import Measures, read_measures
from mesodecode.recordings.recording import Recording, read_recording
from mesodecode.study import schema
from mesodecode.study.targets import RUN

COLUMNS = [
    *("mouse", "session", "check", "value", "unit", "warn", "fail", "verdict", "words"),
]
NUMBERS = ("value", "warn", "fail")
FLASH = 0.05  # change of the mean brightness from one frame to the next, as a share of the mean
TURNS = 0.5  # share of frames with such changes from which these are taken for wavelengths in turn
DOUBTS, AND = "doubts", " | "  # the check of what was assumed, and what parts its words
FULL_FRAME = 0.01  # share of saturated pixels that makes a frame a saturated one


@dataclass(frozen=True)
class Session:
    """What is known of a recording: its behaviour, and what was measured of its movie.

    `recorded` is of all channels, `decoded` of the corrected movie (the same where there is no
    correction). `effects` are those of
    `corrections.chain.Chain.effects`, `shifts` (T, 2) px those of motion, `r2` (H, W) the share
    that the reference channel explains; `signal_frames` (T,) which of the recorded frames are the
    signal's, where light sources told them; None without. `axes` is the order that the movie's
    array was read by, `axes_by` what said so (see `recording`); "" where not known; `codes`
    (T,) of the recorded frames (`qc_measures.frame_codes`), None of recordings of earlier versions.
    `doubts`, what `preprocess` assumed of the files and may well be wrong.
    """

    recording: Recording
    recorded: Measures
    decoded: Measures
    settings: dict[str, Any] | None = None
    effects: Sequence[dict[str, Any]] = ()
    shifts: np.ndarray | None = None
    r2: np.ndarray | None = None
    signal_frames: np.ndarray | None = None
    axes: str = ""
    axes_by: str = ""
    codes: np.ndarray | None = None
    doubts: Sequence[str] = ()

    @property
    def brightness(self) -> np.ndarray:
        """Mean over pixels of each frame (T,), as recorded, of the signal channel."""
        if self.signal_frames is not None:
            return self.recorded.brightness[self.signal_frames]
        settings = self.settings or {}
        n, first = settings.get("channels", 1), settings.get("signal_channel", 1) - 1
        return self.recorded.brightness[first::n][: len(self.recording)]

    @property
    def unit(self) -> str:
        """Of a pixel: counts or dff."""
        return self.recording.unit

    @property
    def light(self) -> bool:
        """Did the camera's counts of light come in, or changes of it (ΔF/F) already?"""
        return self.unit == "counts" or (self.settings or {}).get("dff", "none") != "none"

    @property
    def breaks(self) -> np.ndarray:
        """Frames (T,) bool that begin a segment, the first among them."""
        segment = self.recording.segment
        first = np.zeros(len(self.recording), bool)
        first[0] = True
        if segment is not None:
            first[1:] = np.diff(segment) != 0
        return first


def read_session(recording: str | Path, measures: str | Path) -> Session:
    """Read a recording and its measures. Raises UserError if they are not of one session."""
    opened, found = read_recording(recording), read_measures(measures)
    decoded = found.get("corrected", found["recorded"])
    with h5py.File(measures) as file:
        session = str(file.attrs["session"])
    if session != opened.session or len(decoded.brightness) != len(opened):
        raise UserError(
            f"{measures}: measures of session '{session}' with {len(decoded.brightness)} frames, "
            f"but {recording} is '{opened.session}' with {len(opened)}; make both by one "
            "`mesodecode preprocess`"
        )
    more: dict[str, Any] = {}
    with h5py.File(recording) as file:
        axes, by = (str(file.attrs.get(name, "")) for name in ("movie_axes", "movie_axes_by"))
        codes = file["frame_codes"][:] if "frame_codes" in file else None
        more["doubts"] = [*map(str, file.attrs.get("doubts", []))]
        if "corrections" in file:
            group = file["corrections"]
            more |= {name: json.loads(group.attrs[name]) for name in ("settings", "effects")}
            arrays = ("shifts", "r2", "signal_frames")
            more |= {name: group[name][()] for name in arrays if name in group}
    return Session(opened, found["recorded"], decoded, axes=axes, axes_by=by, codes=codes, **more)


def check_session(session: Session, settings: dict[str, Any]) -> pd.DataFrame:
    """Return `COLUMNS`, a row a check and a row a correction; `settings` of `tables/qc.yaml`."""
    rows = []
    for name, check in CHECKS.items():
        value, words = check.measure(session)
        warn, fail = settings[name]
        below = schema.properties("qc")[name].get("below", False)
        verdict = judge(value, warn, fail, below=below)
        if verdict == "fail":
            reason = name.replace("_", " ")
            words += f"; to leave it out: exclude: {{{session.recording.session}: {reason}}}"
        rows.append((name, value, check.unit, warn, fail, verdict, words))
    for effect in session.effects:
        words = effect["words"]
        if np.isfinite(effect["sd_before"]):
            words += f"; SD over time {effect['sd_before']:.2%} → {effect['sd_after']:.2%}"
        row = f"corrected: {effect['step']}", effect["value"], effect["unit"]
        rows.append((*row, np.nan, np.nan, "done", words))
    if session.doubts:
        words = AND.join(session.doubts)
        rows.append((DOUBTS, len(session.doubts), "", np.nan, np.nan, "warn", words))
    table = pd.DataFrame(rows, columns=COLUMNS[2:])
    table.insert(0, "mouse", session.recording.mouse)
    table.insert(1, "session", session.recording.session)
    return table


def judge(value: float, warn: float, fail: float, *, below: bool = False) -> str:
    """Return the verdict on a value: is it beyond a threshold, above it, or `below` it?

    pass, warn or fail; skipped where the value is NaN, which is of a check that cannot be made.
    """
    if np.isnan(value):
        return "skipped"
    sign = -1 if below else 1
    if sign * value > sign * fail:
        return "fail"
    return "warn" if sign * value > sign * warn else "pass"


def worst(verdicts: pd.Series) -> str:
    """Return fail if any is, else warn if any is, else pass."""
    found = set(verdicts)
    return "fail" if "fail" in found else "warn" if "warn" in found else "pass"


def by_session(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return mouse, session, verdict, failed and warned (names of checks) of each session."""
    rows = []
    for (mouse, session), checks in table.groupby(["mouse", "session"], sort=False):
        names = checks["check"].str.replace("_", " ")
        failed, warned = (names[checks["verdict"] == v].tolist() for v in ("fail", "warn"))
        row = {"mouse": mouse, "session": session, "verdict": worst(checks["verdict"])}
        rows.append(row | {"failed": failed, "warned": warned})
    return rows


# --- the checks: a value and a sentence each ---------------------------------------------------


@dataclass(frozen=True)
class Check:
    """How a check is made: a value in `unit` and a sentence."""

    measure: Callable[[Session], tuple[float, str]]
    unit: str


NOT_DECODED = "run and rest are not decoded in this study"


def duration(session: Session) -> tuple[float, str]:
    """Return the length in minutes."""
    r = session.recording
    minutes, rate = len(r) / r.frame_rate / 60, f"{r.frame_rate:g}/s"
    return minutes, f"{minutes:.2g} min: {len(r):,} frames of movie and behaviour, {rate}"


def rarer_state(session: Session) -> tuple[float, str]:
    """Return the share of frames of the state that is rarer."""
    if session.recording.target != RUN:
        return np.nan, NOT_DECODED
    share = float(session.recording.labels.mean())
    return min(share, 1 - share), f"the mouse runs in {share:.1%} of the frames"


def _bouts_of(session: Session) -> dict[str, np.ndarray]:
    state, length = bouts(session.recording.labels, np.cumsum(session.breaks))
    seconds = length / session.recording.frame_rate
    return {"run": seconds[state == 1], "rest": seconds[state == 0]}


def number_of_bouts(session: Session) -> tuple[float, str]:
    """Return the number of bouts of the state that has fewer."""
    if session.recording.target != RUN:
        return np.nan, NOT_DECODED
    found = _bouts_of(session)
    words = ", ".join(f"{len(seconds)} of {state}" for state, seconds in found.items())
    return min(map(len, found.values())), words


def median_bout(session: Session) -> tuple[float, str]:
    """Return the median duration in s of the bouts of a state, the shorter of both."""
    if session.recording.target != RUN:
        return np.nan, NOT_DECODED
    found = {state: float(np.median(s)) for state, s in _bouts_of(session).items() if len(s)}
    words = ", ".join(f"{seconds:.2g} s of {state}" for state, seconds in found.items())
    return min(found.values()), words


def labels_by_speed(session: Session) -> tuple[float, str]:
    """Return the share of labels that no one threshold of the speed explains.

    The mean of the shares of run frames at or below a threshold and of rest frames above it, at the
    threshold where it is lowest: (1 - J) / 2 of Youden's J (Cancer 1950, 3: 32-35). Both states
    count alike, however rare: 0 where speed divides them, 0.5 where it says nothing of them.
    """
    r = session.recording
    if r.speed is None:
        return np.nan, "no speed"
    known = np.isfinite(r.speed)
    speed, run = r.speed[known], r.labels[known].astype(bool)
    if not 0 < run.sum() < len(run) or np.ptp(speed) == 0:
        return np.nan, "one state, or one speed, only"
    order = np.argsort(speed, kind="stable")
    last = np.append(np.diff(speed[order]) > 0, True)  # of frames that have one speed
    slow_run, slow = np.cumsum(run[order])[last], np.flatnonzero(last) + 1
    missed = slow_run / run.sum()
    false = 1 - (slow - slow_run) / (~run).sum()
    best = int(np.argmin(missed + false))
    words = (
        f"{missed[best]:.1%} of run at or below {speed[order][last][best]:.2g} cm/s, "
        f"{false[best]:.1%} of rest above; no threshold divides them better"
    )
    return float(missed[best] + false[best]) / 2, words


def _intervals(session: Session) -> tuple[np.ndarray, float] | None:
    """Return the intervals between frames of a segment, in s, and their median."""
    if session.recording.time is None:
        return None
    intervals = np.diff(session.recording.time)[~session.breaks[1:]]
    return (intervals, float(np.median(intervals))) if len(intervals) else None


NO_TIMES = np.nan, "no time stamps"
NO_LIGHT = np.nan, "pixels around 0 (ΔF/F already), not the camera's counts of light"


def dropped_frames(session: Session) -> tuple[float, str]:
    """Return the share of frames missing: an interval of n medians lacks n - 1 frames."""
    found = _intervals(session)
    if found is None:
        return NO_TIMES
    intervals, median = found
    missing = int(np.maximum(np.rint(intervals / median) - 1, 0).sum())
    share = missing / (len(session.recording) + missing)
    return share, f"{missing:,} frames missing, the longest gap {intervals.max():.3g} s"


def frame_jitter(session: Session) -> tuple[float, str]:
    """Return the SD of intervals without a missing frame, as a share of their median."""
    found = _intervals(session)
    if found is None:
        return NO_TIMES
    intervals, median = found
    kept = intervals[intervals < 1.5 * median]
    words = f"intervals of {1e3 * median:.4g} ± {1e3 * kept.std():.2g} ms"
    return float(kept.std() / median), words


def frame_rate_error(session: Session) -> tuple[float, str]:
    """Return by which share the rate of the time stamps differs from the config's."""
    found = _intervals(session)
    if found is None:
        return NO_TIMES
    given, rate = session.recording.frame_rate, 1 / found[1]
    return abs(rate / given - 1), f"{rate:.5g} frames/s by the time stamps, {given:g} in the config"


def repeated_frames(session: Session) -> tuple[float, str]:
    """Return the share of frames that equal the one before, or any earlier one."""
    repeated = session.recorded.repeated
    words = f"{repeated.sum():,} of {len(repeated):,} frames"
    if session.codes is None or len(session.codes) != len(repeated):
        return float(repeated.mean()), words
    _, first, of = np.unique(session.codes, return_index=True, return_inverse=True)
    again = (session.codes > 0) & (first[of] < np.arange(len(of))) & ~repeated  # even ones are 0
    if again.any():
        at = int(np.argmax(again))
        words += (
            f" equal the one before, {again.sum():,} an earlier one, as frame {at} does frame "
            f"{first[of[at]]}: is a part of the movie in it twice?"
        )
    return float((repeated | again).mean()), words


def flashes(session: Session) -> tuple[float, str]:
    """Return the share of frames at which the brightness jumps."""
    if not session.light:
        return NO_LIGHT
    brightness = session.brightness
    jump = np.abs(np.diff(brightness)) > FLASH * abs(brightness.mean())
    found = np.flatnonzero(jump & ~session.breaks[1:]) + 1
    words = f"the brightness jumps by more than {FLASH:.0%} between {len(found):,} pairs of frames"
    words += f", first to frame {found[0]:,}" if len(found) else ""
    if len(found) > TURNS * len(brightness):
        words += "; do wavelengths take turns in its frames? see corrections: channels"
    return len(found) / len(brightness), words


def saturated_pixels(session: Session) -> tuple[float, str]:
    """Return the share of pixel values at full scale."""
    if not session.light:
        return NO_LIGHT
    recorded = session.recorded
    if np.isnan(recorded.full_scale):
        return np.nan, "pixels of real numbers: the camera's full scale is not known"
    n = int(recorded.saturated.sum())
    n = 0 if n == 1 else n  # a camera that is full gives its most again and again
    share = n / (recorded.saturated.size * recorded.mean.size)
    return share, f"{share:.2%} of the values at full scale, {recorded.full_scale:.0f} counts"


def saturated_frames(session: Session) -> tuple[float, str]:
    """Return the share of frames with more than `FULL_FRAME` of their pixels at full scale."""
    recorded = session.recorded
    if not session.light or np.isnan(recorded.full_scale):
        return saturated_pixels(session)
    full = recorded.saturated > FULL_FRAME * recorded.mean.size
    return float(full.mean()), f"{full.sum():,} of {full.size:,} frames"


def bleaching(session: Session) -> tuple[float, str]:
    """Return the change of brightness over the recording, a share of that at its beginning."""
    if not session.light:
        return NO_LIGHT
    brightness = session.decoded.brightness.astype(np.float64)
    at = np.linspace(0, 1, len(brightness))
    slope, start = np.polyfit(at, brightness, 1)
    change = slope if session.unit == "dff" else slope / start
    minutes = len(brightness) / session.recording.frame_rate / 60
    words = f"{change:+.1%} brightness from beginning to end, {change / minutes:+.2%} a minute"
    return abs(change), words + (" (ΔF/F)" if session.unit == "dff" else "")


def drift_path(session: Session) -> np.ndarray:
    """Return where the image lies in each part of the movie, (P, 2) rows and columns in px.

    Against the first part: the mean of all would be blurred by the drift itself.
    """
    # scikit-image, which the report needs not
    from mesodecode.recordings.corrections.motion import Registration, shift_frames

    parts = session.decoded.parts
    registration = Registration(parts[0])
    coarse = np.array([registration.shift(part) for part in parts])
    fine = np.array([registration.shift(part) for part in shift_frames(parts, coarse)])
    return -(coarse + fine)


def drift(session: Session) -> tuple[float, str]:
    """Return the largest shift between two parts in px."""
    if not session.light:
        return NO_LIGHT
    path = drift_path(session)
    largest = float(np.hypot(*(path[:, None] - path).T).max())
    height, width = session.decoded.mean.shape
    return largest, f"{largest:.2f} px between parts of the movie, of {height} x {width} px"


CHECKS = {
    "duration": Check(duration, "min"),
    "rarer_state": Check(rarer_state, "share"),
    "bouts": Check(number_of_bouts, "bouts"),
    "median_bout": Check(median_bout, "s"),
    "labels_by_speed": Check(labels_by_speed, "share"),
    "dropped_frames": Check(dropped_frames, "share"),
    "frame_jitter": Check(frame_jitter, "share"),
    "frame_rate_error": Check(frame_rate_error, "share"),
    "repeated_frames": Check(repeated_frames, "share"),
    "flashes": Check(flashes, "share"),
    "saturated_pixels": Check(saturated_pixels, "share"),
    "saturated_frames": Check(saturated_frames, "share"),
    "bleaching": Check(bleaching, "share"),
    "drift": Check(drift, "px"),
}
