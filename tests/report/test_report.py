"""The AUC figure, the report and the summary, made of the published AUCs."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import jinja2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from drawn import as_drawn
from make_tables import Checker, draw, published_auc, run, text_of, write_report
from mesodecode.base import plots
from mesodecode.base.files import UserError
from mesodecode.base.natural_order import each_in_order
from mesodecode.base.tables import read_table, write_table
from mesodecode.decoders import loss_figure
from mesodecode.explain import map_mice
from mesodecode.recordings import qc
from mesodecode.report import formats
from mesodecode.report.report import environment
from mesodecode.scores import auc as auc_tables
from mesodecode.scores import (
    auc_figure,
    chance_tests,
    mouse_power,
    paired_tests,
    published_tests,
    quality,
    reproduction,
)
from texts import as_read


def full_report(study: Path) -> str:
    figures = draw(study, "auc_all.svg", "roi_correlation.svg", "qc.png")
    return write_report(study, "comparisons.tsv", *figures)


def test_figure_has_every_point_mean_and_name(study):
    svg = (study / "auc.v1.svg").read_text()
    root = ElementTree.fromstring(svg)
    words = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
    for word in ("cnn", "cnn_gru", "roi_gru", "n = 20 allocations each", "test mouse", "chance"):
        assert word in words
    assert words.count("***") == 2 and words.count("*") == 1  # p_holm 2e-4, 5e-7, .011
    assert any("Wilcoxon rank-sum test, Holm-corrected" in word for word in words)
    assert float(root.get("width").removesuffix("pt")) == pytest.approx(85 / 25.4 * 72, abs=1)
    axes = as_drawn(auc_figure.auc_by_decoder(published_auc()), "auc").axes[0]
    points = [line.get_ydata() for line in axes.lines if line.get_markersize() == 2.9]
    np.testing.assert_allclose(np.sort(np.concatenate(points)), np.sort(published_auc()["auc"]))


def test_figure_files_are_the_same_twice_and_fine_enough_for_print(study):
    run("figures", "--auc", study / "auc.tsv", "--out", study / "a")
    run("figures", "--auc", study / "auc.tsv", "--out", study / "b")
    for suffix in ("svg", "png"):
        assert (study / f"a.{suffix}").read_bytes() == (study / f"b.{suffix}").read_bytes()
    assert "<dc:date>" not in (study / "a.svg").read_text()
    with Image.open(study / "a.png") as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_figure_of_one_allocation_and_of_many_decoders(tmp_path):
    auc = published_auc()
    for count in (1, 14):
        tables = [auc.head(1 if count == 1 else 20).assign(decoder=f"d{i}") for i in range(count)]
        table = pd.concat(tables, ignore_index=True)
        tests = None if count == 1 else published_tests.compare(table, by="decoder")
        figure = auc_figure.auc_by_decoder(table, tests)
        paths = plots.save(figure, tmp_path / f"{count}", title="t", caption="<c>")
        assert all(path.stat().st_size > 1000 for path in paths)
        assert figure.get_size_inches()[0] * 25.4 <= 174.1
    assert "91 pairs, see the table" in (tmp_path / "14.svg").read_text()
    assert formats.picture(tmp_path / "14.svg", "p")["caption"] == "<c>"


def test_report_holds_everything_and_loads_nothing(study):
    page = full_report(study)
    checker = Checker()
    checker.feed(page)
    assert not checker.faults and not checker.open
    assert len(checker.ids) == len(set(checker.ids))  # two figures with the same ids inside
    assert checker.loaded and all(src.startswith("data:") for src in checker.loaded)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(checker.ids)
    text = text_of(page)
    for words in (
        "Complete: 20 of 20 allocations for each of 3 decoders, 10 of 10 sessions",
        *("cnn 0.896 ± 0.071", "roi_gru 0.974 ± 0.014", "20 of 20 allocations"),
        *("fig2e Wilcoxon rank-sum test cnn cnn_gru 20, 20", "2.2 × 10⁻⁴", "not independent"),
        *("1 2 36,000 20.0 36% 128 × 128", "rois 6, 8", "early stopping none", "max lr 0.001"),
        *("trained on 3, tuned on 1 and tested on 1 of 5 mice, in 20 allocations", "e1011074"),
        *("12 of the session scores have no AUC", "1 m1_s1 – – –"),
        *("(30 frames/s;", "Python 3.", "numpy 2.", "AUC by decoder."),
    ):
        assert words in text, words
    assert page.count('class="significant"') == 3
    assert "ajioka&lt;2024&gt;" in page and "<2024>" not in page


def test_report_names_failing_sessions_in_its_head(study):
    about = [("1", "m1_s1"), ("1", "m1_s2"), ("2", "m2_s1")]
    rows = [
        (*about[0], "drift", 5.0, "px", 1.0, 3.0, "fail", "5.00 px; exclude: {m1_s1: drift}"),
        (*about[0], "duration", 3.0, "min", 0.5, 0.1, "pass", "3 min"),
        (*about[1], "bleaching", 0.2, "share", 0.1, 0.3, "warn", "it fades"),
        (*about[2], "dropped_frames", np.nan, "share", 0.0, 0.01, "skipped", "no time stamps"),
        (*about[2], "corrected: motion", 1.5, "px", np.nan, np.nan, "done", "shifted"),
    ]
    table = study / "qc.tsv"
    write_table(pd.DataFrame(rows, columns=qc.COLUMNS), table)
    page = write_report(study, "qc.tsv", *draw(study, "qc.svg", "qc/m1_s1.png"))
    checker = Checker()
    checker.feed(page)
    assert not checker.faults and not checker.open
    assert set(
        re.findall(r'href="#([^"]+)"', re.sub(r"<svg.*?</svg>", "", page, flags=re.S))
    ) <= set(checker.ids)
    head, _, rest = text_of(page).partition("AUC on mice that a decoder has never seen")
    assert "1 of 3 sessions fail quality control" in head and "m1_s1 (drift)" in head
    assert "exclude: {session: reason}" in head and "m1_s2" not in head
    assert "3 sessions checked: 1 pass, 1 with warnings, 1 failing" in rest
    assert "doubt" not in head
    assert "bleaching warn it fades" in rest and "– share 0 0.01 skipped" in rest
    rows[0] = (*about[0], "drift", 0.5, "px", 1.0, 3.0, "pass", "0.50 px")
    write_table(pd.DataFrame(rows, columns=qc.COLUMNS), table)
    assert "fail quality control" not in text_of(write_report(study, "qc.tsv"))
    sessions = [*about, ("2", "m2_s2"), ("2", "m2_s3")]
    said = ["of one", "of two | of all", "of all", "of all | of three", "of all | of four"]
    more = [
        (*s, qc.DOUBTS, 1, "", np.nan, np.nan, "warn", w)
        for s, w in zip(sessions, said, strict=True)
    ]
    for n, words in (
        (1, "1 of 3 sessions was read with a doubt of what the files say, on which results here "),
        (1, "hang: Checks of one (m1_s1)"),
        (2, "2 of 3 sessions were read with a doubt"),
        (3, "Checks of all (m1_s2, m2_s1) of one (m1_s1) of two (m1_s2)"),
        (4, "of all (m1_s2, m2_s1, m2_s2) of one (m1_s1) of two (m1_s2) and 1 more"),
        (5, "5 of 5 sessions were"),
        (5, "of all (m1_s2, m2_s1, m2_s2 and 1 more) of one (m1_s1) of two (m1_s2) and 2 more"),
    ):
        write_table(pd.DataFrame([*rows, *more[:n]], columns=qc.COLUMNS), table)
        head = text_of(write_report(study, "qc.tsv")).partition("AUC on mice")[0]
        assert words in head and "Nothing that was looked at" not in head


def test_report_says_when_the_cohort_is_partial(study):
    auc = read_table(study / "auc.tsv")
    keep = (auc["decoder"] == "cnn") & (auc["test_mouse"] != "5")
    write_table(auc[keep], study / "auc.tsv")
    cohort = read_table(study / "cohort.tsv")
    write_table(cohort[cohort["mouse"] != "5"], study / "cohort.tsv")
    text = text_of(write_report(study))
    assert "Partial cohort: 16 of 60 decoder allocations, 8 of 10 sessions" in text
    assert "16 of 20 allocations" in text and "roi_gru – 0 of 20 allocations" in text
    assert "Comparisons" not in text


def test_report_shows_tests_with_mice_as_the_unit_and_chance(study):
    auc, sessions = (read_table(study / f"{name}.tsv") for name in ("auc", "session_auc"))
    tests = paired_tests.infer(auc, by="decoder", name="fig2e", sessions=sessions)
    tests.loc[0, ["p_mixed_holm", "mixed_note"]] = np.nan, "the fit did not converge"
    chance = chance_tests.permuted_labels(auc, {"roi_gru": ["cnn"]})
    write_table(tests, study / "inference.tsv")
    write_table(chance, study / "chance.tsv")
    page = write_report(study, "inference.tsv", "chance.tsv")
    checker = Checker()
    checker.feed(page)
    assert not checker.faults and not checker.open
    text = text_of(page)
    for sentence in (*tests["sentence"], *chance["sentence"]):
        assert sentence in text
    assert as_read(mouse_power.in_words(tests)) in text
    assert 'title="the fit did not converge">–</td>' in page
    assert "Bootstrap over mice and sessions" in text
    assert "-0.107 to -0.011" in text and "7.6 of 20" in text  # CNN - CNN-GRU
    assert 'id="inference"' not in write_report(study) and "Chance" not in text_of(
        full_report(study)
    )


def test_report_shows_the_losses_of_networks(study):
    history = pd.DataFrame({"allocation": ["a", "a", "b"], "epoch": [1, 2, 1]})
    history = history.assign(train_loss=0.5, valid_loss=0.25, valid_auc=0.75)
    figure, caption = loss_figure.loss_by_epoch(history), as_read(loss_figure.loss_caption(history))
    svgs = ["loss_roi_gru.svg", "loss_cnn.svg"]  # the report has them in the config's order
    for svg in svgs:
        prefix = (study / svg).with_suffix("")
        plots.save(figure, prefix, title=f"Training of {prefix.name}", caption=caption)
    page = write_report(study, *draw(study, "auc_all.svg"), *svgs)
    checker = Checker()
    checker.feed(page)
    assert not checker.faults and not checker.open
    assert len(checker.ids) == len(set(checker.ids))
    text = text_of(page)
    assert "Loss and AUC by epoch (2 networks) Training of loss_cnn. Loss of training" in text
    assert "Training of loss_roi_gru." in text and "allocations (n = 2)" in text
    assert "Loss and AUC" not in text_of(full_report(study))


def test_report_shows_importance_with_its_checks(study):
    rows = [
        ("planted truth", "pass", 1.0, "All <4> are on top."),
        ("seeds", "not made", np.nan, "No."),
    ]
    checks = pd.DataFrame(rows, columns=["check", "verdict", "value", "sentence"])
    tables = [f"importance_{name}_checks.tsv" for name in ("fig6", "shap")]
    for table in tables:
        checks.to_csv(study / table, sep="\t", index=False, na_rep="nan")
    maps = ("importance_fig6.svg", "importance_shap.svg", "importance_shap_checks.svg")
    page = write_report(study, *tables, *draw(study, *maps))
    checker = Checker()
    checker.feed(page)
    assert not checker.faults and not checker.open
    assert len(checker.ids) == len(set(checker.ids))
    assert '<a href="#importance">' in page and page.count("All &lt;4&gt; are on top.") == 2
    assert '<span class="verdict pass">pass</span>' in page
    assert '<span class="verdict not-made">not made</span>' in page
    text = text_of(page)
    assert "planted truth pass 1.00" in text and "seeds not made – No." in text
    assert text.index("shap AUC by decoder.") < text.index("fig6 AUC by decoder.")
    assert 'id="importance"' not in write_report(study)


@pytest.mark.parametrize(
    ("mice", "words"), [(5, "cannot be less than 0.0625. Read the intervals."), (8, ": a, c.")]
)
def test_report_says_what_a_map_shows_over_mice(study, mice, words):
    numbers = dict.fromkeys(map_mice.NUMBERS, 0.5)
    rows = [numbers | {"unit": unit, "against": "0", "n_mice": mice} for unit in "abc"]
    table = pd.DataFrame(rows, columns=map_mice.COLUMNS).assign(
        p_smallest=2 / 2**mice, p_max_t=[0.01, 0.2, 0.03]
    )
    table.to_csv(study / "importance_fig6_mice.tsv", sep="\t", index=False)
    page = write_report(study, "importance_fig6_mice.tsv", *draw(study, "importance_fig6_mice.svg"))
    text = text_of(page)
    assert f"the {mice} test mice" in text and words in text
    assert 'id="importance"' in page and "fig6" in text


def test_report_shows_the_note_of_the_config(study):
    assert 'class="notice"' not in full_report(study)
    config = json.loads((study / "config.json").read_text()) | {"note": "Simulated & small."}
    (study / "config.json").write_text(json.dumps(config))
    assert '<p class="notice" role="note">Simulated &amp; small.</p>' in full_report(study)


def drop_key(study):
    (study / "config.json").write_text('{"study": "x"}')
    return "config: no key mice"


def break_json(study):
    (study / "config.json").write_text("{")
    return "config.json: not JSON"


def drop_column(study):
    table = pd.read_csv(study / "auc.tsv", sep="\t").drop(columns="accuracy")
    table.to_csv(study / "auc.tsv", sep="\t", index=False)
    return "auc.tsv: no column accuracy; the columns are decoder"


@pytest.mark.parametrize("damage", [drop_key, break_json, drop_column])
def test_report_refuses_bad_inputs_in_one_line(study, damage):
    words = damage(study)
    with pytest.raises(UserError) as caught:
        full_report(study)
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not (study / "report.html").exists()


def test_report_refuses_a_figure_it_cannot_show(study):
    with pytest.raises(UserError, match=r"auc_all\.pdf: not a figure the report can show"):
        write_report(study, "auc_all.pdf")


def test_report_refuses_files_that_belong_to_none_of_its_sections(study):
    draw(study, "loss_vgg.svg")
    with pytest.raises(UserError, match=r"loss_vgg\.svg: .* no figure of the name loss_vgg"):
        write_report(study, "loss_vgg.svg")
    shutil.copy(study / "auc.tsv", study / "quality_of_cnn.tsv")
    with pytest.raises(UserError, match=r"quality_of_cnn\.tsv: .* no table .*: allocations, auc"):
        write_report(study, "quality_of_cnn.tsv")


def test_report_says_which_tables_it_cannot_do_without(study):
    words = ("--config", study / "config.json", "--out", study / "report.html")
    needed = ["allocations", "auc", "session_auc", "cohort"]
    for gone in ("allocations", "auc", "session_auc", "cohort", "auc cohort", " ".join(needed)):
        given = [study / f"{name}.tsv" for name in needed if name not in gone.split()]
        said = ", ".join(f"{name}.tsv" for name in gone.split())
        with pytest.raises(UserError, match=rf"--tables: no {said} among them; every report"):
            run("report", *words, "--tables", study / "comparisons.tsv", *given)
    assert not (study / "report.html").exists()


def test_folders_make_the_report_that_their_files_make(study):
    draw(study, "auc_all.svg", "auc_all.png", "qc.svg", "qc/m1_s1.svg", "qc/gone.svg")
    # without comparisons.tsv, which lies there too and the config does not ask for
    page = write_report(study, "auc_all.svg", "qc.svg", "qc/m1_s1.svg")
    folders = ("--tables", study, "--figures", study)
    run("report", "--config", study / "config.json", *folders, "--out", study / "folders.html")
    other = (study / "folders.html").read_text()
    page, other = (re.sub(r"\d\d:\d\d UTC", "", text) for text in (page, other))
    assert page == other


def test_templates_leave_no_empty_lines_and_hide_no_name_that_is_missing(tmp_path):
    lines = "<p>", "  {% if given %}", "{{ given }}", "  {% endif %}", "</p>"
    (tmp_path / "a.j2").write_text("\n".join(lines))
    template = environment(tmp_path).get_template("a.j2")
    assert template.render(given="R & D") == "<p>\nR &amp; D\n</p>"
    with pytest.raises(jinja2.UndefinedError, match="'given' is undefined"):
        template.render(named="otherwise")


@pytest.mark.parametrize(
    "p, text",
    [
        (1, "1.00"),
        (0, "0"),
        (0.5, "0.50"),
        (float("nan"), "–"),
        (0.0123, "0.012"),
        *((0.0625, "0.0625"), (0.125, "0.125"), (0.03125, "0.031"), (0.25, "0.25"), (0.05, "0.05")),
        (0.001, "0.001"),
        (2.563e-7, "2.6 × 10⁻⁷"),
    ],
)
def test_p_values_read_well(p, text):
    assert formats.format_p(p) == text


@pytest.mark.parametrize(
    "hours, text",
    [
        (2.5 / 3600, "2 s"),  # half a second is rounded to the even one
        (59 / 3600, "59 s"),
        (59.4 / 3600, "59 s"),
        (1 / 60, "1 min"),
        (0.2, "12 min"),
        (0.99, "59 min"),
        (1, "1.0 h"),
        (1234.5, "1,234.5 h"),
        (float("nan"), "–"),
    ],
)
def test_times_read_well(hours, text):
    assert formats.format_hours(hours) == text


@pytest.mark.parametrize("auc, text", [(0.9, "0.900"), (0.87654, "0.877"), (float("nan"), "–")])
def test_aucs_have_three_decimals(auc, text):
    assert formats.format_auc(auc) == text


def test_names_sort_as_people_sort_them():
    names = ["m10", "m2", "m1", "a", "2", "10", "m2_s1"]
    assert each_in_order([*names, *names]) == ["2", "10", "a", "m1", "m2", "m2_s1", "m10"]


def test_summary_prints_mean_and_sd_and_where_the_report_is(study, capsys):
    run("summary", "--auc", study / "auc.tsv", "--report", study / "report.html")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["decoder", "n", "AUC", "(mean", "±", "SD)"]
    assert sorted(lines[1:4]) == [
        "cnn        20  0.896 ± 0.071",
        "cnn_gru    20  0.956 ± 0.034",
        "roi_gru    20  0.974 ± 0.014",
    ]
    assert lines[4] == f"report: {(study / 'report.html').resolve()}"


def test_report_shows_the_quality_of_decoders_and_what_was_published(study):
    table = published_auc()[[*auc_tables.ATTRIBUTES, "n_frames", "n_run", "auc", "accuracy"]]
    table = table.reindex(columns=quality.COLUMNS, fill_value=0.25)
    table = table.assign(n_sessions=2, n_one_state=0)
    cnn = table["decoder"] == "cnn"
    table.loc[cnn & (table["test_mouse"] == "1"), "n_one_state"] = 1  # in each of 4 allocations
    table.loc[cnn, "threshold"] = [0.1, *[0.4] * 18, 0.9]
    table.loc[~cnn, ["threshold", "accuracy_at_threshold", "error_far"]] = np.nan
    write_table(table, study / "quality.tsv")
    pairs = {"cnn": {"analysis": "image", "model": "CNN"}}
    animals = pd.DataFrame({"session": ["a"], "mouse": ["1"]})
    found = reproduction.reproduce(published_auc(), animals, pairs)
    write_table(found, study / "reproduction.tsv")
    figure = draw(study, "quality_cnn.svg")
    page = write_report(study, "quality.tsv", *figure, "reproduction.tsv")
    checker = Checker()
    checker.feed(page)
    assert not checker.faults and len(checker.ids) == len(set(checker.ids))
    text = text_of(page)
    for words in (
        "Quality of each decoder Means over allocations",
        "cnn 20 0.896 0.250 60% 0.875 0.250 0.400 (0.100 to 0.900) 0.250 0.250 0.250 0.250 0.250",
        "4 of 40",  # sessions without AUC
        "roi_gru 20 0.974 0.250 60% 0.875 0.250 – (– to –) – 0.250",
        "0 of 40",
        "cnn CNN (image) 20 0.896 0.071 20 0.896 0.071 0.000 -0.099 to 0.099 Welch, 5 and 5 mice",
    ):
        assert words in text, words
    bare = full_report(study)
    assert 'id="decoder-quality"' not in bare and 'id="reproduction"' not in bare
