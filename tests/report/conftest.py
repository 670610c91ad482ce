"""A study that reports are made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from make_tables import MICE, published_auc, run
from mesodecode.scores import auc as auc_tables
from mesodecode.scores import published_tests
from mesodecode.study import study as studies


@pytest.fixture
def study(tmp_path) -> Path:
    """A folder with all that the report reads: three decoders, two sessions a mouse."""
    auc = published_auc()
    auc.to_csv(tmp_path / "auc.tsv", sep="\t", index=False)
    allocations = auc[list(auc_tables.ATTRIBUTES[1:])].drop_duplicates()
    allocations.to_csv(tmp_path / "allocations.tsv", sep="\t", index=False)
    sessions = pd.concat(
        [auc.assign(session="m" + auc["test_mouse"] + f"_s{i}", n_frames=1000) for i in (1, 2)]
    )[auc_tables.SESSION_COLUMNS]
    sessions.loc[sessions["session"] == "m1_s1", "auc"] = np.nan
    sessions.to_csv(tmp_path / "session_auc.tsv", sep="\t", index=False, na_rep="nan")
    mice = pd.DataFrame([(m, f"m{m}_s{i}") for m in MICE for i in (1, 2)])
    mice.columns = ["mouse", "session"]
    mice = mice.assign(n_frames=18000, n_run=6480, frame_rate=30.0, height=128, width=128)
    mice.to_csv(tmp_path / "cohort.tsv", sep="\t", index=False)
    config = {
        "study": "ajioka2024",
        "recordings": dict.fromkeys(["movie", "behavior", "rois"], "{session}"),
        "mice": {m: [f"m{m}_s{i}" for i in (1, 2)] for m in MICE},
        "decoders": {
            "cnn": {},
            "cnn_gru": {"start_from": "cnn", "rnn": "gru"},
            "roi_gru": {"input": "rois", "rnn": "gru", "rois": [6, 8]},
        },
        "importance": {name: {"decoder": "roi_gru"} for name in ("shap", "fig6")},
    }
    config = studies.resolve(config).config | {"study": "ajioka<2024>"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    comparisons = published_tests.compare(auc, by="decoder", name="fig2e")
    comparisons.to_csv(tmp_path / "comparisons.tsv", sep="\t", index=False)
    inputs = ("--auc", tmp_path / "auc.tsv", "--comparisons", tmp_path / "comparisons.tsv")
    run("figures", *inputs, "--out", tmp_path / "auc.v1")
    return tmp_path
