"""The smallest difference that n mice can show: against R, by simulation, and by the verb."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from make_tables import published, run
from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table
from mesodecode.scores import mouse_power, paired_tests
from tabled import as_tabled
from texts import as_read, as_written


def study(rng, shape, delta=0.0, between=0.04, within=0.02) -> np.ndarray:
    """Differences (studies, mice, allocations) of two decoders."""
    mouse = rng.normal(0, between, shape[:2])[..., None]
    return delta + mouse + rng.normal(0, within, shape)


def aucs(differences: np.ndarray) -> pd.DataFrame:
    """A table of decoders a and b whose AUCs differ by these (mice, allocations)."""
    rows = [
        (name, f"m{i}", f"v{k}", 0.8 + (name == "a") * value)
        for i, mine in enumerate(differences)
        for k, value in enumerate(mine)
        for name in "ab"
    ]
    return pd.DataFrame(rows, columns=["decoder", "test_mouse", "valid_mouse", "auc"])


def row_of(table: pd.DataFrame, **where) -> pd.Series:
    (row,) = [row for _, row in table.iterrows() if all(row[k] == v for k, v in where.items())]
    return row


@pytest.mark.parametrize(("n", "delta"), [(3, 3.26404), (5, 1.681997), (20, 0.6604413)])
def test_effect_is_that_of_r(n, delta):
    """power.t.test(n = 20, power = .8, type = "one.sample"): delta = 0.6604413."""
    assert mouse_power.smallest_effect(n) == pytest.approx(delta, rel=1e-5)


def test_a_stricter_level_is_as_large_as_normals_say_at_least():
    # scipy's lower tail of the noncentral t is NaN here
    strict = mouse_power.smallest_effect(3, 0.8, 1e-5)
    assert mouse_power.power_of(strict, 3, 1e-5) == pytest.approx(0.8)
    assert strict > mouse_power.smallest_effect(3, 0.8, 1e-4) > mouse_power.smallest_effect(3)


@pytest.mark.parametrize(("mice", "each"), [(4, 1), (5, 4), (12, 11)])
def test_simulated_studies_show_it_in_80_of_100(mice, each):
    """From 2000 measured mice, whose variances are as good as known."""
    rng = np.random.default_rng(mice)
    measured = aucs(study(rng, (1, 2000, 4))[0])
    table = mouse_power.smallest_differences(
        measured, by="decoder", mice=[mice], allocations=[each]
    )
    found = row_of(table, a="a", b="b")["smallest_difference"]
    means = study(rng, (4000, mice, each), found).mean(axis=2)
    assert np.mean(stats.ttest_1samp(means, 0, axis=1).pvalue < 0.05) == pytest.approx(
        0.8, abs=0.03
    )


def test_parts_of_the_variance_by_hand():
    # mice have mean differences .1, .2, .3; each of two allocations lies .01 from it
    differences = np.array([0.1, 0.2, 0.3])[:, None] + [-0.01, 0.01]
    table = mouse_power.smallest_differences(
        aucs(differences).assign(note=np.nan), by="decoder", mice=[3], allocations=[1, 2, 1000]
    )
    of_b = table["a"] == "b"  # nothing of which varies
    as_tabled(table[~of_b].reset_index(drop=True), "power_by_allocations")
    assert table.index.tolist() == [*range(9)] and table[of_b]["icc"].isna().all()
    pair = table[table["b"] == "b"].set_index("allocations")
    # MSB = 2 * .01, MSW = 2 * .01² = .0002: between (.02 - .0002) / 2
    assert pair["sd_between"].to_numpy() == pytest.approx(np.sqrt(0.0099))
    assert pair["sd_within"].to_numpy() == pytest.approx(np.sqrt(0.0002))
    effect = mouse_power.smallest_effect(3)
    expected = {1: 0.0101, 2: 0.01, 1000: 0.0099 + 2e-7}
    for each, variance in expected.items():
        found = pair["smallest_difference"][each]
        assert found == pytest.approx(np.sqrt(variance) * effect)
    # of 2 mice more than three, as chi² of 2 degrees of freedom is -2 log(p)
    assert pair["low"][2] == pytest.approx(0.1 * effect / np.sqrt(-np.log(0.025)))
    assert pair["high"][2] == pytest.approx(0.1 * effect / np.sqrt(-np.log(0.975)))


def test_mice_that_are_more_alike_than_their_allocations_have_no_spread():
    differences = np.array([[0.0, 0.1], [0.1, 0.0], [0.05, 0.06]])
    table = mouse_power.smallest_differences(aucs(differences), by="decoder", mice=[3])
    row = row_of(table, a="a", b="b")
    assert row["sd_between"] == 0 and row["icc"] < 0
    # MSW = (.005 + .005 + .00005) / 3
    expected = np.sqrt(0.01005 / 3 / 2) * mouse_power.smallest_effect(3)
    assert row["smallest_difference"] == pytest.approx(expected)


def test_one_allocation_a_mouse_says_nothing_of_more():
    table = mouse_power.smallest_differences(
        aucs(np.array([[0.1], [0.2], [0.3]])), by="decoder", mice=[3], allocations=[1, 4]
    )
    pair = table[table["b"] == "b"].set_index("allocations")
    expected = 0.1 * mouse_power.smallest_effect(3)
    assert pair["smallest_difference"][1] == pytest.approx(expected)
    assert np.isnan(pair["smallest_difference"][4]) and np.isnan(pair["icc"][1])
    assert "nothing is known" in as_read(pair["sentence"][4])


def test_decoders_that_never_differ_promise_nothing():
    table = mouse_power.smallest_differences(aucs(np.zeros((4, 2))), by="decoder", mice=[5])
    row = row_of(table, a="a", b="b")
    assert np.isnan(row["smallest_difference"]) and "nothing varies" in as_read(row["sentence"])
    made = aucs(np.full((4, 2), 0.1))  # nor those that always differ by as much, whatever they have
    made["auc"] += np.linspace(-0.3, 0.05, 8).repeat(2)
    row = row_of(mouse_power.smallest_differences(made, by="decoder", mice=[5]), a="a", b="b")
    assert np.isnan(row["smallest_difference"]) and np.isnan(row["icc"])
    assert row["mean_difference"] == pytest.approx(0.1)
    one = made[made["decoder"] == "a"].assign(auc=0.9)  # whose mean .4 from chance is rounded
    row = row_of(mouse_power.smallest_differences(one[:6], mice=[5]), b="chance")
    assert np.isnan(row["smallest_difference"]) and row["sd_between"] == 0


def test_the_sentence_of_the_report_is_what_the_table_has():
    rows = published("image")
    inference = paired_tests.infer(rows, by="model")
    table = mouse_power.smallest_differences(rows, by="model", mice=[5, 20])
    pair = table[table["b"] != "chance"].set_index("mice")["smallest_difference"]
    words = as_written(mouse_power.in_words(inference), "power")
    assert f"5 mice can show a difference of {pair[5]:.3f} with" in words
    assert f"20 mice one of {pair[20]:.3f} (" in words
    wider = pd.concat([inference, inference.assign(ci_high=inference["ci_high"] + 0.1)])
    assert " by pair (t test" in as_written(mouse_power.in_words(wider), "power_by_pair")
    uneven = pd.concat([inference, inference.assign(n_mice=8), inference.assign(n_mice=6)])
    words = as_read(mouse_power.in_words(uneven))
    assert (
        " measured, 5 to 8 mice can show a" in words
        and "(t test of mouse means, before corr" in words
    )
    assert "of 5 to 8 mice, the spread itself" in words


@pytest.mark.parametrize(
    ("b", "found", "words"),
    [
        (
            "other",
            0.7,
            "net against other: 3 mice (1 allocation each) can show a difference of 0.7",
        ),
        ("other", 1.1, "net against other: 3 mice (1 allocation each) can show no difference that"),
        ("chance", 0.5, "net above chance: 3 mice (1 allocation each) can show a difference of 0."),
        ("chance", 0.7, "net above chance: 3 mice (1 allocation each) can show no difference that"),
    ],
)
def test_a_difference_that_aucs_cannot_have_is_none(b, found, words):
    """Two AUCs differ by 1 at most, one and chance by .5."""
    row = {"a": "net", "b": b, "mice": 3, "allocations": 1, "smallest_difference": found}
    row |= {"low": found / 2, "high": 2 * found, "n_measured": 3}
    assert mouse_power._sentence(row, 0.8).startswith(words)


def test_no_sentence_of_two_mice():
    few = pd.DataFrame({"n_mice": [2, 1], "ci_low": [-0.1, np.nan], "ci_high": [0.3, np.nan]})
    assert as_read(mouse_power.in_words(few)) == ""


# The verb


def written(tmp_path, table: pd.DataFrame, *words: object) -> pd.DataFrame:
    table.to_csv(tmp_path / "auc.csv", index=False)
    run("power", "--auc", tmp_path / "auc.csv", "--out", tmp_path / "power.tsv", *words)
    return read_table(tmp_path / "power.tsv", mouse_power.COLUMNS, ("smallest_difference",))


def test_any_table_with_aucs_of_mice_is_read(tmp_path):
    table = pd.DataFrame({"mouse": [*"abc", *"abc"], "auc": [0.7, 0.8, 0.9, 0.72, 0.78, 0.9]})
    made = written(tmp_path, table, "--mice", 8)
    assert made[["a", "b", "mice", "allocations"]].to_numpy().tolist() == [
        ["all", "chance", "8", "2"]
    ]
    # means .71, .79, .90: their SD over √8 is what a t test of eight means has
    expected = np.std([0.71, 0.79, 0.9], ddof=1) * mouse_power.smallest_effect(8)
    assert made["smallest_difference"][0] == pytest.approx(expected, rel=1e-5)


def test_what_is_compared_and_mice_may_be_numbers_and_stand_in_the_order_that_is_asked_for():
    table = aucs(np.random.default_rng(0).normal(0, 0.05, (4, 2)))
    windows = table.assign(window=table["decoder"].map({"a": 5, "b": 10}))
    windows["test_mouse"] = table["test_mouse"].str[1:].astype(int)
    for only, pair in ((None, ("5", "10")), (["10", "5"], ("10", "5"))):
        made = mouse_power.smallest_differences(windows, by="window", only=only, mice=[5])
        rows = [(pair[0], "chance"), (pair[1], "chance"), pair]
        assert [*zip(made["a"], made["b"], strict=True)] == rows


def test_the_column_of_mice_may_have_any_name(tmp_path):
    table = aucs(np.random.default_rng(0).normal(0, 0.05, (4, 2)))
    known = written(tmp_path, table, "--mice", 3, "--allocations", 1)  # no fewer can be asked of
    assert {*zip(known["mice"], known["allocations"], strict=True)} == {("3", "1")}
    named = table.rename(columns={"test_mouse": "animal"}).assign(mouse="one")
    words = "--mice", 3, "--allocations", 1, "--mouse", "animal"
    assert written(tmp_path, named, *words).equals(known)


def test_rows_without_an_auc_are_left_out_aloud(tmp_path, capsys):
    table = aucs(np.random.default_rng(0).normal(0, 0.05, (4, 3)))
    table.loc[table["valid_mouse"] == "v2", "auc"] = np.nan
    made = written(tmp_path, table, "--mice", 5)
    assert {*made["allocations"]} == {"2"} and "8 rows have no AUC" in capsys.readouterr().err


def test_as_many_mice_as_were_measured_are_among_the_numbers(tmp_path):
    made = written(tmp_path, aucs(np.random.default_rng(0).normal(0, 0.05, (7, 2))))
    assert {"7", "20"} <= {*made["mice"]}
    assert {*zip(made["a"], made["b"], strict=True)} == {
        ("a", "chance"),
        ("b", "chance"),
        ("a", "b"),
    }


@pytest.mark.parametrize(
    ("change", "words", "fault"),
    [
        (lambda t: t[t["test_mouse"] < "m2"], [], "AUCs of 2 test mice; a spread .* 3 or more"),
        (lambda t: t.assign(auc=np.nan), [], "auc.csv: no row has an AUC"),
        (lambda t: t.drop(columns="auc"), [], "auc.csv: no column auc"),
        (
            lambda t: t.drop(columns="test_mouse"),
            [],
            "auc.csv: no column test_mouse .*--mouse, of deco",
        ),
        (lambda t: t, ["--mouse", "animal"], "no column animal; .* of decoder, test_mouse"),
        (lambda t: t.replace("m1", ""), [], "4 rows have no value in column test_mouse; fill"),
        (lambda t: t.replace("m1", "m1+m9"), [], r"m1\+m9: allocations with several"),
        (lambda t: t[:-1], [], "decoder a and b do not share all"),
        (lambda t: t.drop(columns="valid_mouse"), [], "test_mouse m0 twice; choose rows"),
        (lambda t: t, ["--by", "model"], "no column model"),
        (lambda t: t, ["--only", "c"], "no decoder c"),
        (lambda t: t, ["--mice", 10, 2], "--mice 2: give 3 or more"),
        (lambda t: t, ["--allocations", 2, 0], "--allocations 0: give 1 or more"),
        (lambda t: t, ["--power", 80], "both lie between 0 and 1"),
        (
            lambda t: t.assign(protocol=[*["strict", "transductive"] * 8]),
            [],
            "different protocols",
        ),
    ],
)
def test_what_cannot_be_known_is_refused_in_one_line(tmp_path, change, words, fault):
    table = change(aucs(np.random.default_rng(0).normal(0, 0.05, (4, 2))))
    with pytest.raises(UserError, match=fault) as error:
        written(tmp_path, table, *words)
    assert "\n" not in str(error.value)


def test_power_and_level_may_be_others(tmp_path):
    table = pd.DataFrame({"mouse": [*"abc", *"abc"], "auc": [0.7, 0.8, 0.9, 0.72, 0.78, 0.9]})
    made = written(tmp_path, table, "--mice", 8, "--level", 0.01, "--power", 0.9)
    expected = np.std([0.71, 0.79, 0.9], ddof=1) * mouse_power.smallest_effect(8, 0.9, 0.01)
    assert made["smallest_difference"][0] == pytest.approx(expected, rel=1e-5)
