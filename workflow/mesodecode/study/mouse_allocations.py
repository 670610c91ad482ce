"""The allocations of a study: in which ways its mice train, validate and test.

The Snakefile imports this module: nothing heavy here.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import cohort_allocations, cohort_table
from mesodecode.study.allocation import Allocation


def of_config(config: dict[str, Any], mice: list[str]) -> list[Allocation]:
    """Return the allocations that a config asks for, of the mice that take part."""
    how, settings = config["allocation"]["cohorts"], dict(config["allocation"])
    del settings["cohorts"]
    cohorts = cohort_table.taking_part(config["cohorts"], mice)
    if how is None:
        return allocate(mice, **settings)
    if not cohorts:
        raise UserError(
            f"config: allocation.cohorts: {how}, but there are no cohorts; name them in `cohorts:`"
        )
    within: dict[str, list[Allocation]] = {}
    if how == "across":
        counts = {key: value for key, value in settings.items() if key != "choose"}
        for name, members in cohorts.items():
            cohort_allocations.check_size(name, members, **counts)
            within[name] = allocate(members, **settings)
    elif how == "mixed":
        allocate(mice, **settings | {"choose": "each_test"})  # which says so if they are too few
    return cohort_allocations.allocate(cohorts, how, mice, within=within, **settings)


def allocate(
    mice: Iterable[str], *, train: int = 3, valid: int = 1, test: int = 1, choose: str = "all"
) -> list[Allocation]:
    """Split mice into train, validation and test mice in every way that `choose` asks for.

    `all`: every combination; 5 mice at 3:1:1 give 20 (Ajioka et al. 2024). `each_pair`: every pair
    of validation and test mice once, trained on the `train` mice that follow the validation mouse
    in the order of the config, cyclically and without the test mouse; 20 mice at 3:1:1 give 380.
    With one test mouse all mice then train equally often, and with one validation mouse beside
    each test mouse too. `shared_pairs`, at 3:1:1 and from 7 mice on: the same pairs, trained on the
    three mice that follow the validation mouse or, where the test mouse is among them, the three
    that follow the test mouse. All pairs so share n sets of training mice (20 mice: 20, where
    `each_pair` has 60), and all mice train equally often. `each_test`: every mouse tests once, the
    next `valid` validate and the next `train` train.

    Ordered by test, validation, training mice; the mice of a role stand in the order of the config,
    so that the same split has the same id.

    A mouse added to n others leaves their n (n - 1) pairs of `each_pair` at 3:1:1 as they are but
    for 3 n, in which it takes the place of one training mouse: the fewest with which it trains as
    often as they. It brings 2 n pairs of its own. Of the n sets of `shared_pairs` it leaves n - 2
    and brings the three that it trains in.
    """
    mice = list(mice)
    if len(mice) < train + valid + test:
        raise UserError(
            f"config: mice: {len(mice)} in all, fewer than allocation.train + valid + test = "
            f"{train} + {valid} + {test}; add mice, exclude fewer or ask for fewer"
        )
    if choose == "shared_pairs" and ((train, valid, test) != (3, 1, 1) or len(mice) < 7):
        raise UserError(
            f"config: allocation.choose: shared_pairs is for 7 or more mice, of which 3 train, 1 "
            f"validates and 1 tests, not for {len(mice)} mice at {train}:{valid}:{test}; take "
            "each_pair"
        )
    return list(_allocate(mice, train, valid, test, choose))


def _allocate(
    mice: list[str], train: int, valid: int, test: int, choose: str
) -> Iterator[Allocation]:
    def after(mouse: str, taken: tuple[str, ...]) -> list[str]:
        at = mice.index(mouse)
        return [m for m in mice[at + 1 :] + mice[:at] if m not in taken]

    def ordered(chosen: list[str]) -> tuple[str, ...]:
        return tuple(sorted(chosen, key=mice.index))

    if choose == "each_test":
        for first in mice:
            ring = [first, *after(first, (first,))]
            yield Allocation(
                test=ordered(ring[:test]),
                valid=ordered(ring[test : test + valid]),
                train=ordered(ring[test + valid : test + valid + train]),
            )
        return
    for test_mice in itertools.combinations(mice, test):
        rest = [m for m in mice if m not in test_mice]
        for valid_mice in itertools.combinations(rest, valid):
            left = [m for m in rest if m not in valid_mice]
            if choose == "each_pair":
                last = [m for m in after(test_mice[-1], test_mice) if m in valid_mice][-1]
                ring = after(last, test_mice + valid_mice)
                yield Allocation(ordered(ring[:train]), valid_mice, test_mice)
                continue
            if choose == "shared_pairs":
                train_mice = after(valid_mice[0], ())[:train]
                if test_mice[0] in train_mice:
                    train_mice = after(test_mice[0], ())[:train]
                yield Allocation(ordered(train_mice), valid_mice, test_mice)
                continue
            for train_mice in itertools.combinations(left, train):
                yield Allocation(train_mice, valid_mice, test_mice)
