"""Variants of a study side by side, with mice as the unit."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mesodecode.base.tables import write_table
from mesodecode.cli import main
from mesodecode.recordings import qc
from mesodecode.scores import auc, multiverse, multiverse_figure
from mesodecode.study.targets import kind_named
from tabled import as_tabled
from texts import as_read, as_written


def decoders(**lines):
    return {name: SimpleNamespace(settings=settings) for name, settings in lines.items()}


LINES = decoders(
    linear={},
    linear_small={"variant": "small"},
    mine={"variant": "small"},
    roi={},
    roi_small={"variant": "small"},
    mean={"average_of": ["linear", "roi"]},
    best={"adaptive_of": ["linear", "linear_small"]},
    across={"adaptive_of": ["linear", "roi"]},
)
FAMILIES = {
    "linear": {"study": "linear", "small": "linear_small", "best": "best"},
    "roi": {"study": "roi", "small": "roi_small"},
}
# decoder -> AUC of mice a (two allocations), b, c
AUC = {
    "linear": [(0.6, 0.8), (0.8,), (0.9,)],
    "linear_small": [(0.4, 0.6), (0.5,), (0.5,)],
    "best": [(0.8, 0.8), (0.8,), (0.9,)],
    "roi": [(0.9, 0.9), (0.9,), (0.9,)],
    "roi_small": [(0.9, 0.9), (0.9,), (0.9,)],
}


def table():
    rows = [
        {"decoder": name, "test_mouse": mouse, "auc": auc}
        for name, each in AUC.items()
        for mouse, values in zip("abc", each, strict=True)
        for auc in values
    ]
    seen = ["shifted", "unusable", "in distribution", "shifted"]
    shift = pd.DataFrame({"decoder": "linear_small", "test_mouse": "a", "verdict": seen})
    verdicts = {"linear_small": {"a": "warn"}}
    chosen = {"best": {"a": "linear_small"}}
    return multiverse.table(pd.DataFrame(rows), FAMILIES, shift, verdicts, chosen)


def test_families_are_a_decoder_with_its_lines_on_variants():
    assert multiverse.families(LINES) == FAMILIES
    # of averages, which are in no family, none is made; nor of what chooses among such
    means = {"mean_small": {"average_of": ["linear_small", "roi_small"], "variant": "small"}}
    means |= {"of_means": {"adaptive_of": ["mean", "mean_small"]}}
    assert multiverse.families(LINES | decoders(**means)) == FAMILIES


def test_a_row_is_the_mean_of_a_mouse_and_its_difference_from_the_studys_own():
    rows = as_tabled(table(), "variants").set_index(["decoder", "test_mouse"])
    assert len(rows) == 15
    small = rows.loc["linear_small", "a"]
    assert (small["n_allocations"], small["qc"], small["shifted"]) == (2, "warn", 0.75)
    np.testing.assert_allclose([small["auc"], small["difference"]], [0.5, -0.2])
    best = rows.loc["best", "a"]
    assert best["chosen"] == "linear_small" and np.isclose(best["difference"], 0.1)
    assert np.isnan(rows.loc["linear", "a"]["shifted"]) and rows.loc["linear", "a"]["qc"] == ""


def test_sentences_say_what_holds_in_all_variants():
    linear, roi, both = as_written(multiverse.sentences(table()), "variants_in_words")
    assert "goes from 0.500 (small) to 0.833 (best)" in linear
    assert "in 2 of 3 (not in small)" in linear and "in all 2" in roi
    # .1, 0, 0 of three mice: SD .0577, t of 2 degrees of freedom 4.303
    assert "best differs from the study's own by 0.033 (-0.110 to 0.177)" in linear
    assert both == "roi has the higher mean AUC of linear and roi in 2 of 2 variants."
    gaps = table().assign(difference=lambda rows: rows["difference"].where(rows["auc"] != 0.9))
    # of mouse c there is nothing of the study's own: .1, 0 of two, t of 1 degree of freedom 12.706
    assert "by 0.050 (-0.585 to 0.685);" in multiverse.sentences(gaps)[0]
    own = table().query("variant != 'best'")  # the study's own is the highest
    assert "hindsight" not in multiverse.sentences(own)[0]


def test_mice_and_families_stand_in_the_order_of_the_table_not_of_letters():
    rows = [("linear", mouse, 0.5 + at / 10) for at, mouse in enumerate(["m10", "m2", "a"])]
    auc = pd.DataFrame(rows, columns=["decoder", "test_mouse", "auc"])
    made = multiverse.table(auc, {"linear": {"study": "linear"}}, None, {}, {})
    assert made["test_mouse"].tolist() == ["m10", "m2", "a"]
    turned = pd.concat([made.assign(family="z"), made])
    first, second = multiverse.sentences(turned)
    assert first.startswith("z: ") and second.startswith("linear: ")


def test_variants_that_are_not_above_chance_are_named_in_order_of_letters():
    rows = table()
    one = rows[rows["family"] == "roi"].query("variant == 'study'").assign(auc=0.5)
    rows = pd.concat([one.assign(variant=name) for name in "ecadb"])
    (words,) = as_read(multiverse.sentences(rows))
    assert "in 0 of 5 (not in a, b, c, d, e)" in words


def test_the_figure_has_variants_by_their_means():
    rows = table()
    assert multiverse.order(rows[rows["family"] == "linear"]) == ["small", "study", "best"]
    figure = multiverse_figure.draw(rows)
    labels = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert labels == ["small", "study", "best"] and "3 test mice" in as_written(
        multiverse_figure.caption(rows), "variants"
    )


def test_which_family_is_higher_in_a_variant_is_of_the_mean_over_its_mice():
    rows = [
        {"family": name, "variant": variant, "test_mouse": mouse, "auc": auc}
        for variant in ("study", "small")
        for name, each in (("linear", (0.71, 0.71, 0.6)), ("roi", (0.7, 0.7, 0.7)))
        for mouse, auc in zip("abc", each, strict=True)
    ]
    tied = pd.DataFrame(rows)
    tied.loc[(tied["family"] == "linear") & (tied["variant"] == "small"), "auc"] = 0.9
    words = multiverse._against(tied, "linear", "roi")  # of as many the first
    assert words == "linear has the higher mean AUC of linear and roi in 1 of 2 variants."
    words = multiverse._against(pd.DataFrame(rows), "linear", "roi")
    assert words == "roi has the higher mean AUC of linear and roi in 2 of 2 variants."


def test_families_that_are_equal_are_not_said_to_differ():
    rows = table()
    rows["auc"] = 1.0
    assert multiverse.sentences(rows)[2] == (
        "linear and roi have the same mean AUC in all 2 variants."
    )
    rows.loc[rows["decoder"] == "roi_small", "auc"] = 0.9
    assert multiverse.sentences(rows)[2] == (
        "linear has the higher mean AUC of linear and roi in 1 of 2 variants."
    )


def test_a_mouse_without_a_score_is_left_out():
    rows = table()
    known = multiverse.sentences(rows[rows["test_mouse"] != "a"])
    rows.loc[rows["test_mouse"] == "a", ["auc", "difference"]] = np.nan
    assert multiverse.sentences(rows) == known and "over 2 mice" in known[0]
    rows["auc"] = np.nan
    assert multiverse.sentences(rows)[:2] == [
        "linear: nothing is scored.",
        "roi: nothing is scored.",
    ]


def test_mice_that_are_tested_together_have_no_interval_and_a_shift_of_their_own():
    rows = table()
    together = rows.assign(test_mouse=rows["test_mouse"].map({"a": "a+b", "b": "b+c", "c": "a+c"}))
    assert multiverse.sentences(together)[0] == (
        "linear: the mean AUC over 3 mice goes from 0.500 (small) to 0.833 (best); mice are tested "
        "together, so that there is no interval over them."
    )
    scored = pd.DataFrame({"decoder": ["d", "e"], "test_mouse": "a+b", "auc": 0.7})
    shift = pd.DataFrame({"decoder": "d", "test_mouse": list("abc")})
    shift["verdict"] = ["shifted", "in distribution", "shifted"]
    lines = {"d": {"study": "d", "other": "e"}}
    found = multiverse.table(scored, lines, shift, {}, {})
    assert found["shifted"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)


def test_one_variant_in_common_says_nothing_of_which_family_is_higher():
    rows = table().query("variant == 'study' or family == 'linear'")
    assert len(multiverse.sentences(rows)) == 2
    assert multiverse._against(rows, "linear", "roi") == ""


def test_the_verb_takes_the_worst_verdict_of_a_mouse_and_what_was_chosen(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("mesodecode.base.plots.save", lambda *_, **__: None)  # tested by itself
    line = {"model": "logistic_regression"}
    config = {
        "study": "s",
        "recordings": {"movie": "{session}.tif", "behavior": "{session}.mat"},
        "mice": {m: [f"{m}1", f"{m}2"] for m in "abcde"},
        "decoders": {"linear": line, "best": {"adaptive_of": ["linear", "linear_small"]}},
        "variants": {"small": {"image_size": 32, "decoders": ["linear"]}},
    }
    (tmp_path / "s.json").write_text(json.dumps(config))
    write_table(pd.DataFrame([*qc_rows("warn", "pass")]), tmp_path / "qc.tsv")
    write_table(pd.DataFrame([*qc_rows("pass", "fail")]), tmp_path / "small.tsv")
    aucs = table().query("family == 'linear'").assign(allocation="x", auc=0.8)
    write_table(aucs.reindex(columns=auc.COLUMNS, fill_value="1"), tmp_path / "auc.tsv")
    chosen = [
        {"test_mouse": "a", "decoder": d, "chosen": d == "linear"} for d in config["decoders"]
    ]
    write_table(pd.DataFrame(chosen), tmp_path / "choice.tsv")
    words = ["variants", "--config", tmp_path / "s.json", "--auc", tmp_path / "auc.tsv"]
    words += ["--qc", tmp_path / "qc.tsv", f"small={tmp_path / 'small.tsv'}"]
    words += ["--adaptive", f"best={tmp_path / 'choice.tsv'}"]
    assert main([*map(str, words), "--out", f"{tmp_path}/o.tsv", "--figure", f"{tmp_path}/f"]) == 0
    made = pd.read_csv(tmp_path / "o.tsv", sep="\t").set_index(["decoder", "test_mouse"])
    assert made.loc[("linear", "a"), "qc"] == "warn"
    assert made.loc[("linear_small", "a"), "qc"] == "fail"
    assert made.loc[("best", "a"), "chosen"] == "linear"
    (tmp_path / "y=1").mkdir()
    words[words.index("--qc") + 1] = shutil.move(tmp_path / "qc.tsv", tmp_path / "y=1")
    assert main([*map(str, words), "--out", f"{tmp_path}/o.tsv", "--figure", f"{tmp_path}/f"]) == 0
    again = pd.read_csv(tmp_path / "o.tsv", sep="\t").set_index(["decoder", "test_mouse"])
    assert again.equals(made)
    words += ["--out", "o", "--figure", "f", "--adaptive"]
    some = aucs[aucs["decoder"] != "linear_small"].reindex(columns=auc.COLUMNS, fill_value="1")
    write_table(some, tmp_path / "auc.tsv")
    assert main([*map(str, words), f"best={tmp_path / 'choice.tsv'}"]) == 1
    assert "auc.tsv: nothing of decoder linear_small; score it too" in capsys.readouterr().err
    for word, why in (
        ("best", "write DECODER=FILE"),
        ("bets=x", f"no decoder 'bets' in {tmp_path / 's.json'}"),
    ):
        assert main([*map(str, words), word]) == 1
        assert f"--adaptive {word}: {why}" in capsys.readouterr().err


@pytest.mark.parametrize(("target", "chance"), [("pupil", 0.0), ("states", 0.5)])
def test_of_another_target_its_own_score_stands_for_the_auc(target, chance):
    kind = kind_named(target)
    plain = table()
    rows = plain.rename(columns={"auc": kind.metric})
    assert list(rows) == list(multiverse.columns_of(kind))
    raw = pd.DataFrame({"decoder": ["linear"] * 2, "test_mouse": ["a", "a"], "auc": [0.25, -0.75]})
    made = multiverse.table(raw, {"linear": {"study": "linear"}}, None, {}, {}, kind)
    assert made[kind.metric].tolist() == [-0.25]
    linear, _, both = as_read(multiverse.sentences(rows))
    assert f"linear: the mean {kind.axis} over 3 mice goes from 0.500 (small)" in linear
    # chance is 0 of R²: .5, .5, .5 of small are above it, as they are not above .5
    assert ("in all 3" if target == "pupil" else "in 2 of 3 (not in small)") in linear
    assert both.startswith(f"roi has the higher mean {kind.axis} of linear")
    assert multiverse.order(rows[rows["family"] == "linear"]) == ["small", "study", "best"]
    figure = multiverse_figure.draw(rows)
    assert figure.axes[0].get_ylabel() == f"{kind.axis} of the test mouse"
    assert f"chance ({chance:g})" in as_read(multiverse_figure.caption(rows))


def qc_rows(*verdicts):
    """A row a session of mouse a."""
    for at, verdict in enumerate(verdicts, 1):
        about = {"mouse": "a", "session": f"a{at}", "check": "frames", "verdict": verdict}
        yield dict.fromkeys(qc.COLUMNS, 1) | about


def test_of_one_mouse_there_is_no_interval():
    linear, _, _ = as_written(
        multiverse.sentences(table().query("test_mouse == 'a'")), "variants_of_one_mouse"
    )
    assert "goes from 0.500 (small) to 0.800 (best)" in linear
    assert "hindsight" not in linear and "nan" not in linear
