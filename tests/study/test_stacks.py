"""Which decoders train side by side, and that another mouse changes none that did."""

from __future__ import annotations

import pytest

from mesodecode.study import stacks
from mesodecode.study import study as studies

ROI = {"input": "rois", "rnn": "gru"}


def study(mice="12345", choose="all", allocation=None, **decoders):
    return studies.resolve(
        {
            "study": "s",
            "recordings": {key: "{session}.mat" for key in ("movie", "behavior", "rois")},
            "mice": {mouse: [f"{mouse}a", f"{mouse}b"] for mouse in mice},
            "allocation": {"choose": choose} | (allocation or {}),
            "decoders": decoders or {"gru": ROI},
        }
    )


def groups(mice="12345", choose="all", allocation=None, **decoders):
    found = study(mice, choose, allocation, **decoders)
    groups = stacks.groups_of(found.decoders, found.allocations.values(), list(found.mice))
    return {key: [(name, "".join(mice)) for name, mice in each] for key, each in groups.items()}


def test_sets_among_the_mice_of_an_allocation_are_one_group_and_others_go_with_their_newest_mouse():
    first = ("123", "124", "125", "134", "135", "145", "234", "235", "245", "345")
    assert groups() == {("gru", "5"): [("gru", s) for s in first]}
    new = ("126", "136", "146", "156", "236", "246", "256", "346", "356", "456")
    assert groups("1234567")["gru", "6"] == [("gru", s) for s in new]


def test_the_newest_mouse_is_the_last_of_the_config_whatever_its_name():
    assert list(groups("7654321")) == [("gru", "3"), ("gru", "2"), ("gru", "1")]


def test_fewer_mice_an_allocation_make_the_first_group_smaller():
    found = groups("12345", allocation={"train": 2, "valid": 1, "test": 1})
    assert found["gru", "4"] == [("gru", s) for s in ("12", "13", "14", "23", "24", "34")]
    assert found["gru", "5"] == [("gru", s) for s in ("15", "25", "35", "45")]


def test_a_study_without_allocations_has_no_groups():
    """As one that only repeats the tests of a published table."""
    assert stacks.fewest_mice([]) == 0 and stacks.groups_of({}, [], []) == {}


@pytest.mark.parametrize("choose", ["all", "each_test"])
def test_another_mouse_adds_groups_and_changes_none_of_all_allocations(choose):
    before, after = groups("12345", choose), groups("123456", choose)
    new = {key for key in after if key[1] == "6"}
    assert new and new == after.keys() - before.keys()
    if choose == "all":
        assert {key: after[key] for key in before} == before
        assert len(after["gru", "6"]) == 10


def test_seeds_and_permuted_labels_of_a_line_train_together():
    found = groups(
        gru=ROI,
        lstm=ROI | {"rnn": "lstm"},
        null={"like": "gru", "labels": "permuted_between_sessions"},
        seed={"like": "gru", "seed": 9},
        wide={"like": "gru", "half_window": 20},
    )
    assert {line for line, _ in found} == {"gru", "lstm", "wide"}
    names = [name for name, _ in found["gru", "5"]]
    assert names == 10 * ["gru"] + 10 * ["null"] + 10 * ["seed"]


@pytest.mark.parametrize(
    "settings",
    [
        {"rnn": "rnn"},
        {"bidirectional": True},
        {"half_window": 16},
        {"shift": 1},
        {"baseline": 900},
        {"normalise": "zscore"},
        {"causal": True},
        {"rois": [1, 2]},
        {"hidden_size": 31},
        {"num_layers": 2},
        {"dropout": 0.1},
        {"label_smoothing": 0},
        {"epochs": 29},
        {"batch_size": 255},
        {"max_lr": 0.002},
        {"schedule": "one_cycle"},
        {"frame_step": 2},
        {"ema_decay": 0.9},
    ],
    ids=str,
)
def test_decoders_of_other_settings_are_another_line(settings):
    found = study(gru=ROI, other=ROI | settings, seed=ROI | settings | {"seed": 2})
    assert stacks.lines_of(found.decoders) == {"gru": "gru", "other": "other", "seed": "other"}


def test_decoders_of_a_variant_are_another_line():
    """Their ROI signals are of other movies: they share no data on the GPU."""
    found = studies.resolve(
        {
            "study": "s",
            "recordings": {
                "movie": "{session}.tif",
                "behavior": "{session}.mat",
                "roi_masks": "masks.npy",
            },
            "mice": {mouse: [f"{mouse}a"] for mouse in "12345"},
            "decoders": {"gru": ROI, "seed": {"like": "gru", "seed": 9}},
            "variants": {"dff": {"corrections": {"dff": "mean"}, "decoders": ["gru", "seed"]}},
        }
    )
    lines = {"gru": "gru", "seed": "gru", "gru_dff": "gru_dff", "seed_dff": "gru_dff"}
    assert stacks.lines_of(found.decoders) == lines


def test_what_trains_alone():
    found = study(
        gru=ROI,
        tcn=ROI | {"rnn": "tcn"},
        mixed=ROI | {"precision": "mixed"},
        drop=ROI | {"drop": True},
        ridge={"input": "rois", "model": "ridge"},
    )
    assert [name for name, d in found.decoders.items() if stacks.may_stack(d)] == ["gru"]
