"""In distribution, shifted or unusable: the measures of a test session, judged in one sentence.

Thresholds are those of `workflow/schemas/tables/shift.yaml`. The images alone never make a session
unusable: frames are normalised by their own recording, which takes up much of what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.shift import images, predicted_auc
from mesodecode.shift.columns import COLUMNS, JUDGED, VERDICTS
from mesodecode.study import schema
from mesodecode.study.allocation import split_ids


def report(
    table: pd.DataFrame,
    sessions: pd.DataFrame,
    pictures: pd.DataFrame,
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    """Return `COLUMNS`, a row a test session of an allocation of a decoder.

    `table` has `MEASURE_COLUMNS`; `sessions` that of `auc.session_table`, for the AUCs of the
    other mice; `pictures` `IMAGE_COLUMNS`; `settings` those of tables/shift.yaml.
    """
    keys = ["decoder", "allocation", "session"]
    table = table.merge(sessions[[*keys, "auc"]], on=keys, how="left", validate="1:1")
    parts = [predicted_auc.predict(rows) for _, rows in table.groupby("decoder", sort=False)]
    table = table.join(pd.concat(parts))
    judged = [judge(row, pictures, settings) for row in table.to_dict("records")]
    return table.join(pd.DataFrame(judged, index=table.index))[COLUMNS]


def judge(
    row: Mapping[str, Any], pictures: pd.DataFrame, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the shifts, verdict and reasons of a row of measures."""
    found = of_decoder(row) | of_images(pictures, row["session"], split_ids(row["train_mice"]))
    level, reasons = 0, []
    for name, words in JUDGED.items():
        value, beyond = found[name], beyond_of(name, found[name], settings[name])
        if beyond:
            reasons.append((beyond, words.format(value, row["predicted_error"])))
        level = max(level, beyond)
    why = "; ".join(words for beyond, words in reasons if beyond == level) if level else ""
    if np.isnan(row["predicted_auc"]):
        few = f"{row['predicted_from']:.0f} other mice are too few to predict an AUC"
        why = "; ".join(filter(None, [why, few]))
    shifts = {f"{name}_shift": found[name] for name in JUDGED if name != "predicted_auc"}
    return shifts | {"verdict": VERDICTS[level], "why": why or "nothing beyond its threshold"}


def beyond_of(name: str, value: float, limits: list[float | None]) -> int:
    """Return 0 where a value is within its limits, 1 beyond the first, 2 beyond the second."""
    if np.isnan(value):
        return 0
    sign = -1 if schema.properties("shift")[name].get("below", False) else 1
    passed = [limit is not None and sign * value > sign * limit for limit in limits]
    return 2 if passed[1] else int(passed[0])


def of_decoder(row: Mapping[str, Any]) -> dict[str, float]:
    """Return what is judged of features and probabilities: ratios to known mice, and the like."""
    sure, usual = (-row[key] - np.log(2) for key in ("energy", "energy_reference"))
    return {
        "predicted_auc": row["predicted_auc"],
        "mahalanobis": _either_way(row["mahalanobis"], row["mahalanobis_reference"]),
        "neighbours": _ratio(row["neighbours"], row["neighbours_reference"]),
        "two_sample": row["two_sample"] - row["two_sample_reference"],
        "confidence": _ratio(sure, usual),
    }


def of_images(pictures: pd.DataFrame, session: str, mice: list[str]) -> dict[str, float]:
    """Return what is judged of images: how a session differs from the training mice."""
    delta = images.differences(pictures, session, mice)
    extent = pictures.set_index("session").loc[session, "extent"]
    return {
        "position": float(np.hypot(delta["x"], delta["y"])),
        "rotation": abs(delta["rotation"]),
        "extent": _either_way(extent, extent - delta["extent"]),
        **{name: abs(delta[name]) for name in ("left_right", "brightness", "sharpness", "noise")},
        "spectrum": abs(delta["spatial_slope"]),
        "speed": abs(delta["temporal_hz"]),
    }


def _ratio(value: float, reference: float) -> float:
    return float(value / reference) if reference > 0 else float("nan")


def _either_way(value: float, reference: float) -> float:
    ratio = _ratio(value, reference)
    return max(ratio, 1 / ratio) if ratio > 0 else float("nan")
