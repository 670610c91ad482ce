"""What a study can do with its target, as the config says it."""

from __future__ import annotations

import pytest

from make import STUDY
from mesodecode.base.files import UserError
from mesodecode.report import methods
from mesodecode.study import study
from mesodecode.study.targets import RUN, Target, kind_of, read_states

ROI = {"input": "rois"}
RIDGE = {"model": "ridge"}


def resolve(target="pupil", decoders=None, recordings=None, **more):
    files = STUDY["recordings"] | {"rois": "{session}_roi.mat"} | (recordings or {})
    decoders = decoders or {"linear": RIDGE}
    return study.resolve(
        STUDY | {"target": target, "recordings": files, "decoders": decoders} | more
    )


THREE = {"target_states": ["rest", "walk", "groom"]}


def test_run_and_rest_is_the_target_of_a_study_that_names_none():
    found = study.resolve(STUDY)
    assert found.config["target"] == "run" and found.config["shift"]["decoders"] == ["linear"]
    assert Target.of_settings({}) == RUN and RUN.settings() == {} == RUN.attributes()


def test_a_target_survives_its_file_and_its_settings():
    target = Target("states", ("rest", "walk", "groom"))
    assert (
        Target.of_attributes(target.attributes()) == target == Target.of_settings(target.settings())
    )
    assert target.datasets == ("probability_rest", "probability_walk", "probability_groom")
    trace = Target("pupil", unit="px", mean=2.0, sd=0.5)
    assert Target.of_settings(trace.settings()) == trace and trace.datasets == ("predicted",)
    assert Target.of_attributes(trace.attributes()) == Target("pupil", unit="px")
    assert kind_of("speed") == kind_of("anything") == "regression"


def test_decoders_that_can_are_taken_and_the_shift_report_is_of_them():
    gru = {**ROI, "rnn": "gru"}
    trees = {**ROI, "model": "gradient_boosting"}
    for target, decoders, recordings in (
        ("speed", {"linear": RIDGE, "gru": gru, "trees": trees, "ridge": ROI | RIDGE}, {}),
        ("states", {"linear": STUDY["decoders"]["linear"], "gru": gru, "trees": trees}, THREE),
    ):
        found = resolve(target, decoders, recordings)
        assert [*found.decoders] == [*decoders] == found.config["shift"]["decoders"]


@pytest.mark.parametrize(
    ("target", "ours", "other"),
    [
        ("run", "predicted_auc", "predicted_macro_auc"),
        ("speed", "predicted_correlation", "predicted_auc"),
        ("speed", "spread", "confidence"),
        ("states", "confidence", "spread"),
    ],
)
def test_thresholds_of_the_shift_report_are_of_what_a_target_has(target, ours, other):
    line = {"linear": RIDGE} if target == "speed" else STUDY["decoders"]
    recordings = THREE if target == "states" else None
    config = resolve(target, line, recordings, shift={ours: [None, None]}).config
    assert config["shift"][ours] == [None, None]
    assert study.resolve(config).config["shift"] == config["shift"]  # filled in, it is read again
    with pytest.raises(UserError, match=f"shift.{other}: not judged of target: {target}; leave"):
        resolve(target, line, recordings, shift={other: [None, None]})


@pytest.mark.parametrize(
    ("target", "change", "said"),
    [
        ("run", {"decoders": {"x": RIDGE}}, "decoders.x.model: ridge regresses a trace"),
        ("speed", {"decoders": STUDY["decoders"]}, "logistic_regression tells states apart"),
        ("speed", {"decoders": {"x": {**ROI, "model": "linear_svm"}}}, "linear_svm tells states"),
        ("states", {"decoders": {"x": {**ROI, "model": "linear_svm"}}}, "no probability of each"),
        ("states", {"decoders": {"x": {**ROI, "model": "ridge"}}}, "no probability of each"),
        ("states", {"recordings": {}}, "recordings.target_states: name the states"),
        ("states", {"recordings": {"target_states": ["a", "b"]}}, "recordings.target_states: 2"),
        ("speed", {"recordings": THREE}, "is for target: states"),
        ("States", {}, "config: target: 'States' would be a trace of that name; write states"),
        ("RUN", {}, "config: target: 'RUN' would be a trace of that name; write run"),
        (" pupil", {}, "config: target: ' pupil' is not"),
        ("a\nb", {}, "config: target: 'a\\nb' is not"),
        ("run", {"recordings": {"behavior_target": "x"}}, "recordings.behavior_target"),
        (
            "speed",
            {"confounds": {"decoders": ["linear"], "model": "logistic_regression"}},
            "confounds.model: logistic_regression tells states apart; take ridge or gradient_boost",
        ),
        (
            "states",
            {"confounds": {"decoders": ["linear"], "model": "ridge"}},
            "confounds.model: ridge has no probability of each state; take logistic_regression",
        ),
        ("speed", {"stack": True}, "stack: of decoders of run and rest only"),
    ],
)
def test_what_a_target_cannot_have_is_refused_in_one_line(target, change, said):
    plain = {"decoders": STUDY["decoders"]} if target != "speed" else {}
    recordings = THREE if target == "states" else None
    with pytest.raises(UserError) as error:
        resolve(target, **{"recordings": recordings} | plain | change)
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("target", "model"),
    [("speed", "ridge"), ("states", "logistic_regression"), ("run", "logistic_regression")],
)
def test_controls_are_decoded_by_a_linear_model_of_the_target(target, model):
    states = THREE if target == "states" else None
    decoders = None if target == "speed" else STUDY["decoders"]
    found = resolve(target, decoders, states, confounds={"decoders": ["linear"]})
    assert found.config["confounds"]["model"] == model
    again = study.resolve(found.config)  # as a job reads it
    assert again.config["confounds"] == found.config["confounds"]


def test_adapted_decoders_of_another_target_are_taken_but_for_few_labels_of_linear_models():
    gru = {**ROI, "rnn": "gru"}
    decoders = {
        **{"linear": RIDGE, "past": {"adapted_from": "linear", "normalise": "past"}},
        **{"gru": gru, "few": {"adapted_from": "gru", "few_shot": 1}},
    }
    assert [*resolve("speed", decoders).decoders] == [*decoders]
    linear = STUDY["decoders"]["linear"]
    few = {"linear": linear, "few": {"adapted_from": "linear", "few_shot": 1}}
    with pytest.raises(UserError, match=r"decoders.few.few_shot: of target: states networks are"):
        resolve("states", few, THREE)


@pytest.mark.parametrize("target", ["speed", "states"])
def test_variants_and_adaptive_decoders_are_of_any_target(target):
    line = {"speed": RIDGE, "states": STUDY["decoders"]["linear"]}[target]
    lines = {"linear": line, "best": {"adaptive_of": ["linear", "linear_small"]}}
    more = {"variants": {"small": {"image_size": 32, "decoders": ["linear"]}}}
    found = resolve(target, lines, THREE if target == "states" else None, **more)
    assert [*found.decoders] == ["linear", "best", "linear_small"] and found.variants == ["small"]
    words = dict(methods.decoders(found.config))["One of several decoders for each mouse"]
    axis = {"speed": "R²", "states": "macro AUC"}[target]
    assert f"more than 0.01 of {axis} in these mice" in words and "AUCs" not in words.replace(
        "logit macro AUCs", ""
    )


LABS = {"cohorts": {"x": ["a", "b"], "y": ["c", "d", "e"]}}
FOUR = ["rest=0", "walk=3", "groom=2"]


def of_cohorts(target, own, shared=None):
    decoders = STUDY["decoders"] if target != "speed" else None
    return resolve(
        target, decoders, shared, **LABS, by_cohort={k: {"recordings": v} for k, v in own.items()}
    )


def test_cohorts_may_write_the_same_states_in_their_own_words():
    found = of_cohorts("states", {"y": {"target_states": FOUR}}, THREE)
    assert found.of_session("c1")["recordings"]["target_states"] == FOUR
    each = {"x": {"target_states": ["rest", "walk", "groom"]}, "y": {"target_states": FOUR}}
    assert methods.decoded(of_cohorts("states", each).config) == "rest, walk or groom"


@pytest.mark.parametrize(
    ("target", "own", "shared", "said"),
    [
        # a state's code is its place in the list: another order would be another state
        ("states", {"y": {"target_states": ["walk", "rest", "groom"]}}, THREE,
         "config: by_cohort.y.recordings.target_states: walk, rest, groom, but rest, walk, groom "
         "in recordings; give all cohorts the same states"),
        ("states", {"y": {"target_states": ["rest", "walk", "sit"]}}, THREE, "walk, sit, but rest"),
        ("states", {"y": {"target_states": ["a", "b"]}}, THREE, "by_cohort.y.recordings.target_s"),
        ("states", {"y": {"target_states": FOUR}}, None, "config: recordings.target_states: name"),
        ("run", {"y": {"behavior_target": "pupil"}}, None, "config: by_cohort.y.recordings.behav"),
        ("speed", {"y": {"target_states": FOUR}}, None, "config: by_cohort.y.recordings.target_st"),
    ],
)  # fmt: skip
def test_what_a_cohort_says_of_a_target_has_to_fit_it(target, own, shared, said):
    with pytest.raises(UserError) as error:
        of_cohorts(target, own, shared)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_names_of_states_may_stand_between_blanks():
    """Two values of one name are joined; a number is the word that a file has for it."""
    names, codes = read_states([" rest=0 ", "run=1", "run=2", " groom"])
    assert names == ("rest", "run", "groom")
    assert codes == {"0": 0, "1": 1, "2": 1, "groom": 2}
