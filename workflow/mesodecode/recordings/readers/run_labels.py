"""Run and rest as they were recorded: intervals, numbers 0 and 1, or words."""

import re

import numpy as np

from mesodecode.base.files import UserError, doubt, first_few
from mesodecode.recordings.readers.arrays import Bouts
from mesodecode.recordings.readers.intervals import check_events, labels_of, which_is_run
from mesodecode.recordings.readers.samples import Trace

# Names of labels that are true at rest, and those that say of both states, or of run
RESTS = re.compile(
    r"\b(no[nt]? ?(run|mov|walk)|rest|immobil|stationar|still|quie[ts]|stopped)", re.I
)
RUNS = re.compile(r"\b(run|mov|walk|loco|state|label|activ)", re.I)
MISSING = ("", "nan", "none", "<undefined>", "<missing>")  # how formats write that a word is not
NO = ("0", "false")  # what run_label may say of numbers and logicals: run is where they are not
MANY = 20  # numbers that are no states


def states_of(trace: Trace, run_label: str) -> np.ndarray:
    """Return labels (T,) uint8, 1 run and 0 rest, as they were recorded.

    Of intervals, numbers 0 and 1 (exchanged where `run_label` is one of `NO`), or words:
    `run_label`, and one other for rest. Raises UserError if they are none of these, with what to
    set or to write.
    """
    if isinstance(trace.data, Bouts):
        _say_rest(trace, "its intervals are")
        return labels_of(trace)
    values = trace.values()
    if values.dtype.kind in "buif":
        numbers = trace.numbers()
        if np.setdiff1d(numbers, [0, 1]).size:
            _refuse_numbers(trace, np.unique(numbers))
        if run_label.lower() in NO:
            numbers = numbers == 0
        else:
            _say_rest(trace, "1 is")
    else:
        numbers = _of_words(trace, [str(value).strip() for value in values], run_label)
    return trace.states_at_frames(numbers.astype(np.uint8))


def _say_rest(trace: Trace, taken: str) -> None:
    """Say what is taken for run where the labels' own name speaks of rest."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])|[_/.]", " ", trace.name.rpartition("/")[2])
    if RESTS.search(name) and not RUNS.search(RESTS.sub("", name)):
        doubt(
            trace.path,
            f"{taken} taken for run, though '{trace.name}' speaks of rest: if the mouse rests "
            "then, run and rest are exchanged; save the other one",
        )


def _of_words(trace: Trace, words: list[str], run_label: str) -> np.ndarray:
    """Return whether each word (n,) says run: `run_label`, or true where all are true or false."""
    missing = [i for i, word in enumerate(words) if word.lower() in MISSING]
    if missing:
        raise UserError(
            f"{trace.path}: {trace.name} has no word at {len(missing)} samples, the first "
            f"{missing[0]}; write the state of each"
        )
    states = sorted(set(words))
    if {word.lower() for word in states} == {"start", "stop"}:
        check_events(trace, words)
    if run_label not in states and {word.lower() for word in states} <= {"true", "false"}:
        return np.array([word.lower() == "true" for word in words])
    if len(states) > 2 or run_label not in states:
        _refuse_words(trace, states, run_label)
    return np.array([word == run_label for word in words])


def _refuse_words(trace: Trace, states: list[str], run_label: str) -> None:
    if len(states) > 2:
        _refuse_several(trace, states, f"'{run_label}' (run_label), and one other word for rest")
    raise UserError(
        f"{trace.path}: {trace.name} holds {first_few(states, 5)}: labels in words are "
        f"'{run_label}' of run, and one other word of rest; {which_is_run(states, run_label)}"
    )


def _refuse_numbers(trace: Trace, held: np.ndarray) -> None:
    states = [f"{value:g}" for value in held]
    if len(states) > MANY:
        raise UserError(
            f"{trace.path}: {trace.name} holds {len(states)} numbers ({first_few(states, 5)}), but "
            "labels are 0 (rest) and 1 (run); is it a speed? name it in behavior_speed"
        )
    if len(states) > 2:
        _refuse_several(trace, states, "0 (rest) and 1 (run)")
    raise UserError(
        f"{trace.path}: {trace.name} holds {', '.join(states)}: labels are 0 (rest) and 1 (run); "
        "write these for them, or words, one of which run_label names"
    )


def _refuse_several(trace: Trace, states: list[str], run: str) -> None:
    raise UserError(
        f"{trace.path}: {trace.name} holds {len(states)} states ({first_few(states, 5)}), but run "
        f"and rest are two: to decode all of them set target: states, behavior_target: "
        f"{trace.name} and target_states, which names them (docs/targets.md), in place of "
        f"behavior_labels; else join them to {run}"
    )
