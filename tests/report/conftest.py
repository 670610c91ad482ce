"""A study that reports are made of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from make_tables import MICE, published_auc, run
from mesodecode.scores import auc as auc_tables
from mesodecode.scores import published_tests
from mesodecode.study import study as studies


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A folder with all that the report reads: three decoders, two sessions a mouse."""
    folder = tmp_path_factory.mktemp("study")
    auc = published_auc()
    auc.to_csv(folder / "auc.tsv", sep="\t", index=False)
    allocations = auc[list(auc_tables.ATTRIBUTES[1:])].drop_duplicates()
    allocations.to_csv(folder / "allocations.tsv", sep="\t", index=False)
    sessions = pd.concat(
        [auc.assign(session="m" + auc["test_mouse"] + f"_s{i}", n_frames=1000) for i in (1, 2)]
    )[auc_tables.SESSION_COLUMNS]
    sessions.loc[sessions["session"] == "m1_s1", "auc"] = np.nan
    sessions.to_csv(folder / "session_auc.tsv", sep="\t", index=False, na_rep="nan")
    mice = pd.DataFrame([(m, f"m{m}_s{i}") for m in MICE for i in (1, 2)])
    mice.columns = ["mouse", "session"]
    mice = mice.assign(n_frames=18000, n_run=6480, frame_rate=30.0, height=128, width=128)
    mice.to_csv(folder / "cohort.tsv", sep="\t", index=False)
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
    (folder / "config.json").write_text(json.dumps(config))
    comparisons = published_tests.compare(auc, by="decoder", name="fig2e")
    comparisons.to_csv(folder / "comparisons.tsv", sep="\t", index=False)
    inputs = ("--auc", folder / "auc.tsv", "--comparisons", folder / "comparisons.tsv")
    run("figures", *inputs, "--out", folder / "auc.v1")
    return folder


@pytest.fixture
def study(made, tmp_path) -> Path:
    """A copy of `made` in the test's own folder, which the test may change."""
    return shutil.copytree(made, tmp_path, dirs_exist_ok=True)
