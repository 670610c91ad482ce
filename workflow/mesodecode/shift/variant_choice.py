"""Which of several decoders suits a mouse whose labels nobody has.

Other mice, which validated the decoders and were never trained on, say how good each is on average
and how far what is seen of its output without labels (`two_states`, `slow` of `shift.measures`)
goes with its AUC. All of it is in differences between the decoders within a mouse: what makes a
mouse hard for all of them does not count. Slopes are drawn to 0, so that in few mice, or where
nothing goes together, the best on average is taken. So it is unless choosing in this way would have
gained `margin` of AUC in the other mice, each left out in turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.shift.predicted_auc import PRIORS, SCALES, STRENGTH, evidence
from mesodecode.study.targets import RUN, Kind

LEVEL_STRENGTH = 1.0  # of no difference between decoders, in mice
FEWEST = 3  # other mice, to leave one out and know slopes


def numbers_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of numbers of a kind of target."""
    return f"validation_{kind.metric}", "n_mice", "gain", "worth"


def columns_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of a choice among decoders of a kind of target."""
    return "decoder", *numbers_of(kind), "chosen"


@dataclass(frozen=True)
class Known:
    """N mice with labels and K decoders: scores (N, K), and evidence (N, K, E) within each mouse.

    Scores are AUCs or those of another `kind` of target.
    """

    auc: np.ndarray
    seen: np.ndarray
    kind: Kind = RUN.kind

    def without(self, at: int) -> Known:
        """Return the same without one mouse."""
        return Known(np.delete(self.auc, at, 0), np.delete(self.seen, at, 0), self.kind)

    @property
    def best(self) -> int:
        """The decoder of the best mean AUC; the first, where there is no mouse."""
        return int(np.argmax(self.auc.mean(axis=0))) if len(self.auc) else 0

    def gains(self, own: np.ndarray) -> np.ndarray:
        """Return predicted scores (K,) less that of `best`, on their scale, of evidence (K, E)."""
        spread = np.array([sd for _, sd in PRIORS[self.kind.name].values()])
        n_mice, n, _ = self.seen.shape
        y = _within(SCALES[self.kind.scale].to(self.auc))
        # centred in each decoder, so that slopes do not see that each has its own level
        z = ((self.seen - self.seen.mean(axis=0)) / spread).reshape(n_mice * n, -1)
        square = z.T @ z / (n - 1) + STRENGTH * np.eye(len(spread))
        slopes = np.linalg.solve(square, z.T @ y.ravel() / (n - 1)) / spread
        level = (y - self.seen @ slopes).sum(axis=0) / (n_mice + LEVEL_STRENGTH)
        expected = level + own @ slopes
        return expected - expected[self.best]

    def worth(self) -> float:
        """Return what choosing by evidence gains over `best`: mean AUC, each mouse left out."""
        if len(self.auc) < FEWEST:
            return float("nan")
        gained = []
        for at, auc in enumerate(self.auc):
            others = self.without(at)
            gained.append(auc[np.argmax(others.gains(self.seen[at]))] - auc[others.best])
        return float(np.mean(gained))


def choose(
    known: pd.DataFrame, own: pd.DataFrame, margin: float | None, kind: Kind = RUN.kind
) -> pd.DataFrame:
    """Return `columns_of` a kind, a row a decoder in the order of `own`, one of them chosen.

    `known` has mouse, decoder, auc (or another score under that name) and what is seen of outputs
    (`PRIORS`: two_states and slow, or slow and far), rows of mice with labels that the decoders
    have not seen; `own` the same without mouse and auc, rows of the mouse to choose for. Rows of
    one mouse and decoder are averaged; a mouse without an AUC of each decoder does not count.
    validation_auc is the mean over mice, gain the predicted difference of logit AUCs from the best
    mean, worth what choosing by gain wins in the other mice (mean AUC, each left out; NaN for fewer
    than `FEWEST`). It is done if that is above `margin`; None never does it.
    """
    names = list(dict.fromkeys(own["decoder"]))
    seen = [*PRIORS[kind.name]]
    each = known.assign(**evidence(known, kind))
    each = each.groupby(["mouse", "decoder"])[["auc", *seen]].mean()
    wide = each.unstack("decoder")
    auc = wide["auc"].reindex(columns=names).dropna()
    rows = [wide[key].reindex(index=auc.index, columns=names).to_numpy(float) for key in seen]
    found = Known(auc.to_numpy(), np.stack([_within(row) for row in rows], axis=-1), kind)
    mine = evidence(own, kind).groupby(own["decoder"]).mean().reindex(names).to_numpy(float)
    gain, worth, taken = np.full(len(names), np.nan), float("nan"), found.best
    if len(auc):
        gain, worth = found.gains(_within(mine.T).T), found.worth()
    if margin is not None and worth > margin:
        taken = int(np.argmax(gain))
    return pd.DataFrame(
        {
            "decoder": names,
            f"validation_{kind.metric}": auc.mean().to_numpy(float),
            "n_mice": len(auc),
            "gain": gain,
            "worth": worth,
            "chosen": [at == taken for at in range(len(names))],
        },
        columns=list(columns_of(kind)),
    )


def _within(values: np.ndarray) -> np.ndarray:
    """Return differences from the mean over decoders, the last axis; what is not known is 0."""
    known = np.isfinite(values)
    mean = np.where(known, values, 0).sum(-1) / np.maximum(known.sum(-1), 1)
    return np.where(known, values - mean[..., None], 0.0)


def chosen_of(table: pd.DataFrame, mouse: str) -> str:
    """Return the decoder chosen for a test mouse, of a table of `choose` with test_mouse, as read.

    Raises UserError unless the table names one.
    """
    taken = (table["test_mouse"] == mouse) & table["chosen"].eq("True")
    if taken.sum() != 1:
        raise UserError(
            f"the choice of decoders names {taken.sum()} for mouse {mouse}; make it again"
        )
    return table.loc[taken, "decoder"].item()
