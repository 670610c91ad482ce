"""The table `cohorts` of a config: groups of mice, as of a lab, a rig or an indicator."""

from collections.abc import Mapping, Sequence
from typing import Any

from mesodecode.base.files import UserError

OWN = ("recordings", "corrections", "simulate", "fetch")  # tables that a cohort may have of its own
FASTER = 1.05  # than recorded: more new frames a second than that are refused
ALIKE = 1.01  # rates so near each other are one
Cohorts = Mapping[str, Sequence[str]]  # cohort -> its mice


def check(cohorts: Cohorts, mice: Sequence[str]) -> None:
    """Raise UserError unless each of `mice`, all those of the config, is in one of the cohorts."""
    if not cohorts:
        return
    of_mouse: dict[str, str] = {}
    for name, members in cohorts.items():
        for mouse in members:
            where = f"config: cohorts.{name}: mouse '{mouse}'"
            if mouse not in mice:
                raise UserError(f"{where} is none of `mice:`; known: {', '.join(mice) or 'none'}")
            if mouse in of_mouse:
                twice = "twice" if of_mouse[mouse] == name else f"in cohort '{of_mouse[mouse]}' too"
                raise UserError(f"{where} is {twice}; a mouse is of one cohort")
            of_mouse[mouse] = name
    missing = [mouse for mouse in mice if mouse not in of_mouse]
    if missing:
        raise UserError(
            f"config: cohorts: mouse '{missing[0]}' is in none of {', '.join(cohorts)}; add it to "
            "one, or take it out of `mice:`"
        )


def of_mice(cohorts: Cohorts) -> dict[str, str]:
    """Return mouse -> its cohort."""
    return {mouse: name for name, members in cohorts.items() for mouse in members}


def taking_part(cohorts: Cohorts, mice: Sequence[str]) -> dict[str, list[str]]:
    """Return the cohorts of those `mice` that are left when some are excluded, in their order.

    Raises UserError if none is left of a cohort.
    """
    left = {name: [m for m in mice if m in members] for name, members in cohorts.items()}
    for name, members in left.items():
        if not members:
            raise UserError(
                f"config: cohorts.{name}: all its mice are excluded; take the cohort out too"
            )
    return left


def cohorts_of(mice: Sequence[str], cohorts: Cohorts) -> tuple[str, ...]:
    """Return the cohorts that some mice are of, each once, in the order of the config."""
    own = {mouse: name for mouse, name in of_mice(cohorts).items() if mouse in mice}
    return tuple(name for name in cohorts if name in own.values())


def own_tables(config: Mapping[str, Any], mouse: str) -> Mapping[str, Any]:
    """Return what holds the tables `OWN` of a mouse: its cohort's line of `by_cohort`, or all."""
    others = config.get("by_cohort", {})
    cohort = of_mice(config["cohorts"]).get(mouse) if others else None
    return others.get(cohort, config)


def all_tables(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what holds the tables `OWN` of each cohort; of a study without, of all mice."""
    others = config.get("by_cohort", {})
    return [others.get(name, config) for name in config.get("cohorts", {})] or [config]


def recordings(config: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the table `recordings` of each cohort by its key in the config; those of all first."""
    others, names = config["by_cohort"], list(config["cohorts"])
    shared = not names or any(name not in others for name in names)
    found = {"recordings": config["recordings"]} if shared else {}
    own = {f"by_cohort.{n}.recordings": others[n]["recordings"] for n in names if n in others}
    return found | own


def check_areas(config: Mapping[str, Any]) -> None:
    """Raise UserError if areas are named to no effect, or cannot be in all recordings."""
    areas = config["areas"]
    for name, own in config["by_cohort"].items():
        if own["area_names"] and areas is None:
            raise UserError(
                f"config: by_cohort.{name}.area_names: only areas are matched by name; set areas "
                "(common, or a list of names), or leave it out"
            )
        called = list(own["area_names"].values())
        for word in called:
            if called.count(word) > 1:
                raise UserError(
                    f"config: by_cohort.{name}.area_names: two areas are called '{word}'; name "
                    "them apart"
                )
    if areas is None or not config["decoders"]:
        return
    tables = recordings(config)
    lacking = [key for key, one in tables.items() if not (one["rois"] or one["roi_masks"])]
    if lacking and (areas == "common" or len(lacking) == len(tables)):
        raise UserError(
            f"config: areas: {lacking[0]} has no ROI signals to match by name; set its rois or "
            "roi_masks, or leave areas out"
        )


def check_rates(config: Mapping[str, Any]) -> None:
    """Raise UserError if recordings have unlike frame rates, or less than `frame_rate`."""
    names = list(config["cohorts"]) or ["all"]
    rates = dict(
        zip(names, (t["recordings"]["frame_rate"] for t in all_tables(config)), strict=True)
    )
    slowest, fastest = min(rates, key=rates.get), max(rates, key=rates.get)
    rate = config["frame_rate"]
    if rate is None and rates[fastest] > ALIKE * rates[slowest]:
        raise UserError(
            f"config: by_cohort: {rates[slowest]:g} frames/s in {slowest}, {rates[fastest]:g} in "
            f"{fastest}; set frame_rate, to {rates[slowest]:g} or less, to bring them to one rate"
        )
    if rate is not None and rate > FASTER * rates[slowest]:
        where = f"cohort {slowest}" if config["cohorts"] else "recordings"
        raise UserError(
            f"config: frame_rate: {rate:g} frames/s, but {where} has {rates[slowest]:g}; frames "
            f"that were never taken cannot be made: give {rates[slowest]:g} or less"
        )


def decoded_rate(config: Mapping[str, Any]) -> float:
    """Return the frames/s that decoders see."""
    return config["frame_rate"] or all_tables(config)[0]["recordings"]["frame_rate"]
