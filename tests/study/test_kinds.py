"""The table of kinds: each line has what the config, the rules and the report need of it."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest

from kept import assert_kept
from mesodecode.base.files import UserError
from mesodecode.cli import VERBS
from mesodecode.decoders import fitted_files, roi_networks, train, weights
from mesodecode.report import decoder_words, importance_words
from mesodecode.study import importance, kinds, schema, tuning
from mesodecode.study.kinds import FITTED, IMAGE_NETWORKS, KINDS, SIGNAL_NETWORKS, TRAINED

# Settings that a study has to give, and no more
LEAST = {
    "average": {"average_of": ["a", "b"]},
    "adaptive": {"adaptive_of": ["a", "b"]},
    "adapted": {"adapted_from": "a"},
    "roi_classical": {"input": "rois", "model": "ridge"},
    "roi_rnn": {"input": "rois", "rnn": "gru"},
    "linear": {"input": "images", "model": "logistic_regression"},
    "cnn_rnn": {"input": "images", "start_from": "a", "rnn": "gru"},
    "cnn": {"input": "images", "backbone": "efficientnet_b0"},
}


def filled(name):
    return schema.defaults(name, **LEAST[name])


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_told_by_what_its_schema_takes(name):
    schema.check(LEAST[name], name, "decoders.x")
    assert kinds.kind_of(LEAST[name]).name == name
    assert kinds.kind_of(filled(name)).name == name  # as a report reads it, from config.json


def test_each_schema_of_decoders_is_a_kind():
    """A schema that says how a decoder is given labels, members or a start is one of a decoder."""
    marks = {"labels", "average_of", "adaptive_of", "adapted_from"}
    found = {
        name for name in schema.files() if marks & schema.load(name).get("properties", {}).keys()
    }
    assert found == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_described(name):
    settings = filled(name)
    assert KINDS[name].title and decoder_words.describe(settings)
    assert name == "average" or decoder_words.words(name, settings)


def test_a_kind_without_words_of_its_own_is_told_by_its_line(monkeypatch):
    new = kinds.Kind(
        "knn", "Nearest neighbours", "nearest neighbours of ROI signals", lambda s: "k" in s
    )
    monkeypatch.setattr(kinds, "KINDS", {"knn": new, **KINDS})
    monkeypatch.setattr(decoder_words, "KINDS", {"knn": new, **KINDS})
    assert decoder_words.words("knn", {"k": 3}) == "nearest neighbours of ROI signals."
    assert decoder_words.describe({"k": 3}) == "nearest neighbours of ROI signals"


def test_a_model_without_words_of_its_own_is_told_by_its_name():
    new = filled("roi_classical") | {"model": "nearest_neighbours"}
    assert "decoded by nearest neighbours (scikit-learn" in decoder_words.words(
        "roi_classical", new
    )
    assert decoder_words.describe(new).startswith("nearest neighbours of all ROIs")


@pytest.mark.parametrize("name", TRAINED)
def test_each_trained_kind_says_what_it_reads_and_where_its_models_are(name):
    kind = TRAINED[name]
    assert kind.input in ("images", "rois") and kind.suffix.startswith(".") and kind.libraries
    half, shift = kind.window(filled(name))
    assert half >= 0 and shift == 0
    assert kind.network == ("epochs" in schema.properties(name))


def test_files_of_weights_are_of_the_kinds_of_networks_and_of_no_other():
    assert set(weights.MADE_BY) == {*IMAGE_NETWORKS, *SIGNAL_NETWORKS, "cnn_rnn"}
    assert IMAGE_NETWORKS == ("cnn", "finetuned") and SIGNAL_NETWORKS == ("roi_rnn",)


@pytest.mark.parametrize("name", [name for name, kind in TRAINED.items() if kind.network])
def test_each_network_that_starts_from_no_other_has_a_verb_and_what_training_asks_for(name):
    kind, settings = KINDS[name], schema.properties(name)
    wanted = train.SETTINGS if kind.of_images else (*roi_networks.SETTINGS, "half_window", "shift")
    assert set(wanted) <= set(settings)
    assert bool(kind.trains) == ("start_from" not in settings)
    if kind.trains:
        verb = kind.trains.train
        assert VERBS[verb.replace("_", "-")] == f"decoders.{verb}" and verb.startswith("train")


@pytest.mark.parametrize("name", FITTED)
def test_each_fitted_kind_has_a_module_a_verb_and_a_suffix_of_its_own(name):
    assert callable(fitted_files.module(name).fit) and callable(fitted_files.module(name).load)
    assert VERBS[FITTED[name].fits.fit.replace("_", "-")] == f"decoders.{FITTED[name].fits.fit}"
    assert FITTED[name].fits.fit.startswith("fit")  # by which run times know what trains
    assert [one for one in TRAINED.values() if one.suffix == FITTED[name].suffix] == [FITTED[name]]


@pytest.mark.parametrize(
    ("name", "settings", "members"),
    [
        ("average", {"average_of": ["a", "b"]}, ["a", "b"]),
        ("adaptive", {"adaptive_of": ["a", "b"]}, ["a", "b"]),
        ("adapted", {"adapted_from": "a"}, ["a"]),
    ],
)
def test_what_is_made_of_others_names_them(name, settings, members):
    assert KINDS[name].members(settings) == members
    assert KINDS["cnn"].members({"input": "images"}) == []


@pytest.mark.parametrize(
    ("line", "family", "explained"),
    [
        ({"decoder": "a"}, "importance_shap", {"roi_rnn"}),
        ({"decoder": "a", "masks": "squares"}, "importance_cutout", {"linear", "cnn", "cnn_rnn"}),
        ({"decoder": "a", "areas": "squares"}, "importance_pixels", {"cnn", "cnn_rnn"}),
    ],
)
def test_each_family_of_maps_says_which_lines_and_decoders_it_has(line, family, explained):
    schema.check(line, family, "importance.x")
    assert importance.kind_of(line) == family
    assert importance.kind_of(schema.defaults(family, **line)) == family
    assert {
        k for k, kind in KINDS.items() if importance.families()[family].explains(kind)
    } == explained


@pytest.fixture
def with_gradients(tmp_path, monkeypatch):
    """The schemas, with one more of a family of maps, behind all others by its name."""
    shutil.copytree(schema.FOLDER, tmp_path / "schemas")
    (tmp_path / "schemas/importance/smoothed.yaml").write_text(
        "family: {told_by: smooth, of: network of images, "
        "decoders: {input: images, network: true}}\n"
        "methods: Gradients of {decoder} were smoothed over {smooth} px.\n"
        "type: object\nadditionalProperties: false\nrequired: [decoder, smooth]\n"
        "properties: {decoder: {type: string, flag: false}, smooth: {type: integer}}\n"
    )
    cached = (schema.load, schema.files, importance.families)
    monkeypatch.setattr(schema, "FOLDER", tmp_path / "schemas")
    for one in cached:
        one.cache_clear()
    yield
    for one in cached:
        one.cache_clear()


def test_a_family_of_maps_is_told_by_its_schema_alone(with_gradients):
    line = {"decoder": "c", "smooth": 2}
    assert importance.kind_of(line) == "importance_smoothed"
    assert importance.kind_of({"decoder": "c"}) == "importance_shap"
    importance.check("importance.x", line, {"c": "cnn", "l": "linear"})
    refused = r"importance\.x\.decoder: no network of images 'l'; known: c; a map of 'l' has masks$"
    with pytest.raises(UserError, match=refused):
        importance.check("importance.x", line | {"decoder": "l"}, {"c": "cnn", "l": "linear"})
    words = importance_words.importance(line)
    assert words.startswith("Gradients of c were smoothed over 2 px. With mice as the unit")


def test_each_schema_of_maps_is_a_family():
    found = {name for name in schema.files() if name.startswith("importance_")}
    assert found - {"importance_checks"} == set(importance.families())


SETTINGS = (
    {"average_of": ["a", "b"]},
    {"adaptive_of": ["a", "b"], "by": "recording"},
    {"adapted_from": "a"},
    {"input": "rois", "model": "ridge", "half_window": 3, "shift": 2},
    {"input": "rois", "model": "ridge", "half_window": 3, "shift": 0, "causal": True},
    {"input": "rois", "rnn": "gru", "half_window": 5, "shift": -1},
    {"model": "logistic_regression"},
    {"start_from": "cnn", "rnn": "gru", "half_window": 5},
    {"start_from": "cnn", "rnn": "gru", "half_window": 5, "causal": True},
    {"backbone": "x"},
    {"causal": True},
    {},
)


def test_what_is_asked_of_a_kind_is_as_it_was_read():
    """`KINDS=write pytest -n 0 …` writes `kinds.txt` anew, which is read in the diff."""
    lines = []
    for kind in kinds.KINDS.values():
        told = {field.name: getattr(kind, field.name) for field in dataclasses.fields(kind)}
        told |= {"of_images": kind.of_images, "image_network": kind.image_network}
        lines.append(kind.name)
        lines += [f"  {key}: {value}" for key, value in told.items() if not callable(value)]
    for settings in SETTINGS:
        kind = kinds.kind_of(settings)
        window = kind.window(settings) if kind.window else None
        lines.append(f"{settings}\n  {kind.name}, window {window}, of {kind.members(settings)}")
    names = ("FITTED", "TRAINED", "TOGETHER", "SIGNAL_NETWORKS", "IMAGE_NETWORKS")
    lines += [f"{name}: {' '.join(getattr(kinds, name))}" for name in names]
    assert_kept("\n".join(lines) + "\n", Path(__file__).with_name("kinds.txt"), "KINDS")


@pytest.mark.parametrize(
    ("values", "can", "cannot"),
    [
        ([0.1, 0.5], [0.1, 0.3, 0.5], [0.09, 0.51]),  # a range, with its ends
        ([3, 5, 9], [3, 5, 9], [2, 4, 10]),
        (["minmax", "zscore"], ["minmax", "zscore"], ["none"]),
        ([False, True], [False, True], [0.5]),
    ],
)
def test_a_search_can_come_to_the_ends_of_a_range_or_to_one_of_its_values(values, can, cannot):
    assert all(tuning.holds(values, value) for value in can)
    assert not any(tuning.holds(values, value) for value in cannot)


def test_a_new_family_of_maps_makes_the_tables_that_its_schema_names(monkeypatch):
    families = importance.families()
    plain, told = (
        importance.Family("x", {}, told_by=word, tables=tables)
        for word, tables in (("hidden", ()), ("shown", ("signed",)))
    )
    new = {"importance_new": plain, "importance_other": told, **families}
    monkeypatch.setattr(importance, "families", lambda: new)
    for line, tables in (
        ({"hidden": 1}, ""),
        ({"shown": 1, "mirror": 3}, "signed sides"),
        ({"masks": "edges", "times": False}, "sessions signed"),
        ({"masks": "circles", "times": True}, "sessions signed sides times"),
        ({"areas": "squares"}, "signed times"),
        ({"mirror": [[1, 2]]}, "signed sides times"),
    ):
        assert importance.tables_of(line) == {"checks", "mice", *tables.split()}
