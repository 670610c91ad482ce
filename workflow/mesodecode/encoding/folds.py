"""Which presentations train, validate and test: no image, or no session, is ever in two roles."""

from dataclasses import dataclass

import numpy as np

from mesodecode.base.files import UserError
from mesodecode.encoding.responses import Responses, join


@dataclass(frozen=True)
class Split:
    """Numbers of the presentations in each role. `fit` = training and validation together."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray

    @property
    def fit(self) -> np.ndarray:
        """What a model is fitted on that chooses nothing by validation."""
        return np.sort(np.concatenate([self.train, self.valid]))


def image_folds(images: np.ndarray, k: int, seed: int) -> dict[int, int]:
    """Return image -> its fold, 1 … k: in random order, sizes differing by one at most.

    Raises UserError for fewer images than folds.
    """
    shown = np.unique(images)
    if len(shown) < k:
        raise UserError(f"{len(shown)} images for {k} folds; lower folds.k")
    parts = np.array_split(np.random.default_rng(seed).permutation(shown), k)
    return {int(image): number for number, part in enumerate(parts, 1) for image in part}


def split_images(data: Responses, number: int, k: int, seed: int) -> Split:
    """Hold out the images of fold `number` of `k`; the next fold validates, the others train."""
    fold = image_folds(data.image, k, seed)
    of = np.array([fold[int(image)] for image in data.image])
    valid = number % k + 1
    rows = [np.flatnonzero(r) for r in ((of != number) & (of != valid), of == valid, of == number)]
    return Split(*rows)


def split_sessions(
    train: list[Responses], test: Responses, k: int, seed: int
) -> tuple[Responses, Split]:
    """Hold out a session; of the others, one fold of images of `k` validates.

    Validation images are in the test session too, whose own repeats of them nobody saw before.
    """
    data = join([*train, test])
    fold = image_folds(data.image, k, seed)
    of = np.array([fold[int(image)] for image in data.image])
    held = data.session_of == len(train)
    rows = [np.flatnonzero(r) for r in (~held & (of != 1), ~held & (of == 1), held)]
    return data, Split(*rows)
