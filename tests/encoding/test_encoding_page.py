"""The report of an encoding study as it is used: on a telephone, in the dark."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from drawn import as_drawn
from kept import assert_kept
from make import ROOT
from make_browser import BROWSER, Browser
from make_large_study import drawing
from mesodecode.base import plots
from mesodecode.cli import main
from mesodecode.encoding import columns, figures, report, scores, study
from mesodecode.report import formats, references
from mesodecode.running import runtimes
from pages import assert_made_now, far_from_utc, read_of
from texts import as_read

RNG = np.random.default_rng(0)


def tables(rng: np.random.Generator = RNG) -> tuple[dict, pd.DataFrame, pd.DataFrame]:
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
    neurons = pd.DataFrame(rng.random((40, len(scores.NEURONS))), columns=scores.NEURONS)
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


def test_dots_of_a_figure_are_neurons_and_lines_their_means():
    _, summary, neurons = tables()
    first, second = neurons["model"].unique()
    neurons["r2_average"] = np.tile([*np.linspace(0.1, 0.65, 12), *[-2.0] * 4, *[0.0] * 4], 2)
    neurons.loc[neurons["model"] == second, "r2_average"] += 0.25
    oracle = neurons[neurons["model"] == first].assign(model="repeats", r2_average=np.nan)
    axes = figures.scores_figure(pd.concat([oracle, neurons]), summary).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [first, second]
    dots = [line.get_xdata() for line in axes.lines if line.get_marker() not in ("None", "", None)]
    assert [len(one) for one in dots] == [12, 8] * 2
    np.testing.assert_allclose(dots[0], np.linspace(0.1, 0.65, 12))
    np.testing.assert_allclose(np.sort(dots[1]), [*[-0.5] * 4, *[0.0] * 4])  # drawn no lower
    means = [line.get_xdata() for line in axes.lines if line.get_linewidth() == 1.4]
    np.testing.assert_allclose(means, np.tile([[0.375], [-1.0], [0.625], [-0.75]], 2))
    for line in axes.lines:  # responsive neurons of a model above the others, and above the next
        if line.get_marker() not in ("None", "", None):
            y = np.median(line.get_ydata())
            assert round(y) in (0, 1) and (y < round(y)) == (len(line.get_xdata()) == 12)


def test_the_verb_draws_scores_of_neurons_beside_their_summary(tmp_path, monkeypatch):
    saved, paths = {}, [tmp_path / "neurons.tsv", tmp_path / "summary.tsv"]
    _, summary, neurons = tables()
    for path, table in zip(paths, (neurons, summary), strict=True):
        table.to_csv(path, sep="\t", index=False)
    monkeypatch.setattr(plots, "save", lambda *drawn, **about: saved.update(about, drawn=drawn))
    line = ["encoding-figures", "--kind", "scores", "--tables", *paths, "--out", tmp_path / "f"]
    assert main([*map(str, line)]) == 0
    figure, out = saved.pop("drawn")
    assert (len(figure.axes), out) == (2, str(tmp_path / "f"))
    caption = figures.scores_caption(neurons)
    assert saved == {"title": "Scores of the models", "caption": caption}


@pytest.mark.parametrize(("by", "n"), [("images", (24, 13)), ("sessions", (20, 12))])
def test_neurons_of_several_sessions_count_by_what_folds_are(by, n):
    """Neurons 0 to 3 in a second session too, where the first alone is responsive."""
    config, summary, neurons = tables()
    more = neurons[neurons["neuron"] < 4].assign(session="s2")
    more["responsive"] = more["neuron"] == 0
    both = pd.concat([neurons, more])
    text = figures.scores_caption(both)
    assert "n = 24 neurons of 2 sessions, one by one (13 responsive: " in as_read(text)
    assert "n = 20 neurons (12 responsive: " in figures.scores_caption(neurons)
    config["folds"]["by"] = by
    given = {"diagnoses": {}, "truth": [], "runtimes": [], "figures": [], "sweep": None}
    page = report.render(config, summary=summary, neurons=both, **given)
    total, answer = n
    assert f"the responses of {total} neurons to images and are tested on {by} that" in page
    assert f"{answer} neurons are responsive: " in page
    assert (", with all their repeats" in page) == (by == "images")


@pytest.mark.parametrize("train_on", ["averages", "presentations"])
def test_the_best_of_a_sweep_are_listed_from_the_best_on(train_on):
    """Of twelve trainings one diverged: the ten best of eleven; of eleven all ten that did not."""
    config, summary, neurons = tables()
    model = next(name for name, one in config["models"].items() if "train_on" in one)
    config["sweep"] = {"model": model}
    config["models"][model]["train_on"] = train_on
    sweep = pd.DataFrame(np.zeros((12, len(columns.SWEEP))), columns=columns.SWEEP)
    sweep = sweep.assign(initialisation="xavier", learning_rate=[0.25, *[0.5] * 11])
    sweep["valid_r2"] = [0.03, 0.12, np.nan, *np.arange(0.04, 0.12, 0.01), 0.02]
    sweep["diverged"] = sweep["valid_r2"].isna()
    for table, how in ((sweep, "The ten of highest"), (sweep[:-1], "By")):
        given = {"diagnoses": {}, "truth": [], "runtimes": [], "figures": [], "sweep": table}
        page = report.render(config, summary=summary, neurons=neurons, **given)
        part = page[page.index('<section id="sweep">') :].partition("</section>")[0]
        n = len(table)
        assert f"{n} trainings of {model} on the first fold, 1 of them diverged. {how} val" in part
        assert ("of averages of repeats" in part) == (train_on == "averages")
        rows = [re.findall("<td[^>]*>([^<]*)</td>", row) for row in part.split("<tr>")[2:]]
        assert [row[6] for row in rows] == [
            f"{r2:.2f}" for r2 in (0.12, *np.arange(0.11, 0.025, -0.01))
        ]
        assert rows[-1][:4] == ["0.25", "0", "0", "xavier"]


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


def test_page_is_that_which_was_read(tmp_path, monkeypatch):
    """Of numbers that are drawn at random; `PAGE=write pytest -n 0 …` writes it anew."""
    rng = np.random.default_rng(7)
    config, summary, neurons = tables(rng)
    numbers = [name for name in scores.SUMMARY[3:] if not name.startswith("n_")]
    summary[numbers] = rng.uniform(-0.2, 1, (len(summary), len(numbers)))
    summary["p_chance"] = rng.random(len(summary))
    model = next(name for name, one in config["models"].items() if "train_on" in one)
    config["sweep"] = {"model": model, "initialisation": ["xavier"], "learning_rate": [0.1, 1]}
    checks = [
        columns.check_row("data", True, "data", 1.0, 0.5, "The data are good"),
        columns.check_row("conclusion", False, "optimisation", 0.1, 0.5, "It is not trained"),
    ]
    sweep = pd.DataFrame(rng.random((12, len(columns.SWEEP))), columns=columns.SWEEP)
    sweep = sweep.assign(initialisation="xavier", diverged=[True, *[False] * 11])
    (tmp_path / "a.svg").write_text(drawing(rng, 2, 20))
    row = ("train_encoding", 6, 1, 2, 30.5, 2.25, 88.0, 12345.0)
    monkeypatch.setattr(formats, "versions", lambda: {"mesodecode": "1", "torch": "2"})
    monkeypatch.setattr(formats, "commit", lambda: "0123456789ab")
    with far_from_utc():
        page = report.render(
            config,
            summary=summary,
            neurons=neurons,
            diagnoses={model: pd.DataFrame(checks)},
            sweep=sweep,
            truth=["Simulated truth.", "It was found."],
            runtimes=[dict(zip(runtimes.COLUMNS, row, strict=True))],
            figures=[tmp_path / "a.svg"],
        )
    assert_made_now(page)
    assert_kept(read_of(page), Path(__file__).with_name("page.txt"), "PAGE")


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
