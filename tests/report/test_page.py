"""The page as it is used: its first minute, by keyboard, on a telephone, in the dark, on paper."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from make_browser import BROWSER, Browser
from make_large_study import drawing, make
from make_tables import draw, published_auc, text_of, write_report
from mesodecode.base.tables import read_table, write_table
from mesodecode.report import formats, front
from mesodecode.shift import columns as shift
from texts import as_read

browser_only = pytest.mark.skipif(BROWSER is None, reason="no Chromium on the PATH")


@pytest.fixture(scope="module")
def large(tmp_path_factory) -> Path:
    """The report of a study of 37 decoders in 20 allocations."""
    return make(tmp_path_factory.mktemp("large"))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


def tabbed_to(browser: Browser, start: str, most: int = 400) -> None:
    """Press Tab until what has the focus is labelled so."""
    for _ in range(most):
        browser.press("Tab")
        words = "(e => e.getAttribute('aria-label') ?? e.textContent)(document.activeElement)"
        if browser.run(words).startswith(start):
            return
    raise AssertionError(f"never reached by the keyboard: {start}")


def test_mean_of_mice_and_its_interval_by_hand():
    table = pd.DataFrame({"decoder": "a", "test_mouse": list("112"), "auc": [0.6, 0.8, 0.9]})
    row = front.over_mice(table, "auc").loc["a"]  # mice .7 and .9: SD √.02, t(1) = 12.706
    assert row["mean"] == pytest.approx(0.8) and row["mice"] == 2
    assert row["high"] - row["mean"] == pytest.approx(
        12.7062 * np.sqrt(0.02) / np.sqrt(2), rel=1e-4
    )


def first_page(page: str) -> str:
    return text_of(page).partition("AUC on mice that a decoder has never seen")[0]


def test_first_page_says_the_answer_how_sure_and_what_to_worry_about(study):
    page = first_page(write_report(study, *draw(study, "auc_all.svg")))
    auc = published_auc()
    means = auc[auc["decoder"] == "roi_gru"].groupby("test_mouse")["auc"].mean()
    assert "Yes, above chance in mice that the decoder has never seen." in page
    assert f"is roi_gru: AUC {means.mean():.3f}, mean of 5 test mice (95 % CI 0." in page
    assert f"{means.min():.3f} (mouse {means.idxmin()}) to {means.max():.3f}" in page
    assert "3 of 3 decoders above chance with mice as the unit" in page
    assert "Not asked of this study: the quality of the recordings" in page


SCORED = [("a", "1", 0.7), ("a", "1", 0.9), ("a", "2", 0.7), ("a", "3", 0.9)]
SCORED += [("b", "1", 0.5), ("b", "2", 0.6), ("b", "3", 0.7)]


def test_first_page_by_hand():
    """Mice .8 .7 .9: SD .1, t(2) = 4.303 at 95 % and 6.205 at the 97.5 % of the best of two."""
    auc = pd.DataFrame(SCORED, columns=["decoder", "test_mouse", "auc"])
    names = ["p_rank_sum_holm", "p_sign_flip_holm", "smallest_p"]
    tests = pd.DataFrame([(0.01, 0.25, 0.25), (0.04, 0.5, 0.25), (0.05, 0.5, 0.5)], columns=names)
    nulls = pd.DataFrame({"decoder": ["b", "a"], "sentence": ["b: none.", "a: some."]})
    config = {"target": "run", "decoders": {"a": {}, "b": {}}}
    page = front.page(config, {}, {"auc": auc, "inference": tests, "chance": nulls})
    interval = "mean of 3 test mice (95 % CI 0.552 to 1.000, chance 0.5)."
    single = "In single mice 0.700 (mouse 2) to 0.900 (mouse 3)."
    assert page["answer"] == [
        "Not shown: over test mice the best decoder is not surely above chance.",  # from .442 on
        f"The best of 2 decoders is a: AUC 0.800, {interval}",
        single,
    ]
    assert page["certainty"] == [
        "1 of 2 decoders above chance with mice as the unit: 95 % intervals of the mean over test "
        "mice, each for itself.",
        "3 test mice: every one of them weighs.",
        "The best of several, chosen by its score, looks a little better than it is.",
        "Of 3 pairs of decoders 2 differ as the paper tests (allocations as the unit), 0 with mice "
        "as the unit (exact test, which cannot go below p = 0.25).",
        "a: some.",
    ]
    gaps = pd.DataFrame([("a", "4", np.nan), ("c", "1", np.nan)], columns=auc.columns)  # no score
    tables = {"auc": pd.concat([auc, gaps]), "inference": tests, "chance": nulls}
    assert front.page(config, {}, tables) == page
    assert front.page(config, {}, {"auc": gaps})["answer"] == ["Nothing is scored yet."]
    page = front.page(config, {}, {"auc": auc[auc["decoder"] == "a"], "inference": tests[:1]})
    alone = "Yes, above chance in mice that the decoder has never seen."
    assert page["answer"] == [alone, f"a has AUC 0.800, {interval}", single]
    assert page["certainty"][0].startswith("1 of 1 decoder above chance")
    assert page["certainty"][2].startswith("Of 1 pair of decoders 1 differs as the paper tests")


@pytest.mark.parametrize(("of", "units"), [("1", "1 test mouse"), ("1+2", "1 set of test mice")])
def test_one_test_mouse_says_nothing_of_others(of, units):
    auc = pd.DataFrame({"decoder": "a", "test_mouse": of, "auc": [0.7, 0.9]})
    page = front.page({"target": "run", "decoders": {"a": {}}}, {}, {"auc": auc})
    assert page["answer"] == [
        "Not known: one test mouse says nothing of other mice.",
        f"a has AUC 0.800, mean of {units} (chance 0.5).",
    ]


def test_limits_of_an_r2_may_be_below_0():
    table = pd.DataFrame({"decoder": "a", "test_mouse": list("123"), "r2": [0.1, 0.2, -0.1]})
    page = front.page({"target": "pupil", "decoders": {"a": {}}}, {}, {"regression": table})
    assert page["answer"][1] == (  # SD .1528
        "a has R² 0.067, mean of 3 test mice (95 % CI -0.313 to 0.446, chance 0)."
    )


def test_of_many_worries_of_a_kind_some_are_said_and_the_others_counted():
    auc = pd.DataFrame(SCORED, columns=["decoder", "test_mouse", "auc"])
    said = [("flag", f"Flag {i}.") for i in range(8)] + [("none", "No flag.")]
    parts = {
        "confounds": {"headlines": said},
        "across-cohorts": {"headlines": [("loss", "Lost."), ("none", "Kept.")]},
        "recordings": {"warned": ["s1", "s2"]},
    }
    page = front.page({"target": "run", "decoders": {"a": {}}}, parts, {"auc": auc})
    assert page["worries"] == [
        *((f"Flag {i}.", "confounds") for i in range(6)),
        ("And 2 more like it.", "confounds"),
        ("Lost.", "across-cohorts"),
        ("2 sessions with warnings of quality.", "recordings"),
    ]
    assert page["unasked"] == [front.QUESTIONS[name] for name in ("chance", "shift")]


@pytest.mark.parametrize("part", ["auc", "scores"])
def test_what_the_best_decoder_has_of_its_test_mouse_is_worried_about(part):
    table = pd.DataFrame(SCORED, columns=["decoder", "test_mouse", "auc"])
    config = {"target": "run", "decoders": {"a": {}, "b": {}}}
    for of_best, n in (("transductive", 1), ("strict", 0)):
        protocol = table["decoder"].map({"a": of_best, "b": "transductive"})
        tables = {"auc": table.assign(protocol=protocol)}
        worries = front.page(config, {part: {}}, tables)["worries"]
        assert [section for _, section in worries] == [part] * n
    table = table.assign(protocol="transductive")
    for rows in (table, table[:1]):  # one allocation, too
        ((words, _),) = front.page(config, {}, {"auc": rows})["worries"]
        assert as_read(words).startswith("a has the whole unlabelled recording of its test mouse")


def test_first_page_does_not_say_yes_to_chance_and_to_one_mouse(study):
    auc = read_table(study / "auc.tsv")
    rank = auc["test_mouse"].astype(int) - 3
    write_table(auc.assign(auc=0.5 + 0.1 * rank), study / "auc.tsv")
    assert "Not shown" in first_page(write_report(study))
    write_table(auc[auc["test_mouse"].astype(str) == "1"], study / "auc.tsv")
    page = first_page(write_report(study))
    assert "Not known: one test mouse says nothing of other mice." in page and "CI" not in page
    assert "Allocations or sessions are missing" in page


def test_first_page_asks_neither_permuted_labels_nor_decoders_with_labels_of_the_mouse():
    table = pd.DataFrame({"decoder": list("aabbcc"), "test_mouse": list("121212")})
    table["auc"] = [0.7, 0.8, 0.95, 0.96, 0.98, 0.99]
    decoders = {"a": {"labels": "own"}, "b": {"few_shot": 2}}
    decoders["c"] = {"labels": "published"}
    cohort = {"target": "run", "decoders": decoders}
    page = front.page(cohort, {}, {"auc": table})
    assert page["answer"][1].startswith("a has AUC 0.750, mean of 2 test mice")
    page = front.page(cohort, {}, {"auc": table[table["decoder"] == "b"]})
    assert page["answer"][1].startswith("b has AUC 0.955") and len(page["answer"]) == 3
    exact = table.assign(auc=[*table["auc"][:2], 0.955, 0.9551, 0.9, 0.9])
    page = front.page(cohort, {}, {"auc": exact[exact["decoder"] == "b"]})
    assert (
        page["answer"][0] == "Yes, above chance in mice of which the decoder had labelled frames."
    )
    assert page["labelled"] == ["b"] and page["unasked"] != []
    mean = table.assign(protocol=["few_shot 2 min"] * 2 + ["strict"] * 4)  # of such a decoder
    page = front.page(cohort | {"decoders": {"a": {}, "b": {}, "c": {}}}, {}, {"auc": mean})
    assert page["labelled"] == ["a"] and "decoders of permuted labels" in page["unasked"]
    assert page["answer"][1].startswith("The best of 2 decoders is c")
    page = front.page(cohort, {}, {"auc": mean})
    assert "decoders of permuted labels" not in page["unasked"]  # there is c
    sets = table.assign(test_mouse=["1+2+5", "3+4"] * 3)
    page = front.page(cohort, {}, {"auc": sets})
    assert (
        "mean of 2 sets of test mice" in page["answer"][1] and "(mice 1, 2, 5)" in page["answer"][2]
    )
    assert page["answer"][2].startswith("In single sets ")
    assert "95 % CI" in page["answer"][1]
    page = front.page(cohort, {}, {"auc": sets.replace({"test_mouse": {"3+4": "3+5"}})})
    assert page["answer"][0].startswith("Not known: sets of test mice that share mice")
    assert "mean of 2 sets of test mice (chance 0.5)" in page["answer"][1]
    assert not any("with mice as the unit" in words for words in page["certainty"])


def test_first_page_names_flags_and_shifted_sessions_of_the_best_decoder(study):
    rows = [("seeds", "flag", 0.1, "Alone."), ("deletion", "pass", 1.0, "Good.")]
    rows += [("planted truth", "not made", None, "No truth."), ("mice", "note", 0.2, "Few.")]
    checks = pd.DataFrame(rows, columns=["check", "verdict", "value", "sentence"])
    write_table(checks, study / "importance_shap_checks.tsv")
    words = {name: "x" for name in shift.columns_of() if name not in shift.numbers_of()}
    table = pd.DataFrame([dict.fromkeys(shift.columns_of(), 1.0) | words for _ in range(6)])
    table["decoder"] = ["cnn", "cnn", "roi_gru", "roi_gru", "roi_gru", "roi_gru"]
    table["test_mouse"] = table["session"] = list("121123")  # two allocations test mouse 1
    table["verdict"] = ["unusable"] * 2 + ["in distribution", "shifted", *["in distribution"] * 2]
    write_table(table, study / "shift.tsv")
    page = first_page(write_report(study, "importance_shap_checks.tsv", "shift.tsv"))
    assert "The map shap is flagged by: seeds." in page
    shifted = "1 of 3 test sessions are shifted for roi_gru, in one allocation or more."
    assert shifted in page and "unusable" not in page
    assert "how far each test mouse" not in page and "controls without neurons" in page


def test_packed_figures_keep_what_they_show_to_a_thousandth_of_a_point(tmp_path):
    path = tmp_path / "a.svg"
    prologue = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE svg>\n'
    path.write_text(prologue + drawing(np.random.default_rng(1), 5, 200))
    image = str(formats.picture(path, "p")["image"])
    assert "<?xml" not in image and "DOCTYPE" not in image  # which HTML has not
    before, after = (
        np.array(re.findall(r"[ML] ([\d.]+) ([\d.]+)", text), float)
        for text in (path.read_text(), image)
    )
    assert before.shape == after.shape == (1000, 2)
    assert 0 < np.abs(before - after).max() < 0.001
    assert len(formats.picture(path, "p", packed=True)["image"]) < len(path.read_text()) / 2


def test_title_and_caption_are_those_in_a_figure_as_an_editor_may_have_laid_them_out(tmp_path):
    path = tmp_path / "my_figure.svg"
    words = "<dc:title>\n  A &amp; B\n</dc:title><dc:description> Of two.\n </dc:description>"
    path.write_text(f'<svg viewBox="0 0 9 9"><metadata>{words}</metadata></svg>')
    picture = formats.picture(path, "p")
    assert (picture["title"], picture["caption"]) == ("A & B", "Of two.")
    assert 'aria-label="A &amp; B"' in picture["image"] and "dc:" not in picture["image"]
    path.write_text('<svg viewBox="0 0 9 9"></svg>')
    assert formats.picture(path, "p")["title"] == "my figure"
    (tmp_path / "my_photo.png").write_bytes(b"\x89PNG")
    picture = formats.picture(tmp_path / "my_photo.png", "p")
    assert (picture["title"], picture["caption"]) == ("my photo", "")
    assert picture["image"] == '<img src="data:image/png;base64,iVBORw==" alt="my photo">'


@pytest.mark.e2e
def test_large_report_is_a_file_for_a_mailbox(large):
    assert large.stat().st_size < 15e6
    figures = sum(f.stat().st_size for f in large.parent.glob("figures/**/*.svg"))
    assert figures > 20e6  # bytes


@pytest.mark.e2e
@browser_only
def test_figures_are_drawn_when_unfolded_and_for_paper(large, browser):
    assert browser.open(large) < 20  # 1 s on a desk
    folded, left = "document.querySelectorAll('details svg').length", "packed().length"
    assert browser.run(folded) == 0 and browser.run(left) > 120
    fold = "document.querySelector('#decoder-quality details')"
    browser.run(f"{fold}.open = true; {fold}.scrollIntoView()")
    browser.wait("document.querySelector('#decoder-quality details svg')")
    browser.wait("unpacked.size === packed().length")
    browser.run("dispatchEvent(new Event('beforeprint'))")
    assert browser.run(left) == 0 and browser.run(folded) > 120
    assert not browser.faults()


@browser_only
def test_figure_is_enlarged_and_a_table_saved_by_the_keyboard_alone(study, browser):
    write_report(study, "comparisons.tsv", *draw(study, "auc_all.svg"))
    browser.open(study / "report.html")
    width = "document.querySelector('#zoom svg')?.getBoundingClientRect().width ?? 0"
    assert browser.run(width) == 0
    tabbed_to(browser, "Enlarge the figure")
    browser.press("Enter")
    first = browser.run(width)
    assert first > 300
    browser.press("+")
    assert browser.run(width) == pytest.approx(1.5 * first, abs=2)
    browser.press("ArrowRight")
    browser.press("Escape")
    browser.wait("document.querySelector('figure svg')")
    assert browser.run(width) == 0
    assert browser.run("document.activeElement.textContent") == "Enlarge"
    browser.run("URL.createObjectURL = blob => { window.saved = blob; return '#'; }")
    browser.run("document.querySelector('#comparisons').scrollIntoView()")
    tabbed_to(browser, "Save the table as ajioka_2024__comparisons_1.csv")
    browser.press("Enter")
    rows = list(csv.reader(io.StringIO(browser.run("window.saved.text()"))))
    assert rows[0][:4] == ["Family", "Test", "A", "B"] and len(rows) == 4
    expected = read_table(study / "comparisons.tsv")
    np.testing.assert_allclose([float(row[-1]) for row in rows[1:]], expected["p_holm"], rtol=1e-9)
    assert rows[1][4] == "20, 20"
    assert not browser.faults()


@browser_only
def test_cells_of_a_saved_table_are_numbers_and_words_that_programs_read(study, browser):
    write_report(study)
    browser.open(study / "report.html")
    cells = {
        '<td class="n" data-value="0.12345">0.123</td>': "0.12345",
        '<td class="n" data-value="2.563e-07">2.6 × 10⁻⁷</td>': "2.563e-07",
        '<td class="n">18,000</td>': "18000",
        '<td class="n">−0.5</td>': "-0.5",
        '<td class="n" data-value="0.2">36%</td>': "0.2",
        '<td class="n" data-value="nan">–</td>': "",
        '<td class="n" data-value="0.1">0.1 to 0.2</td>': "0.1 to 0.2",
        "<td>1, 2</td>": '"1, 2"',
        '<td>said "so"</td>': '"said ""so"""',
        "<td>1,2</td>": '"1,2"',  # names of mice, no number
    }
    for html, expected in cells.items():
        row = f"<table><tr>{html}</tr></table>".replace("'", "\\'")
        made = f"(d => (d.innerHTML = '{row}', cell(d.querySelector('td'))))"
        assert browser.run(f"{made}(document.createElement('div'))") == expected, html


@pytest.mark.e2e
@browser_only
@pytest.mark.parametrize(("width", "dark"), [(380, True), (1400, False)])
def test_page_fits_and_keeps_the_rules_of_axe(large, browser, width, dark):
    browser.open(large, width, dark)
    assert browser.run("document.documentElement.scrollWidth") <= width
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") != dark
    browser.run("document.querySelector('#decoder-quality details').open = true; reach()")
    assert browser.breaks_of_axe() == []


@browser_only
def test_paper_is_white_in_dark_mode_too(study, browser):
    write_report(study, *draw(study, "auc_all.svg"))
    browser.open(study / "report.html", dark=True, media="print")
    paper, ink = (
        browser.run(f"getComputedStyle(document.body).{name}")
        for name in ("backgroundColor", "color")
    )
    assert paper == "rgb(255, 255, 255)" and ink == "rgb(28, 36, 48)"
    assert browser.run("getComputedStyle(document.querySelector('.tool')).display") == "none"
