"""Tables of results, the published ones among them, and the report of them."""

from __future__ import annotations

import argparse
import importlib
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd

from make import ROOT
from mesodecode.base.tables import read_table
from mesodecode.cli import VERBS
from mesodecode.explain import shap_maps
from mesodecode.explain.map_verdicts import Evidence
from mesodecode.scores import auc as auc_tables

# R version 4.2.2 Patched (2022-11-10 r83330): `Rscript tests/r/reference.R`, that is
# wilcox.test(a, b, exact = FALSE) and
# pairwise.wilcox.test(auc, group, p.adjust.method = "holm", exact = FALSE).
# family a b W p p_holm
REFERENCE = """
roi_models LSTM GRU 124 0.0411235940605 0.423664564742
roi_models LSTM RNN 262 0.0961962962492 0.729285743177
roi_models LSTM BiLSTM 258 0.119855565959 0.729285743177
roi_models LSTM BiGRU 135 0.0810317492419 0.729285743177
roi_models LSTM BiRNN 214 0.714979881466 1
roi_models GRU RNN 311 0.00279860219091 0.0419790328636
roi_models GRU BiLSTM 302 0.006040329508 0.0785242836039
roi_models GRU BiGRU 219 0.616774694101 1
roi_models GRU BiRNN 277 0.0385149604311 0.423664564742
roi_models RNN BiLSTM 191 0.818149461388 1
roi_models RNN BiGRU 97 0.00556045993214 0.0778464390499
roi_models RNN BiRNN 151 0.189543984159 0.947719920795
roi_models BiLSTM BiGRU 102 0.00835482733564 0.100257928028
roi_models BiLSTM BiRNN 159 0.273285120181 1
roi_models BiGRU BiRNN 263 0.0909073832506 0.729285743177
roi_window 5 10 107 0.0123447457586 0.123447457586
roi_window 5 15 93 0.00396623864022 0.0475948636827
roi_window 5 20 63 0.000222202620137 0.00333303930205
roi_window 5 25 92 0.00363882622462 0.0473047409201
roi_window 5 30 74 0.000686822188204 0.00961551063485
roi_window 10 15 136 0.0858548799504 0.686839039603
roi_window 10 20 105 0.0105812114432 0.116393325875
roi_window 10 25 139 0.101728631415 0.712100419905
roi_window 10 30 121 0.0337176689369 0.303459020432
roi_window 15 20 145 0.140419714706 0.842518288233
roi_window 15 25 198 0.967634608371 1
roi_window 15 30 170 0.424883473682 1
roi_window 20 25 235 0.350702223667 1
roi_window 20 30 221 0.579218352313 1
roi_window 25 30 176 0.52498691019 1
roi_regions_limb all FLa&HLa 216 0.67501415665 0.67501415665
roi_regions_limb all other46 391 2.5629458634e-07 7.68883759019e-07
roi_regions_limb FLa&HLa other46 325 0.000757881069919 0.00151576213984
roi_regions_parts M2&M1 FL&HL 9 2.5629458634e-07 1.79406210438e-06
roi_regions_parts M2&M1 PT&RS 337 0.000222202620137 0.00111101310068
roi_regions_parts M2&M1 V1&Vm 345 9.27795678459e-05 0.000556677407076
roi_regions_parts M2&M1 Vl&A1 336 0.000247061301322 0.00111101310068
roi_regions_parts FL&HL PT&RS 400 6.79561512817e-08 6.79561512817e-07
roi_regions_parts FL&HL V1&Vm 400 6.79561512817e-08 6.79561512817e-07
roi_regions_parts FL&HL Vl&A1 400 6.79561512817e-08 6.79561512817e-07
roi_regions_parts PT&RS V1&Vm 195 0.90311649599 1
roi_regions_parts PT&RS Vl&A1 191 0.818149461388 1
roi_regions_parts V1&Vm Vl&A1 189 0.776390505551 1
image CNN CNN-GRU 56.5 0.000109007346392 0.000109007346392
roi_null roi_models roi_null 400 6.79561512817e-08 6.79561512817e-08
roi_raw roi_models roi_raw 337 0.000222202620137 0.000222202620137
"""


def reference(family: str) -> list[tuple]:
    rows = [line.split() for line in REFERENCE.strip().splitlines()]
    return [(a, b, *map(float, numbers)) for name, a, b, *numbers in rows if name == family]


PUBLISHED = ROOT / "workflow/reference/ajioka2024_auc.csv"  # AUCs of Ajioka et al. 2024


def published(family: str) -> pd.DataFrame:
    table = read_table(PUBLISHED)
    return table[table["analysis"] == family]


MICE = "12345"
NAMES = {("image", "CNN"): "cnn", ("image", "CNN-GRU"): "cnn_gru", ("roi_models", "GRU"): "roi_gru"}
VOID = {"meta", "br", "img", "link", "input", "hr"}


def run(name: str, *words: object) -> None:
    verb = importlib.import_module(f"mesodecode.cli.{VERBS[name]}")
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    verb.run(parser.parse_args([str(word) for word in words]))


def published_auc() -> pd.DataFrame:
    table = read_table(PUBLISHED)
    table["decoder"] = [NAMES.get(key, "") for key in zip(table.analysis, table.model, strict=True)]
    table = table[table["decoder"] != ""].reset_index(drop=True)
    roles = zip(table.valid_mouse, table.test_mouse, strict=True)
    table["train_mice"] = ["+".join(m for m in MICE if m not in role) for role in roles]
    table["allocation"] = table.train_mice + "." + table.valid_mouse + "." + table.test_mouse
    return table.assign(n_frames=2000, n_run=1200, accuracy=0.875)[auc_tables.COLUMNS]


def write_report(study: Path, *names: str, references: bool = False) -> str:
    """The report of the tables that every report needs and of others by name, and of figures."""
    needed = ("allocations.tsv", "auc.tsv", "cohort.tsv", "session_auc.tsv")
    tables = [study / name for name in (*needed, *names) if name.endswith(".tsv")]
    figures = [study / name for name in names if not name.endswith(".tsv")]
    words = ["--config", study / "config.json", "--tables", *tables, "--out", study / "report.html"]
    words += ["--figures", *figures] if figures else []
    words += ["--references", study / "references.bib"] if references else []
    run("report", *words)
    return (study / "report.html").read_text()


def draw(study: Path, *names: str) -> tuple[str, ...]:
    """Copies of the figure of the AUCs under other names."""
    for name in names:
        (study / name).parent.mkdir(exist_ok=True)
        shutil.copy(study / f"auc.v1{Path(name).suffix}", study / name)
    return names


def text_of(page: str) -> str:
    body = re.sub(r"<(style|script|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body))


class Checker(HTMLParser):
    """Collects ids, addresses of loaded things, and tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.loaded, self.faults = [], [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.loaded += [attrs[key] for key in ("src", "srcset") if key in attrs]
        self.loaded += [attrs.get("href", "")] if tag == "link" else []
        self.open += [] if tag in VOID else [tag]

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open = self.open[:-1] if tag not in VOID else self.open

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


def said(axes) -> tuple[str, str, str]:
    """Title and words of the two axes of a panel."""
    return axes.get_title() or axes.get_title("left"), axes.get_xlabel(), axes.get_ylabel()


def names_on(axis) -> list[str]:
    """What stands at the ticks of an axis."""
    return [text.get_text() for text in axis.get_ticklabels()]


def checked(**change) -> Evidence:
    """Evidence of all checks, made up: maps of two mice in three allocations, of six units."""
    real = np.array([[6.0, 5, 4, 3, 2, 1], [6, 4, 5, 3, 1, 2], [5, 6, 4, 2, 3, 1]])
    steps = np.array([[0.7, 0.6], [0.8, 0.5], [0.9, 0.7]])  # (allocations, shares)
    drawn = np.stack([steps + 0.05, steps - 0.15], axis=1)
    empty = np.empty((3, 0, 6))
    given = {
        **{"kind": "ROI", "units": tuple("123456"), "mice": np.array(["d", "d", "e"])},
        **{"real": real, "randomised": real[:, [3, 0, 5, 1, 4, 2]], "null": real[:, ::-1]},
        **{"planted": np.tile([1, 1, 0, 0, np.nan, 0], (3, 1)), "seeds": (real + 1, real[::-1])},
        **{"share": np.array([0.25, 0.75]), "auc_intact": np.array([0.9, 0.8, 0.97])},
        **{"auc": steps, "auc_random": drawn, "moved": 4 * steps, "moved_random": 3 * drawn},
        **{"apart": -steps, "apart_random": drawn - 0.7, "noisy": empty},
        **dict.fromkeys(("size", "signed", "told", "planted_times", "planted_signs"), empty),
    }
    return Evidence(**given | change)


def map_of(values, allocation="one", **changes) -> shap_maps.ShapMap:
    values = np.asarray(values, float)
    half, n_rois = len(values) // 2, values.shape[1]
    about = {
        **{"decoder": "roi_gru", "allocation": allocation, "test_mouse": "d", "names": ()},
        **{"frame": np.arange(-half, half + 1), "roi": np.arange(1, n_rois + 1)},
        **{"frame_rate": 30.0, "method": "deep", "output": "probability", "n_windows": 1000},
        **{"n_background": 1000, "background_from": "test", "base": 0.5},
        **{"completeness_error": 1e-6, "n_run": 400},
        **{"signed": -values, "in_run": values / 2, "in_rest": -values / 3},
    }
    return shap_maps.ShapMap(mean_abs=values, **about | changes)
