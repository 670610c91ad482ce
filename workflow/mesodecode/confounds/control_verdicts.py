"""Controls held against a decoder, over all allocations: a table that says what each may explain.

A flag is a reason to look, not a proof: what goes with running in the controls need not be what the
decoder reads. Nor does a pass prove that neurons are read: other confounds have no control here.
"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError, natural
from mesodecode.confounds.signals import SIGNALS
from mesodecode.scores.mouse_tests import by_mouse, mean_interval

REACHES = 0.9  # of what a decoder's AUC is above 0.5
COLUMNS = (
    *("decoder", "signal", "verdict", "n_mice", "n_allocations", "auc_decoder", "auc_control"),
    *("control_low", "control_high", "difference", "ci_low", "ci_high", "share", "sentence"),
)
NUMBERS = COLUMNS[3:-1]


def table(controls: pd.DataFrame, auc: pd.DataFrame) -> pd.DataFrame:
    """Return `COLUMNS`, a row a decoder and control.

    `controls`: rows of `controls.decode` of all allocations; `auc`: the table of the decoders. AUCs
    are means over test mice of the means of their allocations; the difference is decoder - control
    in the same allocation. Limits are 95 % intervals of Student's t over test mice, which
    overlapping training mice make a little narrow (`inference.mean_interval`). `share` is what the
    control reaches of the decoder's AUC above 0.5. Verdicts:

    - flag: the control is above chance (its interval lies above 0.5), and the decoder is not shown
      to be better (the interval of the difference holds 0) or the share is `REACHES` or more;
    - note: the same of the mean of the whole image, which holds all neurons, and so is no flag;
    - part: above chance, but less than the decoder; pass: not above chance;
    - not made: no such signal, or fewer than two test mice.

    Raises UserError if a decoder has no AUC of an allocation.
    """
    rows = []
    pairs = controls.groupby(["against", "decoder"], sort=False)
    # the controls of one decoder together, in their own order
    for decoder, signal in itertools.product(controls["against"].unique(), SIGNALS):
        if (decoder, signal) not in pairs.groups:
            continue
        mine = pairs.get_group((decoder, signal))
        own = auc[auc["decoder"] == decoder].set_index("allocation")["auc"]
        gone = [name for name in mine["allocation"] if name not in own.index]
        if gone:
            raise UserError(f"auc: no AUC of {decoder} in {gone[0]}; score all its allocations")
        rows.append(_row(decoder, signal, mine, own[mine["allocation"]].to_numpy()))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(decoder: str, signal: str, mine: pd.DataFrame, own: np.ndarray) -> dict:
    words, mouse = SIGNALS[signal], mine["test_mouse"].to_numpy()
    row = {"decoder": decoder, "signal": signal, "verdict": "not made"}
    row |= {"n_mice": len(set(mouse)), "n_allocations": len(mine)}
    why = next((text for text in mine["missing"] if text), None)
    if why or row["n_mice"] < 2:
        why = why or "there is one test mouse only"
        return row | {"sentence": f"Not made from {words}: {why}."}
    found = by_mouse(mine["auc"].to_numpy(), mouse)
    theirs = by_mouse(own, mouse)
    low, high, _ = mean_interval(found)
    ci_low, ci_high, _ = mean_interval(theirs - found)
    above, of = found.mean() - 0.5, theirs.mean() - 0.5
    share = above / of if of > 0 else np.nan
    numbers = (
        f"AUC {found.mean():.3f} (95 % interval {low:.3f} to {high:.3f}, {len(found)} test mice) "
        f"against {theirs.mean():.3f}"
    )
    if low <= 0.5:
        verdict, text = "pass", f"From {words}, running is not decoded above chance: {numbers}"
    elif ci_low > 0 and share < REACHES:
        verdict = "part"
        text = (
            f"From {words} alone, running is decoded above chance, but worse than by {decoder}: "
            f"{numbers}, {share:.0%} of what that is above chance"
        )
    elif signal == "mean":
        verdict = "note"
        text = (
            f"From {words} alone, running is decoded about as well as by {decoder}: {numbers}. The "
            "mean holds all neurons, so that this need not be a confound; but then where they are "
            f"tells {decoder} little, and lamp and blood are in the mean too"
        )
    else:
        verdict = "flag"
        text = (
            f"From {words} alone, running is decoded about as well as by {decoder}: {numbers} "
            f"(difference {ci_low:.3f} to {ci_high:.3f}). {decoder} need not have read neurons"
        )
    return row | {
        "verdict": verdict,
        "auc_decoder": theirs.mean(),
        "auc_control": found.mean(),
        "control_low": low,
        "control_high": high,
        "difference": (theirs - found).mean(),
        "ci_low": ci_low,
        "ci_high": ci_high,
        "share": share,
        "sentence": f"{text}.",
    }


def headlines(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (verdict, sentence) of each decoder of a `table`: flag if a control reaches it."""
    found = []
    for decoder, mine in rows.groupby("decoder", sort=False):
        named = {
            verdict: [SIGNALS[name] for name in mine.loc[mine["verdict"] == verdict, "signal"]]
            for verdict in ("flag", "part", "pass", "note", "not made")
        }
        if named["flag"]:
            text = (
                f"{decoder}: running is decoded as well without neurons, from "
                f"{_listed(named['flag'])}. What this decoder shows may be that."
            )
        elif named["part"] or named["pass"]:
            text = f"{decoder}: no control without neurons decodes running as well."
            if named["part"]:
                text += f" Above chance, though: {_listed(named['part'])}."
        else:
            text = f"{decoder}: no control without neurons could be made."
        if named["not made"]:
            text += f" Not made: {_listed(named['not made'])}."
        found.append(("flag" if named["flag"] else "pass", text))
    return found


def mice_of(controls: pd.DataFrame) -> list[str]:
    """Return the test mice in their natural order."""
    return sorted(controls["test_mouse"].unique(), key=natural)


def _listed(words: list[str]) -> str:
    return "; ".join(words)
