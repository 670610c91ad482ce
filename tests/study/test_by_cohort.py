"""Cohorts whose files, rates and areas are unlike: what the config makes of them."""

from __future__ import annotations

import json

import pytest

import told
from make import plan
from mesodecode.base.files import UserError
from mesodecode.study import study as studies
from mesodecode.study import tuning

MICE = {"a": ["s1"], "b": ["s2"], "x": ["s1"], "y": ["s2"], "z": ["s3"], "c": ["s3"]}
CONFIG = {
    "study": "labs",
    "mice": MICE,
    "cohorts": {"lab": ["a", "b", "c"], "rig": ["x", "y", "z"]},
    "recordings": {"movie": "lab/{mouse}/{session}.tif", "behavior": "lab/{mouse}/{session}.mat"},
    "by_cohort": {
        "rig": {
            "recordings": {
                "movie": "rig/{mouse}-{session}.nwb",
                "behavior": "rig/{mouse}-{session}.nwb",
                "frame_rate": 20,
                "movie_axes": "KYX",
            },
            "corrections": {"bleaching": True},
        }
    },
    "frame_rate": 20,
    "image_size": 32,
    "allocation": {"train": 1, "choose": "each_test", "cohorts": "across"},
    "decoders": {"linear": {"model": "logistic_regression"}},
}


def refusal(**changes) -> str:
    return told.refusal(studies.resolve, CONFIG | changes)


def test_each_cohort_has_its_own_files_and_settings():
    study = studies.resolve(CONFIG)
    assert study.source("movie", "x_s1") == "rig/x-s1.nwb"
    assert study.source("movie", "a_s1") == "lab/a/s1.tif"
    lab, rig = study.of_session("a_s1"), study.of_session("x_s1")
    assert (lab["recordings"]["frame_rate"], rig["recordings"]["frame_rate"]) == (30, 20)
    assert (lab["recordings"]["movie_axes"], rig["recordings"]["movie_axes"]) == (None, "KYX")
    assert not lab["corrections"]["bleaching"] and rig["corrections"]["bleaching"]
    # the resolved config says the same again
    again = studies.resolve(json.loads(json.dumps(study.config)))
    assert again.config == study.config and list(again.allocations) == list(study.allocations)


def test_settings_belong_to_what_some_cohort_or_variant_has():
    """What all cohorts are given has an effect in one of them; one's own needs it there."""

    def resolved(common, own, **more):
        by_cohort = {"rig": {"recordings": own}}
        recordings = CONFIG["recordings"] | common
        return studies.resolve(
            CONFIG | {"recordings": recordings, "by_cohort": by_cohort, "areas": None} | more
        )

    unit = {"frame_times_unit": "ms"}
    resolved(unit, {"frame_times": "{session}_t.csv"})
    resolved({"frame_times": "{session}_t.csv"} | unit, {"frame_times": None})
    with pytest.raises(
        UserError, match=r"by_cohort.rig.recordings.frame_times_unit: has no effect"
    ):
        resolved({"frame_times": "{session}_t.csv"}, {"frame_times": None} | unit)
    with pytest.raises(UserError, match=r"config: recordings.frame_times_unit: has no effect"):
        resolved(unit, {})
    one = {key: CONFIG[key] for key in ("study", "mice", "recordings", "decoders")}
    variants = {"still": {"corrections": {"motion": True}, "decoders": ["linear"]}}
    studies.resolve(one | {"corrections": {"max_shift": 5}, "variants": variants})
    off = {"moving": {"corrections": {"motion": False}, "decoders": ["linear"]}}
    studies.resolve(one | {"corrections": {"motion": True, "max_shift": 5}, "variants": off})


def test_a_cohort_may_have_a_record_of_its_own_or_none():
    own = CONFIG["by_cohort"]["rig"] | {"fetch": None}
    study = studies.resolve(CONFIG | {"fetch": "zenodo:1", "by_cohort": {"rig": own}})
    assert study.of_session("a_s1")["fetch"] == "zenodo:1"
    assert study.of_session("x_s1")["fetch"] is None
    own |= {"fetch": "zenodo:2"}
    study = studies.resolve(CONFIG | {"fetch": "zenodo:1", "by_cohort": {"rig": own}})
    assert study.of_session("x_s1")["fetch"] == "zenodo:2"


def test_mice_share_no_file_of_a_session_whatever_mouse_stands_between_them():
    """Sessions s1 of a and b are of one cohort, that of x is of another."""
    mice = {"mice": {"a": ["s1"], "x": ["s1"], "b": ["s1"], "y": ["s2"], "z": ["s3"], "c": ["s4"]}}
    assert studies.resolve(CONFIG | mice).source("behavior", "b_s1") == "lab/b/s1.mat"
    shared = CONFIG["recordings"] | {"behavior": "lab/{session}.mat"}
    assert refusal(**mice, recordings=shared) == (
        "config: recordings.behavior: 'lab/{session}.mat' names one file for session 's1' of mouse "
        "'a' and of mouse 'b'; it must hold {mouse} too"
    )
    masked = {"corrections": {"brain_mask": "masks/{session}.png"}}
    assert "config: corrections.brain_mask: 'masks/{session}.png' names" in refusal(
        **mice, **masked
    )
    assert studies.resolve(CONFIG | mice | {"corrections": {"brain_mask": "mask.png"}})


def test_all_cohorts_may_name_their_files_themselves():
    own = {"lab": {"recordings": CONFIG["recordings"]}} | CONFIG["by_cohort"]
    study = studies.resolve(CONFIG | {"recordings": {}, "by_cohort": own})
    assert study.source("behavior", "b_s2") == "lab/b/s2.mat"
    del own["lab"]
    assert "'movie' and 'behavior' say where" in refusal(recordings={}, by_cohort=own)


@pytest.mark.parametrize("how", ["across", "leave_out", "mixed"])
def test_allocations_follow_the_order_of_mice_and_not_that_of_a_cohorts_list(how):
    change = {"allocation": CONFIG["allocation"] | {"cohorts": how}}
    turned = {name: mice[::-1] for name, mice in CONFIG["cohorts"].items()}
    study, same = (studies.resolve(CONFIG | change | one) for one in ({}, {"cohorts": turned}))
    assert [*study.allocations.values()] == [*same.allocations.values()]


def test_windows_may_be_in_seconds_of_the_common_rate():
    decoders = {
        "cnn": {"baseline": "30 s"},
        "gru": {"start_from": "cnn", "rnn": "gru", "half_window": "0.5 s"},
        "lead": {"like": "gru", "half_window": 3},
    }
    study = studies.resolve(CONFIG | {"decoders": decoders})
    assert study.decoders["gru"].settings["half_window"] == 10
    assert study.decoders["lead"].settings["half_window"] == 3
    assert study.decoders["cnn"].settings["baseline"] == 600
    plain = {k: v for k, v in CONFIG.items() if k not in ("by_cohort", "frame_rate")}
    assert studies.resolve(plain | {"decoders": decoders}).decoders["gru"].settings[
        "half_window"
    ] == 15  # fmt: skip
    odd = studies.resolve(CONFIG | {"decoders": decoders, "frame_rate": 19.98})
    assert odd.decoders["gru"].settings["half_window"] == 10  # of 9.99
    short = {"gru": {"start_from": "cnn", "rnn": "gru", "half_window": "0.02 s"}}
    assert refusal(decoders=decoders | short) == (
        "config: decoders.gru.half_window: 0.02 s is no frame at 20 frames/s; give 0.05 s or more, "
        "or 0"
    )
    none = {"gru": {"start_from": "cnn", "rnn": "gru", "half_window": "0 s"}}
    study = studies.resolve(CONFIG | {"decoders": decoders | none})
    assert study.decoders["gru"].settings["half_window"] == 0
    for wrong in ("0.5", "half", "1 min", "-1 s"):
        assert "decoders.gru.half_window" in refusal(
            decoders=decoders | {"gru": {"start_from": "cnn", "rnn": "gru", "half_window": wrong}}
        )


def test_rates_of_two_clocks_are_one_rate():
    own = CONFIG["by_cohort"]["rig"]
    for rate, alike in ((30.2, True), (29.8, True), (30.6, False)):
        rig = own | {"recordings": own["recordings"] | {"frame_rate": rate}}
        changes = {"frame_rate": None, "by_cohort": {"rig": rig}}
        if alike:
            assert studies.resolve(CONFIG | changes).of_session("x_s1")
        else:
            assert "30 frames/s in lab, 30.6 in rig; set frame_rate" in refusal(**changes)


def test_a_rate_as_near_that_of_the_slower_cohort_is_taken():
    own = {"rig": {"recordings": {"frame_rate": 30}}}
    slow = {"recordings": CONFIG["recordings"] | {"frame_rate": 20}, "by_cohort": own}
    assert studies.resolve(CONFIG | slow | {"frame_rate": 21}).config["frame_rate"] == 21


def test_simulated_cohorts_may_differ_in_rate_and_size():
    config = {k: v for k, v in CONFIG.items() if k != "recordings"}
    config["mice"] = {mouse: [f"{mouse}1"] for mouse in MICE}
    config["simulate"] = {"n_frames": 600, "by_mouse": {"x": {"rotation": 5}}}
    own = {"frame_rate": 15, "image_size": 64, "n_frames": 300, "tau_decay_s": 0.8}
    rig = {"rig": {"simulate": own | {"run_shares": [0.25]}}}
    config |= {"by_cohort": rig, "frame_rate": 15}
    study = studies.resolve(config)
    assert (study.run_share("a1"), study.run_share("x1")) == (0.36, 0.25)
    made = study.simulation("x1")
    assert {key: made[key] for key in own} == own and made["rotation"] == 5
    assert study.simulation("a1")["frame_rate"] == 30
    assert study.of_session("y1")["recordings"]["frame_rate"] == 15
    assert study.of_session("y1")["recordings"]["movie"] == "results/labs/simulated/{session}.tif"
    again = studies.resolve(json.loads(json.dumps(study.config)))
    assert again.config == study.config


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frame_rate": None},
         "config: by_cohort: 20 frames/s in rig, 30 in lab; set frame_rate, to 20 or less"),
        ({"frame_rate": 30},
         "config: by_cohort.rig: frame_rate: 30 frames/s, but recordings has 20"),
        ({"by_cohort": {}, "frame_rate": 40},
         "config: frame_rate: 40 frames/s, but cohort lab has 30; frames that were never taken"),
        ({"recordings": CONFIG["recordings"] | {"frame_rate": 20}, "frame_rate": 21.1,
          "by_cohort": {"rig": {"recordings": {"frame_rate": 30}}}},  # of the slower cohort
         "config: frame_rate: 21.1 frames/s, but cohort lab has 20; frames that were never taken"),
        ({"by_cohort": {"rat": {}}}, "config: by_cohort.rat: no such cohort; known: lab, rig"),
        ({"by_cohort": {"rig": {"simulate": {}}}}, "in all cohorts or in none; set simulate too"),
        ({"by_cohort": {"rig": {"recordings": {"movi": "x"}}}},
         "config: by_cohort.rig: recordings.movi: no such key; did you mean 'movie'?"),
        ({"by_cohort": {"rig": {"corrections": {"channels": 0}}}},
         "config: by_cohort.rig: corrections.channels"),
        ({"areas": "all"}, "config: areas: 'all'"),
        ({"by_cohort": {"rig": CONFIG["by_cohort"]["rig"] | {"area_names": {"3": "M1"}}}},
         "config: by_cohort.rig.area_names: only areas are matched by name; set areas (common, or"),
        ({"areas": "common"}, "config: areas: recordings has no ROI signals to match by name; set"),
        ({"areas": ["M1"]}, "config: areas: recordings has no ROI signals to match by name; set"),
        ({"areas": ["a", "a"]}, "config: areas"),
        ({"areas": [""]}, "config: areas"),
        ({"areas": ["M1"], "by_cohort": {"rig": {"area_names": {"1": "M1", "2": "M1"}}}},
         "config: by_cohort.rig.area_names: two areas are called 'M1'; name them apart"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(changes, words):
    assert words in refusal(**changes)


def test_the_workflow_harmonises_each_recording_once(tmp_path):
    config = CONFIG | {"areas": "common", "by_cohort": dict(CONFIG["by_cohort"])}
    config["recordings"] = CONFIG["recordings"] | {"rois": "lab/{mouse}/{session}_rois.csv"}
    config["by_cohort"]["rig"] = CONFIG["by_cohort"]["rig"] | {"area_names": {"3 left": "M1 L"}}
    for mouse, (session,) in MICE.items():
        for name in (f"lab/{mouse}/{session}", f"lab/{mouse}/{session}_rois"):
            (tmp_path / f"lab/{mouse}").mkdir(parents=True, exist_ok=True)
            for suffix in (".tif", ".mat", ".csv"):
                (tmp_path / f"{name}{suffix}").touch()
        (tmp_path / "rig").mkdir(exist_ok=True)
        (tmp_path / f"rig/{mouse}-{session}.nwb").touch()
        (tmp_path / f"lab/{mouse}/{session}_rois.csv").touch()
    jobs, lines = plan(tmp_path, config=config)
    assert (jobs["preprocess"], jobs["harmonise"], jobs["common_areas"]) == (6, 6, 1)
    made = next(line for line in lines if "preprocess" in line and "rig/x-s1.nwb" in line)
    assert "--frame-rate=20" in made and "--bleaching" in made and "recorded/x_s1.h5" in made
    other = next(line for line in lines if "preprocess" in line and "lab/a/s1.tif" in line)
    assert "--frame-rate=30" in other and "--bleaching" not in other
    brought = next(
        line for line in lines if "harmonise --recording results/labs/recorded/x_" in line
    )
    assert "--frame-rate 20 " in brought and "M1 L" in brought
    assert "--areas-from results/labs/recorded/areas.txt" in brought
    plain = {k: v for k, v in config.items() if k not in ("by_cohort", "areas", "frame_rate")}
    jobs, lines = plan(tmp_path, config=plain)
    assert "harmonise" not in jobs and "common_areas" not in jobs


def test_areas_of_the_list_are_asked_of_one_cohort_but_common_ones_of_all():
    rois = CONFIG["recordings"] | {"rois": "lab/{mouse}/{session}.csv"}
    own = {"rig": {"recordings": CONFIG["by_cohort"]["rig"]["recordings"] | {"rois": None}}}
    changes = {"recordings": rois, "by_cohort": own}
    assert studies.resolve(CONFIG | changes | {"areas": ["M1"]}).harmonised
    assert "areas: by_cohort.rig.recordings has no ROI" in refusal(**changes, areas="common")


def test_numbers_of_areas_are_not_of_areas_that_a_mouse_more_may_change():
    rois = {"recordings": CONFIG["recordings"] | {"rois": "{mouse}/{session}.csv"}}
    decoders = {"decoders": {"gru": {"input": "rois", "rnn": "gru", "rois": [1, 2]}}}
    assert "config: decoders.gru.rois: numbers of areas, which with areas: common hang" in refusal(
        **rois, **decoders, areas="common"
    )
    assert studies.resolve(CONFIG | rois | decoders | {"areas": ["M1", "M2"]}).roi_decoders
    assert "decoders.gru.rois: 2, but areas are 1" in refusal(**rois, **decoders, areas=["M1"])
    plain = {"decoders": {"gru": {"input": "rois", "rnn": "gru"}}}
    plain["importance"] = {"shap": {"decoder": "gru", "mirror": 1}}
    assert "importance.shap.mirror: numbers" in refusal(**rois, **plain, areas="common")
    assert studies.resolve(CONFIG | rois | plain | {"areas": ["M1", "M2"]})


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"tune": {"linear": {"search": {"C": [0.1, 1]}}}}, "config: tune.linear: "),
        ({"decoders": {"a": {"model": "logistic_regression"}, "b": {"like": "a", "C": 2},
                       "best": {"adaptive_of": ["a", "b"]}}}, "config: decoders.best.adaptive_of"),
    ],
)  # fmt: skip
def test_nothing_is_chosen_for_a_cohort_that_is_to_be_new_by_its_own_mice(more, key):
    found = refusal(**more)
    assert found.startswith(key) and "allocation.cohorts: across are of its own cohort" in found
    for how in ("leave_out", "mixed", None):
        assert studies.resolve(CONFIG | more | {"allocation": {"train": 1, "cohorts": how}})


def test_a_search_of_settings_knows_of_cohorts(tmp_path):
    """Its config is a part of the study's, which has to be whole: sessions, rates, allocations."""
    config = {k: v for k, v in CONFIG.items() if k != "recordings"}
    config |= {"simulate": {"n_frames": 600}, "mice": {mouse: [f"{mouse}1"] for mouse in MICE}}
    config |= {"by_cohort": {"rig": {"simulate": {"frame_rate": 15}}}, "frame_rate": 15}
    config |= {"allocation": CONFIG["allocation"] | {"cohorts": "leave_out"}}
    config |= {"tune": {"linear": {"trials": 2, "search": {"C": [0.1, 1]}}}}
    own = {"rig": CONFIG["by_cohort"]["rig"] | {"area_names": {"3": "M1"}}}
    files = CONFIG | {"recordings": {}, "tune": config["tune"], "allocation": config["allocation"]}
    files |= {"areas": ["M1"], "by_cohort": own | {"lab": {"recordings": CONFIG["recordings"]}}}
    own["rig"]["recordings"] = own["rig"]["recordings"] | {"rois": "{mouse}/{session}.csv"}
    for one in (config, files):
        whole = studies.resolve(one)
        part = studies.resolve(tuning.part_of(whole.config, "linear"))
        assert part.config["tune"] == whole.config["tune"] and part.decoders == whole.decoders
        assert (part.mice, part.allocations) == (whole.mice, whole.allocations)
    less = studies.resolve(files | {"exclude": {"c": "seizures"}})
    assert "c" not in studies.resolve(tuning.part_of(less.config, "linear")).mice


def test_the_record_of_a_cohort_is_no_other_command():
    own = CONFIG["by_cohort"]["rig"] | {"fetch": "zenodo:1; touch x"}
    with pytest.raises(UserError, match=r"by_cohort.rig.*fetch"):
        studies.resolve(CONFIG | {"by_cohort": {"rig": own}})
