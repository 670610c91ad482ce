"""Allocations of cohorts: by hand, and what no number of mice may break."""

from __future__ import annotations

import itertools

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import told
from mesodecode.study import cohort_table
from mesodecode.study import study as studies

CONFIG = """
study: labs
recordings: {movie: "data/{session}.tif", behavior: "data/{session}.mat"}
decoders: {linear: {model: logistic_regression}}
"""
LABS = {"a": ["a1", "a2", "a3"], "b": ["b1", "b2", "b3"]}


def config(cohorts=LABS, how="across", **settings) -> dict:
    mice = {m: [f"{m}_s"] for members in cohorts.values() for m in members}
    counts = {"train": 1, "valid": 1, "choose": "each_test", "cohorts": how} | settings
    return yaml.safe_load(CONFIG) | {"mice": mice, "cohorts": cohorts, "allocation": counts}


def ids(*args, **settings) -> list[str]:
    return list(studies.resolve(config(*args, **settings)).allocations)


def refusal(changed: dict) -> str:
    return told.refusal(studies.resolve, changed)


def test_across_tests_each_mouse_within_its_cohort_and_from_the_other():
    assert ids() == [
        "train-a3.valid-a2.test-a1",
        "train-b2.valid-b1.test-a1",
        "train-a1.valid-a3.test-a2",
        "train-b3.valid-b2.test-a2",
        "train-a2.valid-a1.test-a3",
        "train-b1.valid-b3.test-a3",
        "train-a2.valid-a1.test-b1",
        "train-b3.valid-b2.test-b1",
        "train-a3.valid-a2.test-b2",
        "train-b1.valid-b3.test-b2",
        "train-a1.valid-a3.test-b3",
        "train-b2.valid-b1.test-b3",
    ]


def test_leave_out_takes_training_mice_of_the_other_cohorts_evenly():
    three = {"a": ["a1", "a2", "a3"], "b": ["b1", "b2"], "c": ["c1"]}
    # pools in turn, without a: b1 c1 b2; without b: a1 c1 a2 a3; without c: a1 b1 a2 b2 a3
    assert ids(three, "leave_out", train=2, choose="each_pair")[:3] == [
        "train-b2+c1.valid-b1.test-a1",
        "train-b1+c1.valid-b2.test-a1",
        "train-b1+b2.valid-c1.test-a1",  # only one cohort is left
    ]
    assert ids(three, "leave_out", train=2)[3:] == [
        "train-a2+c1.valid-a1.test-b1",
        "train-a2+a3.valid-c1.test-b2",
        "train-a2+b1.valid-a1.test-c1",
    ]


def test_mixed_trains_on_both_labs():
    found = studies.resolve(config(how="mixed", train=2, choose="each_pair")).allocations.values()
    assert len(found) == 6 * 5
    for one in found:
        assert {mouse[0] for mouse in one.train} == {"a", "b"}
    every = studies.resolve(config(how="mixed", train=2, choose="all")).allocations.values()
    # of four mice left, two and two or three and one: 2 x 2 or 3 x 1 pairs of both labs
    assert len(every) == 6 * (2 * 3 + 3 * 4)
    assert all({mouse[0] for mouse in one.train} == {"a", "b"} for one in every)


def test_mixed_goes_round_the_cohorts_in_turn():
    # the ring is a1 b1 a2 b2 a3 b3, from the test mouse on
    assert ids(how="mixed") == [
        "train-a2.valid-b1.test-a1",
        "train-a3.valid-b2.test-a2",
        "train-a1.valid-b3.test-a3",
        "train-b2.valid-a2.test-b1",
        "train-b3.valid-a3.test-b2",
        "train-b1.valid-a1.test-b3",
    ]


def test_training_mice_follow_the_last_of_several_that_validate():
    four = {"a": ["a1", "a2", "a3"], "b": ["b1", "b2", "b3", "b4"]}
    found = [one for one in ids(four, "leave_out", valid=2, choose="each_pair") if "test-a1" in one]
    assert found == [
        "train-b3.valid-b1+b2.test-a1",
        "train-b4.valid-b1+b3.test-a1",
        "train-b2.valid-b1+b4.test-a1",
        "train-b4.valid-b2+b3.test-a1",
        "train-b1.valid-b2+b4.test-a1",
        "train-b1.valid-b3+b4.test-a1",
    ]


@given(
    st.lists(st.integers(3, 5), min_size=2, max_size=3),
    st.sampled_from(["leave_out", "across", "mixed"]),
    st.sampled_from(["all", "each_pair", "each_test"]),
    st.integers(1, 2),
    st.booleans(),
)
def test_no_mouse_has_two_roles_and_cohorts_are_kept_apart(sizes, how, choose, test, shuffled):
    cohorts = {n: [f"{n}{i}" for i in range(size)] for n, size in zip("abc", sizes, strict=False)}
    changed = config(cohorts, how, choose=choose, test=test if how != "across" else 1)
    if shuffled:  # mice stand in another order than cohorts
        changed["mice"] = dict(reversed(changed["mice"].items()))
    study = studies.resolve(changed)
    order = list(study.mice)
    tested = set()
    for name, one in study.allocations.items():
        roles = (one.train, one.valid, one.test)
        assert len(set(itertools.chain(*roles))) == sum(map(len, roles))
        assert name == one.id and all(list(r) == sorted(r, key=order.index) for r in roles)
        known, new = ({m[0] for m in role} for role in (one.train + one.valid, one.test))
        assert how != "leave_out" or (known.isdisjoint(new) and len(new) == 1)
        assert how != "across" or (len(known) == len(new) == 1)
        tested.update(one.test)
    assert tested == set(study.mice)


def test_cohorts_that_allocations_do_not_know_of_change_none():
    plain = config(how=None, train=2, choose="all")
    del plain["cohorts"], plain["allocation"]["cohorts"]
    assert ids(how=None, train=2, choose="all") == list(studies.resolve(plain).allocations)


def test_mice_may_be_numbers_and_be_excluded():
    cohorts = {"one": [1, 2, 3], 2: [4, 5, 6, 7]}
    changed = config({}, "across") | {"cohorts": cohorts, "exclude": {7: "blind"}}
    changed["mice"] = {n: [f"s{n}"] for n in range(1, 8)}
    study = studies.resolve(changed)
    assert study.config["cohorts"] == {"one": ["1", "2", "3"], "2": ["4", "5", "6", "7"]}
    assert "train-1.valid-2.test-4" not in study.allocations  # the ring of one begins at 1
    assert "train-2.valid-1.test-4" in study.allocations
    assert not any("7" in name for name in study.allocations)
    assert cohort_table.cohorts_of(["5", "1"], study.config["cohorts"]) == ("one", "2")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cohorts": {"a": ["a1", "a2", "a3", "x"], "b": LABS["b"]}},
         "config: cohorts.a: mouse 'x' is none of `mice:`; known: a1, a2, a3, b1, b2, b3"),
        ({"cohorts": {"a": [*LABS["a"], "b1"], "b": LABS["b"]}},
         "config: cohorts.b: mouse 'b1' is in cohort 'a' too; a mouse is of one cohort"),
        ({"cohorts": {"a": [*LABS["a"], "a1"], "b": LABS["b"]}},
         "config: cohorts.a: mouse 'a1' is twice; a mouse is of one cohort"),
        ({"cohorts": {"a": LABS["a"]}},
         "config: cohorts: mouse 'b1' is in none of a; add it to one, or take it out of `mice:`"),
        ({"cohorts": {"a+b": [*LABS["a"], *LABS["b"]]}}, "cohorts: 'a+b' is not a cohort's name"),
        ({"cohorts": {}},
         "config: allocation.cohorts: across, but there are no cohorts; name them in `cohorts:`"),
        ({"cohorts": {"all": [*LABS["a"], *LABS["b"]]}},
         "config: allocation.cohorts: across needs two or more cohorts in `cohorts:`"),
        ({"exclude": {"a1": "blind"}},
         "config: cohorts.a: 2 in all, fewer than allocation.train + valid + test = 1 + 1 + 1"),
        ({"exclude": {m: "blind" for m in LABS["b"]}},
         "config: cohorts.b: all its mice are excluded"),
        ({"allocation": {"cohorts": "leave_out"}},
         "without a, which is left out in turn, 3 mice are left, fewer than allocation.train + "
         "valid = 3 + 1"),
        ({"allocation": {"cohorts": "leave_out", "train": 1, "test": 4}},
         "config: cohorts.a: 3 in all, fewer than allocation.test = 4"),
        ({"allocation": {"cohorts": "mixed", "train": 6}}, "config: mice: 6 in all, fewer than"),
        ({"allocation": {"cohorts": "mixed", "train": 1, "choose": "shared_pairs"}},
         "shared_pairs is not for cohorts: mixed; take each_pair"),
        ({"allocation": {"cohorts": "apart"}}, "allocation.cohorts: 'apart' is not one of"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(change, words):
    said = refusal(config() | change)
    assert words in said and "\n" not in said
