"""All checks of a map as a table, of evidence that is made up: values, limits and numbers in words.

Spearman's correlation of two rankings of six is 1 - 6 Σd² / 210.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

from make_tables import checked
from mesodecode.explain import map_verdicts
from tabled import as_tabled
from texts import as_read

REAL = checked().real
PLANTED = [[[1.0, 0, 0, 0, np.nan, 0], [0, 1, 0, 0, np.nan, 0]]] * 3  # one leads, one lags
TIMED = {
    "size": np.stack([REAL, REAL], 1) / 2,
    "signed": np.stack([REAL, REAL], 1) * [1, -1, 1, -1, 1, -1],
    "told": np.stack([REAL[:, ::-1]] * 2, 1),  # what the planted ones tell is least
    "planted_times": np.array(PLANTED),
    "planted_signs": np.array([[1, -1, *[np.nan] * 4]] * 3),
    "noisy": np.stack([REAL, 1.125 * REAL, 0.75 * REAL], 1),
}
MADE = {
    "planted truth": ("pass", 1, 1, "2 3 1.00 0.40 0.94 0.56 1.00"),
    "random weights": ("pass", -1 / 35, 0.5, "-0.03 3 0.5 1.00"),
    "permuted labels": ("pass", -27 / 35, 0.5, "-0.77 3 0.5 1.00"),
    "deletion": ("flag", -0.05, 0, "-0.05 25 75 1 2"),
    "allocations": ("pass", 27 / 35, 0.3, "0.77 0.89 -0.03 0.30"),
    "seeds": ("pass", 101 / 105, 0.3, "2 0.96 -0.03 0.30"),
    "mice": ("not made", np.nan, np.nan, "2"),
    "noise": ("pass", 0.1875, 0.2, "19 25 1.00 2 3 20"),
    "sparseness": ("flag", 5 / 18, 5 / 18, "0.28 0 0.28"),
    "deletion one by one": ("pass", 0.85, 0, "0.85 0 2"),
    "deletion by sign": ("flag", -0.7, 0, "-0.70 2 2"),
    "planted times": ("flag", 16 / 57, 16 / 57, "0.281 0.281 0.200 0.50 0.50"),
    "planted signs": ("pass", 1, 1, "2 1 1"),
}
# of areas maps that know nothing are told by where they lie
AREAS = {
    "random weights": ("pass", 19 / 63, 16 / 63, "0.30 0.13 3 0.25 -0.03 1.00"),
    "permuted labels": ("pass", 3 / 7, 16 / 63, "0.43 0.13 3 0.25 -0.77 1.00"),
}
ALONE = dict.fromkeys(MADE, ("not made", np.nan, np.nan, ""))
ALONE |= {name: MADE[name] for name in ("random weights", "sparseness")}
ALONE |= {"mice": (*ALONE["mice"][:3], "1"), "noise": (*ALONE["noise"][:3], "0")}
del ALONE["planted times"], ALONE["planted signs"]
NOTHING = {name: np.empty((3, 0)) for name in ("auc", "moved", "apart")}
NOTHING |= {f"{name}_random": np.empty((3, 2, 0)) for name in NOTHING}
NOTHING |= {"null": None, "seeds": (), "planted": np.zeros((3, 6)), "mice": np.array(["d"] * 3)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [(TIMED, MADE), (TIMED | {"kind": "area"}, MADE | AREAS), (NOTHING, ALONE)],
    ids=["ROIs", "areas", "nothing beside the maps"],
)
def test_every_check_has_its_value_limit_and_words(change, expected, request):
    table = map_verdicts.table(checked(**change))
    as_tabled(table, f"checks_{request.node.callspec.id.replace(' ', '_')}")
    table = table.set_index("check")
    assert [*table.index] == [*expected] and (table["n"] == 3).all()
    for name, (verdict, value, limit, numbers) in expected.items():
        row = table.loc[name]
        assert row["verdict"] == verdict, name
        assert row[["value", "limit"]].tolist() == pytest.approx([value, limit], nan_ok=True), name
        assert " ".join(re.findall(r"-?\d+(?:\.\d+)?", as_read(row["sentence"]))) == numbers, name


def test_a_map_that_is_the_same_whatever_was_learned_is_flagged():
    same = np.tile(REAL[:1], (3, 1))  # none differ: nothing lies elsewhere, in no pair of them
    given = {"kind": "area", "real": same, "randomised": same, "null": same}
    table = map_verdicts.table(checked(**given)).set_index("check")
    rows = table.loc[["random weights", "permuted labels"], ["verdict", "value", "limit"]]
    assert rows.to_numpy().tolist() == [["flag", 0, 0]] * 2


@pytest.mark.parametrize(
    ("own", "drawn", "verdict"),
    [(0.25, 0.0, "pass"), (0.25, 0.25, "flag"), (-0.25, -0.5, "flag"), (0.0, -0.5, "flag")],
)
def test_signs_drive_the_output_apart_the_right_way_and_farther_than_any_exchanged(
    own, drawn, verdict
):
    change = {"apart": np.full((3, 2), own), "apart_random": np.full((3, 4, 2), drawn)}
    table = map_verdicts.table(checked(**change)).set_index("check")
    assert tuple(table.loc["deletion by sign", ["verdict", "value"]]) == (verdict, own)
    if verdict == "pass":
        assert table.loc["deletion by sign", "sentence"] == (
            "Without the ROIs that speak for rest, by the signed map of other mice, the output is "
            "above that without those that speak for run: 0.25 logits apart on average, with the "
            "maps of ROIs exchanged as far in 0 of 4 draws."
        )


def test_an_auc_that_falls_faster_than_in_any_random_order_is_said_with_its_numbers():
    change = {"auc": np.full((3, 2), 0.25), "auc_random": np.full((3, 4, 2), 0.75)}
    row = map_verdicts.table(checked(**change)).set_index("check").loc["deletion"]
    assert (row["verdict"], row["value"]) == ("pass", 0.5)
    assert row["sentence"] == (
        "Without the ROIs on top of the map of other mice the AUC falls faster than without random "
        "ROIs: by 0.50 on average while 25% to 75% are removed, in none of 4 random orders as fast."
    )


def test_what_is_planted_in_some_mice_alone_is_no_truth():
    planted = np.array([[1, 1, 0, 0, np.nan, 0], [1, 0, 0, 1, np.nan, 0], [1, 1, 0, 0, np.nan, 0]])
    found = checked(planted=planted, planted_times=np.stack([planted, 1 - planted], 1))
    np.testing.assert_array_equal(found.truth, [1, np.nan, 0, np.nan, np.nan, 0])
    same = [[1, np.nan, 0, np.nan, np.nan, 0], [0, np.nan, 1, np.nan, np.nan, 1]]
    np.testing.assert_array_equal(found.true_times, same)
    signs = checked(planted_signs=np.array([[1, 1, -1, -1], [1, -1, -1, 1], [1, 1, -1, -1]]))
    np.testing.assert_array_equal(signs.true_signs, [1, np.nan, -1, np.nan])


def test_areas_that_are_missed_are_counted_by_what_they_tell_of_states_too():
    truth = np.tile([0, 0, 0, 1, np.nan, 1], (3, 1))
    told = np.stack([REAL[:, ::-1]] * 2, 1)
    (row, *_) = map_verdicts.table(checked(planted=truth, told=told)).to_dict("records")
    assert (row["verdict"], row["limit"]) == ("flag", 1)
    assert "0 of 2 planted ROIs are among the 2 highest of 5" in as_read(row["sentence"])
    assert "By the size of in_run - in_rest, 2 of 2 are (average precision 1.00)" in row["sentence"]


@pytest.mark.parametrize(("n", "verdict"), [(4, "not made"), (5, "pass")])
def test_ranks_of_four_units_say_too_little(n, verdict):
    few = {
        name: getattr(checked(), name)[:, :n] for name in ("real", "randomised", "null", "planted")
    }
    seeds = tuple(one[:, :n] for one in checked().seeds)
    given = few | {"units": tuple("123456"[:n]), "seeds": seeds}
    table = map_verdicts.table(checked(**given)).set_index("check")["verdict"]
    ranked = ["random weights", "permuted labels", "allocations", "seeds"]
    assert {*table[ranked]} == {verdict} and table["planted truth"] == "pass"
