"""The figures of Ajioka et al. 2024 that the project keeps, see `workflow/reference/README.md`.

The Snakefile checks a config against them, so nothing heavy here.
"""

import csv
from collections.abc import Mapping

from mesodecode.base.files import WORKFLOW, UserError

FOLDER = WORKFLOW / "reference"
KEYS = ("analysis", "model", "half_window_frames")


def rows(where: Mapping[str, str]) -> list[dict[str, str]]:
    """Return the rows of one published decoder, those whose columns have these values.

    A row an allocation, with auc, valid_mouse and test_mouse; or one row with n, mean and sd, where
    the paper gives no more. Raises UserError if there is none, or if they are of several decoders.
    """
    found = []
    for name in ("auc", "text"):
        with open(FOLDER / f"ajioka2024_{name}.csv") as file:
            table = csv.DictReader(file)
            found += [row for row in table if all(row[k] == v for k, v in where.items())]
    decoders = {tuple(row[key] for key in KEYS) for row in found}
    words = ", ".join(f"{key}: {value}" for key, value in where.items())
    if not decoders:
        raise UserError(f"{{{words}}}: nothing published; see {FOLDER}/ajioka2024_auc.csv")
    if len(decoders) > 1:
        several = "; ".join(sorted(" ".join(decoder) for decoder in decoders))
        raise UserError(f"{{{words}}}: several decoders ({several}); name one by {', '.join(KEYS)}")
    return found


def sessions() -> dict[str, str]:
    """Return session -> mouse of the published recordings."""
    with open(FOLDER / "ajioka2024_sessions.csv") as file:
        return {row["session"]: row["mouse"] for row in csv.DictReader(file)}
