"""In distribution, shifted or unusable: the measures of a test session, judged in one sentence.

Thresholds are those of `workflow/schemas/tables/shift.yaml`. The images alone never make a session
unusable: frames are normalised by their own recording, which takes up much of what differs.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mesodecode.shift import columns, images, predicted_auc
from mesodecode.study import schema
from mesodecode.study.allocation import split_ids
from mesodecode.study.targets import RUN, Kind


def report(
    table: pd.DataFrame,
    sessions: pd.DataFrame,
    pictures: pd.DataFrame,
    settings: Mapping[str, Any],
    kind: Kind = RUN.kind,
) -> pd.DataFrame:
    """Return `columns_of` a kind of target, a row a test session of an allocation of a decoder.

    `table` has `measure_columns`; `sessions` that of `auc.session_table`, or of another target its
    own, for the scores of the other mice; `pictures` `IMAGE_COLUMNS`; `settings` those of
    tables/shift.yaml.
    """
    keys = ["decoder", "allocation", "session"]
    table = table.merge(sessions[[*keys, *kind.scores]], on=keys, how="left", validate="1:1")
    parts = [predicted_auc.predict(rows, kind) for _, rows in table.groupby("decoder")]
    table = table.join(pd.concat(parts))
    rows = [judge(row, pictures, settings, kind) for row in table.to_dict("records")]
    return table.join(pd.DataFrame(rows, index=table.index))[columns.columns_of(kind)]


def judge(
    row: Mapping[str, Any],
    pictures: pd.DataFrame,
    settings: Mapping[str, Any],
    kind: Kind = RUN.kind,
) -> dict[str, Any]:
    """Return the shifts, verdict and reasons of a row of measures."""
    found = of_decoder(row, kind)
    found |= of_images(pictures, row["session"], split_ids(row["train_mice"]))
    level, reasons = 0, []
    for name, words in columns.judged(kind).items():
        value, beyond = found[name], beyond_of(name, found[name], settings[name])
        if beyond:
            reasons.append((beyond, words.format(value, row["predicted_error"])))
        level = max(level, beyond)
    why = "; ".join(words for beyond, words in reasons if beyond == level) if level else ""
    predicted = columns.predicted_of(kind)[0]
    if np.isnan(row[predicted]):
        few = f"{row['predicted_from']:.0f} other mice are too few to predict {kind.an_expected}"
        why = "; ".join(filter(None, [why, few]))
    shifts = {columns.column(name): value for name, value in found.items() if name != predicted}
    return shifts | {
        "verdict": columns.VERDICTS[level],
        "why": why or "nothing beyond its threshold",
    }


def beyond_of(name: str, value: float, limits: list[float | None]) -> int:
    """Return 0 where a value is within its limits, 1 beyond the first, 2 beyond the second."""
    if np.isnan(value):
        return 0
    sign = -1 if schema.properties("shift")[name].get("below", False) else 1
    passed = [limit is not None and sign * value > sign * limit for limit in limits]
    return 2 if passed[1] else int(passed[0])


def of_decoder(row: Mapping[str, Any], kind: Kind = RUN.kind) -> dict[str, float]:
    """Return what is judged of features and output: ratios to known mice, and the like."""
    names = columns.of_decoder(kind)
    return {name: _OF_DECODER[name](row) if name in _OF_DECODER else row[name] for name in names}


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


# What is judged -> its value of a row of measures; of others the row has it.
_OF_DECODER: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "mahalanobis": lambda row: _either_way(row["mahalanobis"], row["mahalanobis_reference"]),
    "neighbours": lambda row: _ratio(row["neighbours"], row["neighbours_reference"]),
    "two_sample": lambda row: row["two_sample"] - row["two_sample_reference"],
    "confidence": lambda row: _ratio(
        *(-row[key] - np.log(2) for key in ("energy", "energy_reference"))
    ),
    "spread": lambda row: _either_way(*np.sqrt([row["far"], row["far_reference"]])),
}


def _either_way(value: float, reference: float) -> float:
    ratio = _ratio(value, reference)
    return max(ratio, 1 / ratio) if ratio > 0 else float("nan")
