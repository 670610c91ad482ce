"""Areas removed from the images of a decoder: hidden pixels show what they do in the cut-out.

Units are masks, which overlap. So what is removed at once, or by sign, is not so many masks but a
share of the image: the pixels of the highest score, a pixel's score being the mean over the masks
that cover it. One by one, a mask after another is added to what is hidden.
"""

from collections.abc import Sequence

import numpy as np
import torch

from mesodecode.explain import explained
from mesodecode.explain.cutout import score
from mesodecode.explain.cutout_logits import Masked
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.explain.cutout_tables import inside, pixel_map
from mesodecode.explain.deletion import descending, removals
from mesodecode.study.targets import RUN, Target

SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)  # of the image's area


class Areas:
    """Frames `at` (N,) of a session and their labels; masks of "all but" an area stay out.

    `few`: the frames of which areas are removed one by one and by sign. A `deletion.Subject`, whose
    outputs are those that maps explain (`explained`).
    """

    shares = SHARES

    def __init__(
        self,
        session: Masked,
        masks: CutoutMasks,
        labels: np.ndarray,
        at: np.ndarray,
        few: np.ndarray,
        target: Target = RUN,
    ) -> None:
        """Take the labels (T,) of all frames of the session, and those that are used."""
        self._labels, self._target = labels[at], target
        self._session, self._masks, self._at, self._few = session, masks, at, few
        sides = explained.one_side(torch.as_tensor(labels[few]), target)
        self._few_sides = sides.numpy().astype(int)  # (Q, n)
        self._intact: float | None = None

    def __len__(self) -> int:
        return len(self._at)

    def intact(self) -> float:
        """Return the score of the frames as they are."""
        if self._intact is None:
            self.at_once([])
        return self._intact

    def at_once(self, orders: Sequence[np.ndarray]) -> np.ndarray:
        """Return the score (O, S) without the first shares of the image in orders (U,)."""
        pixels = [pixel_map(self._masks, order) for order in orders]
        hidden = [step for one in pixels for step in removals(one.ravel(), SHARES)]
        hidden = np.array(hidden, bool).reshape(-1, *self._masks.areas.shape[1:])
        logits, _ = self._session.logits(hidden, self._at)
        self._intact, *masked = (score(self._labels, row, self._target) for row in logits)
        return np.reshape(masked, (-1, len(SHARES)))

    def one_by_one(self, orders: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return which share of the image is gone (K + 1,), and outputs (Q, K + 1, n), by order.

        The masks of the largest score first, whatever its sign, up to the largest of `SHARES`. A
        mask that hides nothing more is passed by, and one that would leave nothing.
        """
        steps = [self._one_by_one(np.abs(scores)) for scores in orders]
        ends = np.cumsum(list(map(len, steps)))
        made = np.split(self._outputs(np.concatenate(steps)), ends, axis=1)
        gone = [one.mean(axis=(1, 2)) for one in steps]
        return list(zip(gone, made[:-1], strict=True))

    def _one_by_one(self, scores: np.ndarray) -> np.ndarray:
        """Return what is hidden (K + 1, H, W), nothing first, as masks are added by scores (U,)."""
        kept = inside(self._masks)
        hidden = [np.zeros(self._masks.areas.shape[1:], bool)]
        for area in self._masks.areas[kept][descending(scores[kept])]:
            more = hidden[-1] | area
            if hidden[-1].mean() < SHARES[-1] and more.sum() > hidden[-1].sum() and not more.all():
                hidden.append(more)
        return np.array(hidden)

    def by_sign(self, maps: Sequence[np.ndarray], output: int = 0) -> np.ndarray:
        """Return an output (O, 2, S, n) without what speaks for rest, and for run.

        Maps (2, U), in rest and in run, as of a frame's label: what masks say in logits. Up to a
        share of the image is hidden, the pixels that say most first. Of other targets on the
        second and the first of `Kind.sides`.
        """
        hidden = np.concatenate([self._by_sign(one) for one in maps])  # (O 2, S 2, H, W)
        made = self._outputs(hidden.reshape(-1, *hidden.shape[-2:]))[output]
        made = made.reshape(len(maps), 2, len(SHARES), 2, -1)
        chosen = self._few_sides[output][None, None, None, None]
        return np.take_along_axis(made, chosen, axis=3)[..., 0, :]

    def _by_sign(self, one: np.ndarray) -> np.ndarray:
        """Return what is hidden by sign, share and state (2, S, 2, H, W) of a map (2, U)."""
        found = []
        for says in one:  # in rest, in run
            pixels = pixel_map(self._masks, says)
            steps = [
                removals(sign * pixels.ravel(), SHARES).reshape(-1, *pixels.shape)
                & (sign * pixels > 0)
                for sign in (-1, 1)
            ]
            found.append(steps)
        return np.stack(found, axis=2)

    def _outputs(self, hidden: np.ndarray) -> np.ndarray:
        """Return outputs (Q, M, n) of the few frames under M removals (M, H, W), each made once."""
        rows, back = np.unique(hidden.reshape(len(hidden), -1), axis=0, return_inverse=True)
        logits, _ = self._session.logits(rows.reshape(-1, *hidden.shape[1:]), self._few)
        return explained.numbers(logits[1:][back.ravel()].astype(np.float64), self._target)
