"""Verbs of scores (see `called`)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from called import TABLES, Made, Row
from mesodecode.study.targets import KINDS

SCORED = f"{TABLES} decoders.predictions scores.target_figure scores.target_tables pandas"
SUMMARY = pd.DataFrame(
    [["linear_long", 3, 0.75, 0.125], ["gru", 12, 0.5, 0.25]],
    columns=["decoder", "n", "mean", "sd"],
)


def predicted(target: str, states: Sequence[str]) -> dict[str, Any]:
    """Return what `score` reads: predictions of a target by decoder (folder) and allocation."""
    return {
        "decoders.predictions.read": lambda path: Made(
            str(path),
            [],
            decoder=Path(path).parent.name,
            allocation=Path(path).stem,
            target=Made(target, [], name=target, states=states),
        ),
        "scores.target_tables.tables": lambda item, shifts: [
            f"{word} of {item}" for word in ("allocation", "sessions", "confusion")
        ],
    }


VERBS: dict[str, Row] = {
    "calibrate": (
        "--decoders a b --predictions p --validation v --allocations t.tsv --out o --sets s "
        "--figure f",
        f"{TABLES} decoders.predictions decoders.validation scores.calibration "
        "scores.calibration_figure pandas",
        {"scores.calibration.assess": (["row"], ["set"])},  # lists, which are joined
    ),
    "reproduction": (
        "--auc a.tsv --cohort c.tsv --decoder cnn model=CNN set=x --decoder gru model=GRU --out o "
        "--figure f",
        f"{TABLES} scores.reproduction scores.reproduction_figure",
        {},
    ),
    "figures": (
        "--auc a.tsv --metric r2 --by net --where kind=x --only b a --comparisons c.tsv --name n "
        "--out f",
        f"{TABLES} scores.auc_figure scores.published_tests",
        {},
    ),
    "quality": (
        "--decoder a --predictions p --allocations t.tsv --validation v --recordings r --out o "
        "--curves c --figure f",
        f"{TABLES} decoders.predictions decoders.validation recordings.recording scores.auc "
        "scores.quality scores.quality_figure",
        {},
    ),
    "auc": (
        "--predictions b.h5 a.h5 --out o --sessions s",
        f"{TABLES} decoders.predictions scores.auc pandas",
        {},
    ),
    "chance": (
        "--auc a.tsv --null n1=d n2=d n3=e --shifts 9 --predictions p --out o",
        f"{TABLES} decoders.predictions scores.chance_tests pandas",
        {},
    ),
    "cohorts": (
        "--config c.json --auc a.tsv --out o --figure f",
        f"{TABLES} study.study scores.cohort_matrix scores.cohort_matrix_figure",
        {"study.targets.kind_named": KINDS["states"]},
    ),
    "variants": (
        "--config c.json --auc a.tsv --qc q.tsv small=r.tsv --shift s.tsv "
        "--adaptive best=b.tsv all=c.tsv --out o --figure f",
        f"{TABLES} study.study scores.multiverse scores.multiverse_figure",
        {"study.targets.kind_named": KINDS["regression"]}
        | {
            "study.study.load": lambda path: Made(
                "study",
                [],
                config={"target": "speed", "variants": {"small": {}}},
                decoders=dict.fromkeys(["a", "b", "best", "all"]),
                variant={"a": None, "b": "small"}.get,
            )
        },
    ),
    "ceilings": (
        "--config c --held-out h --session-auc s --out o --gaps g --figure f",
        f"{TABLES} decoders.held_out scores.ceiling_gaps scores.ceilings_figure study.study "
        "cli.scores.ceilings:say",
        {
            "study.study.load": lambda path: Made(
                "study",
                [],
                config={"target": "speed"},
                ceilings={"d": {"x": "split x", "y": "split y"}, "e": {"x": "split x"}},
            ),
            "decoders.held_out.read": lambda path: Made(
                str(path),
                [],
                decoder=path.parent.name,
                split=f"split {path.stem}",
                target=Made("speed", [], name="speed"),
            ),
            "study.targets.kind_named": KINDS["regression"],
            "scores.ceiling_gaps.table": {"r2": Made("scores", [], isna=lambda: np.zeros(2, bool))},
        },
    ),
    "compare": (
        "--auc a --metric r2 --by net --only y x --where k=1 j=2=3 --across-protocols "
        "--within w --name n --test b a --out o",
        f"{TABLES} scores.published_tests cli.scores.compare:of_one_protocol pandas",
        {},
    ),
    "auc: of a folder": (
        "--predictions . --decoders b a --allocations t.tsv --out o --sessions s",
        f"{TABLES} decoders.predictions scores.auc pandas",
        {},
    ),
    "chance: permuted labels": (
        "--auc a.tsv --null n1=d --out o",
        f"{TABLES} decoders.predictions scores.chance_tests pandas",
        {},
    ),
    "chance: shifts": (
        "--auc a.tsv --shifts 9 --predictions p --out o",
        f"{TABLES} decoders.predictions scores.chance_tests pandas",
        {},
    ),
    "figures: by a setting": (
        "--auc a.tsv --only b a --setting lag --values 4 -2 --frame-rate 15 --name all --out f",
        f"{TABLES} scores.auc_figure scores.published_tests",
        {},
    ),
    "quality: without validation": (
        "--decoder a --predictions p --allocations t.tsv --recordings r --out o --curves c "
        "--figure f",
        f"{TABLES} decoders.predictions decoders.validation recordings.recording scores.auc "
        "scores.quality scores.quality_figure",
        {},
    ),
    "score: of a folder": (
        "--predictions . --decoders b a --allocations t.tsv --out o --sessions s --figure f",
        SCORED,
        predicted("speed", ()),
    ),
    "variants: of AUCs alone": (
        "--config c.json --auc a.tsv --qc q.tsv --out o --figure f",
        f"{TABLES} study.study scores.multiverse scores.multiverse_figure",
        {"study.targets.kind_named": KINDS["regression"]},
    ),
    "inference": (
        "--auc a --metric r2 --by net --only y x --where k=1 --across-protocols --sessions s "
        "--name n --out o",
        f"{TABLES} scores.published_tests scores.paired_tests cli.scores.inference:check_protocols",
        {},
    ),
    "inference: without sessions": (
        "--auc a --by net --out o",
        f"{TABLES} scores.published_tests scores.paired_tests cli.scores.inference:check_protocols",
        {},
    ),
    "power": (
        "--auc a --by net --mouse m --only y x --where k=1 --across-protocols --mice 7 5 "
        "--allocations 3 2 --power 0.9 --level 0.01 --out o",
        f"{TABLES} scores.mouse_power scores.published_tests cli.scores.power:check_protocols",
        {},
    ),
    "power: of one group": (
        "--auc a --out o",
        f"{TABLES} scores.mouse_power scores.published_tests cli.scores.power:check_protocols",
        {},
    ),
    "score: a trace": (
        "--predictions b/x.h5 a/x.h5 a/y.h5 --shifts 9 --out o --sessions s --figure f",
        SCORED,
        predicted("speed", ()),
    ),
    "score: states": (
        "--predictions b/x.h5 a/x.h5 --out o --sessions s --confusion c --figure f",
        SCORED,
        predicted("states", ("rest", "groom")),
    ),
    "summary": (
        "--auc a",
        f"{TABLES} scores.published_tests",
        {"scores.published_tests.summary": SUMMARY},
    ),
}
