"""The table `cohorts` of a config: groups of mice, as of a lab, a rig or an indicator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mesodecode.base.files import UserError

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
