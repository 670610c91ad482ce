"""Which animal each session is of, by the names of its folders and its movie.

A mouse is what stays of a name without dates, times, parts, conditions and counts of sessions. The
folders above a session tell first, and of two levels that could be mice the one whose names look
more like animals' ("m12" rather than "control"). Two names of one animal would put it into training
and test alike, so that what may be one is joined, or said to be two.
"""

import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from mesodecode.base import name_dates
from mesodecode.base.files import first_few
from mesodecode.study.discovery.file_names import EARS, GROUPS, Token, text_of
from mesodecode.study.session_ids import plain

NAMING = ("subject", "name", "number")  # kinds of words that may name an animal
LONG_PAUSE = 28  # days between sessions of one name, after which it may be another animal's
_NUMBERED = re.compile(r"[A-Za-z]{1,5}-?\d{1,6}[A-Za-z]?")  # GC5, EMX12


@dataclass(frozen=True)
class Place:
    """Where a session's movie is: names of folders and of the movie (last), and their words."""

    parts: tuple[str, ...]
    words: list[list[Token]]

    @property
    def dates(self) -> tuple[str, ...]:
        """The dates in the names, as ISO 8601 has them."""
        found = (token.value for part in self.words for token in part if token.kind == "date")
        return tuple(dict.fromkeys(found))


@dataclass
class Guess:
    """The mouse of each session ('' where names do not say), what that rests on, and doubts."""

    mice: list[str]
    rests_on: str = ""
    notes: list[str] = field(default_factory=list)


def mice_of(places: Sequence[Place]) -> Guess:
    """Return which mouse each session is of."""
    guess = Guess([])
    places = _with_numbers(places, guess)
    level = _level(places)
    if level is None:  # each session by that part of its path that names an animal best
        chosen = [_best(place) for place in places]
    else:
        chosen = [level if level < 0 else level - len(place.parts) for place in places]
    named = [_naming(place.words[at]) for place, at in zip(places, chosen, strict=True)]
    guess.rests_on = "the sessions' names" if level in (None, -1) else "folders"
    if any(token.kind == "count" for words in named for token in words):
        guess.notes.append("CHECK: s1 and the like are taken for mice, not for sessions.")
    named = _without_counts(named, places, chosen, guess)
    named = _without_conditions(named, guess)
    guess.mice = _texts(named, places, chosen)
    written = zip(guess.mice, places, chosen, strict=True)
    if not all(re.fullmatch(r"[\w-]*", m) and m in place.parts[at] for m, place, at in written):
        same = set.intersection(*(set(_values(words)) for words in named))
        short = [[token for token in words if token.value not in same] for words in named]
        if all(short):  # "Versuch 1 a" is a, as all are of Versuch 1
            guess.mice = _texts(short, places, chosen)
    if level is not None and level >= 0:
        guess.notes += _other_levels(places, level, guess.mice)
    guess.notes += _above(places, level, guess.mice)
    guess.notes += _alike(guess.mice, named)
    guess.notes += _pauses(guess.mice, places)
    return guess


def _with_numbers(places: Sequence[Place], guess: Guess) -> Sequence[Place]:
    """Return places with the numbers behind dates as names, where nothing else names animals.

    They are if they come again on other days and do not begin at 0 or 1 as counts of a day do.
    """
    if any(token.kind in NAMING for place in places for part in place.words for token in part):
        return places
    days = defaultdict(set)
    for place in places:
        numbers = [t for part in place.words for t in part if t.text.isdecimal()]
        counts = [int(t.text) for t in numbers if t.kind == "count"]
        days[place.dates] |= set(counts[:1])
    found = [value for values in days.values() for value in values]
    if len(set(found)) < 2 or len(set(found)) == len(found) or not _odd(days.values()):
        return places
    guess.notes.append("CHECK: the numbers behind dates are taken for mice.")
    renamed = []
    for place in places:
        words, waiting = [], True
        for part in place.words:
            words.append([])
            for token in part:
                if waiting and token.kind == "count" and token.text.isdecimal():
                    token, waiting = replace(token, kind="number"), False
                words[-1].append(token)
        renamed.append(Place(place.parts, words))
    return renamed


def _odd(days: Collection[set[int]]) -> bool:
    """Whether on most days numbers do not begin at 0 or 1 and go on from there, as counts do."""
    odd = sum(day not in ({*range(len(day))}, {*range(1, len(day) + 1)}) for day in days)
    return odd * 2 > len(days)


def _texts(named: list[list[Token]], places: Sequence[Place], chosen: Sequence[int]) -> list[str]:
    """Return the words that name mice as text; of a folder that says nothing else, its name."""
    texts = []
    for words, place, at in zip(named, places, chosen, strict=True):
        whole = words == place.words[at] and at != -1
        texts.append(place.parts[at] if whole else text_of(words, place.parts[at]))
    return texts


def _naming(words: Sequence[Token]) -> list[Token]:
    """Return the words that may name an animal; of none, what may be a subject ("s1_day2")."""
    kept = [token for token in words if token.kind in NAMING]
    counts = [token for token in words if token.kind in ("count", "date", "time")]
    if not kept and len(counts) > 1 and re.fullmatch(r"s\d+", counts[0].value):
        return counts[:1]
    return kept


def _likeness(words: Sequence[Token]) -> int:
    """Return how much words look like the name of an animal: 3 much, 0 not, -1 like a group's."""
    return max(map(_of_word, words), default=-2)


def _of_word(token: Token) -> int:
    if token.kind == "subject" or re.fullmatch(r"(m|ms|mus|an|mouse|maus)\d+", token.value):
        return 3
    if GROUPS.fullmatch(token.text):
        return -1
    long = token.kind == "number" and len(token.text) > 2
    if long or _NUMBERED.fullmatch(token.text):
        return 2
    return int(any(letter.isdigit() for letter in token.text))


def _values(words: Iterable[Token]) -> tuple[str, ...]:
    return tuple(token.value for token in words)


# --- which part of a path -----------------------------------------------------------------------


def _levels(places: Sequence[Place]) -> dict[int, list[list[Token]]]:
    """Return level (of folders from the top; -1 the movie's name) -> naming words by session.

    Only levels at which every session has some.
    """
    depth = min(len(place.parts) for place in places) - 1
    found = {at: [_naming(place.words[at]) for place in places] for at in (*range(depth), -1)}
    return {at: words for at, words in found.items() if all(words)}


def _level(places: Sequence[Place]) -> int | None:
    """Return the level that names mice, None where no level does for all sessions."""
    levels = _levels(places)
    likeness = {at: _usual(map(_likeness, words)) for at, words in levels.items()}
    varying = [at for at, words in levels.items() if len(set(map(_values, words))) > 1]
    if not varying:
        if -1 in levels:
            return -1
        alike = [at for at in levels if likeness[at] >= 2]
        return alike[0] if alike else None
    best = max(varying, key=lambda at: likeness[at])
    for above in varying[: varying.index(best)]:  # anna/tone5k: which of them are the animals?
        crossed = _within(levels[above], levels[best]) and _within(levels[best], levels[above])
        if crossed and likeness[above] >= 0 and likeness[best] < 3:
            return above
    return best


def _usual(scores: Iterator[int]) -> int:
    """Return what at least three of four reach, so that an odd name decides nothing."""
    ordered = sorted(scores)
    return ordered[len(ordered) // 4]


def _within(of: Sequence[Sequence[Token]], by: Sequence[Sequence[Token]]) -> bool:
    """Whether some value of `by` is found with several of `of`."""
    found = defaultdict(set)
    for a, b in zip(of, by, strict=True):
        found[_values(b)].add(_values(a))
    return any(len(values) > 1 for values in found.values())


def _best(place: Place) -> int:
    """Return the part of a path, counted from its end, that looks most like an animal's name."""
    levels = [-1, *range(-len(place.parts), -1)]
    return max(levels, key=lambda at: _likeness(_naming(place.words[at])))


# --- what of it ---------------------------------------------------------------------------------


def _without_counts(
    named: list[list[Token]], places: Sequence[Place], chosen: Sequence[int], guess: Guess
) -> list[list[Token]]:
    """Return naming words without numbers at the end that count sessions ("GC5_2").

    They count unless all are one number, have three digits and no zero in front, or are short and
    stand before or above a date, a time or another count. Where on most days they do not begin at 0
    or 1 as counts do, they are part of the name.
    """
    counted = []
    for words, place, at in zip(named, places, chosen, strict=True):
        last = words[-1] if len(words) > 1 else None
        below = [token for part in place.words[len(place.words) + at + 1 :] for token in part]
        after = [token for token in place.words[at] if last and token.start > last.start] + below
        small = last and last.kind == "number" and (len(last.text) < 3 or last.text[0] == "0")
        padded = small and len(last.text) > 2
        above = {"date", "time", "count"} & {token.kind for token in after}
        counted.append(bool(padded or (small and not above)))
    numbers = {words[-1].value for words, counts in zip(named, counted, strict=True) if counts}
    if len(numbers) < 2:
        return named
    days = defaultdict(set)
    for words, place, counts in zip(named, places, counted, strict=True):
        if counts and place.dates:
            days[_values(words[:-1]), place.dates].add(int(words[-1].value))
    if _odd(days.values()):
        return named
    if days:
        guess.notes.append(
            "CHECK: numbers at the end of names are taken to count sessions of a day; if they are "
            "mice, move their sessions to a mouse each."
        )
    return [words[:-1] if counts else words for words, counts in zip(named, counted, strict=True)]


def _without_conditions(named: list[list[Token]], guess: Guess) -> list[list[Token]]:
    """Return naming words without those that differ between sessions of one animal.

    Words of letters only, beside a word that looks like an animal's name and that they vary within
    ("m1_odorant", "m1_tones"), or that only some of its sessions have. Ear marks stay.
    """
    dropped: set[str] = set()
    lengths = {len(words) for words in named}
    if len(lengths) == 1:
        slots = list(zip(*named, strict=True))
        plain = [slot for slot in slots if all(map(_plain, slot))]
        others = [slot for slot in slots if not all(map(_plain, slot))]
        anchors = [slot for slot in others if _usual(map(_of_word, slot)) >= 2]
        for slot, anchor in itertools.product(plain, anchors):
            if _within([[token] for token in slot], [[token] for token in anchor]):
                dropped |= {token.value for token in slot}
    else:
        short = {_values(words) for words in named if words}
        for words in named:
            for shorter in short:
                extra = [token for token in words if token.value not in shorter]
                rest = tuple(token.value for token in words if token.value in shorter)
                if rest == shorter and extra and all(map(_plain, extra)):
                    dropped |= {token.value for token in extra}
    if dropped:
        guess.notes.append(
            f"CHECK: {', '.join(sorted(dropped)[:8])} in names are taken for what was done with a "
            "mouse, not for its name."
        )
    kept = [[token for token in words if token.value not in dropped] for words in named]
    return [some or words for some, words in zip(kept, named, strict=True)]


def _plain(token: Token) -> bool:
    """Whether a word may be a condition: letters only and no ear mark, or an age (P30)."""
    if token.kind != "name" or len(token.text) < 2 or _ear(token):
        return False
    return _of_word(token) < 1 or bool(re.fullmatch(r"P\d{1,3}", token.text))


def _ear(token: Token) -> bool:
    return bool(EARS.fullmatch(token.text))


# --- doubts -------------------------------------------------------------------------------------


def _other_levels(places: Sequence[Place], level: int, mice: list[str]) -> Iterator[str]:
    """Yield a note if names below the mice tell as well as theirs."""
    for at, words in _levels(places).items():
        within = defaultdict(set)
        for mouse, found in zip(mice, words, strict=True):
            told = [t for t in found if _of_word(t) > 0 or _plain(t)]
            within[mouse].add(_values(t for t in told if len(t.text) > 2 or t.kind != "number"))
        deeper = at > level or at == -1
        if deeper and max(map(len, within.values())) > 1 and _usual(map(_likeness, words)) >= 0:
            several = next(mouse for mouse, found in within.items() if len(found) > 1)
            shown = sorted(" ".join(value) for value in within[several])[:3]
            yield (
                f"CHECK: '{several}' is taken for one mouse, with sessions {', '.join(shown)}; if "
                "these are mice, name them below."
            )
            return


def _above(places: Sequence[Place], level: int | None, mice: list[str]) -> Iterator[str]:
    """Yield a note if one mouse is in several folders above, as those of two labs may be."""
    for at, words in _levels(places).items():
        within = defaultdict(set)
        for mouse, found in zip(mice, words, strict=True):
            within[mouse].add(_values(found))
        several = next((mouse for mouse, found in within.items() if mouse and len(found) > 1), None)
        if at != -1 and (level in (None, -1) or at < level) and several:
            shown = first_few(sorted(map(" ".join, within[several])), 3)
            yield (
                f"CHECK: '{several}' is taken for one mouse, in {shown}; if these are animals of "
                "one name, name them apart below."
            )
            return


def _alike(mice: list[str], named: list[list[Token]]) -> Iterator[str]:
    """Yield notes on mice that may be one animal, by their names."""
    spelled = defaultdict(set)
    for mouse in filter(None, mice):
        whole = plain(re.sub(r"(?<=[A-Z0-9])[a-z]$", "", mouse))  # C12a, C12b
        spelled[re.sub(r"(?<=\d)(left|right)$", "", whole)].add(mouse)  # ears, or hemispheres?
    words = dict(zip(mice, named, strict=True))
    first = _first_difference(list(words.values()))
    shared = defaultdict(set)
    for mouse, found in words.items():
        marked = all(_ear(token) or _of_word(token) == 3 for token in found[first + 1 :])
        if first < len(found) and not (found[first + 1 :] and marked):
            shared[found[first].value].add(mouse)
    for several in dict.fromkeys(map(frozenset, (*spelled.values(), *shared.values()))):
        if len(several) > 1:
            shown = ", ".join(f"'{mouse}'" for mouse in sorted(several)[:8])
            note = (
                f"CHECK: {shown} may be one animal: if so, list their sessions under one name; a "
            )
            note += "mouse must not be in two roles."
            if {"left", "right"} <= {mouse.lower().rpartition("_")[2] for mouse in several}:
                note += " Are left and right two halves of one image? One movie is read a session: "
                note += "join them side by side, or take the sessions of one side out."
            yield note


def _first_difference(names: list[list[Token]]) -> int:
    for i, slot in enumerate(itertools.zip_longest(*map(_values, names))):
        if len(set(slot)) > 1:
            return i
    return 0


def _pauses(mice: list[str], places: Sequence[Place]) -> Iterator[str]:
    """Yield a note for each mouse whose sessions come in two times of the year."""
    days = defaultdict(list)
    ways = name_dates.readings(["/".join(place.parts) for place in places])
    if len(ways) > 1:  # whether the month or the day comes first is said with the sessions' order
        return
    for i, (mouse, place) in enumerate(zip(mice, places, strict=True)):
        full = [day for day in place.dates if re.fullmatch(r"\d{4}-\d\d-\d\d", day)]
        days[mouse] += [ways[0][i]] if ways else [date.fromisoformat(day) for day in full[:1]]
    for mouse, found in days.items():
        gaps = [(b - a, a, b) for a, b in itertools.pairwise(sorted(found))]
        if gaps and max(gaps)[0].days > LONG_PAUSE:
            gap, a, b = max(gaps)
            yield (
                f"CHECK: sessions of '{mouse}' pause for {gap.days} days, from {a} to {b}: are "
                "these two animals of one name? A mouse must not be in two roles."
            )
