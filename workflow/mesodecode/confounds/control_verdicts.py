"""Controls held against a decoder, over all allocations: a table that says what each may explain.

A flag is a reason to look, not a proof: what goes with running in the controls need not be what the
decoder reads. Nor does a pass prove that neurons are read: other confounds have no control here.

Of another target than run and rest its own score stands for the AUC. R² of a trace is lost where
another mouse has another mean or scale, of controls as of decoders; so what a control knows of a
trace shows in Pearson's correlation too, and either comes up to a decoder.
"""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.confounds.signals import SIGNALS
from mesodecode.scores.mouse_tests import by_mouse, mean_interval
from mesodecode.study.targets import RUN, Kind, kind_scored

REACHES = 0.9  # of what a decoder's score is above chance
VERDICTS = ("pass", "part", "flag")  # of a score, from the least to worry about
# Numbers of a score of a control and of a decoder.
HELD = ("decoder", "control", "low", "high", "difference", "difference_low", "difference_high")


def _held_columns(name: str, kind: Kind) -> tuple[str, ...]:
    """Return the columns that hold `HELD` of a score."""
    if name != kind.metric:
        return tuple(f"{name}_{what}" for what in HELD)
    both = f"{name}_decoder", f"{name}_control"
    return *both, "control_low", "control_high", "difference", "ci_low", "ci_high"


def numbers_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of numbers of a kind of target."""
    beside = (column for name in kind.beside for column in _held_columns(name, kind))
    return "n_mice", "n_allocations", *_held_columns(kind.metric, kind), "share", *beside


def columns_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of a `table` of a kind of target."""
    return "decoder", "signal", "verdict", *numbers_of(kind), "sentence"


NUMBERS, COLUMNS = numbers_of(RUN.kind), columns_of(RUN.kind)


def table(controls: pd.DataFrame, auc: pd.DataFrame) -> pd.DataFrame:
    """Return `columns_of` their target, a row a decoder and control.

    `controls`: rows of `controls.decode` of all allocations; `auc`: the table of the decoders. AUCs
    are means over test mice of the means of their allocations; the difference is decoder - control
    in the same allocation. Limits are 95 % intervals of Student's t over test mice, which
    overlapping training mice make a little narrow (`mouse_tests.mean_interval`). `share` is what
    the control reaches of the decoder's AUC above 0.5. Verdicts:

    - flag: the control is above chance (its interval lies above 0.5), and the decoder is not shown
      to be better (the interval of the difference holds 0) or the share is `REACHES` or more;
    - note: the same of the mean of the whole image, which holds all neurons, and so is no flag;
    - part: above chance, but less than the decoder; pass: not above chance;
    - not made: no such signal, or fewer than two test mice (that vary, of another target).

    Of another target its score stands for the AUC, and its chance for 0.5; of a trace the verdict
    is the worse of those by R² and by the correlation, which is 0 of a constant prediction.

    Raises UserError if a decoder has no score of an allocation.
    """
    rows, kind = [], kind_scored(controls.columns)
    pairs = controls.groupby(["against", "decoder"])
    # the controls of one decoder together, in their own order
    for decoder, signal in itertools.product(controls["against"].unique(), SIGNALS):
        if (decoder, signal) not in pairs.groups:
            continue
        mine = pairs.get_group((decoder, signal))
        own = auc[auc["decoder"] == decoder].set_index("allocation")
        gone = [name for name in mine["allocation"] if name not in own.index]
        if gone:
            words = f"{kind.table}: no {kind.axis} of {decoder} in {gone[0]}"
            raise UserError(f"{words}; score all its allocations")
        own = own.loc[mine["allocation"], list(kind.scores)].set_axis(mine.index)
        rows.append(_row(decoder, signal, mine, own, kind))
    return pd.DataFrame(rows, columns=list(columns_of(kind)))


def _row(decoder: str, signal: str, mine: pd.DataFrame, own: pd.DataFrame, kind: Kind) -> dict:
    why = next((text for text in mine["missing"] if text), "")
    few = "there is one test mouse only"
    if not why:  # a test mouse in which the target never changes has no score
        varies = mine[kind.metric].notna() & own[kind.metric].notna()
        few = few if varies.all() else f"{kind.decoded} changes in fewer than two test mice"
        mine, own = mine[varies], own[varies]
    mouse = mine["test_mouse"].to_numpy()
    row = {"decoder": decoder, "signal": signal, "verdict": "not made"}
    row |= {"n_mice": len(set(mouse)), "n_allocations": len(mine)}
    if why or row["n_mice"] < 2:
        return row | {"sentence": f"Not made from {SIGNALS[signal]}: {why or few}."}
    held = {
        name: _held(*(by_mouse(one[name].fillna(0).to_numpy(), mouse) for one in (mine, own)), kind)
        for name in kind.scores
    }
    for name, one in held.items():
        values = (one[what] for what in HELD)
        row |= dict(zip(_held_columns(name, kind), values, strict=True))
    row["share"] = held[kind.metric]["share"]
    worst = max((one["verdict"] for one in held.values()), key=VERDICTS.index)
    row["verdict"] = "note" if (signal, worst) == ("mean", "flag") else worst
    return row | {"sentence": _sentence(row, held, worst, kind)}


def _sentence(
    row: Mapping[str, Any], held: Mapping[str, Mapping[str, Any]], worst: str, kind: Kind
) -> str:
    """Return a row in words, first of the score that has the `worst` verdict."""
    words, decoder = SIGNALS[row["signal"]], row["decoder"]
    told = {
        kind.axis if name == kind.metric else name: _told(one, row["n_mice"])
        for name, one in held.items()
    }
    at = [one["verdict"] for one in held.values()].index(worst)
    first, axis = [*held.values()][at], [*told][at]
    numbers = f"{axis} {told.pop(axis)}"
    if worst == "pass":
        text = f"From {words}, {kind.decoded} is not decoded above chance: {numbers}"
    elif worst == "part":
        text = (
            f"From {words} alone, {kind.decoded} is decoded above chance, but worse than by "
            f"{decoder}: {numbers}, {first['share']:.0%} of what that is above chance"
        )
    else:
        text = (
            f"From {words} alone, {kind.decoded} is decoded about as well as by {decoder}: "
            f"{numbers}"
        )
    if row["verdict"] == "note":
        text += (
            ". The mean holds all neurons, so that this need not be a confound; but then where "
            f"they are tells {decoder} little, and lamp and blood are in the mean too"
        )
    elif row["verdict"] == "flag":
        text += (
            f" (difference {first['difference_low']:.3f} to {first['difference_high']:.3f}). "
            f"{decoder} need not have read neurons"
        )
    return ". ".join([text, *(f"By {other}: {more}" for other, more in told.items())]) + "."


def _held(found: np.ndarray, theirs: np.ndarray, kind: Kind) -> dict[str, float | str]:
    """Return `HELD`, share and verdict of a score of a control and of a decoder (test mice,)."""
    low, high, _ = mean_interval(found)
    ci_low, ci_high, _ = mean_interval(theirs - found)
    above, of = found.mean() - kind.chance, theirs.mean() - kind.chance
    share = above / of if of > 0 else np.nan
    verdict = "flag"
    if low <= kind.chance:
        verdict = "pass"
    elif ci_low > 0 and share < REACHES:
        verdict = "part"
    values = (theirs.mean(), found.mean(), low, high, (theirs - found).mean(), ci_low, ci_high)
    return dict(zip(HELD, values, strict=True)) | {"share": share, "verdict": verdict}


def _told(one: Mapping[str, float | str], n_mice: int) -> str:
    return (
        f"{one['control']:.3f} (95 % interval {one['low']:.3f} to {one['high']:.3f}, {n_mice} test "
        f"mice) against {one['decoder']:.3f}"
    )


def headlines(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (verdict, sentence) of each decoder of a `table`: flag if a control reaches it."""
    found, decoded = [], kind_scored(rows.columns, "_control").decoded
    for decoder, mine in rows.groupby("decoder", sort=False):
        named = {
            verdict: [SIGNALS[name] for name in mine.loc[mine["verdict"] == verdict, "signal"]]
            for verdict in ("flag", "part", "pass", "not made")
        }
        if named["flag"]:
            text = (
                f"{decoder}: {decoded} is decoded as well without neurons, from "
                f"{_listed(named['flag'])}. What this decoder shows may be that."
            )
        elif named["part"] or named["pass"]:
            text = f"{decoder}: no control without neurons decodes {decoded} as well."
            if named["part"]:
                text += f" Above chance, though: {_listed(named['part'])}."
        else:
            text = f"{decoder}: no control without neurons could be made."
        if named["not made"]:
            text += f" Not made: {_listed(named['not made'])}."
        found.append(("flag" if named["flag"] else "pass", text))
    return found


def _listed(words: list[str]) -> str:
    return "; ".join(words)
