"""A whole report as text, with all of its sections: `page.txt`, as a person last read it.

Its tables are drawn at random. What was changed on purpose is read in the diff: `PAGE=write pytest
-n 0 …`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kept import assert_kept
from make_large_study import tables_of
from mesodecode.base.tables import write_table
from mesodecode.confounds import control_verdicts
from mesodecode.explain import map_mice
from mesodecode.report import formats, given, report
from mesodecode.running import runtimes
from mesodecode.scores import (
    ceiling_gaps,
    chance_tests,
    cohort_matrix,
    multiverse,
    reproduction,
)
from mesodecode.shift import cohort_losses
from mesodecode.study import study as studies
from mesodecode.study.targets import RUN
from pages import assert_made_now, far_from_utc, read_of

FILE = Path(__file__).with_name("page.txt")
STUDY = {
    "study": "lab",
    "note": "Of two rigs.",
    "recordings": {**dict.fromkeys(["movie", "behavior", "rois"], "{session}"), "frame_rate": 20},
    "mice": {"m2": ["m2_s2", "m2_s10"], "m10": ["m10_s1"], "m3": ["m3_s1", "m3_s2"]},
    "exclude": {"m3_s2": "lamp off"},
    "allocation": {"train": 1},
    "corrections": {"motion": True, "dff": "mean", "binning": 2},
    "decoders": {
        "linear": {"model": "logistic_regression"},
        "cnn": {"epochs": 7},
        "frozen": {"start_from": "cnn", "rnn": "gru", "cnn_weights": "frozen"},
        "gru": {"input": "rois", "rnn": "gru", "rois": [6, 8]},
        "few": {"adapted_from": "gru", "few_shot": 2},
        "both": {"average_of": ["cnn", "gru"]},
        "live": {"like": "gru", "causal": True},
    },
    "comparisons": {"images": {"decoders": ["linear", "cnn"]}},
    "importance": {"shap": {"decoder": "gru"}, "cutout": {"decoder": "cnn", "masks": "squares"}},
}
# table -> its numbers, and rows of its words by column
WORDS = {
    "chance": (
        chance_tests.NUMBERS,
        {"decoder": ["linear", "cnn"], "null": ["permuted labels"] * 2, "sentence": ["A.", "B."]},
    ),
    "reproduction": (
        reproduction.NUMBERS,
        {"decoder": ["cnn"], "published": ["CNN"], "interval": ["paired"]},
    ),
    "confounds": (
        control_verdicts.numbers_of(RUN.kind),
        {
            "decoder": ["cnn", "cnn", "gru", "gru"],
            "signal": ["outside", "movement", "outside", "mean"],
            "verdict": ["flag", "part", "pass", "not made"],
            "sentence": ["As good.", "Above chance.", "At chance.", "No pixels."],
        },
    ),
    "ceilings_gaps": (
        ceiling_gaps.gap_numbers_of(RUN.kind),
        {
            "decoder": ["cnn"] * len(ceiling_gaps.CONTRASTS),
            "a": [a for a, _ in ceiling_gaps.CONTRASTS],
            "b": [b for _, b in ceiling_gaps.CONTRASTS],
            "sentence": [f"Pair {i}." for i in range(len(ceiling_gaps.CONTRASTS))],
        },
    ),
    "ceilings": (
        ceiling_gaps.numbers_of(RUN.kind),
        {
            "decoder": ["cnn"] * 4,
            "arm": ["own", "others", "own", "others"],
            "test_mouse": ["m2", "m2", "m10", "m10"],
            "session": ["m2_s2", "m2_s2", "m10_s1", "m10_s1"],
            "train_sessions": ["m2/m2_s10"] * 4,
            "valid_sessions": ["-"] * 4,
        },
    ),
    "cohorts": (
        cohort_matrix.numbers_of(RUN.kind),
        {
            "decoder": ["cnn", "cnn"],
            "train_cohort": ["lab", "rig"],
            "test_cohort": ["rig", "lab"],
            "sentence": ["Lost.", "Kept."],
            "protocol": ["transductive", "strict"],
        },
    ),
    "cohort_shift": (
        cohort_losses.NUMBERS,
        {
            "decoder": ["cnn", "cnn"],
            "difference": ["rotation", "brightness"],
            "unit": ["degrees", "log2"],
            "sentence": ["It goes with it.", "It does not."],
        },
    ),
    "variants": (
        multiverse.numbers_of(RUN.kind),
        {
            "family": ["cnn"] * 4,
            "variant": ["study", "study", "small", "small"],
            "decoder": ["cnn", "cnn", "cnn_small", "cnn_small"],
            "test_mouse": ["m2", "m3", "m2", "m3"],
            "qc": ["pass", "warn", "pass", "pass"],
            "chosen": ["-"] * 4,
        },
    ),
    "importance_shap_checks": (
        ("value", "limit", "n"),
        {
            "check": ["seeds", "deletion", "mice"],
            "verdict": ["flag", "pass", "not made"],
            "sentence": ["Alone.", "Good.", "Few."],
        },
    ),
    "importance_cutout_mice": (
        map_mice.NUMBERS,
        {"unit": ["1", "2", "3"], "against": ["0"] * 3},
    ),
}


def drawn(rng: np.random.Generator, numbers: Iterable[str], words: dict[str, Sequence]):
    table = pd.DataFrame(words)
    for name in numbers:
        table[name] = rng.integers(2, 9, len(table)) + 0.0 if name.startswith("n_") else np.nan
        table[name] = table[name].fillna(pd.Series(rng.uniform(0, 1, len(table)).round(3)))
    return table


@pytest.fixture
def folder(tmp_path) -> Path:
    """All tables of a study, and its config."""
    rng = np.random.default_rng(3)
    config = studies.resolve(STUDY).config
    (tmp_path / "config.json").write_text(json.dumps(config))
    tables = tables_of(config, rng)
    for name, table in tables.items():
        for column in table.select_dtypes("number"):
            if (table[column] == 0.25).all() or name == "inference":
                table[column] = rng.uniform(0.01, 1, len(table)).round(3)
    tables["inference"] = tables["inference"].assign(n_mice=3.0, n_allocations=6.0, sentence="A.")
    tables["qc"]["verdict"] = ["warn", "fail", "pass", "pass"]
    tables["shift"]["verdict"] = rng.choice(["in distribution", "shifted"], len(tables["shift"]))
    tables |= {name: drawn(rng, *known) for name, known in WORDS.items()}
    for name, table in tables.items():
        write_table(table, tmp_path / f"{name}.tsv")
    row = ("train_cnn", 6, 1, 2, 30.5, 2.25, 88.0, 12345.0)
    runtimes.write([dict(zip(runtimes.COLUMNS, row, strict=True))], tmp_path / "runtimes.tsv")
    figures = ("cohort", "auc_images", "auc_all", "loss_cnn", "qc", "qc/m10_s1", "shift")
    (tmp_path / "qc").mkdir()
    for name in (*figures, "importance_shap", "quality_gru"):
        words = f"<dc:title>T of {name}</dc:title><dc:description>C of {name}.</dc:description>"
        (tmp_path / f"{name}.svg").write_text(f'<svg viewBox="0 0 9 9">{words}</svg>')
    return tmp_path


def test_page_is_that_which_was_read(folder, monkeypatch):
    monkeypatch.setattr(formats, "versions", lambda: {"mesodecode": "1", "torch": "2"})
    monkeypatch.setattr(formats, "commit", lambda: "0123456789ab")
    config = report.filled(json.loads((folder / "config.json").read_text()))
    with far_from_utc():
        # all by name: folders leave out what the config does not ask for
        tables = given.read_tables(config, sorted(folder.glob("*.tsv")))
        page = report.render(config, tables, given.find_figures(config, [folder]))
    assert_made_now(page)
    assert_kept(read_of(page), FILE, "PAGE")
