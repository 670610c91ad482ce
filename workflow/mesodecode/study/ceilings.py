"""Ceilings: what a decoder reaches in a mouse whose other sessions it was trained on.

For every session of a mouse that is tested, splits of sessions in arms:

- own: trained on the mouse's other sessions (leave-one-session-out);
- others_equal: trained on as many sessions of other mice;
- own_near, own_far: trained on the half of the own training sessions that is nearest to the tested
  one in days, and on the farthest half;
- others_near, others_far: trained on as many sessions of other mice, as many days away.

The decoder of other mice itself (others) is the study's own. A decoder that chooses an epoch does
so by one session: own arms by the mouse's next session, others by one of a mouse that neither
trains nor tests. The Snakefile imports this module: nothing heavy here.
"""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mesodecode.base.files import UserError
from mesodecode.study import schema
from mesodecode.study.kinds import KINDS

OWN = ("own", "own_near", "own_far")
OTHERS = ("others_equal", "others_near", "others_far")
LEAST_MICE = 3  # that are tested: of fewer, an interval over mice says nothing


class Member(NamedTuple):
    """A session of a mouse, by its id."""

    mouse: str
    session: str

    @property
    def address(self) -> str:
        """The words that files and tables have for it."""
        return "/".join(self)


@dataclass(frozen=True)
class SessionSplit:
    """The roles of sessions in one training; no session has two, nor a mouse in arms of others.

    `train`, `valid` (empty where no epoch is chosen) and `test`, which is one session.
    """

    arm: str
    train: tuple[Member, ...]
    valid: tuple[Member, ...]
    test: tuple[Member, ...]

    def __post_init__(self) -> None:
        if len(self.test) != 1 or not self.train or self.arm not in OWN + OTHERS:
            raise UserError(f"{self.arm}: needs sessions to train on, and one to test")
        sessions = [one.session for one in self.train + self.valid + self.test]
        twice = sorted({name for name in sessions if sessions.count(name) > 1})
        if twice:
            raise UserError(
                f"{self.id}: session {', '.join(twice)} has two roles; a decoder is never tested "
                "on a session that it saw"
            )
        roles = [{one.mouse for one in role} for role in (self.train, self.valid, self.test)]
        if self.arm in OWN and len(set.union(*roles)) > 1:
            raise UserError(f"{self.id}: sessions of several mice; this arm is of one mouse")
        if self.arm in OTHERS and sum(map(len, roles)) > len(set.union(*roles)):
            raise UserError(
                f"{self.id}: a mouse has two roles; a decoder of other mice never sees its test "
                "mouse"
            )

    @property
    def id(self) -> str:
        """For example ``own.test-m1_s1``."""
        return f"{self.arm}.test-{self.test[0].session}"


def filled(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the table `ceilings` of a config, checked and with defaults filled in."""
    split = settings.get("split", "session")
    if split != "session":
        raise UserError(
            f"config: ceilings.split: '{split}' would test frames of a session that was trained "
            "on, next to frames like them, which inflates the ceiling; only whole sessions are "
            "left out (session)"
        )
    schema.check(settings, "ceilings", "ceilings")
    return schema.defaults("ceilings", **settings)


def chooses(decoder: Any) -> bool:
    """Whether a decoder chooses an epoch, for which it needs a session of its own."""
    return KINDS[decoder.kind].network


def check(
    names: Sequence[str],
    decoders: Mapping[str, Any],
    mice: Mapping[str, Sequence[str]],
    tune: Mapping[str, Any],
) -> None:
    """Raise UserError, naming the decoder, unless ceilings of `names` can be made.

    `decoders`: name -> `decoder_table.Decoder`; `mice`: mouse -> sessions that take part; `tune`:
    decoder -> its search.
    """
    where = "config: ceilings.decoders"
    for name in names:
        if name not in decoders:
            raise UserError(f"{where}: no decoder '{name}'; known: {', '.join(decoders)}")
        decoder = decoders[name]
        kind = KINDS[decoder.kind]
        if not kind.tunable:
            known = ", ".join(each for each, one in KINDS.items() if one.tunable)
            raise UserError(
                f"{where}: '{name}' is {kind.words}; only decoders that are trained in one step "
                f"have a ceiling, those of kind {known}"
            )
        if decoder.settings["labels"] != "own":
            raise UserError(f"{where}: '{name}' has permuted labels, and is at chance")
        if decoder.settings.get("normalise_from") == "reference" and decoder.settings["causal"]:
            raise UserError(
                f"{where}: '{name}' is normalised by a reference session of its mouse, which is "
                "never scored; name a decoder with normalise_from: past"
            )
        if name in tune:
            raise UserError(
                f"{where}: '{name}' has other settings for each test mouse (tune.{name}); name "
                "a decoder whose settings are the same in all"
            )
        _check_mice(where, name, mice, chooses(decoder))


def _check_mice(where: str, name: str, mice: Mapping[str, Sequence[str]], choosing: bool) -> None:
    found = tested(mice, choosing)
    if len(found) >= LEAST_MICE:
        return
    needed = "three sessions (one to test, one to choose the epoch, others to train on)"
    needed = needed if choosing else "two sessions (one to test, others to train on)"
    raise UserError(
        f"{where}: '{name}' needs {LEAST_MICE} mice or more, for an interval over mice, with "
        f"{needed} or more each; there {'is' if len(found) == 1 else 'are'} "
        f"{', '.join(found) or 'none'}; add sessions, or leave '{name}' out"
    )


def tested(mice: Mapping[str, Sequence[str]], choosing: bool) -> list[str]:
    """Return the mice that have sessions enough to be tested on one and trained on others."""
    return [mouse for mouse, sessions in mice.items() if len(sessions) >= 2 + choosing]


def splits(
    mice: Mapping[str, Sequence[str]],
    dates: Mapping[str, datetime.date],
    choosing: bool,
    cohort_of: Mapping[str, str],
) -> list[SessionSplit]:
    """Return the splits of all tested sessions of a decoder, in the order of `mice`.

    `mice`: mouse -> sessions; `dates`: session -> its day, where known; `choosing`: whether an
    epoch is chosen; `cohort_of`: mouse -> its cohort, of those that have one. Other mice are those
    of the same cohort, so that no gap is one between labs. Arms that a session cannot have are left
    out: near and far without days, or where the two are as far, those of others where other mice
    have too few sessions.
    """
    order = list(mice)
    found = []
    for mouse in tested(mice, choosing):
        at = order.index(mouse)
        ring = order[at + 1 :] + order[:at]
        ring = [one for one in ring if cohort_of.get(one) == cohort_of.get(mouse)]
        judges, others = ring[:choosing], ring[choosing:]
        for index, name in enumerate(mice[mouse]):
            test = Member(mouse, name)
            left = [*mice[mouse][index + 1 :], *mice[mouse][:index]]
            own = [Member(mouse, each) for each in mice[mouse] if each in left[choosing:]]
            turn = index % max(1, len(others))  # other mice first for each session
            pool = [Member(m, s) for m in others[turn:] + others[:turn] for s in mice[m]]
            sets = {"own": own, "others_equal": _spread(test, own, pool, mice, dates)}
            sets |= _by_days(test, own, pool, dates)
            own_valid = tuple(Member(mouse, each) for each in left[:choosing])
            valid = tuple(Member(j, mice[j][index % len(mice[j])]) for j in judges)
            found += [
                SessionSplit(arm, tuple(train), own_valid if arm in OWN else valid, (test,))
                for arm, train in sets.items()
                if train
            ]
    return found


def _spread(
    test: Member,
    own: Sequence[Member],
    pool: Sequence[Member],
    mice: Mapping[str, Sequence[str]],
    dates: Mapping[str, datetime.date],
) -> list[Member]:
    """Return as many sessions of a pool as `own` has, spread evenly over mice; [] of fewer.

    Those that are about as many days from the tested one as its own are or, where a day is not
    known, as many places in the list of sessions.
    """
    dated = all(one.session in dates for one in (test, *own, *pool))

    def away(one: Member) -> int:
        if dated:
            return abs((dates[one.session] - dates[test.session]).days)
        places = (mice[each.mouse].index(each.session) for each in (one, test))
        return abs(next(places) - next(places))

    return _matched(own, pool, lambda one, wanted, taken: (taken, abs(away(one) - away(wanted))))


def _matched(
    wanted: Sequence[Member],
    pool: Sequence[Member],
    unlike: Callable[[Member, Member, int], tuple[int, int]],
) -> list[Member]:
    """Return for each of `wanted` the one of a pool that is least unlike, each once; [] of fewer.

    `unlike` is told too how often the mouse of the one was taken.
    """
    left, found = list(pool), []
    if len(wanted) > len(left):
        return []
    for each in wanted:
        mice = [one.mouse for one in found]
        best = min(left, key=lambda one: unlike(one, each, mice.count(one.mouse)))
        found.append(best)
        left.remove(best)
    return found


def _by_days(
    test: Member,
    own: Sequence[Member],
    pool: Sequence[Member],
    dates: Mapping[str, datetime.date],
) -> dict[str, list[Member]]:
    """Return the arms near and far, as far as days tell them apart."""
    if test.session not in dates:
        return {}

    def days(one: Member) -> int:
        return abs((dates[one.session] - dates[test.session]).days)

    def apart(near: Sequence[Member], far: Sequence[Member]) -> bool:
        return bool(near and far) and max(map(days, near)) < min(map(days, far))

    dated = sorted((one for one in own if one.session in dates), key=days)
    half = len(dated) // 2
    near, far = dated[:half], dated[len(dated) - half :]
    if not apart(near, far):
        return {}
    found = {"own_near": near, "own_far": far}
    known = [one for one in pool if one.session in dates]
    others = _matched(
        (*near, *far), known, lambda one, wanted, taken: (abs(days(one) - days(wanted)), taken)
    )
    if apart(others[:half], others[half:]):
        found |= {"others_near": others[:half], "others_far": others[half:]}
    return found
