"""Tables and figures that a config does not ask for, which an earlier one may have left."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mesodecode.base.files import first_few, say
from mesodecode.study import importance, targets

SHOWN = 10  # names of files left out

OF_RUN = ("quality", "quality_curves", "calibration", "prediction_sets", "chance", "reproduction")


def say_left(place: object, paths: Sequence[Path]) -> None:
    """Say which files of a place are left out, if any: the first of them by name."""
    if paths:
        names = first_few([path.name for path in paths], SHOWN)
        say(f"{place}: left out, as the config does not ask for them: {names}")


def compared(config: Mapping[str, Any]) -> set[str]:
    """Return the comparisons that there are figures of: all decoders where none are compared."""
    lines = config.get("comparisons", {})
    return {*lines, *([] if any("source" not in line for line in lines.values()) else ["all"])}


def not_asked(config: Mapping[str, Any]) -> set[str]:
    """Return the names of tables and figures of all decoders that the config does not ask for."""
    if "mice" not in config:
        return set()
    gone: set[str] = set()
    for kind in targets.KINDS.values():
        if kind.name != targets.kind_named(config.get("target", "run")).name:
            gone |= {kind.table, f"session_{kind.table}", f"target_{kind.table}"}
            gone |= {f"{kind.table}_{name}" for name in compared(config)}
            gone |= {"confusion"} if kind.name == "states" else set()
            if kind.name == "run":
                gone |= {*OF_RUN, *(f"quality_{name}" for name in config.get("decoders", {}))}
    for name, line in config.get("importance", {}).items():
        none = {*importance.TABLES} - importance.tables_of(line)
        gone |= {f"importance_{name}_{table}" for table in none}
    lines, comparisons = config.get("decoders", {}), config.get("comparisons", {})
    labels = {line.get("labels", "own") for line in lines.values()}
    run = targets.kind_named(config.get("target", "run")).name == "run"
    shifted, cohorts = config.get("shift", {}).get("decoders"), config.get("cohorts")
    asked = {
        ("shift", "image_shift"): shifted,
        ("cohorts",): cohorts,
        ("cohort_shift",): cohorts and shifted,
        ("variants",): config.get("variants"),
        ("confounds",): config.get("confounds", {}).get("decoders"),
        ("ceilings", "ceilings_gaps"): config.get("ceilings", {}).get("decoders"),
        ("chance",): labels - {"own"} or config.get("circular_shifts"),
        ("reproduction",): config.get("reproduction"),
        ("comparisons",): comparisons,
        # allocations of several test mice share some
        ("inference",): any("source" in c for c in comparisons.values())
        or (comparisons and config.get("allocation", {}).get("test", 1) == 1),
        ("calibration", "prediction_sets"): "own" in labels or not lines,
        ("roi_correlation", "roi_correlation_summary"): run
        and any(line.get("input") == "rois" for line in lines.values()),
    }
    return gone.union(*(names for names, wanted in asked.items() if not wanted))
