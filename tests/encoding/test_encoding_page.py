"""The report of an encoding study as it is used: on a telephone, in the dark."""

from __future__ import annotations

import itertools
import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml

from drawn import as_drawn
from make import ROOT
from make_browser import BROWSER, Browser
from make_large_study import drawing
from mesodecode.cli import main
from mesodecode.encoding import columns, figures, report, scores, study
from mesodecode.report import references

RNG = np.random.default_rng(0)


def tables() -> tuple[dict, pd.DataFrame, pd.DataFrame]:
    """The demo's config, and tables of scores of two of its models."""
    config = study.resolve(
        yaml.safe_load((ROOT / "examples/encoding-demo.yaml").read_text())
    ).config
    models = list(config["models"])[:2]
    kinds = ("all", "responsive", "unresponsive")
    rows = [
        (*one, 20, *[0.1] * (len(scores.SUMMARY) - 4))
        for one in itertools.product(models, kinds, scores.SCORES)
    ]
    summary = pd.DataFrame(rows, columns=scores.SUMMARY)
    neurons = pd.DataFrame(RNG.random((40, len(scores.NEURONS))), columns=scores.NEURONS)
    neurons = neurons.assign(model=np.repeat(models, 20), neuron=[*range(20)] * 2, session="s1")
    neurons["responsive"] = neurons["neuron"] < 12
    return config, summary, neurons


def test_bars_of_a_figure_are_the_intervals_of_the_table():
    _, summary, neurons = tables()
    shown = summary["neurons"] == "responsive"
    summary.loc[shown, ["mean", "ci_low", "ci_high"]] = (0.5, 0.4, 0.8)
    figure = as_drawn(figures.scores_figure(neurons, summary), "encoding_scores")
    bars = figure.axes[1].collections
    drawn = [segment[:, 0] for one in bars for segment in one.get_segments()]
    np.testing.assert_allclose(drawn, [[0.4, 0.8]] * 4)  # two scores of two models


def test_works_that_the_methods_cite_are_written_for_a_manuscript(tmp_path):
    config, *scored = tables()
    (tmp_path / "c.json").write_text(json.dumps(config))
    words = ["encoding-report", "--config", tmp_path / "c.json", "--out", tmp_path / "r.html"]
    for flag, table in zip(("--summary", "--neurons"), scored, strict=True):
        table.to_csv(tmp_path / f"{flag}.tsv", sep="\t", index=False)
        words += [f"{flag}={tmp_path / flag}.tsv"]
    assert main([*map(str, words), "--references", str(tmp_path / "r.bib")]) == 0
    page, works = (
        (tmp_path / "r.html").read_text(),
        references.read((tmp_path / "r.bib").read_text()),
    )
    assert {"sahani2003", "hoerl1970"} < set(works)
    assert set(re.findall('<li id="ref-([^"]*)">', page)) == set(works)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report with all sections: two models, a failed diagnosis, a sweep, two figures."""
    folder = tmp_path_factory.mktemp("encoding")
    config, summary, neurons = tables()
    models = summary["model"].unique()
    checks = [
        columns.check_row("data", True, "data", 1.0, 0.5, "The data are good"),
        columns.check_row("conclusion", False, "optimisation", 0.1, 0.5, "It is not trained"),
    ]
    sweep = pd.DataFrame(RNG.random((12, len(columns.SWEEP))), columns=columns.SWEEP)
    sweep = sweep.assign(diverged=False, initialisation="he") if config["sweep"] else None
    for name in ("a", "b"):
        (folder / f"{name}.svg").write_text(drawing(RNG, 2, 20))
    text = report.render(
        config,
        summary=summary,
        neurons=neurons,
        diagnoses={models[1]: pd.DataFrame(checks)},
        sweep=sweep,
        truth=["Simulated truth.", "It was found."],
        runtimes=[],
        figures=[folder / "a.svg", folder / "b.svg"],
    )
    (folder / "report.html").write_text(text, encoding="utf-8")
    return folder / "report.html"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH")
@pytest.mark.parametrize(("width", "dark"), [(380, True), (1400, False)])
def test_page_fits_and_keeps_the_rules_of_axe(page, tmp_path, width, dark):
    with Browser(tmp_path) as browser:
        browser.open(page, width, dark)
        assert browser.run("document.documentElement.scrollWidth") <= width
        paper = browser.run("getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") != dark and not browser.faults()
        assert browser.breaks_of_axe() == []
