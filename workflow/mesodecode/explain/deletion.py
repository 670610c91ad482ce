"""Removing units from what a decoder reads, ROIs or areas of the image: what each removal does.

At once, one by one, and by sign. Where the top ones are removed at once, contributions of either
sign cancel (Jang, Kim & Yang 2025, arXiv:2506.05035). So each removal also counts by itself, and
what speaks for run and for rest is removed apart. What is removed, and from which windows or
frames, says a `Subject`: `removed_rois`, `removed_areas`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class Subject(Protocol):
    """A decoder of Q outputs, and windows or frames, of which n are used one by one and by sign.

    `shares` (S,) of all that can be removed. Removals are of orders, scores (U,) of units that say
    what goes first, or of maps (…, U) that say for which state units speak.
    """

    shares: Sequence[float]

    def __len__(self) -> int:
        """Return the number of windows or frames."""

    def intact(self) -> float:
        """Return the AUC, or score of another target, with all units there."""

    def at_once(self, orders: Sequence[np.ndarray]) -> np.ndarray:
        """Return the AUC (O, S) without the first shares of units in each order."""

    def one_by_one(self, orders: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return what share is gone (K + 1,) as units go, and outputs (Q, K + 1, n), by order."""

    def by_sign(self, maps: Sequence[np.ndarray], output: int) -> np.ndarray:
        """Return an output (O, 2, S, n) without what speaks against, and for it, by map."""


@dataclass(frozen=True)
class Curves:
    """What removals of growing shares of units do: in the first row by the map, below at random.

    auc (1 + K, S); moved (1 + K, S) and apart (1 + K, S) in units of the output, means over
    outputs, see `moved` and `map_measures`; all without rows where no map gave an order. `n`
    windows or frames, auc_intact their AUC.
    """

    auc_intact: float
    n: int
    auc: np.ndarray
    moved: np.ndarray
    apart: np.ndarray

    def parts(self) -> dict[str, Any]:
        """Return it as of `check_files.MapCheck`: rows by the map, and those at random apart."""
        rows = {name: getattr(self, name) for name in ("auc", "moved", "apart")}
        own = {name: found[:1] for name, found in rows.items()}
        own |= {f"{name}_random": found[1:] for name, found in rows.items()}
        return own | {"auc_intact": self.auc_intact, "n_windows": self.n}


def curves(
    subject: Subject, orders: Sequence[np.ndarray], maps: Sequence[Sequence[np.ndarray]] = ()
) -> Curves:
    """Remove units from a subject, in each of `orders` (U,) and by signed `maps` (…, U).

    `maps`: of each output those by which units are removed, or none.
    """
    rows = {"auc": [], "moved": [], "apart": []}
    if len(orders):
        rows["auc"] = subject.at_once(orders)
        steps = subject.one_by_one(orders)
        rows["moved"] = [moved(*one, subject.shares) for one in steps]
    if len(maps):
        signs = [subject.by_sign(one, output).mean(axis=-1) for output, one in enumerate(maps)]
        rows["apart"] = np.mean([one[:, 0] - one[:, 1] for one in signs], axis=0)
    found = {name: np.reshape(one, (-1, len(subject.shares))) for name, one in rows.items()}
    return Curves(auc_intact=subject.intact(), n=len(subject), **found)


def mean(found: Sequence[Curves]) -> Curves:
    """Return the mean over sessions, and all their windows together."""
    names = ("auc_intact", "auc", "moved", "apart")
    means = {name: np.mean([getattr(one, name) for one in found], axis=0) for name in names}
    means["auc_intact"] = float(means["auc_intact"])
    return Curves(n=sum(one.n for one in found), **means)


def moved(gone: np.ndarray, outputs: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Return how far the output has moved when shares of all are removed (S,).

    gone (K + 1,), 0 and then the share that is gone after each removal; outputs (Q, K + 1, n). The
    mean over outputs and windows of the sum of the sizes of all changes; between two removals in
    proportion.
    """
    changes = np.abs(np.diff(outputs, axis=1)).mean(axis=2).cumsum(axis=1).mean(axis=0)
    return np.interp(shares, gone, [0, *changes])


def exchanged(
    own: np.ndarray, columns: np.ndarray, draws: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return a map (…, U), and `draws` times with those of its units `columns` exchanged."""
    maps = [own]
    for _ in range(draws):
        maps.append(own.copy())
        maps[-1][..., columns] = own[..., rng.permutation(columns)]
    return maps


def removals(scores: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Return what is removed at each share (S, U): units of the highest scores (U,), NaN last."""
    place = np.empty(len(scores), int)
    place[descending(scores)] = np.arange(len(scores))
    return place < np.rint(np.array(shares) * len(scores))[:, None]


def descending(scores: np.ndarray) -> np.ndarray:
    """Return the places of scores (U,) from the highest down, NaN at the end."""
    return np.argsort(-scores, kind="stable")
