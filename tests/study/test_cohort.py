"""The cohort: allocations, the checks of a config, and what the module may import."""

from __future__ import annotations

import copy
import itertools
import json
import math
import subprocess
import sys
from collections import Counter

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from snakemake.utils import update_config

from make import ROOT
from mesodecode.base.files import UserError
from mesodecode.study import config_file, decoder_table, schema
from mesodecode.study import study as studies
from mesodecode.study.allocation import Allocation
from mesodecode.study.mouse_allocations import allocate

STUDY = """
study: lab
recordings:
  movie: data/{session}.tif
  behavior: data/{session}.mat
mice:
  a: [a1, a2]
  b: [b1]
  c: [c1]
  d: [d1]
  e: [e1]
decoders:
  linear: {model: logistic_regression}
  cnn: {epochs: 7}
  gru: {start_from: cnn, rnn: gru}
comparisons:
  all: {decoders: [linear, cnn, gru]}
"""


def study_with(path: str = "", value=None) -> dict:
    """The config above, with the key at the dotted `path` set; an empty path changes nothing."""
    config = yaml.safe_load(STUDY)
    *parents, last = path.split(".")
    table = config
    for key in parents:
        table = table[key]
    if path:
        table[last] = value
    return config


def error_of(function, *args) -> str:
    with pytest.raises(UserError) as caught:
        function(*args)
    return str(caught.value)


def ids(mice, **counts) -> list[str]:
    return [allocation.id for allocation in allocate(mice, **counts)]


# Allocations


def test_five_mice_have_the_twenty_published_allocations():
    found = ids("12345")
    assert len(found) == len(set(found)) == 20
    # every ordered pair of a test and a validation mouse; the other three train
    assert found[0] == "train-3+4+5.valid-2.test-1"
    assert found[1] == "train-2+4+5.valid-3.test-1"
    assert found[4] == "train-3+4+5.valid-1.test-2"
    assert found[10] == "train-1+2+5.valid-4.test-3"
    assert found[19] == "train-1+2+3.valid-4.test-5"


def test_each_test_lets_every_mouse_test_once():
    # the next mouse validates, the next three train; a role's mice in the order of the config
    assert ids("12345", choose="each_test") == [
        "train-3+4+5.valid-2.test-1",
        "train-1+4+5.valid-3.test-2",
        "train-1+2+5.valid-4.test-3",
        "train-1+2+3.valid-5.test-4",
        "train-2+3+4.valid-1.test-5",
    ]


def test_each_pair_trains_on_the_mice_that_follow_the_validation_mouse():
    # five mice in a ring, two train: for test 1 and validation 4 these are 5 and, past 1, 2
    assert ids("12345", train=2, choose="each_pair") == [
        "train-3+4.valid-2.test-1",
        "train-4+5.valid-3.test-1",
        "train-2+5.valid-4.test-1",
        "train-2+3.valid-5.test-1",
        "train-3+4.valid-1.test-2",
        "train-4+5.valid-3.test-2",
        "train-1+5.valid-4.test-2",
        "train-1+3.valid-5.test-2",
        "train-2+4.valid-1.test-3",
        "train-4+5.valid-2.test-3",
        "train-1+5.valid-4.test-3",
        "train-1+2.valid-5.test-3",
        "train-2+3.valid-1.test-4",
        "train-3+5.valid-2.test-4",
        "train-1+5.valid-3.test-4",
        "train-1+2.valid-5.test-4",
        "train-2+3.valid-1.test-5",
        "train-3+4.valid-2.test-5",
        "train-1+4.valid-3.test-5",
        "train-1+2.valid-4.test-5",
    ]


def trained(allocations, *, test: str | None = None) -> Counter:
    chosen = [a for a in allocations if test is None or test in a.test]
    return Counter(mouse for a in chosen for mouse in a.train)


def test_training_mice_of_a_pair_follow_the_last_of_several_that_validate():
    found = ids("12345", train=1, valid=2, choose="each_pair")
    assert [one for one in found if "test-1" in one] == [
        "train-4.valid-2+3.test-1",
        "train-5.valid-2+4.test-1",
        "train-3.valid-2+5.test-1",
        "train-5.valid-3+4.test-1",
        "train-2.valid-3+5.test-1",
        "train-2.valid-4+5.test-1",
    ]
    assert "train-2.valid-1+4.test-3" in found  # 4, 5, 1, 2 follow mouse 3: 1 is the last


@given(st.integers(5, 20), st.integers(1, 3), st.randoms())
def test_each_pair_trains_all_mice_equally_often(n, train, random):
    mice = [f"m{i}" for i in range(n)]
    random.shuffle(mice)
    found = allocate(mice, train=train, choose="each_pair")
    assert len(found) == n * (n - 1)
    assert trained(found) == dict.fromkeys(mice, train * (n - 1))
    for mouse in mice:  # beside each test mouse too: its AUCs do not hang on a few training mice
        others = [m for m in mice if m != mouse]
        assert trained(found, test=mouse) == dict.fromkeys(others, train)


def test_twenty_mice_have_380_pairs_of_which_a_new_mouse_changes_sixty():
    mice = [f"m{i}" for i in range(20)]
    before, after = allocate(mice, choose="each_pair"), allocate([*mice, "x"], choose="each_pair")
    assert (len(before), len(after)) == (380, 420)
    roles = {(a.valid, a.test): set(a.train) for a in after}
    changed = [a for a in before if roles[a.valid, a.test] != set(a.train)]
    assert len(changed) == 3 * 20
    # as many pairs as the new mouse must train, each with one mouse exchanged for it
    assert all(roles[a.valid, a.test] - set(a.train) == {"x"} for a in changed)
    assert trained(after)["x"] == 60


def test_shared_pairs_train_on_the_three_after_the_validation_or_the_test_mouse():
    # the first twelve of seven mice in a ring
    assert ids("1234567", choose="shared_pairs")[:12] == [
        "train-3+4+5.valid-2.test-1",
        "train-4+5+6.valid-3.test-1",
        "train-5+6+7.valid-4.test-1",
        "train-2+3+4.valid-5.test-1",  # 6, 7 and 1, which tests
        "train-2+3+4.valid-6.test-1",
        "train-2+3+4.valid-7.test-1",
        "train-3+4+5.valid-1.test-2",
        "train-4+5+6.valid-3.test-2",
        "train-5+6+7.valid-4.test-2",
        "train-1+6+7.valid-5.test-2",
        "train-3+4+5.valid-6.test-2",
        "train-3+4+5.valid-7.test-2",
    ]


@pytest.mark.parametrize("n", [7, 8, 20])
def test_shared_pairs_have_as_few_sets_of_training_mice_as_mice(n):
    mice = [f"m{i}" for i in range(n)]
    found = allocate(mice, choose="shared_pairs")
    assert sorted((a.valid + a.test) for a in found) == sorted(itertools.permutations(mice, 2))
    assert len({a.train for a in found}) == n  # 20; each_pair has 60
    assert len({a.train for a in allocate(mice, choose="each_pair")}) == 3 * n
    assert trained(found) == dict.fromkeys(mice, 3 * (n - 1))  # 57 of 20 mice
    assert all(set(a.train).isdisjoint(a.valid + a.test) for a in found)


def test_a_new_mouse_brings_three_sets_of_shared_pairs():
    mice = [f"m{i}" for i in range(20)]
    before, after = (
        {a.train for a in allocate(m, choose="shared_pairs")} for m in (mice, [*mice, "x"])
    )
    assert len(before & after) == 18
    assert [("x" in train) for train in after - before] == [True] * 3


@pytest.mark.parametrize(
    ("mice", "counts"),
    [
        ("123456", {}),
        ("12345678", {"train": 2}),
        ("12345678", {"valid": 2}),
        ("12345678", {"test": 2}),
    ],
)
def test_shared_pairs_are_refused_where_they_are_not_defined(mice, counts):
    with pytest.raises(UserError, match=r"allocation.choose: shared_pairs is for 7 or more mice"):
        allocate(mice, choose="shared_pairs", **counts)


COUNTS = st.tuples(*[st.integers(1, 3)] * 3, st.integers(0, 2)).filter(lambda n: sum(n) <= 7)


@given(COUNTS, st.sampled_from(["all", "each_pair", "each_test"]), st.randoms())
def test_roles_are_disjoint_full_and_counted(counts, choose, random):
    train, valid, test, spare = counts
    n = train + valid + test + spare
    mice = [f"m{i}" for i in range(n)]
    random.shuffle(mice)
    found = allocate(mice, train=train, valid=valid, test=test, choose=choose)
    for allocation in found:
        assert (len(allocation.train), len(allocation.valid), len(allocation.test)) == counts[:3]
        roles = allocation.train + allocation.valid + allocation.test
        assert len(set(roles)) == len(roles) and set(roles) <= set(mice)
    names = [a.id for a in found]
    pairs = math.comb(n, test) * math.comb(n - test, valid)
    number = {"all": pairs * math.comb(n - test - valid, train), "each_pair": pairs, "each_test": n}
    assert len(set(names)) == len(names) == number[choose]
    # the same split has the same id whatever chose it, so that its results are found again
    assert set(names) <= set(ids(mice, train=train, valid=valid, test=test))
    if choose == "each_test":
        tested = Counter(mouse for a in found for mouse in a.test)
        assert tested == dict.fromkeys(mice, test)


@pytest.mark.parametrize("mouse", range(6))
def test_ids_stay_valid_when_a_mouse_is_added_anywhere(mouse):
    six = list("123456")
    five = [m for m in six if m != six[mouse]]
    before, after = ids(five), ids(six)
    assert (len(before), len(after)) == (20, 120)
    assert set(before) <= set(after)


def test_number_of_pairs_and_tests_of_six_mice():
    assert len(ids("123456", choose="each_pair")) == 6 * 5
    assert len(ids("123456", choose="each_test")) == 6


@pytest.mark.parametrize(
    "roles",
    [
        (("1", "2"), ("3",), ("1",)),
        (("1", "2"), ("2",), ("3",)),
        (("1",), ("3",), ("3",)),
        (("1", "1"), ("2",), ("3",)),
    ],
)
def test_a_mouse_with_two_roles_is_refused(roles):
    message = error_of(Allocation, *roles)
    assert "two roles" in message and "train-1" in message


def test_too_few_mice():
    message = error_of(allocate, ["1", "2", "3", "4"])
    assert message.startswith("config: mice: 4 in all, fewer") and "3 + 1 + 1" in message


# Published and demo configs


def test_published_study():
    study = studies.load(ROOT / "config.yaml")
    assert {mouse: len(sessions) for mouse, sessions in study.mice.items()} == {
        "1": 11,
        "2": 12,
        "3": 14,
        "4": 15,
        "5": 12,
    }
    assert len(study.mouse_of) == 64
    assert len(study.allocations) == 20
    # the mouse of a session is written in its name: imaging window left+right, none, right, left
    tags = {mouse: {s.split("Emx1G6_")[1] for s in names} for mouse, names in study.mice.items()}
    assert tags == {"1": {"LR_1"}, "2": {"non_1"}, "3": {"R_1"}, "4": {"L_1"}, "5": {"non_1"}}
    assert all(name.startswith("201803") or name.startswith("201804") for name in study.mice["5"])
    assert study.mouse_of["20180216_Emx1G6_non_1"] == "2"
    assert study.decoders["cnn"].settings["backbone"] == "tf_efficientnet_b0.in1k"
    assert study.decoders["cnn_lstm"].settings == study.decoders["cnn_gru"].settings | {
        "rnn": "lstm"
    }


def test_what_a_map_is_checked_with_is_checked():
    config = study_with("decoders", {"gru": {"input": "rois", "rnn": "gru"}})
    config["recordings"]["rois"] = "data/{session}_roi.mat"
    config["comparisons"] = {}
    config["importance"] = {"m": {"decoder": "gru", "checks": {"draws": 40}}}
    checks = studies.resolve(copy.deepcopy(config)).config["importance"]["m"]["checks"]
    assert checks == {"frames": 500, "draws": 40, "noise_draws": 0}
    for wrong in ({"frame": 9}, {"frames": 1}, {"draws": 0}):
        config["importance"]["m"]["checks"] = wrong
        with pytest.raises(UserError, match=r"^config: importance\.m\.checks"):
            studies.resolve(copy.deepcopy(config))


def test_demo_is_simulated():
    study = studies.load(ROOT / "demo.yaml")
    assert list(study.mice) == ["m1", "m2", "m3", "m4", "m5"]
    assert study.source("movie", "m3_s2") == "results/demo/simulated/m3_s2.tif"
    assert study.source("behavior", "m3_s2") == "results/demo/simulated/m3_s2_behavior.mat"
    assert study.source("rois", "m3_s2") == "results/demo/simulated/m3_s2_roi.mat"
    # run shares of the published mice, by mouse in order
    shares = [study.run_share(f"m{i}_s1") for i in range(1, 6)]
    assert shares == [0.36, 0.66, 0.65, 0.58, 0.80]


def test_run_shares_repeat_for_further_mice():
    config = study_with("simulate", {"run_shares": [0.2, 0.7]})
    study = studies.resolve(config)
    assert [study.run_share(s) for s in ("a2", "b1", "c1", "d1")] == [0.2, 0.7, 0.2, 0.7]


def test_a_mouse_of_the_simulation_can_differ_from_the_others():
    config = study_with("simulate", {"photons": 50, "by_mouse": {"b": {"rotation": 15}}})
    study = studies.resolve(config)
    made = {s: study.simulation(s) for s in ("a2", "b1")}
    assert [made[s]["rotation"] for s in made] == [0, 15]
    assert [made[s]["photons"] for s in made] == [50, 50]


# What a good config becomes


def test_defaults_fill_in():
    study = studies.resolve(study_with())
    config = study.config
    counts = {"train": 3, "valid": 1, "test": 1}
    assert config["allocation"] == counts | {"choose": "all", "cohorts": None}
    assert config["recordings"]["frame_rate"] == 30
    assert config["recordings"]["speed_threshold"] == 0.5
    assert config["recordings"]["rois"] is None and config["image_size"] is None
    assert (config["threads"], config["device"], config["note"]) == (4, "auto", "")
    assert config["comparisons"]["all"] == {
        "decoders": ["linear", "cnn", "gru"],
        "tests": ["rank_sum"],
        "correction": "holm",
        "across_protocols": False,
    }
    cnn = study.decoders["cnn"]
    assert cnn.kind == "cnn"
    assert cnn.settings == {
        "input": "images",
        "backbone": "tf_efficientnet_b0.in1k",
        "pretrained": "imagenet",
        "epochs": 7,  # the one that is given
        "batch_size": 512,
        "max_lr": 0.001,
        "frame_step": 1,
        "causal": False,
        "normalise_from": "past",
        "warm_up": 5,
        "seed": 2021,
        "labels": "own",
        # What goes beyond the published protocol is off.
        "early_stopping": None,
        "ema_decay": 0,
        "precision": "float32",
        "augment_shift": 0,
        "augment_rotation": 0,
        "augment_intensity": 0,
        "baseline": None,
    }
    gru = study.decoders["gru"]
    assert gru.kind == "cnn_rnn"
    assert (gru.settings["half_window"], gru.settings["hidden_size"]) == (5, 128)
    assert study.decoders["linear"].kind == "linear"


def test_features_of_a_frozen_cnn_are_not_augmented():
    config = study_with()
    config["decoders"]["gru"] |= {"cnn_weights": "frozen", "augment_shift": 0.1}
    with pytest.raises(UserError, match=r"decoders\.gru\.augment_shift: a frozen CNN"):
        studies.resolve(config)
    config["decoders"]["gru"]["cnn_weights"] = "finetuned"
    assert studies.resolve(config).decoders["gru"].settings["augment_shift"] == 0.1


def test_a_tcn_has_no_directions():
    config = study_with()
    config["decoders"]["gru"] |= {"rnn": "tcn", "bidirectional": True}
    with pytest.raises(UserError, match=r"decoders\.gru\.bidirectional: a tcn reads both"):
        studies.resolve(config)


def test_given_config_is_not_changed():
    config = study_with()
    before = copy.deepcopy(config)
    studies.resolve(config)
    assert config == before


def test_corrections_and_thresholds_are_filled_in():
    config = study_with("corrections", {"motion": True, "brain_mask": "{mouse}/{session}.png"})
    study = studies.resolve(config | {"qc": {"drift": [0.5, 2]}})
    assert study.config["corrections"] == schema.defaults("corrections") | config["corrections"]
    assert study.config["qc"] == schema.defaults("qc") | {"drift": [0.5, 2]}
    assert study.source("brain_mask", "a1") == "a/a1.png"
    assert study.source("dark_frame", "a1") is None
    one = studies.resolve(study_with("corrections", {"brain_mask": "brain.png"}))
    assert one.source("brain_mask", "a1") == "brain.png"  # of all sessions
    masks = {"recordings": config["recordings"] | {"roi_masks": "m.tif"}}
    both = config | masks | {"corrections": {"binning": 2}}
    assert "do not go together" in error_of(studies.resolve, both)


def test_paths_of_a_session():
    study = studies.resolve(study_with("recordings.behavior", "data/{mouse}/{session}.mat"))
    assert study.source("movie", "a2") == "data/a2.tif"
    assert study.source("behavior", "a2") == "data/a/a2.mat"
    assert study.source("rois", "a2") is None


@pytest.mark.parametrize(
    ("change", "harmonised"),
    [({}, False), ({"frame_rate": 10}, True), ({"areas": "common"}, True)],
)
def test_recordings_are_brought_to_one_rate_or_one_set_of_areas_if_asked(change, harmonised):
    config = study_with("recordings.rois", "{session}_roi.csv") | change
    config["decoders"]["roi"] = {"input": "rois", "rnn": "gru"}
    assert studies.resolve(config).harmonised == harmonised


def test_the_table_of_allocations_is_a_line_each():
    lines = studies.resolve(study_with()).allocation_table().split("\n")
    assert lines[0] == "allocation\ttrain_mice\tvalid_mouse\ttest_mouse"
    assert "train-a+b+c.valid-d.test-e\ta+b+c\td\te" in lines and len(lines) == 1 + 20


def test_sessions_of_roles():
    study = studies.resolve(study_with())
    with pytest.raises(UserError, match="no allocation 'train-a' of these mice"):
        study.sessions("train-a", "test")
    name = "train-a+b+d.valid-c.test-e"
    assert study.sessions(name, "train") == ["a1", "a2", "b1", "d1"]
    assert study.sessions(name, "test", "valid") == ["e1", "c1"]


def test_like_inherits_through_two_steps_and_the_nearest_wins():
    config = study_with()
    config["decoders"] |= {
        "b": {"like": "c", "hidden_size": 64},
        "c": {"like": "gru", "hidden_size": 32, "half_window": 2},
    }
    study = studies.resolve(config)
    expected = study.decoders["gru"].settings
    assert study.decoders["c"].settings == expected | {"hidden_size": 32, "half_window": 2}
    assert study.decoders["b"].settings == expected | {"hidden_size": 64, "half_window": 2}


def test_number_of_a_mouse_is_its_name(tmp_path):
    text = STUDY.replace("a: [", "1: [").replace("b: [b1]", "20: [b1]")
    (tmp_path / "c.yaml").write_text(text)
    study = studies.load(tmp_path / "c.yaml")
    assert list(study.mice) == ["1", "20", "c", "d", "e"]
    assert study.mouse_of["a2"] == "1"
    assert "train-1+20+c.valid-d.test-e" in study.allocations


def test_anchors_and_merge_keys(tmp_path):
    text = STUDY.replace(
        "  gru: {start_from: cnn, rnn: gru}",
        "  gru: &gru {start_from: cnn, rnn: gru, epochs: 4}\n"
        "  lstm: &lstm {<<: *gru, rnn: lstm}\n"
        "  wide: {<<: *lstm, hidden_size: 256}",
    )
    (tmp_path / "c.yaml").write_text(text)
    study = studies.load(tmp_path / "c.yaml")
    wide = study.decoders["wide"].settings
    assert (wide["rnn"], wide["epochs"], wide["hidden_size"]) == ("lstm", 4, 256)


def test_merge_into_a_higher_mapping_is_no_duplicate(tmp_path):
    # PyYAML flattens `b` before `deep`, which then holds `x` twice in memory but not in the file
    (tmp_path / "c.yaml").write_text(
        "base: &base {x: 1}\nouter:\n  deep: &deep {<<: *base, x: 2}\nb: {<<: *deep, <<: *base}\n"
    )
    config_file.check_duplicate_keys(tmp_path / "c.yaml")


@pytest.mark.parametrize(
    "files",
    [
        ["config.yaml", "examples/config-best.yaml"],
        ["benchmarks/better/simulated.yaml"],
        ["tests/real/jedi1p.yaml", "benchmarks/better/jedi1p.yaml"],
    ],
)
def test_configs_laid_over_others_fit_them(files):
    """As Snakemake merges them: tables line by line, the later file's line wins."""
    config = {}
    for file in files:
        update_config(config, yaml.safe_load((ROOT / file).read_text()))
    study = studies.resolve(config)
    assert study.decoders["cnn"].settings["baseline"] is None
    best = [d for d in study.decoders.values() if d.settings.get("baseline") and d.kind == "cnn"]
    assert best and all(d.settings["backbone"] for d in best)


@pytest.mark.parametrize("base", ["config.yaml", "demo.yaml"])
def test_causal_decoders_are_laid_over_a_study(base):
    config = {}
    for file in (base, "examples/config-live.yaml"):
        update_config(config, yaml.safe_load((ROOT / file).read_text()))
    study = studies.resolve(config)
    live = {name: one for name, one in study.decoders.items() if name.endswith("_live")}
    assert len(live) == 3 and all(one.settings["causal"] for one in live.values())
    found = decoder_table.protocols_of(study.config, study.decoders)
    assert {found[name] for name in [*live, "live"]} == {"strict"}
    plain = study.decoders["roi_gru"].settings
    assert live["roi_gru_live"].settings == plain | {"causal": True}


@pytest.mark.parametrize("name", ["config.yaml", "demo.yaml"])
def test_resolved_config_as_json_is_the_same_study(name, tmp_path):
    study = studies.load(ROOT / name)
    (tmp_path / "config.json").write_text(json.dumps(study.config, indent=1))
    assert studies.load(tmp_path / "config.json") == study


@given(
    lr=st.floats(1e-12, 1, exclude_min=True),
    note=st.text(st.characters(codec="utf-8"), max_size=40),
    image_size=st.none() | st.integers(8, 512),
    seed=st.integers(0, 2**63),
)
def test_every_setting_survives_json(lr, note, image_size, seed, tmp_path_factory):
    config = study_with("decoders.cnn", {"max_lr": lr, "seed": seed})
    study = studies.resolve(config | {"note": note, "image_size": image_size})
    path = tmp_path_factory.getbasetemp() / "resolved.json"
    path.write_text(json.dumps(study.config, indent=1))
    assert studies.load(path) == study
    assert study.decoders["cnn"].settings["max_lr"] == lr


def test_average_of_seeds():
    config = study_with("decoders.gru2", {"like": "gru", "seed": 7})
    config["decoders"]["avg"] = {"average_of": ["gru", "gru2", "linear"]}
    avg = studies.resolve(config).decoders["avg"]
    assert (avg.kind, avg.settings) == ("average", config["decoders"]["avg"])


def test_average_of_permuted_labels_is_refused():
    config = study_with("recordings.rois", "data/{session}_roi.mat")
    config["mice"] = {mouse: [f"{mouse}1", f"{mouse}2"] for mouse in "abcde"}
    null = {"input": "rois", "rnn": "gru", "labels": "permuted_between_sessions"}
    config["decoders"] |= {"null": null, "x": {"average_of": ["cnn", "null"]}}
    message = error_of(studies.resolve, config)
    assert message.startswith("config: decoders.x.average_of: 'null' has permuted labels; ")


# What a bad config is told: one line that names the key

NAMES = ["../x", "a/b", "/a", "a b", "-a", ".a", "", "a\n", "a;b", "a+b", "$a", "é", "x" * 200]
BAD = [
    ("studdy", 1, "config: studdy: no such key; did you mean 'study'?"),
    ("decoders.cnn.epoch", 3, "config: decoders.cnn.epoch: no such key; did you mean 'epochs'?"),
    ("decoders.cnn", {"modle": "x"}, "config: decoders.cnn.modle: no such key; did you mean 'mo"),
    (
        "decoders.gru",
        {"start_from": "cnn", "rn": "gru"},
        "config: decoders.gru.rn: no such key; did you mean 'rnn'?",
    ),
    ("decoders.x", {"liek": "cnn"}, "config: decoders.x.liek: no such key; did you mean 'like'?"),
    ("recordings.image_size", 32, "config: recordings.image_size: no such key here; image_size is"),
    ("movie", "x", "config: movie: no such key here; movie is a key of `recordings`: indent it"),
    ("decoders.cnn.image_size", 8, "config: decoders.cnn.image_size: no such key here; image_size"),
    ("recordings.moive", "x", "config: recordings.moive: no such key; did you mean 'movie'?"),
    ("allocation", {"tset": 1}, "config: allocation.tset: no such key; did you mean 'test'?"),
    ("comparisons.all.test", [], "config: comparisons.all.test: no such key; did you mean 'tests'"),
    ("simulate", {"n_frame": 90}, "config: simulate.n_frame: no such key; did you mean 'n_frames"),
    ("decoders.gru.backbone", "x", "config: decoders.gru.backbone: no such key; known here: "),
    ("decoders.cnn.model", "logistic_regression", "config: decoders.cnn.epochs: no such key"),
    ("mice.a", ["a1", "a2", "a1"], "config: mice.a: session 'a1' is listed twice; take one out"),
    ("mice.b", ["b1", "a2"], "config: mice.b: session 'a2' already belongs to mouse 'a'"),
    ("mice", {"a": ["a1"]}, "config: mice: 1 in all, fewer than"),
    ("mice", {}, "config: mice: "),
    ("mice.a", None, "config: mice.a: None is not of type 'array'; write its value behind"),
    (
        "mice.a",
        [],
        "config: mice.a: [] should be non-empty; list one or more, or take",
    ),
    ("mice.a", "a1", "config: mice.a: 'a1' is not of type 'array'"),
    ("mice.a", [1.5], "config: mice.a.0: 1.5 is not of type 'string'; write it in quotes"),
    ("mice", ["a", "b"], "config: mice: ['a', 'b'] is not of type 'object'"),
    ("allocation", {"train": 4}, "config: mice: 5 in all, fewer than allocation.train"),
    ("allocation", {"train": 0}, "config: allocation.train: 0 is less than the minimum of 1"),
    ("allocation", {"train": 3.0}, "config: allocation.train: 3.0 is not of type 'integer'; write"),
    ("allocation", {"choose": "some"}, "config: allocation.choose: 'some' is not one of all, each"),
    (
        "comparisons.all.decoders",
        ["cnn", "rgu"],
        "config: comparisons.all.decoders: no decoder 'rgu'; known: linear, cnn, gru",
    ),
    ("comparisons.all.decoders", ["cnn"], "config: comparisons.all.decoders: "),
    ("comparisons.all.decoders", ["cnn", "cnn"], "config: comparisons.all.decoders: "),
    ("comparisons.all.tests", ["t"], "config: comparisons.all.tests.0: 't' is not one of rank_sum"),
    ("decoders.x", {"like": "gur"}, "config: decoders.x.like: no decoder 'gur'; known: linear, cn"),
    ("decoders.x", {"like": ["gru"]}, "config: decoders.x.like: no decoder"),
    ("decoders.x", {"like": "x"}, "config: decoders.x.like: x → x is a circle"),
    (
        "decoders.gru.start_from",
        "cnm",
        "config: decoders.gru.start_from: no CNN decoder 'cnm'; known: cnn",
    ),
    ("decoders.gru.start_from", "linear", "config: decoders.gru.start_from: no CNN decoder 'linea"),
    (
        "decoders.gru.start_from",
        "gru",
        "config: decoders.gru.start_from: no CNN decoder 'gru'; kno",
    ),
    ("decoders.x", {"average_of": ["cnn", "gnu"]}, "config: decoders.x.average_of: 'gnu' is no d"),
    ("decoders.x", {"average_of": ["cnn", "x"]}, "config: decoders.x.average_of: 'x' is an av"),
    ("decoders.x", {"average_of": ["cnn"]}, "config: decoders.x.average_of: ['cnn'] is too sh"),
    ("decoders.x", {"average_of": ["cnn", "cnn"]}, "config: decoders.x.average_of: ['cnn', 'c"),
    ("decoders.x", {"average_of": "cnn"}, "config: decoders.x.average_of: 'cnn' is not of type "),
    (
        "decoders.x",
        {"average_of": ["cnn", "gru"], "seed": 1},
        "config: decoders.x.seed: no such key; known here: average_of",
    ),
    ("decoders.x", {"avrage_of": ["cnn"]}, "config: decoders.x.avrage_of: no such key; did y"),
    ("decoders.gru", {"start_from": "cnn"}, "config: decoders.gru: 'rnn' is missing"),
    ("decoders.gru", {"rnn": "gru"}, "config: decoders.gru: 'start_from' is missing"),
    ("decoders.gru.rnn", "gr", "config: decoders.gru.rnn: 'gr' is not one of gru, lstm, rnn"),
    ("decoders.gru.dropout", 1, "config: decoders.gru.dropout: "),
    (
        "decoders.gru.bidirectional",
        "yes",
        "config: decoders.gru.bidirectional: 'yes' is not of typ",
    ),
    ("decoders.cnn.epochs", -1, "config: decoders.cnn.epochs: -1 is less than the minimum of 1"),
    ("decoders.cnn.epochs", 2.5, "config: decoders.cnn.epochs: 2.5 is not of type 'integer'"),
    (
        "decoders.cnn.epochs",
        3.0,
        "config: decoders.cnn.epochs: 3.0 is not of type 'integer'; write 3",
    ),
    ("decoders.cnn.epochs", True, "config: decoders.cnn.epochs: True is not of type 'integer'"),
    (
        "decoders.cnn.epochs",
        "3",
        "config: decoders.cnn.epochs: '3' is not of type 'integer'; YAML takes it for text, "
        "write 3",
    ),
    (
        "decoders.cnn.max_lr",
        "1e-3",
        "config: decoders.cnn.max_lr: '1e-3' is not of type 'number'; YAML takes it for text, "
        "write 0.001",
    ),
    (
        "recordings.frame_rate",
        "20 Hz",
        "config: recordings.frame_rate: '20 Hz' is not of type 'number'; YAML takes it for text, "
        "write 20.0, the number alone",
    ),
    ("mice.a", "a1", "config: mice.a: 'a1' is not of type 'array'; write a list: [a1]"),
    ("decoders.cnn.max_lr", math.nan, "config: decoders.cnn.max_lr: nan is not of type 'number'"),
    ("decoders.cnn.max_lr", math.inf, "config: decoders.cnn.max_lr: inf is not of type 'number'"),
    ("decoders.cnn.pretrained", "file:", "config: decoders.cnn.pretrained: 'file:' is not "),
    ("decoders.cnn", None, "config: decoders.cnn: None is not of type 'object'"),
    ("decoders", {}, "config: decoders: "),
    ("decoders", None, "config: decoders: None is not of type 'object'; write a key: value a line"),
    ("recordings", {"movie": "{session}"}, "config: recordings: 'movie' and 'behavior' say where"),
    ("recordings.movie", "all.tif", "config: recordings.movie: 'all.tif' must hold {session}"),
    ("recordings.movie", "{{session}}.tif", "config: recordings.movie: "),
    ("recordings.behavior", "{session}{day}", "config: recordings.behavior: "),
    ("recordings.behavior", "{session}{mouse.x}", "config: recordings.behavior: "),
    ("recordings.behavior", "{session}{}", "config: recordings.behavior: "),
    ("recordings.rois", "{session}{", "config: recordings.rois: "),
    ("recordings.rois", "{mouse}.mat", "config: recordings.rois: "),
    ("recordings.movie", ["{session}.tif", "b.tif"], "config: recordings.movie: 'b.tif' must hold"),
    ("recordings.movie", [], "config: recordings.movie: "),
    ("recordings.frame_times", "t.npy", "config: recordings.frame_times: 't.npy' must hold"),
    ("recordings.movie_axes", "time", "config: recordings.movie_axes: 'time' is not an order of"),
    ("recordings.movie_axes", "ABC", "config: recordings.movie_axes: 'ABC' needs T, Y and X once"),
    ("recordings.movie_axes", "TYY", "config: recordings.movie_axes: 'TYY' needs T, Y and X once"),
    ("recordings.frame_rate", 0, "config: recordings.frame_rate: "),
    ("recordings.speed_threshold", -1, "config: recordings.speed_threshold: -1 is less than the "),
    (
        "recordings.speed_threshold_low",
        2,  # cm/s, where runs begin above 0.5
        "config: recordings.speed_threshold_low: 2 cm/s, at which runs end, is above the 0.5 of",
    ),
    *[
        (
            f"recordings.{key}",
            value,
            f"config: recordings.{key}: has no effect without {of}; set th",
        )
        for key, value, of in (
            ("wheel_circumference", 50, "behavior_encoder"),
            ("counts_per_turn", 1024, "behavior_encoder"),
            ("frame_times_edge", "rising", "frame_times"),
            ("frame_times_clock", 1000, "frame_times"),
            ("frame_times_dataset", "t", "frame_times"),
            ("frame_times_unit", "ms", "frame_times"),
            ("light_sources_dataset", "light", "light_sources"),
            ("behavior_stop", "end", "behavior_time"),
            ("behavior_time_unit", "ms", "behavior_time"),
            ("roi_dataset", "F", "rois or roi_masks"),
        )
    ],
    ("corrections", {"max_shift": 5}, "config: corrections.max_shift: has no effect without moti"),
    ("corrections", {"baseline_percentile": 5}, "config: corrections.baseline_percentile: has no "),
    (
        "decoders.x",
        {"backbone": "efficientnet_b0", "pretrained": "lite0"},
        "config: decoders.x.pretrained: lite0 are weights of efficientnet_lite0, not of efficient",
    ),
    (
        "decoders.x",
        {"input": "rois", "rnn": "gru", "seed": 2**64},  # torch takes 64 bits
        f"config: decoders.x.seed: {2**64} is greater than the maximum of {2**64 - 1}",
    ),
    ("confounds", {"baseline": 1}, "config: confounds.baseline: 1 is less than the minimum of 2"),
    (
        "decoders.x",
        {"input": "rois", "rnn": "gru", "baseline": 1},  # which leaves zeros
        "config: decoders.x.baseline: 1 is less than the minimum of 2",
    ),
    (
        "decoders.x",
        {"input": "rois", "rnn": "gru", "label_smoothing": 1},  # both states are 0.5 then
        "config: decoders.x.label_smoothing: 1 is greater than or equal to the maximum of 1",
    ),
    (
        "decoders.x",
        {"input": "rois", "model": "linear_svm", "seed": 2**32},
        "config: decoders.x.seed: 4294967296 is greater than the maximum of 4294967295",
    ),
    (
        "importance",
        {"x": {"decoder": "roi", "mirror": [[1, 2], [2, 3]]}},
        "config: importance.x.mirror: ROI 2 is there 2 times; it has one mirror image",
    ),
    (
        "importance",
        {"x": {"decoder": "roi", "mirror": [[4, 4]]}},
        "config: importance.x.mirror: ROI 4 is there 2 times",
    ),
    ("fetch", "https://example.org", "config: fetch: 'https://example.org' is not a record such"),
    ("simulate", {"by_mouse": {"z": {"scale": 1}}}, "config: simulate.by_mouse.z: no such mouse"),
    ("simulate", {"by_mouse": {"a": {"scal": 1}}}, "config: simulate.by_mouse.a.scal: no such key"),
    (
        "simulate",
        {"signal_gains": [1, 2]},
        "config: simulate.signal_gains: 2 numbers, but signal_rois has 4; give one for each",
    ),
    (
        "simulate",
        {"signal_leads_s": [0, 0, 0, 0.1], "by_mouse": {"a": {"signal_rois": [1, 2]}}},
        "config: simulate.by_mouse.a.signal_leads_s: 4 numbers, but signal_rois has 2",
    ),
    ("simulate", {"by_mouse": {"a": {"seed": 5}}}, "config: simulate.by_mouse.a.seed: is that of"),
    ("simulate", {"run_shares": []}, "config: simulate.run_shares: "),
    ("simulate", {"run_shares": [1.5]}, "config: simulate.run_shares.0: 1.5 is greater than"),
    ("simulate", {"run_shares": "half"}, "config: simulate.run_shares: 'half' is not of type"),
    ("threads", 0, "config: threads: 0 is less than the minimum of 1"),
    ("device", "gpu", "config: device: 'gpu' is not one of auto, cpu, cuda"),
    ("image_size", 4, "config: image_size: 4 is less than the minimum of 8"),
    ("corrections", {"motoin": True}, "config: corrections.motoin: no such key; did you mean 'mo"),
    ("corrections", {"channels": 2.5}, "config: corrections.channels: 2.5 is not of type"),
    ("corrections", {"hemodynamics": "ratio"}, "config: corrections: hemodynamics needs a second"),
    (
        "corrections",
        {"dark_offset": 0.5, "dark_frame": "dark.tif"},
        "config: corrections: dark_offset and dark_frame both subtract the dark; give one",
    ),
    (
        "corrections",
        {"reference_lowpass": 3},
        "config: corrections: reference_lowpass is of hemodynamics, which is none; set it too",
    ),
    (
        "corrections",
        {"signal_channel": "blue"},
        "config: corrections: signal_channel 'blue' is a word of light_sources, and none are given",
    ),
    ("shift", {"decoders": ["z"]}, "config: shift.decoders: no decoder 'z' with labels of its own"),
    (
        "confounds",
        {"decoders": ["z"]},
        "config: confounds.decoders: no decoder 'z'; known: linear,",
    ),
    ("corrections", {"brain_mask": "{day}.tif"}, "config: corrections.brain_mask: '{day}.tif' may"),
    ("qc", {"drift": [3, 1]}, "config: qc.drift: [3, 1] fails before it warns"),
    ("qc", {"bouts": [2, 4]}, "config: qc.bouts: [2, 4] fails before it warns"),
    ("qc", {"drift": [3]}, "config: qc.drift: "),
    *[("study", name, "config: study: ") for name in NAMES],
    *[("mice.a", [name], "config: mice.a.0: ") for name in NAMES],
    ("mice.a", [".."], "config: mice.a.0: "),
]


@pytest.mark.parametrize(("path", "value", "start"), BAD)
def test_bad_config_gets_one_line_that_names_the_key(path, value, start):
    message = error_of(studies.resolve, study_with(path, value))
    assert message.startswith(start)
    assert "\n" not in message


@pytest.mark.parametrize("name", [*NAMES, True, None, 1.5])
@pytest.mark.parametrize("table", ["mice", "decoders", "comparisons"])
def test_bad_names_of_table_lines(table, name):
    config = study_with()
    line = {"mice": ["z1"], "decoders": {}, "comparisons": {"decoders": ["cnn", "gru"]}}[table]
    config[table] = {**config[table], name: line}
    message = error_of(studies.resolve, config)
    assert message.startswith(f"config: {table}: {name!r} is not ")
    assert "\n" not in message


@pytest.mark.parametrize("table", ["decoders", "comparisons"])
def test_numbers_are_no_names_of_decoders_and_comparisons(table):
    config = study_with()
    config[table][1] = copy.deepcopy(next(iter(config[table].values())))
    message = error_of(studies.resolve, config)
    assert message == f"config: {table}: 1 is not of type 'string'; write it in quotes"


@pytest.mark.parametrize("missing", ["study", "mice", "decoders"])
def test_missing_key(missing):
    config = study_with()
    del config[missing]
    assert error_of(studies.resolve, config) == f"config: top level: '{missing}' is missing"


def test_circle_of_three_is_spelled_out():
    config = study_with()
    config["decoders"] |= {"x": {"like": "y"}, "y": {"like": "z"}, "z": {"like": "x"}}
    message = error_of(studies.resolve, config)
    assert message == "config: decoders.x.like: x → y → z → x is a circle"


def test_names_that_make_an_id_too_long_for_a_file():
    config = study_with("mice", {f"{'m' * 40}{i}": [f"s{i}"] for i in range(5)})
    message = error_of(studies.resolve, config)
    assert message.startswith("config: mice: ") and "shorten the names" in message


def test_number_and_text_of_one_mouse():
    config = study_with("mice", {1: ["x"], "1": ["y"], "2": ["z"], "3": ["v"], "4": ["w"]})
    assert error_of(studies.resolve, config).startswith("config: mice.1: the mouse is there twice")


FILES = {
    "duplicate mouse": (STUDY.replace("  b: [", "  a: ["), "key 'a' appears twice, at lines 7 and"),
    "duplicate decoder": (STUDY.replace("gru: {", "cnn: {"), "key 'cnn' appears twice"),
    "duplicate table": (STUDY + "mice: {z: [z1]}\n", "key 'mice' appears twice"),
    "duplicate setting": (
        STUDY.replace("{epochs: 7", "{epochs: 7, epochs: 8"),
        "key 'epochs' appe",
    ),
    "duplicate by quotes": (STUDY.replace("a: [", "1: [").replace("b: [", "'1': ["), "key '1' app"),
    "octal name": (
        STUDY.replace("  a: [", "  010: ["),
        "YAML reads the key 010 as the number 8; w",
    ),
    "lost zero": (STUDY.replace("  a: [", "  01: ["), "YAML reads the key 01 as the number 1; wri"),
    "lost underscore": (
        STUDY.replace("  a: [", "  1_0: ["),
        "reads the key 1_0 as the number 10; ",
    ),
    "octal session": (
        STUDY.replace("[b1]", "[0123]"),
        "line 8: YAML reads the session 0123 as the number 83; write it in quotes",
    ),
    "session with underscores": (
        STUDY.replace("[b1]", "[2026_01_01]"),
        "YAML reads the session 2026_01_01 as the number 20260101; write it",
    ),
    "time of day": (
        STUDY.replace("[b1]", "[1, 9:30]"),
        "YAML reads the session 9:30 as the number 570",
    ),
    "date": (
        STUDY.replace("[b1]", "\n    - 2026-01-01"),
        "line 9: YAML reads the session 2026-01-01 as the date 2026-01-01; write it in quotes",
    ),
    "yes": (STUDY.replace("[b1]", "[yes]"), "the session yes as the truth value True; write"),
    "no value": (STUDY.replace("[b1]", "[~]"), "YAML reads the session ~ as nothing; write"),
    "hexadecimal": (STUDY.replace("[b1]", "[0x1F]"), "the session 0x1F as the number 31; write"),
    "a decimal": (STUDY.replace("[b1]", "[12.0e+3]"), "the session 12.0e+3 as the number 12000.0"),
    "study": (STUDY.replace("study: lab", "study: 007"), "YAML reads the study 007 as the number"),
    "a date left out": (
        STUDY + "exclude: {2026-01-01: dark}\n",
        "YAML reads the key 2026-01-01 as the date 2026-01-01; write it in quotes",
    ),
    "a program": ("__use_yte__: true\nnote: ?1 / 0\n" + STUDY, "line 1: __use_yte__ makes a con"),
    "a program, switched off": (STUDY + "__use_yte__: false\n", "makes a config a program"),
    "a list that holds itself": (STUDY + "note: &a [*a]\n", "its anchors stand for"),
    "a table that holds itself": (STUDY + "note: &a {b: *a}\n", "its anchors stand for"),
    "anchors of anchors": (
        STUDY
        + "x0: &x0 [a]\n"
        + "".join(f"x{n + 1}: &x{n + 1} [{', '.join([f'*x{n}'] * 10)}]\n" for n in range(20)),
        "its anchors stand for",
    ),
    "merges of merges": (
        STUDY
        + "x0: &x0 {a: 1}\n"
        + "".join(f"x{n + 1}: &x{n + 1} {{<<: [*x{n}, *x{n}]}}\n" for n in range(40)),
        "its anchors stand for",
    ),
    "lists in lists": (STUDY + "note: " + "[" * 1000, "tables in tables without end"),
    "an object of Python": (STUDY + "note: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
    "open bracket": (
        "a: 1\nnote: [b\nc: 2\n",
        "line 3 (in what begins at line 2): not valid YAML: ",
    ),
    "tab": (
        STUDY + "\tnote: b\n",
        f"line {STUDY.count(chr(10)) + 1}: not valid YAML: a tab; use spaces",
    ),
    "a control character": ("a: \x01\n", "not valid YAML: unacceptable character #x0001"),
    "tab behind a key": ("a: 1\nnote:\tb\n", "line 2: not valid YAML: a tab; use spaces"),
    "value with a colon": ("a: 1\nnote: b: c\n", "line 2: not valid YAML: mapping values"),
    "open quote": ("a: 1\nnote: 'b\n", "close the quote"),
    "unknown anchor": (STUDY + "note: *nothing\n", "not valid YAML"),
    "list as a key": (STUDY + "? [a, b]\n: 1\n", "not valid YAML"),
    "empty": ("", "must hold keys and values"),
    "comments only": ("# nothing\n", "must hold keys and values"),
    "a list": ("- study: x\n", "must hold keys and values"),
    "a word": ("study\n", "must hold keys and values"),
    "null": ("null", "must hold keys and values"),
}


@pytest.mark.parametrize(("text", "words"), FILES.values(), ids=FILES)
def test_bad_file_gets_one_line(text, words, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    message = error_of(studies.load, path)
    assert words in message
    assert "\n" not in message


def test_a_config_in_letters_of_windows_is_named(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes("study: s\nnote: Müller\n".encode("cp1252"))
    assert "c.yaml: line 2: not UTF-8" in error_of(studies.load, path)
    path.write_bytes((STUDY + "note: Müller\n").encode("utf-8-sig"))  # as Windows' editor saves it
    assert studies.load(path).config["note"] == "Müller"


def test_every_default_fits_its_own_schema():
    for name in ("config", "cnn", "cnn_rnn", "linear", "simulate"):
        for key, spec in schema.properties(name).items():
            if "default" in spec:
                schema.check_flags({key: copy.deepcopy(spec["default"])}, name)


def test_every_setting_is_described():
    for name in ("config", "cnn", "cnn_rnn", "linear", "simulate"):
        for key, spec in schema.properties(name).items():
            assert len(spec.get("description", "")) > 5, f"{name}.{key}"


# Every cluster job parses the Snakefile: these modules must stay light


def light() -> list[str]:
    """The rooms that the Snakefile may import from, and the parser of all verbs."""
    rooms = [ROOT / "workflow/mesodecode" / room for room in ("study", "running")]
    files = [path.relative_to(ROOT / "workflow") for room in rooms for path in room.rglob("*.py")]
    names = [".".join(file.with_suffix("").parts) for file in sorted(files)]
    return [*names, "mesodecode.base.files", "mesodecode.base.progress", "mesodecode.cli.options"]


def test_parsing_the_snakefile_imports_nothing_heavy():
    code = (
        "import importlib, sys\n"
        "heavy = {'torch', 'h5py', 'numpy', 'pandas', 'scipy', 'sklearn', 'timm', 'matplotlib'}\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    assert not heavy & set(sys.modules), (name, heavy & set(sys.modules))\n"
    )
    words = [sys.executable, "-c", code, *light()]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_allocations_of_the_same_training_mice_share_a_training():
    mice = {f"m{i}": [f"s{i}"] for i in range(10)}
    decoders = {
        "linear": {"model": "logistic_regression"},
        "cnn": {"pretrained": "none"},
        "tuned": {"like": "cnn", "seed": 2},
        "gru": {"start_from": "tuned", "rnn": "gru", "cnn_weights": "finetuned"},
    }
    config = {"study": "lab", "simulate": {}, "mice": mice, "decoders": decoders}
    config["allocation"] = {"train": 3, "valid": 1, "test": 1, "choose": "all"}
    config["tune"] = {"tuned": {"trials": 2, "search": {"max_lr": [0.001, 0.01]}}}
    study = studies.resolve(config)
    assert len(study.allocations) == 5040
    for decoder, sets in (("linear", 120), ("cnn", 120), ("tuned", 840), ("gru", 840)):
        shared = study.trainings(decoder)  # 120 sets; searched ones with one of 7 test mice each
        assert len(shared) == sets
        assert sorted(a for names in shared.values() for a in names) == sorted(study.allocations)
    name = "train-m0+m1+m2.valid-m3.test-m4"
    assert study.training("cnn", name) == "train-m0+m1+m2"
    # a search reads all mice but the test mouse, so what starts from its CNN is no wider shared
    assert (
        study.training("tuned", name) == study.training("gru", name) == ("train-m0+m1+m2.tuned-m4")
    )


@pytest.mark.parametrize("value", ["1,5", "2026-11-28", "10:30", "1.2.3"])
def test_no_number_is_proposed_for_what_is_more_than_a_number_and_its_unit(value):
    message = error_of(studies.resolve, study_with("recordings.frame_rate", value))
    assert message == f"config: recordings.frame_rate: '{value}' is not of type 'number'"


@pytest.mark.parametrize(
    ("table", "key", "home"),
    [
        ("recordings", "epochs", "of lines of `decoders`: indent it below"),
        ("recordings", "choose", "of `allocation`: indent it below"),
        ("allocation", "threads", "of the whole config: begin its line at the margin"),
    ],
)
def test_where_a_key_that_stands_elsewhere_belongs_is_said(table, key, home):
    config = study_with()
    config[table] = config.get(table, {}) | {key: 1}
    assert home in error_of(studies.resolve, config)


def test_controls_are_of_decoders_with_labels_of_their_own():
    config = study_with("decoders.null", {"like": "linear", "labels": "permuted_between_sessions"})
    config["mice"] = {mouse: [f"{mouse}1", f"{mouse}2"] for mouse in "abcde"}
    config["confounds"] = {"decoders": ["null"]}
    said = "config: confounds.decoders: 'null' has permuted labels, and is at chance"
    assert error_of(studies.resolve, config) == said


TABLES = "recordings allocation corrections qc nwb confounds shift ceilings decoders.linear"
TABLES += " comparisons.all importance.map simulate variants.small"


@pytest.mark.parametrize("table", TABLES.split())
def test_an_unknown_key_of_any_table_is_named(table):
    first, _, name = table.partition(".")
    config = study_with()
    config["importance"] = {"map": {"decoder": "linear", "masks": "squares"}}
    config["variants"] = {"small": {"image_size": 32, "decoders": ["linear"]}}
    inner = config.setdefault(first, {})
    (inner[name] if name else inner)["colour"] = 1
    words = error_of(studies.resolve, config)
    assert words.startswith(f"config: {table}.colour: no such key")
