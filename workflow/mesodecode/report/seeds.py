"""The seeds of all that a study draws at random, for its report."""

from collections.abc import Mapping
from typing import Any

from mesodecode.scores import mouse_tests
from mesodecode.shift import cohort_losses
from mesodecode.study import decoder_table
from mesodecode.study.kinds import KINDS


def seeds(
    config: Mapping[str, Any], *, inferred: bool, exchanged: bool = False
) -> list[tuple[str, str, int]]:
    """Return (name, what it is, seed) of all that draws random numbers.

    `inferred`: whether decoders are compared with mice as the unit; `exchanged`: whether losses
    across cohorts are held against what sets cohorts apart.
    """
    rows = []
    if "simulate" in config:
        rows.append(("simulation", "recordings", config["simulate"]["seed"]))
    for table, what in (("decoders", "decoder"), ("importance", "importance analysis")):
        for name, s in config[table].items():
            # a kind that draws nothing else draws whose labels are exchanged
            draws = what != "decoder" or KINDS[decoder_table.kind_of(s)].draws
            fixed = not draws and s["labels"] == "own"
            if "seed" in s and not fixed:
                rows.append((name, what, s["seed"]))
    # of a cut-out the orders and weights of its checks, and the noise of some fillings
    own = [name for name, s in config["importance"].items() if "seed" not in s]
    rows += [(name, "importance analysis", 0) for name in own]
    rows += [(name, "search for settings", line["seed"]) for name, line in config["tune"].items()]
    if inferred:
        rows.append(("bootstrap", "test with mice as the unit", mouse_tests.SEED))
    if config["circular_shifts"] or config["target"] != "run":  # others are always shifted
        rows.append(("circular shifts", "comparison with chance", mouse_tests.SEED))
    if exchanged:
        rows.append(("exchanges", "what losses across cohorts go with", cohort_losses.SEED))
    return rows
