"""Cohort by cohort: means, losses in the same mouse and their words, by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from make import STUDY, add_files, check_commands, plan
from mesodecode.base.tables import read_table, write_table
from mesodecode.cli import main
from mesodecode.report import methods, report, section_words
from mesodecode.scores import cohort_matrix, cohort_matrix_figure
from mesodecode.study import study as studies
from mesodecode.study import targets
from tabled import as_tabled
from texts import as_read, as_written

COHORTS = {"lab": ["1", "2", "3"], "rig": ["x", "y", "z"]}


def auc_of(*rows, decoder="cnn"):
    """A table of AUCs, of (training mice, test mouse, AUC)."""
    return pd.DataFrame(
        [
            {
                **{"decoder": decoder, "allocation": f"{train}-{test}-{n}", "train_mice": train},
                **{"valid_mouse": "-", "test_mouse": test, "n_frames": 10, "n_run": 5},
                **{"auc": auc, "accuracy": 0.5, "protocol": "strict"},
            }
            for n, (train, test, auc) in enumerate(rows)
        ]
    )


BOTH = auc_of(
    ("1+2", "3", 0.9), ("1+3", "2", 0.92), ("2+3", "1", 0.94),
    ("x+y", "3", 0.8), ("x+y", "3", 0.7), ("x+z", "2", 0.80), ("y+z", "1", 0.84),
    ("x+y", "z", 0.9), ("1+2", "z", 0.91),
)  # fmt: skip


def test_a_loss_is_of_the_same_mouse_with_mice_as_the_unit():
    rows = as_tabled(cohort_matrix.table(BOTH, COHORTS), "cohorts")
    assert list(rows.columns) == list(cohort_matrix.COLUMNS)
    pairs = list(zip(rows["train_cohort"], rows["test_cohort"], strict=True))
    assert pairs == [("lab", "lab"), ("lab", "rig"), ("rig", "lab"), ("rig", "rig")]
    row = rows.iloc[2]
    # mouse 3 by its two allocations .75, 2 .80, 1 .84; losses .15, .12, .10
    assert (row["n_mice"], row["n_allocations"], row["n_paired"]) == (3, 4, 3)
    assert row["auc"] == pytest.approx((0.75 + 0.80 + 0.84) / 3)
    lost = [0.15, 0.12, 0.10]
    assert row["loss"] == pytest.approx(np.mean(lost))
    half = stats.t.ppf(0.975, 2) * stats.sem(lost)
    assert row["loss_low"] == pytest.approx(np.mean(lost) - half)
    assert row["loss_high"] == pytest.approx(np.mean(lost) + half)
    assert "0.123 less than after training in their own cohort (95 % interval 0.061" in as_read(
        row["sentence"]
    )
    assert rows["loss"].isna().tolist() == [True, False, False, True]
    assert rows.iloc[1]["loss"] == pytest.approx(-0.01) and np.isnan(rows.iloc[1]["loss_low"])


def test_a_mouse_is_the_mean_of_its_allocations_and_a_cohort_that_of_its_mice():
    aucs = [("3", (0.5, 0.6, 1.0)), ("1", (0.6,)), ("2", (0.95,))]
    each = [(train, test, auc) for train in ("x+y", "1+2") for test, some in aucs for auc in some]
    rows = cohort_matrix.table(auc_of(*each), COHORTS)
    np.testing.assert_allclose(rows["auc"], (0.7 + 0.6 + 0.95) / 3)
    halved = [(train, test, auc - 0.1 * auc * (train == "x+y")) for train, test, auc in each]
    lost = cohort_matrix.table(auc_of(*halved), COHORTS)["loss"].iloc[1]
    assert lost == pytest.approx(0.075)


def test_a_mouse_without_a_score_is_none_of_the_mice():
    rows = cohort_matrix.table(pd.concat([BOTH, auc_of(("x+y", "2", np.nan))]), COHORTS)
    pd.testing.assert_frame_equal(rows, cohort_matrix.table(BOTH, COHORTS))


def test_mice_that_are_tested_together_are_counted_and_have_no_interval():
    rows = cohort_matrix.table(
        auc_of(
            ("1", "2+3", 0.9), ("2", "1+3", 0.8), ("3", "1+2", 0.7),
            ("x", "2+3", 0.6), ("x", "1+3", 0.6), ("x", "1+2", 0.6),
        ),
        COHORTS,
    )  # fmt: skip
    own, across = rows.to_dict("records")
    assert (own["n_mice"], own["n_allocations"], across["n_paired"]) == (3, 3, 3)
    assert own["auc"] == pytest.approx(0.8) and across["loss"] == pytest.approx(0.2)
    assert np.isnan([own["ci_low"], own["ci_high"], across["loss_low"], across["loss_high"]]).all()
    assert as_read(across["sentence"]).endswith(
        "; 0.200 less than after training in their own cohort, in 3 mice that are tested together: "
        "no interval."
    )
    ((verdict, _),) = cohort_matrix.headlines(rows)
    assert verdict == "none"


def test_a_loss_needs_mice_that_were_tested_from_both():
    rows = cohort_matrix.table(auc_of(("1+2", "3", 0.9), ("x+y", "1", 0.8)), COHORTS)
    across = rows.iloc[1]
    assert (across["train_cohort"], across["n_paired"]) == ("rig", 0) and np.isnan(across["loss"])


def test_decoders_stand_in_the_order_of_the_table_not_of_letters():
    both = pd.concat([BOTH, BOTH.assign(decoder="a")])
    rows = cohort_matrix.table(both, COHORTS)
    assert rows["decoder"].tolist() == ["cnn"] * 4 + ["a"] * 4
    first, second = cohort_matrix.headlines(rows)
    assert first[1].startswith("cnn, AUC of mice of the second: ")
    assert second[1] == first[1].replace("cnn", "a", 1)


def test_protocols_of_all_allocations_are_said():
    mixed = BOTH.assign(protocol=["strict"] * 4 + ["transductive"] + ["strict"] * 4)
    rows = cohort_matrix.table(mixed, COHORTS)
    assert rows["protocol"].tolist() == ["strict", "strict", "strict, transductive", "strict"]


def test_allocations_of_the_own_cohort_are_averaged_and_limits_are_those_of_an_auc():
    rows = cohort_matrix.table(
        auc_of(
            ("1+2", "3", 0.9), ("2+3", "1", 0.1), ("1+3", "2", 0.9), ("1+3", "2", 0.7),
            ("x+y", "3", 0.5), ("x+y", "1", 0.5), ("x+y", "2", 0.5),
        ),
        COHORTS,
    )  # fmt: skip
    own, across = rows.to_dict("records")
    assert own["auc"] == pytest.approx((0.9 + 0.1 + 0.8) / 3)
    assert (own["ci_low"], own["ci_high"]) == (0, 1)  # of Student's t beyond both
    assert across["loss"] == pytest.approx((0.4 - 0.4 + 0.3) / 3)


def test_rows_are_in_the_order_of_the_config_and_a_loss_must_be_shown():
    cohorts = {"west": ["1", "2", "3"], "east": ["x", "y"]}
    rows = cohort_matrix.table(
        auc_of(
            ("x+y", "1", 0.6), ("x+y", "2", 0.8), ("x+y", "3", 0.7), ("1+2", "x", 0.7),
            ("2+3", "1", 0.9), ("1+3", "2", 0.8), ("1+2", "3", 0.7),
        ),
        cohorts,
    )  # fmt: skip
    pairs = list(zip(rows["train_cohort"], rows["test_cohort"], strict=True))
    assert pairs == [("west", "west"), ("west", "east"), ("east", "west")]
    assert rows["loss"].iloc[2] == pytest.approx(0.1) and rows["loss_low"].iloc[2] < 0
    ((verdict, text),) = as_read(cohort_matrix.headlines(rows))
    assert verdict == "none" and "no loss against training in their own cohort is shown" in text


@pytest.mark.parametrize(("n", "few"), [(4, True), (5, False)])
def test_fewer_than_five_mice_are_said_to_be_few(n, few):
    cohorts = {"lab": [*"abcde"[:n]], "rig": ["x", "y"]}
    rows = cohort_matrix.table(auc_of(*(("x+y", m, 0.8) for m in cohorts["lab"])), cohorts)
    ((_, text),) = as_read(cohort_matrix.headlines(rows))
    assert ("With fewer than 5 mice of a cohort" in text) == few
    # a loss is of those that were tested from both, however many were from the other
    lab = {"lab": [*"abcdef"]} | {"rig": ["x", "y"]}
    own = [("f", mouse, 0.9) for mouse in "abcde"[:n]]
    rows = cohort_matrix.table(auc_of(*own, *(("x+y", m, 0.8) for m in "abcdef")), lab)
    assert rows[["n_mice", "n_paired"]].to_numpy().tolist() == [[n, 0], [6, n]]
    ((_, text),) = as_read(cohort_matrix.headlines(rows))
    assert ("With fewer than 5 mice of a cohort" in text) == few


def test_verdicts():
    ((verdict, text),) = as_written(
        cohort_matrix.headlines(cohort_matrix.table(BOTH, COHORTS)), "cohorts_loss"
    )
    assert verdict == "loss" and "rig to lab 0.123 less" in text
    assert "from lab to rig 0.010 more than after" in text and "in one mouse" in text
    # no mouse was tested from its own cohort: no loss, and it is said why
    new = auc_of(("1+2", "x", 0.8), ("1+2", "y", 0.9), ("x+y", "1", 0.7))
    ((verdict, text),) = as_written(
        cohort_matrix.headlines(cohort_matrix.table(new, COHORTS)), "cohorts_new"
    )
    assert verdict == "none" and "0.850 from lab to rig (2 mice)" in text
    assert "Whether that is a loss is not known" in text
    # trained on both
    mixed = auc_of(("1+x", "2", 0.8), ("1+x", "y", 0.9))
    rows = cohort_matrix.table(mixed, COHORTS)
    assert list(rows["train_cohort"]) == ["lab+rig"] * 2 and rows["loss"].isna().all()
    ((_, text),) = as_read(cohort_matrix.headlines(rows))
    assert "0.800 from lab and rig to lab (1 mouse)" in text and "not known" not in text
    # better from the other cohort, in all mice alike
    gained = auc_of(
        *((a, b, auc) for b, auc in (("1", 0.7), ("2", 0.72), ("3", 0.71)) for a in ("2+3",)),
        *(("x+y", b, auc) for b, auc in (("1", 0.8), ("2", 0.83), ("3", 0.81))),
    )
    ((verdict, text),) = as_written(
        cohort_matrix.headlines(cohort_matrix.table(gained, COHORTS)), "cohorts_gained"
    )
    assert verdict == "none" and "rig to lab 0.103 more than after" in text
    assert "(95 % interval 0.089 to 0.118, 3 mice)" in text


@pytest.mark.parametrize(("target", "metric", "axis"), [
    ("pupil", "r2", "R²"), ("states", "macro_auc", "macro AUC"),
])  # fmt: skip
def test_another_target_has_its_own_score_in_column_words_and_figure(
    tmp_path, target, metric, axis
):
    model = "ridge" if target == "pupil" else "logistic_regression"
    states = {"target_states": ["rest", "walk", "groom"]} if target == "states" else {}
    config = {
        "study": "labs",
        "recordings": {"movie": "{session}.tif", "behavior": "{session}.mat"} | states,
        "mice": {m: [f"{m}_1"] for members in COHORTS.values() for m in members},
        "cohorts": COHORTS,
        "allocation": {"train": 1, "choose": "each_test", "cohorts": "across"},
        **{"target": target, "decoders": {"cnn": {"model": model}}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    scores = BOTH.drop(columns=["n_run", "accuracy"]).rename(columns={"auc": metric})
    if target == "pupil":  # worse than the mean of the test mouse, and below 0 in the interval too
        scores.loc[3:6, "r2"] = [-0.4, -0.5, 0.1, -0.3]
    else:
        scores["auc_rest"] = 0.5
    write_table(scores, tmp_path / "s.tsv")
    words = ["cohorts", "--auc", str(tmp_path / "s.tsv"), "--out", str(tmp_path / "c.tsv")]
    words += ["--figure", str(tmp_path / "c"), "--config", str(tmp_path / "config.yaml")]
    assert main(words) == 0
    kind = targets.kind_named(target)
    rows = read_table(
        tmp_path / "c.tsv", cohort_matrix.columns_of(kind), cohort_matrix.numbers_of(kind)
    )
    assert "auc" not in rows and targets.kind_scored(rows.columns) is kind
    row = rows.iloc[2]
    if target == "pupil":
        means = [-0.45, 0.1, -0.3]  # of mice 3, 2 and 1
        assert row["r2"] == pytest.approx(np.mean(means), rel=1e-4)
        half = stats.t.ppf(0.975, 2) * stats.sem(means)
        assert row["ci_low"] == pytest.approx(np.mean(means) - half, rel=1e-4)
        assert row["loss"] == pytest.approx(np.mean([1.35, 0.82, 1.24]), rel=1e-4)
    else:
        assert row["macro_auc"] == pytest.approx((0.75 + 0.80 + 0.84) / 3, rel=1e-4)
        assert row["ci_high"] <= 1
    assert f"has a mean {axis} of {row[metric]:.3f}" in as_read(row["sentence"])
    ((_, text),) = as_read(cohort_matrix.headlines(rows))
    assert text.startswith(f"cnn, {axis} of mice of the second: ")
    assert f"Mean {axis} of mice" in (tmp_path / "c.svg").read_text()
    environment = report.environment(report.TEMPLATES)
    parts = section_words.across_cohorts(config, {"cohorts": rows}) | {"figures": {}}
    page = environment.get_template("cohorts.html.j2").render(parts, scored=kind, significant=0.05)
    assert f"its mean {axis} after training" in page and f"{row[metric]:.3f}" in page
    assert f"test mice of their {axis} after" in methods.cohorts(studies.resolve(config).config)


def test_the_verb_reads_a_studys_config_and_leaves_permuted_labels_out(tmp_path, capsys):
    config = {
        "study": "labs",
        "recordings": {"movie": "{session}.tif", "behavior": "{session}.mat"},
        "mice": {m: [f"{m}_1", f"{m}_2"] for members in COHORTS.values() for m in members},
        "cohorts": COHORTS,
        "allocation": {"train": 1, "choose": "each_test", "cohorts": "across"},
        "decoders": {"cnn": {}, "null": {"like": "cnn", "labels": "permuted_between_sessions"}},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    write_table(pd.concat([BOTH, BOTH.assign(decoder="null")]), tmp_path / "auc.tsv")
    words = ["cohorts", "--auc", str(tmp_path / "auc.tsv"), "--out", str(tmp_path / "c.tsv")]
    words += ["--figure", str(tmp_path / "c"), "--config", str(tmp_path / "config.yaml")]
    assert main(words) == 0
    rows = read_table(tmp_path / "c.tsv", cohort_matrix.COLUMNS, cohort_matrix.NUMBERS)
    assert rows["decoder"].tolist() == ["cnn"] * 4
    assert "Tested in" in (tmp_path / "c.svg").read_text() and (tmp_path / "c.png").exists()
    assert "8 allocations" not in as_read(cohort_matrix_figure.caption(rows))
    assert "9 allocations" in as_read(cohort_matrix_figure.caption(rows))
    for change, said in (
        ({"auc": np.nan}, "auc.tsv: no AUC of a decoder of the study"),
        ({"decoder": "other"}, "auc.tsv: no AUC of a decoder of the study"),
        ({"test_mouse": "4+z"}, "auc.tsv: test_mouse: mouse '4' is of no cohort (lab, rig)"),
        ({"train_mice": "a"}, "auc.tsv: train_mice: mouse 'a' is of no cohort (lab, rig)"),
    ):
        write_table(BOTH.assign(**change), tmp_path / "auc.tsv")
        assert main(words) == 1
        assert said in capsys.readouterr().err
    plain = config | {"cohorts": {}, "allocation": {"train": 1}}
    (tmp_path / "config.yaml").write_text(json.dumps(plain))
    assert main(words) != 0
    assert "no cohorts; name groups of mice in `cohorts:`" in capsys.readouterr().err


def test_a_study_of_a_trace_plans_the_matrix_of_its_score(tmp_path):
    config = STUDY | {
        **{"target": "speed", "decoders": {"linear": {"model": "ridge"}}},
        "mice": {m: [f"{m}1"] for members in COHORTS.values() for m in members},
        "cohorts": COHORTS,
        "allocation": {"train": 1, "choose": "each_test", "cohorts": "across"},
    }
    add_files(tmp_path, config)
    jobs, lines = plan(tmp_path, config=config)
    check_commands(lines, jobs)
    assert jobs["cohorts"] == jobs["cohort_shift"] == 1
    (made,) = [line for line in lines if line.startswith("mesodecode cohorts ")]
    assert "--auc results/lab/tables/regression.tsv " in made
    (page,) = [line for line in lines if line.startswith("mesodecode report ")]
    assert "results/lab/tables/cohorts.tsv" in page and "results/lab/figures/cohorts.svg" in page
