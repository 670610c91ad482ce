"""The predictions file: where every decoder ends, and all that is known to what comes after.

`results/{study}/predictions/{decoder}/{allocation}.h5` has the root attributes `decoder`,
`allocation`, `train_mice`, `valid_mouse` and `test_mouse` (strings; several mice are joined by
"+"), `protocol` (`protocols`; what a file without it is said to be of is transductive,
as every decoder was when files had none) and one group a test session, with the attribute `mouse`
and the datasets `frame` (int64, frame of the recording, from 0), `label` (uint8, 1 = run) and
`probability` (float32, of run). Of another target the root says `target`, `target_unit` and
`target_states`, and the datasets are, of a trace, `value` and `predicted` (float32, in its unit),
of named states `state` (uint8, its number in target_states, from 0) and `probability_{state}`.
"""

from collections.abc import Iterable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from mesodecode.base.files import NO_FILE, UserError, as_text, atomic_path
from mesodecode.base.windows import tell_short
from mesodecode.study import protocols
from mesodecode.study.allocation import Allocation, split_ids
from mesodecode.study.targets import RUN, Target

ATTRIBUTES = ("decoder", "allocation", "train_mice", "valid_mouse", "test_mouse")


@dataclass(frozen=True)
class SessionPredictions:
    """Predictions of one test session of `mouse`: three arrays (n_frames,), in frame order.

    Of a trace, `label` is its value and `probability` the prediction, both float32 in its unit; of
    K states the code and the probability of each (n_frames, K).
    `frame` int64, from 0; `label` uint8, 0 rest or 1 run; `probability` float32, of run. Frames
    at the edges of a segment, which have no window, are not there: none of a session too short.
    """

    mouse: str
    frame: np.ndarray
    label: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True)
class Predictions:
    """Test predictions of one decoder in one allocation, by session name, of a protocol.

    `train_mice`, `valid_mouse` and `test_mouse` are strings, several mice joined by "+".
    """

    decoder: str
    allocation: str
    train_mice: str
    valid_mouse: str
    test_mouse: str
    sessions: Mapping[str, SessionPredictions]
    protocol: str = protocols.TRANSDUCTIVE
    target: Target = RUN

    def write(self, path: str | Path) -> None:
        """Check these predictions and write them to `path`, whole or not at all.

        Raises UserError, naming the session, if the arrays differ in length, frames do not
        increase, labels are not 0/1 or probabilities are not finite numbers from 0 to 1.
        """
        _check(self, path)
        about = {name: getattr(self, name) for name in (*ATTRIBUTES, "protocol")}
        write_sessions(path, about, self.sessions, self.target)


def write_sessions(
    path: str | Path,
    about: Mapping[str, str],
    sessions: Mapping[str, SessionPredictions],
    target: Target,
) -> None:
    """Write sessions, with what they are `about` as attributes; say which have no frame."""
    tell_short({name: len(one.frame) for name, one in sessions.items()})
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({**about, **target.attributes()})
        for name, session in sessions.items():
            group = file.create_group(name)
            group.attrs["mouse"] = session.mouse
            for key, values in arrays_of(session, target).items():
                # Frame numbers shrink to almost nothing: a study has thousands of sessions.
                group.create_dataset(key, data=values, compression="gzip", shuffle=True)


def arrays_of(session: SessionPredictions, target: Target) -> dict[str, np.ndarray]:
    """Return the datasets (n,) of a session by name."""
    made = np.asarray(session.probability).reshape(len(session.frame), target.outputs)
    columns = zip(target.datasets, made.T, strict=True)
    return {
        "frame": np.asarray(session.frame).astype("i8"),
        target.kind.truth: np.asarray(session.label).astype(target.kind.dtype),
        **{name: column.astype("f4") for name, column in columns},
    }


def session_of(group: h5py.Group, target: Target, mouse: str | None = None) -> SessionPredictions:
    """Return the session that `arrays_of` made the datasets of a group of.

    `mouse`: whose it is, where the group does not say so.
    """
    made = [group[name][()] for name in target.datasets]
    # no less than float32: means of float16 are rounded, and 0 and 1 may be truth values
    made = [one.astype(np.promote_types(one.dtype, "f4"), copy=False) for one in made]
    frame = _exactly(group["frame"][()], "i8")
    truth = _exactly(group[target.kind.truth][()], target.kind.dtype)
    made = np.stack(made, 1) if target.states else made[0]
    return SessionPredictions(mouse or as_text(group.attrs["mouse"]), frame, truth, made)


def _exactly(values: np.ndarray, dtype: str) -> np.ndarray:
    """Return values in the type that files have here, where it can hold those of other tools."""
    with np.errstate(invalid="ignore"):
        try:
            made = np.asarray(values).astype(dtype)
        except ValueError:  # words, which who reads them refuses
            return values
    return made if np.array_equal(made, values) else values


def bind(
    decoder: str,
    allocation: Allocation,
    sessions: Mapping[str, SessionPredictions],
    protocol: str = protocols.TRANSDUCTIVE,
    target: Target = RUN,
) -> Predictions:
    """Bind predictions of test sessions to their decoder and allocation."""
    return Predictions(
        decoder=decoder,
        allocation=allocation.id,
        train_mice=allocation.joined("train"),
        valid_mouse=allocation.joined("valid"),
        test_mouse=allocation.joined("test"),
        sessions=sessions,
        protocol=protocol,
        target=target,
    )


def read(path: str | Path, *, of_any: bool = False) -> Predictions:
    """Read and check a predictions file, of run and rest unless `of_any` target.

    Raises UserError if it is not one (what is missing is said) or if its values cannot be right,
    as in `Predictions.write`; FileNotFoundError if there is none.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such predictions file; run the decoder first")
    try:
        with h5py.File(path, "r") as file:
            about = {name: as_text(file.attrs[name]) for name in ATTRIBUTES}
            about["protocol"] = as_text(file.attrs.get("protocol", protocols.TRANSDUCTIVE))
            target = Target.of_attributes(file.attrs)
            sessions = {name: session_of(group, target) for name, group in file.items()}
    except NO_FILE:
        raise
    except (OSError, KeyError, TypeError, ValueError) as error:
        reason = str(error).strip("\"'")
        raise UserError(
            f"{path}: not a predictions file ({reason}); delete it and run its decoder again"
        ) from None
    if target != RUN and not of_any:
        raise UserError(
            f"{path}: predictions of {target.name}, not of run and rest; see `mesodecode score`"
        )
    predictions = Predictions(**about, sessions=sessions, target=target)
    _check(predictions, path)
    return predictions


def check_recorded(
    sessions: Mapping[str, SessionPredictions], recordings: Mapping[str, Sized], path: str | Path
) -> None:
    """Raise UserError naming `path` unless all frames are of `recordings`, by session."""
    for name, one in sessions.items():
        if name not in recordings:
            raise UserError(f"{path}: no recording of session {name}; give that too")
        n, last = len(recordings[name]), one.frame[-1] if len(one.frame) else -1
        if last >= n:
            raise UserError(
                f"{path}: session {name}: frame {last} of a recording of {n} frames (from 0); make "
                "the predictions again, or give the recordings that they are of"
            )


def nothing(path: str | Path, sessions: Iterable[str]) -> str:
    """Return the error of predictions of no frame."""
    return (
        f"{path}: no frame to decode in session {', '.join(sessions)}: all their segments are "
        "shorter than a window; give longer recordings, or lower half_window"
    )


def _check(predictions: Predictions, path: str | Path) -> None:
    """Raise UserError naming `path` and the session if a value cannot be right."""
    if not predictions.sessions:
        raise UserError(f"{path}: predictions of no session; the test mouse needs at least one")
    if not any(np.size(session.frame) for session in predictions.sessions.values()):
        raise UserError(nothing(path, predictions.sessions))
    for name, session in predictions.sessions.items():
        fault = _fault(session, split_ids(predictions.test_mouse), predictions.target)
        if fault:
            raise UserError(f"{path}: session {name}: {fault}; make the predictions again")


def _fault(session: SessionPredictions, test_mice: list[str], target: Target) -> str | None:
    """Return what is wrong with a session's predictions, or None."""
    frame, label, probability = map(np.asarray, (session.frame, session.label, session.probability))
    if session.mouse not in test_mice:
        return f"mouse {session.mouse} is not a test mouse ({', '.join(test_mice)})"
    shapes = [array.shape for array in (frame, label, probability)]
    if target.states and (frame.size == 0 or probability.shape == (frame.size, target.outputs)):
        shapes[2] = shapes[0]
    if len(shapes[0]) != 1 or len(set(shapes)) != 1:
        return f"frame, label and probability must be (n,) of one length, not {shapes}"
    if (frame[1:] <= frame[:-1]).any():  # np.diff of unsigned numbers is never below 0
        return "frame numbers must increase: a frame is there twice or out of order"
    if target.kind.name == "regression":
        wrong = sum(int((~np.isfinite(array)).sum()) for array in (label, probability))
        return f"{wrong} values or predictions are no finite numbers" if wrong else None
    if (frame % 1 != 0).any():  # so written for NaN
        return f"frame numbers must be whole, not {frame[frame % 1 != 0][0]}"
    codes = range(max(2, target.outputs))
    if not np.isin(label, codes).all():
        known = "0 or 1" if target == RUN else f"0 to {codes[-1]}"
        return f"labels must be {known}, not {np.setdiff1d(label, codes)[0]}"
    if not ((probability >= 0) & (probability <= 1)).all():  # NaN fails both
        worst = probability[~((probability >= 0) & (probability <= 1))]
        return f"{len(worst)} probabilities are not between 0 and 1 (the first is {worst[0]})"
    return None
