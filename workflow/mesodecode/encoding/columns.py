"""What the tables of networks hold, and what is read out of them; nothing heavy, for readers."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.base import tables
from mesodecode.encoding.study import SWEPT

HISTORY = ("epoch", "step", "train_loss", "valid_loss", "train_r2", "valid_r2", "lr")
HISTORY += ("inputs_per_s", "peak_memory_mb")
SWEEP = (*SWEPT, "diverged", "epochs", "best_epoch", "train_loss", "valid_loss")
SWEEP += ("train_r2", "valid_r2", "test_loss", "test_r2")
CHECKS = ("check", "verdict", "fault", "value", "limit", "sentence")

# Columns of all tables that hold words, and those that are true or false.
WORDS = {"model", "session", "neuron", "neurons", "score", "initialisation", "layer"}
WORDS |= {"check", "verdict", "fault", "sentence"}
FLAGS = {"responsive", "diverged"}


def read(path: str | Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read a table of an encoding study with these columns."""
    table = tables.read_table(path, columns, [c for c in columns if c not in WORDS | FLAGS])
    for flag in FLAGS & set(table.columns):
        table[flag] = table[flag] == "True"
    return table


def useful_rates(rates: pd.DataFrame) -> tuple[float, float]:
    """Return the learning rates from which the loss falls, and from which it grows.

    A hundredth of the rate of the lowest loss, and the first rate after it at which the loss is
    half as large again or not finite (the last rate tried, if there is none).
    """
    loss = rates["loss"].to_numpy()
    lowest = int(np.nanargmin(loss))
    grown = np.flatnonzero(~(loss[lowest:] < 1.5 * loss[lowest] + 1e-12)) + lowest
    high = rates["learning_rate"].iloc[grown[0] if len(grown) else -1]
    return float(rates["learning_rate"].iloc[lowest]) / 100, float(high)


def check_row(
    check: str,
    good: bool,
    fault: str,
    value: float = math.nan,
    limit: float = math.nan,
    sentence: str = "",
    mend: str = "",
) -> dict[str, Any]:
    """Return a row of `CHECKS`; fault, and `mend` behind the sentence, where it is not `good`."""
    verdict, shown = ("pass", "") if good else ("fail", fault)
    said = f"{sentence}{'' if good else mend}."
    return dict(zip(CHECKS, (check, verdict, shown, value, limit, said), strict=True))


def not_made(check: str, limit: float, sentence: str) -> dict[str, Any]:
    """Return the row of a check that was not made, and why."""
    return check_row(check, True, "", math.nan, limit, sentence) | {"verdict": "not made"}
