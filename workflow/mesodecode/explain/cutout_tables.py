"""Tables of cut-out scores: those of all sessions, a row a mask over allocations, a map of pixels.

The score of a mask in an allocation is the mean over its test sessions of AUC(intact) -
AUC(masked), see `cutout`, or of what else scores a target (`Kind.metric`). A session whose decoded
frames are all of one state has no AUC; it stays in the table of sessions, with NaN, and counts
nowhere else.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.base.tables import header, read_table
from mesodecode.decoders.predictions import ATTRIBUTES
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.study.targets import KINDS, Kind, kind_scored


def counts_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of how many frames a score of a kind of target is of."""
    return "n_frames", *kind.counts, "n_decodable"


def scores_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of numbers of a kind of target."""
    return f"{kind.metric}_intact", f"{kind.metric}_masked", "score", *counts_of(kind)


def columns_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of the table of sessions of a kind of target."""
    return *ATTRIBUTES, "session", "mask", *scores_of(kind)


COLUMNS = columns_of(KINDS["run"])


def kind_of(columns: Collection[str]) -> Kind:
    """Return the kind of target that a table is of, by its columns; run and rest if of none."""
    return kind_scored(columns, "_intact")


def signed_of(columns: Iterable[str]) -> list[str]:
    """Return the further columns that say what areas say; see `cutout_session`."""
    return [name for name in columns if name.startswith("in_")]


def read_rows(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read tables of `mesodecode cutout` of one decoder as one.

    Raises UserError if one is none, blocks are missing or there twice, or decoders differ.
    """
    rows = pd.concat([_read(path) for path in paths], ignore_index=True)
    decoders = rows["decoder"].unique()
    if len(decoders) > 1:
        raise UserError(f"cut-outs of {', '.join(decoders)}: summarise those of one decoder")
    counts = rows.groupby(["allocation", "session", "mask"], sort=False).size()
    if (counts > 1).any():
        allocation, session, mask = counts.idxmax()
        raise UserError(f"{allocation}, session {session}: mask '{mask}' is there twice")
    masks = rows["mask"].unique()
    for (allocation, session), mine in rows.groupby(["allocation", "session"], sort=False)["mask"]:
        missing = np.setdiff1d(masks, mine)
        if missing.size:
            raise UserError(
                f"{allocation}, session {session}: no score of mask '{missing[0]}'; give all blocks"
            )
    return rows


def _read(path: str | Path) -> pd.DataFrame:
    columns = header(path)
    kind = kind_of(columns)
    numbers = *scores_of(kind), *signed_of(columns), *frames_of(columns)
    return read_table(path, columns_of(kind), numbers)


def frames_of(columns: Iterable[str]) -> list[str]:
    """Return the columns that are named by a frame of the window, relative to the decoded one."""
    return [name for name in columns if re.fullmatch(r"-?\d+", name)]


def allocation_scores(rows: pd.DataFrame, value: str = "score") -> pd.DataFrame:
    """Return the scores (masks × allocations): means over the sessions that have one.

    `value`: of `signed_of` or `frames_of`, in their place.
    """
    scores = rows.groupby(["mask", "allocation"], sort=False)[value].mean().unstack()
    return scores.loc[rows["mask"].unique(), rows["allocation"].unique()]


def mask_table(rows: pd.DataFrame, masks: CutoutMasks, *, mirrored: bool = False) -> pd.DataFrame:
    """Return one row a mask, over allocations.

    mask; mirror (the mask on the other side, "" if none is, or not `mirrored`); x, y (centre) and
    area in px; n (allocations), mean, sd (sample SD), lowest and highest score; mean auc_intact and
    auc_masked (or of the target's metric); n_sessions with a score, and their n_frames used, n_run
    of them (of run and rest) and n_decodable.
    Raises UserError if rows are of other masks.
    """
    if set(masks.names) != set(rows["mask"]):
        raise UserError(
            "the scores are of other masks than these; give the settings of the cut-out"
        )
    scores = allocation_scores(rows).loc[list(masks.names)]
    kind = kind_of(rows.columns)
    aucs = rows.groupby(["mask", "allocation"], sort=False)[[*scores_of(kind)[:2]]].mean()
    aucs = aucs.groupby("mask").mean().loc[scores.index]
    scored = rows[rows["score"].notna()].drop_duplicates("session")
    centres = masks.centres()
    return pd.DataFrame(
        {
            "mask": masks.names,
            "mirror": masks.mirrors() if mirrored else "",
            "x": centres[:, 0],
            "y": centres[:, 1],
            "area": masks.areas.sum((1, 2)),
            "n": scores.notna().sum(axis=1).to_numpy(),
            **{
                key: getattr(scores, key)(axis=1).to_numpy()
                for key in ("mean", "std", "min", "max")
            },
            **{key: aucs[key].to_numpy() for key in aucs},
            "n_sessions": len(scored),
            **{key: int(scored[key].sum()) for key in counts_of(kind)},
        }
    ).rename(columns={"std": "sd", "min": "lowest", "max": "highest"})


def signed_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return a row a mask, over allocations: mask, n, score, sd (sample SD), in_run and in_rest.

    in_run and in_rest in logits, see `cutout_session`, which has other sides for other targets.
    """
    scores = allocation_scores(rows)
    table = pd.DataFrame({"mask": scores.index, "n": scores.notna().sum(axis=1).to_numpy()})
    table = table.assign(score=scores.mean(axis=1).to_numpy(), sd=scores.std(axis=1).to_numpy())
    return table.assign(
        **{key: allocation_scores(rows, key).mean(axis=1).to_numpy() for key in signed_of(rows)}
    )


def times_table(rows: pd.DataFrame, frame_rate: float) -> pd.DataFrame:
    """Return a row a mask and image of the window, over allocations.

    mask; frame, relative to the decoded one, and time_s in s; n, mean and sd (sample SD) of the
    score of hiding the area in that image alone.
    Raises UserError if no such scores are there.
    """
    frames = frames_of(rows)
    if not frames:
        raise UserError("the scores are of whole windows; make them with --times")
    tables = []
    for name in frames:
        scores = allocation_scores(rows, name)
        tables.append(
            pd.DataFrame(
                {
                    "mask": scores.index,
                    "frame": int(name),
                    "time_s": int(name) / frame_rate,
                    "n": scores.notna().sum(axis=1).to_numpy(),
                    "mean": scores.mean(axis=1).to_numpy(),
                    "sd": scores.std(axis=1).to_numpy(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def inside(masks: CutoutMasks) -> np.ndarray:
    """Return which masks (M,) hide an area, and not all but one."""
    return np.array([not name.startswith("all but ") for name in masks.names])


def pixel_map(masks: CutoutMasks, scores: Sequence[float]) -> np.ndarray:
    """Return for each pixel the mean score of the masks that hide it (H, W), NaN where none does.

    Masks of "all but" an area are left out.
    """
    kept = inside(masks)
    areas = masks.areas[kept].astype(np.float64)
    total = np.tensordot(np.asarray(scores, dtype=np.float64)[kept], areas, axes=1)
    count = areas.sum(axis=0)
    return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
