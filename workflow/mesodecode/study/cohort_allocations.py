"""Allocations that keep cohorts apart, or mix them. The Snakefile imports this module."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from mesodecode.base.files import UserError
from mesodecode.study import cohort_table
from mesodecode.study.allocation import Allocation


def allocate(
    cohorts: cohort_table.Cohorts,
    how: str,
    mice: Sequence[str],
    *,
    train: int,
    valid: int,
    test: int,
    choose: str,
    within: Mapping[str, Sequence[Allocation]],
) -> list[Allocation]:
    """Return the allocations of `mice`, in their order, as `how` asks for.

    `leave_out`: each cohort is tested by decoders that are trained and validated in the others.
    `across`: trained and validated in one cohort and tested in another, for each pair of them, and
    `within` each cohort, which a loss across cohorts is measured from. `mixed`: all mice, so that
    training mice are of all cohorts as evenly as their numbers allow. Where mice of several cohorts
    train, they are taken as evenly. `choose` is that of `mouse_allocations`: each_pair and
    shared_pairs are here every pair of validation and test mice, all of which share trainings as
    the test mouse is none of the mice that train; of each_test, the validation and training mice
    go round with the test mice.
    Raises UserError if a cohort is too small.
    """
    counts = f"{train} + {valid} + {test}"
    made: list[Allocation] = []
    roles = {"train": train, "valid": valid, "choose": choose, "of": cohort_table.of_mice(cohorts)}
    if how == "mixed":
        if choose == "shared_pairs":
            raise UserError(
                "config: allocation.choose: shared_pairs is not for cohorts: mixed; take each_pair"
            )
        ring = _in_turn(cohorts.values())
        for first, tested in _tests(mice, test, choose):
            at = ring.index(first)
            pool = [m for m in ring[at:] + ring[:at] if m not in tested]
            made += _of_pool(pool, [tested], **roles)
        return _ordered(made, mice)
    if len(cohorts) < 2:
        raise UserError(
            f"config: allocation.cohorts: {how} needs two or more cohorts in `cohorts:`"
        )
    for name, members in cohorts.items():
        if len(members) < test:
            raise UserError(
                f"config: cohorts.{name}: {len(members)} in all, fewer than allocation.test = "
                f"{test}; add mice to it or ask for fewer"
            )
        others = {other: list(cohorts[other]) for other in cohorts if other != name}
        tests = [tested for _, tested in _tests(members, test, choose)]
        if how == "across":
            made += within[name]
            for pool in others.values():
                made += _of_pool(pool, tests, **roles)
            continue
        pool = _in_turn(others.values())
        if len(pool) < train + valid:
            raise UserError(
                f"config: cohorts: without {name}, which is left out in turn, {len(pool)} mice are "
                f"left, fewer than allocation.train + valid = {train} + {valid} of {counts}; add "
                "mice or ask for fewer"
            )
        made += _of_pool(pool, tests, **roles)
    return _ordered(made, mice)


def check_size(name: str, members: Sequence[str], *, train: int, valid: int, test: int) -> None:
    """Raise UserError if a cohort is too small to train, validate and test within."""
    if len(members) < train + valid + test:
        raise UserError(
            f"config: cohorts.{name}: {len(members)} in all, fewer than allocation.train + valid "
            f"+ test = {train} + {valid} + {test}, as allocation.cohorts: across asks for in each "
            "cohort; add mice to it, ask for fewer, or take leave_out"
        )


def check_choices(how: str | None, choosing: Sequence[str]) -> None:
    """Raise UserError if what is chosen for a test mouse would know its cohort where none may.

    `choosing`: keys of the config by which settings or decoders are chosen once for a test mouse,
    by the labelled mice that validate in all its allocations. With `across`, some of these are of
    its own cohort, so that a decoder of another one would be chosen by them.
    """
    if how == "across" and choosing:
        raise UserError(
            f"config: {choosing[0]}: is chosen for each test mouse by the mice that validate in "
            "all its allocations, which with allocation.cohorts: across are of its own cohort too, "
            "so that a loss across cohorts would be too small; take leave_out, or leave it out"
        )


def _tests(mice: Sequence[str], test: int, choose: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the test mice of allocations, with the first of them."""
    if choose != "each_test":
        for tested in itertools.combinations(mice, test):
            yield tested[0], tested
        return
    for at, first in enumerate(mice):
        ring = [*mice[at:], *mice[:at]]
        yield first, tuple(sorted(ring[:test], key=list(mice).index))


def _of_pool(
    pool: Sequence[str],
    tests: Sequence[tuple[str, ...]],
    *,
    train: int,
    valid: int,
    choose: str,
    of: Mapping[str, str],
) -> Iterator[Allocation]:
    """Yield the allocations of test mice whose training and validation mice are of a pool."""
    for number, tested in enumerate(tests):
        if choose == "each_test":
            at = number % len(pool)
            ring = [*pool[at:], *pool[:at]]
            yield Allocation(tuple(_evenly(ring[valid:], train, of)), tuple(ring[:valid]), tested)
            continue
        for chosen in itertools.combinations(pool, valid):
            last = max(map(pool.index, chosen)) + 1
            ring = [m for m in [*pool[last:], *pool[:last]] if m not in chosen]
            if choose != "all":
                yield Allocation(tuple(_evenly(ring, train, of)), chosen, tested)
                continue
            every = list(itertools.combinations(ring, train))
            least = min(_spread(each, ring, of) for each in every)
            for each in every:
                if _spread(each, ring, of) == least:
                    yield Allocation(each, chosen, tested)


def _evenly(ring: Sequence[str], n: int, of: Mapping[str, str]) -> list[str]:
    """Return the first n mice of a ring that are of its cohorts as evenly as there are mice."""
    left, counts = list(ring), dict.fromkeys((of[m] for m in ring), 0)
    for _ in range(n):
        fewest = min(counts[of[mouse]] for mouse in left)
        mouse = next(m for m in left if counts[of[m]] == fewest)
        left.remove(mouse)
        counts[of[mouse]] += 1
    return [mouse for mouse in ring if mouse not in left]


def _spread(chosen: Sequence[str], pool: Sequence[str], of: Mapping[str, str]) -> int:
    counts = dict.fromkeys((of[m] for m in pool), 0)
    for mouse in chosen:
        counts[of[mouse]] += 1
    return max(counts.values()) - min(counts.values())


def _in_turn(groups: Iterable[Sequence[str]]) -> list[str]:
    """Return the mice of groups in turn: the first of each, the second of each, …"""
    columns = itertools.zip_longest(*groups)
    return [mouse for column in columns for mouse in column if mouse is not None]


def _ordered(made: Iterable[Allocation], mice: Sequence[str]) -> list[Allocation]:
    """Return allocations by test, validation and training mice, all in the order of `mice`."""
    place = {mouse: at for at, mouse in enumerate(mice)}

    def places(role: Iterable[str]) -> tuple[int, ...]:
        return tuple(sorted(place[mouse] for mouse in role))

    found = [(places(one.test), places(one.valid), places(one.train)) for one in made]
    name = list(mice)
    return [
        Allocation(*(tuple(name[at] for at in role) for role in (train, valid, test)))
        for test, valid, train in sorted(dict.fromkeys(found))
    ]
