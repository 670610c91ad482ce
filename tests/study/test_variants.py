"""Variants of a study: other preprocessing of the same sessions, and the decoders on it."""

from __future__ import annotations

import json

import pytest
import yaml

from mesodecode.base.files import UserError
from mesodecode.report import methods
from mesodecode.study import decoder_table
from mesodecode.study import study as studies

STUDY = """
study: s
recordings: {movie: "{session}.tif", behavior: "{session}.mat", rois: "{session}_roi.mat"}
mice: {a: [a1], b: [b1], c: [c1], d: [d1], e: [e1]}
corrections: {dark_offset: 100}
decoders:
  linear: {model: logistic_regression, pixels: 16}
  cnn: {}
  gru: {start_from: cnn, rnn: gru, cnn_weights: frozen}
  past: {adapted_from: linear, normalise: past}
  mean: {average_of: [linear, gru]}
  roi: {input: rois, rnn: gru}
  mine: {like: linear, variant: small, pixels: 4}
  theirs: {like: mine, C: 2}
variants:
  dff: {corrections: {dff: mean}, decoders: [linear, mean, past]}
  small: {image_size: 32, settings: {pixels: 8, C: 0.5}, decoders: [linear]}
  coarse: {settings: {pixels: 8}, decoders: [linear]}
  z: {corrections: {dff: mean}, settings: {normalise: zscore}, decoders: [roi]}
  again: {corrections: {dff: mean}, settings: {pixels: 4}, decoders: [linear]}
"""


def config(**variants):
    made = yaml.safe_load(STUDY)
    if variants:
        del made["decoders"]["mine"], made["decoders"]["theirs"]
        made["variants"] = variants
    return made


def refused(**variants):
    with pytest.raises(UserError) as error:
        studies.resolve(config(**variants))
    return str(error.value)


def test_decoders_of_a_variant_are_made_with_all_that_they_are_made_of():
    study = studies.resolve(config())
    made = {name: one.settings for name, one in study.decoders.items()}
    assert made["linear_dff"] == made["linear"] | {"variant": "dff"}
    assert made["mean_dff"]["average_of"] == ["linear_dff", "gru_dff"]
    assert made["gru_dff"]["start_from"] == "cnn_dff" and made["cnn_dff"]["variant"] == "dff"
    assert made["past_dff"] == made["past"] | {"adapted_from": "linear_dff"}
    # a line's own words come before those of its variant, and these before what it is like
    assert (made["mine"]["pixels"], made["mine"]["C"]) == (4, 0.5)
    assert made["theirs"] == made["mine"] | {"C": 2}
    assert (made["linear_small"]["pixels"], made["linear"]["pixels"]) == (8, 16)


def test_recordings_are_made_once_for_each_preprocessing():
    study = studies.resolve(config())
    read = {name: study.variant(name) for name in study.decoders}
    assert (
        read["linear_dff"] == read["past_dff"] == read["gru_dff"] == read["linear_again"] == "dff"
    )
    assert read["linear_coarse"] is read["linear"] is read["mean_dff"] is None
    assert read["roi_z"] is None  # signals that are given are corrected by nobody
    assert study.variants == ["dff", "small"]
    corrections = study.config["variants"]["dff"]["corrections"]
    assert (corrections["dff"], corrections["dark_offset"]) == ("mean", 100)
    again = studies.resolve(json.loads(json.dumps(study.config)))
    assert again == study


def test_roi_signals_of_masks_are_those_of_the_corrected_movie():
    made = config()
    del made["recordings"]["rois"]
    made["recordings"]["roi_masks"] = "areas.tif"
    assert studies.resolve(made).variant("roi_z") == "dff"
    small = {"image_size": 32, "decoders": ["roi"]}
    made["variants"] = {"small": small}
    del made["decoders"]["mine"], made["decoders"]["theirs"]
    with pytest.raises(UserError, match=r"roi_small differs in nothing from roi .*nor any resized"):
        studies.resolve(made)


def test_the_protocol_is_that_of_the_corrections_of_the_variant():
    made = config()
    made["decoders"] = {"live": {"model": "logistic_regression", "causal": True}}
    made["variants"] = {
        "dff": {"corrections": {"dff": "mean"}, "decoders": ["live"]},
        "own": {"corrections": {"binning": 2}, "decoders": ["live"]},
    }
    study = studies.resolve(made)
    found = decoder_table.protocols_of(study.config, study.decoders)
    assert found == {"live": "strict", "live_dff": "transductive", "live_own": "strict"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({}, "x: linear_x differs in nothing from linear; give other corrections"),
        ({"corrections": {"dff": "none"}}, "linear_x differs in nothing from linear"),
        ({"settings": {"pixels": 16}}, "linear_x differs in nothing from linear"),
        ({"corrections": {"dff": "mean"}, "decoders": []}, "x: no decoder reads it; name some"),
        ({"corrections": {"dfff": "mean"}}, r"x.corrections.dfff: no such key; did you mean 'dff'"),
        ({"corrections": {"channels": 2}}, "x.corrections.channels: says how the movies were"),
        ({"corrections": {"hemodynamics": "ratio"}}, "x.corrections: hemodynamics needs a second"),
        ({"image_size": 3}, "x.image_size: 3 is less than the minimum of 8"),
        ({"image_size": 32, "decoders": ["lin"]}, "x.decoders: no decoder 'lin'; known: linear"),
        ({"image_size": 32, "settings": {"pixelz": 3}}, "x.settings.pixelz: no setting of its"),
        ({"settings": {"start_from": "cnn"}}, "x.settings.start_from: no setting of its decoders"),
        ({"image_size": 32, "settings": {"pixels": "a"}}, "linear_x.pixels: 'a' is not of type"),
    ],
)
def test_variants_without_sense_are_refused_by_name(line, message):
    found = refused(x={"decoders": ["linear"]} | line)
    assert message in found and "\n" not in found


def test_decoders_that_have_a_variant_or_choose_one_are_of_no_other():
    made = config(x={"image_size": 32, "decoders": ["mine"]})
    made["decoders"]["mine"] = {"like": "linear", "variant": "x"}
    with pytest.raises(UserError, match=r"x\.decoders: 'mine' is of variant x; name its own line"):
        studies.resolve(made)
    made = config(x={"image_size": 32, "decoders": ["linear", "best"]})
    made["decoders"]["best"] = {"adaptive_of": ["linear", "linear_x"]}
    with pytest.raises(UserError, match=r"x\.decoders: 'best' chooses among variants, and is of n"):
        studies.resolve(made)


def test_files_of_a_session_are_those_of_the_variants_corrections():
    made = config(dark={"corrections": {"dark_frame": "{mouse}_{session}.tif", "dark_offset": 0}})
    made["variants"]["dark"]["decoders"] = ["linear"]
    study = studies.resolve(made)
    assert study.source("dark_frame", "a1", "dark") == "a_a1.tif"
    assert study.source("dark_frame", "a1") is None
    assert study.source("movie", "a1", "dark") == "a1.tif"


def test_two_variants_that_are_alike_and_names_that_are_taken_are_refused():
    line = {"image_size": 32, "decoders": ["linear"]}
    assert "variants.y: linear_y differs in nothing from linear_x" in refused(x=line, y=line)
    assert "variants.study: the study's own" in refused(study=line)
    made = config(x=line)
    made["decoders"]["linear_x"] = {"model": "logistic_regression"}
    with pytest.raises(UserError, match="'linear_x' is another decoder already; rename it"):
        studies.resolve(made)
    made = config(x=line)
    made["decoders"]["mine"] = {"like": "linear", "variant": "y"}
    with pytest.raises(UserError, match=r"decoders.mine.variant: no variant 'y'; known: x"):
        studies.resolve(made)
    made["decoders"]["mine"] = {"like": "gru", "variant": "x"}
    with pytest.raises(UserError, match=r"mine.variant: x, but cnn, .*is of study; start it"):
        studies.resolve(made)


def test_methods_say_in_what_each_variant_differs():
    study = studies.resolve(config())
    text = methods.variants(study.config)
    assert "dff (dff: mean); small (" in text and "z (dff: mean, normalise: zscore)" in text
    assert "image size: 32, pixels: 8, C: 0.5" in text


def test_a_search_of_variants_is_told_where_it_is():
    made = config()
    made["tune"] = {"linear": {"search": {"variant": ["dff", "small"]}}}
    with pytest.raises(UserError, match=r"tune.linear.search.variant: .*adaptive_of: .*validation"):
        studies.resolve(made)


def test_variants_with_recordings_of_their_own_do_not_go_with_cohorts_brought_together():
    made = config(x={"image_size": 32, "decoders": ["linear"]})
    made["frame_rate"] = 10
    with pytest.raises(UserError, match=r"variants.x: .*do not go together with settings of"):
        studies.resolve(made)
    del made["frame_rate"]
    made["areas"] = ["M1"]
    with pytest.raises(UserError, match=r"variants.x: .*do not go together with settings of"):
        studies.resolve(made)
    del made["areas"]
    made["variants"] = {"x": {"settings": {"pixels": 8}, "decoders": ["linear"]}}
    assert "linear_x" in studies.resolve(made).decoders


def test_a_variant_is_searched_as_its_decoder_is():
    search = {"linear": {"search": {"C": [0.1, 1]}}, "cnn": {"search": {"epochs": [1, 3]}}}
    made = config(x={"image_size": 32, "decoders": ["linear", "gru"]}) | {"tune": search}
    study = studies.resolve(made)
    assert list(study.config["tune"]) == ["linear", "cnn", "linear_x", "cnn_x"]
    assert study.config["tune"]["linear_x"] == study.config["tune"]["linear"]
    for name in ("linear", "linear_x", "gru", "gru_x"):
        assert all(".tuned-" in training for training in study.trainings(name))
    assert studies.resolve(json.loads(json.dumps(study.config))) == study
    own = {"search": {"pixels": [4, 8]}}
    study = studies.resolve(made | {"tune": search | {"linear_x": own}})
    assert study.config["tune"]["linear_x"]["search"] == own["search"]
    made["variants"]["x"]["settings"] = {"C": 0.5}
    with pytest.raises(UserError, match=r"variants.x.settings.C: tune.linear searches it, which"):
        studies.resolve(made)
    assert studies.resolve(made | {"tune": search | {"linear_x": own}})
    lone = config(x={"settings": {"C": 0.5}, "decoders": []}) | {"tune": search}
    lone["decoders"]["other"] = {
        "like": "linear",
        "variant": "x",
    }  # a line of its own
    assert "other" not in studies.resolve(lone).config["tune"]


def test_a_line_that_differs_in_nothing_is_refused_where_it_stands_before_its_like():
    made = config(x={"settings": {"pixels": 16}})
    made["decoders"] = {"mine": {"like": "linear", "variant": "x"}, **made["decoders"]}
    with pytest.raises(UserError, match="mine differs in nothing from linear"):
        studies.resolve(made)


def test_names_of_decoders_of_variants_are_of_at_most_64_characters():
    made = config()
    for n, fits in ((62, True), (63, False)):
        name = "a" * n
        made["decoders"] = {name: {"model": "logistic_regression"}}
        made["variants"] = {"x": {"image_size": 32, "decoders": [name]}}
        if fits:
            assert f"{name}_x" in studies.resolve(made).decoders
        else:
            with pytest.raises(UserError, match="has more than 64 characters; shorten a name"):
                studies.resolve(made)
