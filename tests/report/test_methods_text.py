"""The methods of the report: its numbers are the config's, the works cited are those used."""

from __future__ import annotations

import copy
import itertools
import re
from pathlib import Path

import pandas as pd
import pytest

from mesodecode.cli import options
from mesodecode.encoding import methods as encoding_methods
from mesodecode.recordings.corrections import motion
from mesodecode.report import (
    applied_words,
    corrections_words,
    decoder_words,
    importance_words,
    methods,
    phrases,
    recordings_words,
    references,
    section_words,
    shift_words,
)
from mesodecode.report.seeds import seeds as seeds_of
from mesodecode.study import decoder_table, schema, targets
from mesodecode.study import study as studies
from mesodecode.study.kinds import KINDS
from texts import FILE, as_read

MICE = {mouse: [f"{mouse}1", f"{mouse}2"] for mouse in "abcde"}
DECODERS = {
    "lin": {"model": "logistic_regression"},
    "net": {},
    "seq": {"start_from": "net", "rnn": "gru"},
    "roi": {"input": "rois", "rnn": "lstm"},
    "svm": {"input": "rois", "model": "linear_svm"},
    "boost": {"input": "rois", "model": "gradient_boosting"},
    "avg": {"average_of": ["lin", "net"]},
}
STUDY = {
    "study": "x",
    "recordings": dict.fromkeys(["movie", "behavior", "rois"], "{session}"),
    "mice": MICE,
    "decoders": DECODERS,
    "importance": {"shap": {"decoder": "roi"}},
}
VERSIONS = {"Python": "3.99", "mesodecode": "0.9", "torch": "2.99", "snakemake": "9.99"}


def sessions(n_frames: int = 18000) -> pd.DataFrame:
    names = [(mouse, session) for mouse, mine in MICE.items() for session in mine]
    table = pd.DataFrame(names, columns=["mouse", "session"])
    return table.assign(n_frames=n_frames, frame_rate=30.0, height=128, width=96)


def blocks(study: dict = STUDY, table: pd.DataFrame | None = None, **tests: bool) -> dict[str, str]:
    resolved = studies.resolve(study)
    made = methods.blocks(
        resolved.config,
        cohort=sessions() if table is None else table,
        n_allocations=len(resolved.allocations),
        **{"compared": True, "inferred": True} | tests,
        versions=VERSIONS,
    )
    return dict(as_read(made))


def with_setting(table: str, name: str, **settings: object) -> dict:
    study = copy.deepcopy(STUDY)
    study[table][name] |= settings
    return study


def numbers(text: str) -> list[str]:
    return re.findall(r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", text)


def test_recordings_and_mice():
    text = " ".join(blocks().values())
    assert "10 recordings of 5 mice, of 18,000 frames each (30 frames/s; 128 × 96 px)" in text
    several = sessions().assign(height=[300, 100, 200, 400, 600, 500, 800, 700, 900, 901], width=9)
    sizes = ", ".join(f"{n} × 9" for n in (100, 200, 300, 400, 500, 600, 700, 800, 900, 901))
    assert f"{sizes} px)" in " ".join(blocks(table=several).values())
    assert "runs above 0.5 cm/s" in text
    assert "trained on 3, tuned on 1 and tested on 1 of 5 mice, in 20 allocations" in text
    study = STUDY | {
        "recordings": STUDY["recordings"] | {"speed_threshold": 0.7},
        "allocation": {"train": 2, "choose": "each_test"},
    }
    table = sessions()
    table.loc[0, ["n_frames", "frame_rate"]] = 900, 15.0
    text = " ".join(blocks(study, table).values())
    assert "of 900 to 18,000 frames each (15, 30 frames/s" in text
    assert "runs above 0.7 cm/s" in text
    assert "trained on 2, tuned on 1 and tested on 1 of 5 mice, in 5 allocations" in text
    assert "(each mouse as the test mouse once)" in text


def test_exclusions_are_repeated_with_their_reasons():
    assert "Exclusions" not in blocks()
    study = STUDY | {"exclude": {"a1": "lamp off", "e": "seizures"}, "allocation": {"train": 2}}
    made = blocks(study)
    assert made["Exclusions"] == (
        "Left out of everything, training included: a1 (lamp off); e (seizures)."
    )
    assert "of 4 mice, in 12 allocations" in made["Training, validation and test mice"]


def test_adapted_decoders_are_described_with_their_protocols():
    lines = {
        "past": {"adapted_from": "svm", "normalise": "past"},
        "day": {"adapted_from": "lin", "few_shot": "1 session", "C": 0.007},
        "first": {"adapted_from": "svm", "first_unlabelled": 5},
    }
    made = blocks(STUDY | {"decoders": DECODERS | lines})
    text = made["Decoders applied with other use of the test mouse"]
    assert text.startswith("past: the models of svm, applied: ")
    assert "ROI signals by those up to each (the first 5 s are not decoded)" in text
    assert text.endswith(
        "Protocols: past, strict; day, few_shot 1 session; first, first_unlabelled 5 min."
    )
    words = applied_words.adapted(schema.defaults("adapted", **lines["first"]))
    assert "is of its first 5 min, without labels, which are not scored" in words
    assert "Only day had a labelled part of it" in made["Training, validation and test mice"]
    alone = blocks(STUDY | {"decoders": DECODERS | {"day": lines["day"]}})
    text = alone["Decoders applied with other use of the test mouse"]
    assert "fine-tuned on 1 session of the test mouse with labels, which are not scored" in text
    assert "difference from the trained weights [@chelba2004], C = 0.007)" in text
    words = as_read(decoder_words.describe(schema.defaults("adapted", **lines["day"])))
    assert words == "lin, applied with few shot: 1 session, C: 0.007"
    corrected = blocks(STUDY | {"decoders": DECODERS | lines, "corrections": {"motion": True}})
    assert "Protocols: past, transductive;" in " ".join(corrected.values())


@pytest.mark.parametrize(
    ("kind", "on", "best"),
    [
        ("run", "predicts logit AUCs from", "mean AUC"),
        ("states", "predicts logit macro AUCs from", "mean macro AUC"),
        ("regression", "predicts the log of 1 - R² from", "mean R²"),
    ],
)
def test_adaptive_decoders_are_described_on_the_scale_of_their_target(kind, on, best):
    lines = {"adaptive_of": ["a", "b"]}
    words = applied_words.adaptive(schema.defaults("adaptive", **lines), targets.KINDS[kind])
    assert on in words and f"the one with the best {best} in the mice" in words
    fixed = schema.defaults("adaptive", **lines, by="validation")
    words = applied_words.adaptive(fixed, targets.KINDS[kind])
    assert words.startswith(f"for each test mouse one of a and b: the one with the best {best}")
    assert "predicts" not in words


def test_searches_are_described():
    assert "Search for settings" not in blocks()
    line = {"search": {"C": [0.01, 1], "pixels": [8, 16]}, "trials": 17}
    text = blocks(STUDY | {"tune": {"lin": line}})["Search for settings"]
    assert text.startswith("Of lin, C, pixels were chosen among 17 settings (seed 123). ")
    assert "no choice saw the mouse that it is tested on [@varma2006]" in text


# Each correction: the settings that turn it on, what its words say, and the works they rest on
TWO = {"channels": 2, "reference_channel": 2}
CORRECTIONS = {
    "channels": (
        {"channels": 3, "signal_channel": 2},
        "frames of 3 channels (wavelengths) that take turns or have files of their own were "
        "separated; channel 2 is the signal.",
        set(),
    ),
    "dark_offset": ({"dark_offset": 98.5}, "98.5 counts, the camera's without light,", set()),
    "dark_frame": ({"dark_frame": "dark.tif"}, "image of the camera without light was", set()),
    "motion": (
        {"motion": True, "max_shift": 7},
        f"upsampled to 1/{motion.UPSAMPLING} px [@guizar2008] (scikit-image [@vanderwalt2014]); "
        "those above 7 px were replaced",
        {"guizar2008", "vanderwalt2014"},
    ),
    "brain_mask": ({"brain_mask": "brain.tif"}, "outside a mask of the brain were set to 0", set()),
    "binning": ({"binning": 2}, "Squares of 2 × 2 px were averaged", set()),
    "bleaching": ({"bleaching": True}, "an exponential decay", {"golub1973"}),
    "dff": ({"dff": "mean"}, "F0 being its mean over the whole recording;", set()),
    "hemodynamics": (
        TWO | {"hemodynamics": "regression"},
        "what linear regression on the reference channel's ΔF/F explains of the signal's",
        {"ma2016", "valley2020", "couto2021"},
    ),
}


@pytest.mark.parametrize("step", CORRECTIONS)
def test_a_correction_is_in_the_words_where_it_is_on(step):
    settings, words, works = CORRECTIONS[step]
    made = blocks(STUDY | {"corrections": settings})
    text = made["Corrections of the movies"]
    assert text.startswith("Before all that follows, each movie was corrected by itself") and (
        words in text
    )
    assert works <= references.cited_in(made.values()).keys()
    bib = references.bibtex(references.cited_in(made.values()))
    assert all(f"{{{key},\n" in bib for key in works)
    for other, (_, said, _) in CORRECTIONS.items():
        assert (said in text) == (other == step)
    plain = blocks()
    assert not works & references.cited_in(plain.values()).keys()
    same = {"Corrections of the movies", "Recordings", "Software"}
    assert {k: v for k, v in made.items() if k not in same} == {
        k: v for k, v in plain.items() if k not in same
    }


def test_corrections_stand_in_the_order_they_are_made_in():
    together = {"hemodynamics": "ratio", "reference_lowpass": 5.5}
    for settings, _, _ in reversed(CORRECTIONS.values()):
        together = settings | together
    together |= TWO | {"signal_channel": 1, "dark_frame": None}
    text = blocks(STUDY | {"corrections": together})["Corrections of the movies"]
    assert "channel 1 is the signal, channel 2 the reference" in text
    steps = [
        *("2 channels", "98.5 counts", "shifted onto", "outside a mask", "Squares", "Bleaching"),
        *("ΔF/F = (F − F0) / F0", "Hemodynamics"),
    ]
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
    assert text.endswith(
        "Hemodynamics [@ma2016] were removed: 1 + ΔF/F of the signal was divided by 1 + ΔF/F of "
        "the reference channel (smoothed in time by a Gaussian, −3 dB at 5.5 Hz) in each pixel, "
        "less 1."
    )


def test_without_corrections_there_are_no_words_of_them():
    assert "Corrections of the movies" not in blocks()
    config = studies.resolve(STUDY).config
    off = {"max_shift": 3, "baseline_percentile": 20}  # of steps that a variant makes alone
    config["corrections"] |= off
    assert recordings_words.corrections(config) == ""


@pytest.mark.parametrize("key", schema.properties("corrections"))
def test_every_setting_of_the_corrections_changes_the_words(key):
    other = {
        **{"channels": 3, "signal_channel": 2, "reference_channel": 3, "dark_offset": 5.0},
        **{"dark_frame": "d.tif", "motion": False, "max_shift": 2.0, "brain_mask": None},
        **{"outside": "mean", "binning": 4, "bleaching": False, "dff": "mean"},
        **{"baseline_window": 33.0, "baseline_percentile": 21.0, "baseline_causal": True},
        **{"hemodynamics": "ratio", "reference_lowpass": 2.0},
    }
    base = {
        **{"channels": 4, "reference_channel": 4, "motion": True, "brain_mask": "b.tif"},
        **{"binning": 2, "bleaching": True, "dff": "percentile", "baseline_window": 60.0},
        "hemodynamics": "regression",
    }
    text = corrections_words.corrections(schema.defaults("corrections", **base))
    changed = corrections_words.corrections(
        schema.defaults("corrections", **base | {key: other[key]})
    )
    assert changed != text
    if isinstance(other[key], float):
        assert f"{other[key]:g}" in changed


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "frames of 2 channels (wavelengths) that take turns or have files of their own were"),
        ({"wavelengths": "in_turn"}, "frames of 2 channels (wavelengths) that take turns were"),
        ({"wavelengths": "separate"}, "2 channels (wavelengths) in files of their own were"),
        (
            {"light_sources": "{session}_lights.csv"},
            "by the light source that was recorded with each; light source blue is the signal, "
            "violet the reference.",
        ),
    ],
)
def test_how_channels_are_told_apart(told, words):
    named = {"signal_channel": "blue", "reference_channel": "violet"}
    chosen = named if "light_sources" in told else TWO
    study = STUDY | {"recordings": STUDY["recordings"] | told, "corrections": chosen}
    assert words in blocks(study)["Corrections of the movies"]


def test_f0_in_words():
    def f0(**settings):
        text = corrections_words.corrections(schema.defaults("corrections", **settings))
        return text.split("F0 being its ")[1].split("; it is 0")[0]

    assert f0(dff="percentile") == (
        "10th percentile over the whole recording, of means over 128 parts of it"
    )
    assert f0(dff="percentile", baseline_window=60).startswith(
        "10th percentile over a window of 60 s around each frame, of means over 1/32 of it, in "
    )
    running = {"dff": "mean", "baseline_window": 30}
    steps = "in steps of 1/32 of it with linear interpolation between them"
    assert f0(**running) == f"mean over a window of 30 s around each frame, {steps}"
    assert f0(**running, baseline_causal=True) == (
        f"mean over a window of 30 s before each frame, {steps}"
    )
    two = TWO | {"hemodynamics": "regression"}
    counts = "by which the result was multiplied (channels that were ΔF/F already"
    assert counts in corrections_words.corrections(schema.defaults("corrections", **two))
    two["dff"] = "mean"
    assert counts not in corrections_words.corrections(schema.defaults("corrections", **two))


def test_what_was_read_and_how():
    def text(**more):
        study = STUDY | {"recordings": STUDY["recordings"] | more.pop("recordings", {})}
        return blocks(study | more)["Recordings"]

    plain = text()
    assert "resized" not in plain and "sampled" not in plain and "ROI" not in plain
    assert "px, resized when read, by antialiased bilinear filters). " in text(image_size=64)
    made = text(recordings={"states": "speed", "speed_threshold_low": 0.25, "min_bout": 1.5})
    assert (
        "by its speed: it runs above 0.5 cm/s, from then on until at 0.25 cm/s or less; rests "
        "shorter than 1.5 s between runs count as run, then such runs between rests as rest."
    ) in made
    assert "cm/s" not in text(recordings={"states": "labels"})
    wheel = {"behavior_encoder": "c", "counts_per_turn": 1024, "wheel_circumference": 47.1}
    assert "a wheel (1,024 counts and 47.1 cm a turn)" in text(recordings=wheel)
    volts = {"speed_offset": 1.52, "speed_scale": 50}
    assert "the signal as recorded, less 1.52, times 50." in text(recordings=volts)
    assert "the signal as recorded, times 0.01." in text(recordings={"speed_scale": 0.01})
    assert "sampled at 100 samples/s from" in text(recordings={"behavior_rate": 100})
    assert "sampled at times of its own" in text(recordings={"behavior_time": "t"})
    for suffix in ("nwb", "NWB"):
        assert "sampled at times of its own" in text(
            recordings={"behavior": f"{{session}}.{suffix}"}
        )
    for key, of in itertools.product(("labels", "speed"), ("values", "level", "values/x")):
        of_spike2 = text(recordings={f"behavior_{key}": f"ch1/{of}"})
        assert ("sampled at times of its own" in of_spike2) == ("x" not in of)
    assert "sampled at times" in text(recordings=wheel | {"behavior_encoder": "ch1/values"})
    bouts = text(recordings={"behavior_time": "start", "behavior_stop": "stop"})
    assert "told by intervals" in bouts and "sampled" not in bouts
    assert "0 throughout were kept" in text(recordings={"zero_frames": "keep"})
    assert "which the corrections below do not touch" in text(corrections={"motion": True})
    masks = {"rois": None, "roi_masks": "m.tif"}
    both = text(recordings=masks, corrections={"motion": True}, image_size=64)
    assert both.endswith(
        "The signal of a region of interest (ROI) is the mean of its pixels, after the corrections "
        "below, before frames are resized."
    )
    assert text(recordings=masks).endswith("is the mean of its pixels.")


# Numbers that no default and no other number of the words has.
ODD = {"integer": 77, "number": 0.0077}
CASES = [
    (kind, decoder, key)
    for decoder, kind in {
        **{"lin": "linear", "net": "cnn", "seq": "cnn_rnn", "roi": "roi_rnn"},
        **{"svm": "roi_classical", "boost": "roi_classical"},
    }.items()
    for key, spec in schema.properties(kind).items()
    if ODD.keys() & set(options._types(spec))
    and (decoder, key) not in {("svm", "trees"), ("boost", "C")}  # of another model
]


@pytest.mark.parametrize(("kind", "decoder", "key"), CASES)
def test_every_number_of_a_decoder_is_in_the_words(kind, decoder, key):
    types = schema.properties(kind)[key]["type"]
    number = ODD["integer" if "integer" in types else "number"]
    # of one layer dropout does nothing, and is not told
    change = {"num_layers": 2} if key in ("dropout", "num_layers") else {}
    if key == "warm_up":
        change |= {"causal": True}
    # a kind's first decoder is in words, of the others the differences
    others = {name: one for name, one in DECODERS.items() if decoder_table.kind_of(one) != kind}
    if key == "warm_up" and kind == "cnn":  # so is what starts from it
        others["seq"] = others["seq"] | {"causal": True}
    one = DECODERS[decoder] | change
    plain = blocks(STUDY | {"decoders": others | {decoder: one}, "importance": {}})
    made = blocks(STUDY | {"decoders": others | {decoder: one | {key: number}}, "importance": {}})
    heading = KINDS[kind].title
    # of a half-window the words have the images: 2 x 77 + 1
    shown = "155" if key == "half_window" else "62 to t + 92" if key == "shift" else f"{number:g}"
    assert shown in made[heading] and shown not in plain[heading]
    assert {h: t for h, t in made.items() if h != heading} == {
        h: t for h, t in plain.items() if h != heading
    }
    other = blocks(
        STUDY
        | {"decoders": others | {"first": one, decoder: one | {key: number}}, "importance": {}}
    )[heading]
    assert f"Unlike it: {decoder} ({key.replace('_', ' ')}: {number:g})." in other


def test_causal_decoders_are_described_as_such():
    made = {"live": {"backbone": "net", "causal": True, "warm_up": 3}}
    made["seq"] = {"start_from": "live", "rnn": "gru", "half_window": 4, "causal": True}
    made["roi"] = DECODERS["roi"] | {"causal": True, "half_window": 7}
    made["roi"] |= {"normalise_from": "reference", "baseline": None}
    text = " ".join(blocks(STUDY | {"decoders": made, "importance": {}}).values())
    assert "has the frames t − 2, t − 1 and t as channels" in text
    assert "no later frame. A pixel is the difference from its mean over all frames" in text
    assert "The first 3 s of each recording are not decoded" in text
    assert "gives for the 9 images from t − 8 to t are read" in text
    assert "15 frames from t − 14 to t, as recorded and" in text
    assert "each ROI over the first session of the mouse, which is not decoded" in text
    assert "live, strict" in text and "roi, reference" in text
    seq = schema.defaults("cnn_rnn", **made["seq"])
    assert "the last 9 frames (causal)" in as_read(decoder_words.describe(seq))
    assert "of the past only" in as_read(
        decoder_words.describe(schema.defaults("cnn", **made["live"]))
    )


def test_words_of_other_settings():
    made = blocks(with_setting("decoders", "seq", cnn_weights="frozen", bidirectional=True))
    text = made["Recurrent networks on a CNN"]
    assert "The weights of net were left as they are" in text and "runs of" not in text
    assert "in both directions [@schuster1997]" in text
    text = blocks(with_setting("decoders", "roi", rois=[3, 5], baseline=None, normalise="dff"))
    text = text["Recurrent networks on ROI signals"]
    assert "ROIs 3 and 5 (the others set to zero)" in text
    assert "as recorded and as ΔF/F" in text
    text = blocks(with_setting("decoders", "roi", labels="permuted_between_sessions"))["Chance"]
    assert text.startswith("roi was trained, tuned and tested on labels that were exchanged")
    assert "Chance" not in blocks()
    assert "circularly, 199 times" in blocks(STUDY | {"circular_shifts": 199})["Chance"]
    # of other targets the shifts are told with the score, which they say the chance of
    lines = {"lin": {"model": "ridge"}}
    trace = {"target": "pupil", "decoders": lines, "importance": {}, "circular_shifts": 199}
    for other in (trace, STATES | {"circular_shifts": 199}):
        told = blocks(STUDY | other)
        assert "Chance" not in told and "circularly" in " ".join(told.values())
        asked, unasked = (methods.scores(other | {"circular_shifts": k}) for k in (1999, 0))
        assert "(k = 1,999, seed 1)" in asked and "(k = 999, seed 1)" in unasked  # as by the verb


def test_cohorts():
    mice = list(MICE)
    cohorts = {"lab": mice[:3], "rig": mice[3:]}
    rig = {"recordings": {"frame_rate": 20, "speed_threshold": 2.5}}
    rig |= {"corrections": {"bleaching": True}}
    allocation = {"train": 1, "choose": "each_test", "cohorts": "leave_out"}
    study = STUDY | {"cohorts": cohorts, "allocation": allocation, "frame_rate": 20}
    study |= {"by_cohort": {"rig": rig}, "areas": "common"}
    found = blocks(study)
    text = " ".join(found.values())
    assert "Of cohort lab: In every frame the mouse either runs or rests" in text
    assert "Of cohort rig: In every frame" in text and "it runs above 2.5 cm/s" in text
    assert "Recordings of 30 and 20 frames/s were brought to 20 frames/s by means over" in text
    assert "ROIs were matched by their names (those that all recordings have)." in text
    assert "(as listed)." in " ".join(blocks(study | {"areas": ["M1", "V1"]}).values())
    assert found["Corrections of the movies"].startswith("Of cohort rig: ")
    assert "each cohort tested by decoders trained and validated in the others" in text
    assert f"Mice are of 2 cohorts: lab (n = 3 mice) and rig (n = {len(mice) - 3} mice)." in text
    assert "AUCs of cohorts are means over their test mice" in text and "is lost" not in text
    plainly = study | {"allocation": allocation | {"cohorts": None}}
    text = methods.cohorts(studies.resolve(plainly).config)
    assert "What is lost between cohorts is the mean over test mice of their AUC after" in text
    fewer = studies.resolve(plainly | {"exclude": {"a": "ill"}}).config
    assert "lab (n = 2 mice) and rig" in methods.cohorts(fewer)
    other = {"target": "pupil", "cohorts": cohorts, "allocation": {"train": 1}}
    study = STUDY | other | {"decoders": {"x": {"model": "ridge"}}, "comparisons": {}}
    text = methods.cohorts(studies.resolve(study | {"importance": {}}).config)
    assert "the mean over test mice of their R² after training" in text and "AUC" not in text
    study["allocation"] = {"train": 1, "choose": "each_test", "cohorts": "leave_out"}
    text = methods.cohorts(studies.resolve(study | {"importance": {}}).config)
    assert "Scores (R²) of cohorts are means over their test mice, with 95 % intervals" in text
    plain = " ".join(blocks().values())
    assert "ohort" not in plain and "brought to" not in plain


def test_ceilings():
    assert "Ceilings" not in blocks(STUDY)
    mice = {mouse: [f"{mouse}{i}" for i in (1, 2, 3)] for mouse in STUDY["mice"]}
    text = blocks(STUDY | {"mice": mice, "ceilings": {"decoders": ["lin", "net"]}})["Ceilings"]
    assert "How good lin and net could be was measured by training on the other" in text
    assert "The epoch of net was chosen by one session" in text
    assert "Differences of AUC are averaged over" in text
    text = blocks(STUDY | {"mice": mice, "ceilings": {"decoders": ["lin"]}})["Ceilings"]
    assert "epoch" not in text and "as they have. No session has two roles" in text


def test_confounds():
    assert "Confounds" not in blocks()
    chosen = {"decoders": ["net", "roi"], "frame_step": 7, "baseline": 333}
    text = blocks(STUDY | {"confounds": chosen})["Confounds"]
    assert text.startswith("To see whether net and roi may have read something else than neurons")
    assert "by logistic regression" in text and "every 7th training window" in text
    assert "less a moving mean of 333 frames" in text and "or if it reaches 90% of" in text
    boosted = chosen | {"model": "gradient_boosting", "baseline": None}
    text = blocks(STUDY | {"confounds": boosted})["Confounds"]
    assert "by gradient boosting" in text and "less its mean and" in text
    leaks = blocks(STUDY | {"simulate": {"movement": 0.02, "stray_light": 0.3}})["Recordings"]
    assert leaks.rstrip().endswith(
        "Not of neurons, while the mouse runs: stray light of 0.3 of the brightest cortex falls on "
        "the whole image and the brain moves by 0.02 of the image."
    )
    faults = {"flashes": 0.05, "flipped_bouts": 0.2}
    text = blocks(STUDY | {"simulate": faults})["Recordings"]
    assert text.rstrip().endswith(
        "Faults on purpose: a light flashes in 0.05 of the frames and 0.2 of the bouts have the "
        "label of the other state."
    )


def test_shift():
    assert "Shift of test mice" not in blocks(STUDY | {"shift": {"decoders": []}})
    chosen = {"decoders": ["net", "avg"], "frames": 77, "neighbours": [2.5, None]}
    text = blocks(STUDY | {"shift": chosen})["Shift of test mice"]
    assert text.startswith("How far each test mouse is from the mice that net and avg know was")
    assert "Of what the last layer reads of 77 frames a session (of avg nothing)" in text
    assert "how sure it is, as an energy [@liu2020]" in text and "an AUC is predicted" in text
    assert "are: predicted auc 0.8, 0.65; mahalanobis 1.4, 3; neighbours 2.5, none; " in text
    assert "spread" not in text  # of a trace alone
    average = blocks(STUDY | {"shift": {"decoders": ["avg"]}})["Shift of test mice"]
    assert "last layer" not in average


def test_shift_of_a_trace():
    lines = {"lin": {"model": "ridge"}, "net": {}}
    study = STUDY | {"target": "pupil", "decoders": lines, "importance": {}}
    text = blocks(study)["Shift of test mice"]
    assert "within one of 5 groups of values" in text and "a correlation is predicted" in text
    assert "confidence" not in text and "spread 2, 4; " in text


def test_importance():
    text = blocks()["Importance: shap"]
    assert "Deep SHAP [@lundberg2017; @shrikumar2017]" in text
    assert "1,000 windows of the training mice" in text and "(seed 123)" in text
    change = {"windows": 55, "background": 66, "background_from": "test", "seed": 88}
    text = blocks(with_setting("importance", "shap", **change, output="logit"))["Importance: shap"]
    assert numbers(text)[-4:] == ["55", "66", "88", "95"]  # 95 % intervals
    assert "66 windows of the test mouse" in text and text.startswith("The logit of roi")
    text = blocks(with_setting("importance", "shap", checks={"frames": 77}))["Importance: shap"]
    assert "Its checks: frames: 77." in text
    text = blocks(with_setting("importance", "shap", method="integrated"))["Importance: shap"]
    assert "[@sundararajan2017]" in text and "SHAP" not in text
    text = as_read(importance_words.importance({"decoder": "seq", "masks": "squares", "size": 32}))
    assert "[@zeiler2014]" in text and "masks: squares, size: 32" in text
    assert "interpolated" not in text
    text = as_read(
        importance_words.importance({"decoder": "seq", "masks": "squares", "fill": "road"})
    )
    assert "Hidden pixels were interpolated linearly" in text and "[@rong2022]" in text
    assert "tested together against 0 by sign flips over mice" in text and "[@nichols2002]" in text
    text = as_read(
        importance_words.importance({"decoder": "seq", "masks": "squares", "null_decoder": "null"})
    )
    assert "tested together against permuted labels" in text
    text = blocks()["Importance: shap"]
    assert "the mean of its allocations)." in text and "tested together" not in text


def test_simulated_recordings_are_called_so():
    study = {key: value for key, value in STUDY.items() if key != "recordings"}
    study["simulate"] = {"run_signal": 0.035, "signal_rois": [7, 9], "seed": 42}
    text = blocks(study)["Recordings"]
    assert "are simulated" in text and "3.5 % ΔF/F in ROIs 7 and 9" in text
    assert "(seed 42)" in text and "behaviour file" not in text


def test_tests_are_described_where_they_were_made():
    none = blocks(compared=False, inferred=False)
    assert not [heading for heading in none if heading.startswith("Comparisons")]
    assert "[@wilcoxon1945]" not in " ".join(none.values())
    for made, other, kind in (
        ("compared", "inferred", "as published"),
        ("inferred", "compared", "with mice as the unit"),
    ):
        found = blocks(**{made: True, other: False})
        assert [heading for heading in found if heading.startswith("Comparisons")] == [
            f"Comparisons {kind}"
        ]
    text = blocks()["Comparisons with mice as the unit"]
    assert "1 test mouse to 3 training mice" in text and "10,000 draws" in text
    study = STUDY | {"allocation": {"train": 2}}
    text = blocks(study)["Comparisons with mice as the unit"]
    assert "1 test mouse to 2 training mice" in text


NORMAL = "normal approximation with corrections for ties and continuity"


@pytest.mark.parametrize(
    ("families", "how"),
    [
        ([], NORMAL),
        ([["rank_sum"]], NORMAL),
        ([["rank_sum_exact"]], "exact p values"),
        ([["rank_sum_exact", "rank_sum"]], f"{NORMAL}, and exact p values"),
        ([["rank_sum"], ["rank_sum_exact"]], f"{NORMAL}, and exact p values"),
        ([["rank_sum"], []], NORMAL),  # none in the second
    ],
)
def test_rank_sum_tests_are_described_as_each_family_has_them(families, how):
    lines = {str(number): {"tests": tests} for number, tests in enumerate(families)}
    text = as_read(methods.comparisons({"comparisons": lines}))
    assert f"two-sided Wilcoxon rank-sum tests [@wilcoxon1945] ({how}), with p values" in text


def test_seeds_of_the_bootstrap_are_those_of_a_report_with_mice_as_the_unit():
    config = studies.resolve(STUDY).config
    for tables, expected in (({"inference": None}, True), ({"comparisons": None}, False)):
        found = section_words.provenance(config, tables)["seeds"]
        assert ("bootstrap" in [name for name, _, _ in found]) == expected


def test_lists_and_ordinals_as_sentences_have_them():
    eight = [*range(1, 9)]
    assert phrases.value(eight) == "1, 2, 3, 4, 5, 6, 7 and 8" == phrases.value(tuple(eight))
    assert phrases.value([*eight, 9]) == "9 of them"
    assert [phrases.value(x) for x in ([], None, True, False, 0.5, 0)] == [
        *("none", "none", "yes", "no", "0.5", "0")
    ]
    assert phrases.every({"frame_step": 1}, "frame") == "all training frames"
    expected = "2nd 3rd 4th 10th 11th 12th 13th 20th 21st 22nd 23rd 24th 101st 111th 112th 113th"
    for word in [*expected.split(), "121st", "122nd", "1011th"]:
        step = {"frame_step": int(word[:-2])}
        assert phrases.every(step, "window") == f"every {word} training window"


def test_what_is_set_to_nothing_is_set_too():
    assert decoder_words.options("linear", schema.defaults("linear")) == ""
    assert decoder_words.options("linear", schema.defaults("linear", seed=0)) == (
        " Also set: seed: 0."
    )
    given = schema.defaults("cnn", augment_shift=2, ema_decay=0.5)
    assert decoder_words.options("cnn", given) == " Also set: ema decay: 0.5, augment shift: 2."


def test_software_is_that_of_the_decoders():
    text = blocks()["Software"]
    assert "PyTorch 2.99 [@paszke2019]" in text and "timm [@wightman2019]" in text
    only = STUDY | {"decoders": {"lin": DECODERS["lin"]}, "importance": {}}
    text = " ".join(blocks(only).values())
    assert "PyTorch" not in text and "timm" not in text and "scikit-learn" in text
    assert "scikit-image" not in text
    moved = blocks(only | {"corrections": {"motion": True}})
    assert "scikit-image [@vanderwalt2014]" in moved["Software"]


@pytest.mark.parametrize(
    ("authors", "cited"),
    [
        ("Holm, S.", "Holm 1979"),
        ("Lundberg, S. M. and Lee, S.-I.", "Lundberg & Lee 1979"),
        ("Cho, K. and Courville, A. and Bengio, Y.", "Cho et al. 1979"),
    ],
)
def test_a_text_cites_one_author_two_or_the_first_of_more(authors, cited):
    assert references.Work("article", authors, "T", "J", 1979).cited() == cited


def test_a_work_of_an_institute_stands_in_the_list_by_its_name():
    work = references.Work("misc", "Allen Institute", "An atlas", "Web", 2020)
    assert work.formatted() == "Allen Institute (2020) An atlas. Web."
    several = references.Work("misc", "Allen Institute and others", "An atlas", "Web", 2020)
    assert several.formatted() == "Allen Institute, et al. (2020) An atlas. Web."


def test_works_are_those_cited_and_no_others():
    cited = references.cited_in(blocks().values())
    assert {"ajioka2024", "tan2019", "cho2014", "hochreiter1997", "holm1979"} <= cited.keys()
    assert {"zeiler2014", "elman1990", "harris2020", "chen2013"}.isdisjoint(cited)
    only = STUDY | {"decoders": {"lin": DECODERS["lin"]}, "importance": {}}
    only |= {"shift": {"decoders": []}}
    cited = references.cited_in(blocks(only, compared=False, inferred=False).values())
    expected = "ajioka2024 hanley1982 molder2021 pedregosa2011 virtanen2020"
    assert list(cited) == expected.split()
    # of a decoder that is told by what differs
    decoders = DECODERS | {"seq2": {"like": "seq", "rnn": "rnn", "bidirectional": True}}
    cited = references.cited_in(blocks(STUDY | {"decoders": decoders}).values())
    assert {"elman1990", "schuster1997"} <= cited.keys()
    # by author and year: de Vries stands before Deng
    some = ["[@deng2009; @chen2022]", "[@devries2020; @chen2013]", "[@deng2009]", "no work"]
    assert list(references.cited_in(some)) == ["chen2013", "chen2022", "devries2020", "deng2009"]


def test_every_work_that_the_words_can_cite_is_known():
    parts = (corrections_words, recordings_words, decoder_words, importance_words, methods)
    parts += (encoding_methods, applied_words, shift_words)
    source = "".join(Path(part.__file__).read_text() for part in parts)
    source += schema.files()["corrections"].read_text()
    keys = set(re.findall(r"@([a-z]+\d{4})", source)) | set(decoder_words.WORKS_OF.values())
    software = set(re.findall(r'"([a-z]+(?:19|20)\d\d)"', source))
    assert keys | software == references.WORKS.keys()


def test_bibtex_is_well_formed():
    text = references.bibtex(references.WORKS)
    assert text.count("{") == text.count("}")
    entries = re.findall(r"^@(\w+)\{(\w+),\n((?:  \w+ = \{.*\},\n)+)\}$", text, re.MULTILINE)
    assert [key for _, key, _ in entries] == list(references.WORKS)
    for kind, key, lines in entries:
        fields = dict(re.findall(r"^  (\w+) = \{(.*)\},$", lines, re.MULTILINE))
        needed = {"article": "journal", "inproceedings": "booktitle", "book": "publisher"}
        assert {"author", "title", "year", needed.get(kind, "howpublished")} <= fields.keys(), key
        assert fields["year"] == key[-4:] and fields["title"].startswith("{")
        for author in fields["author"].split(" and "):
            assert author == "others" or re.fullmatch(r"[\w’ -]+, ([A-Z]\.-?[ ]?)+", author), author
        assert re.fullmatch(r"(e?\d+(--\d+)?)?", fields.get("pages", "")), key
        assert re.fullmatch(r"(10\.\d{4,}/\S+)?", fields.get("doi", "")), key


def test_works_as_a_reference_manager_leaves_them():
    text = """% Encoding: UTF-8

@Article{a2001,
  Title     = {On {DNA} and {"}more{"}},
  author    = "Merriënboer, B. and
               Gulcehre, C.",
  date-added = {2026-11-27}, month = jan,
  year      = 2001,
  journal = {J. of {Tests}}, pages = {1--9}
}
@Comment{jabref-meta: databaseType:bibtex;}
@MISC{b2002, AUTHOR={B, B.}, howpublished={Web}, title={{A \tand B}}, year={2002}, url={http://b.c}}
"""
    works = references.read(text)
    assert list(works) == ["a2001", "b2002"]
    people = "Merriënboer, B. and Gulcehre, C."
    assert works["a2001"] == references.Work(
        "article", people, 'On DNA and "more"', "J. of Tests", 2001, pages="1-9"
    )
    assert works["b2002"].kind == "misc"
    assert works["b2002"].title == "A and B" and works["b2002"].link() == "http://b.c"
    assert references.read(references.bibtex(references.WORKS)) == references.WORKS


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("  year = {2001},\n", ""), "a2001: no year"),
        (("journal", "booktitle"), "a2001: no venue"),
        (("{On it}", "{On {it}"), "0 entries can be read"),
        (("On it", r"On \\'it"), "a2001: LaTeX; write UTF-8"),
    ],
)
def test_entries_that_cannot_be_read_are_named(change, fault):
    work = references.Work("article", "B, B.", "On it", "J", 2001)
    text = references.bibtex({"a2001": work})
    with pytest.raises(ValueError, match=fault):
        references.read(text.replace("{{On it}}", "{On it}").replace(*change))
    with pytest.raises(ValueError, match="a2001: twice"):
        references.read(text + text)


def test_reference_as_a_reader_knows_it():
    assert references.WORKS["ajioka2024"].formatted() == (
        "Ajioka T, Nakai N, Yamashita O, Takumi T (2024) End-to-end deep learning approach to "
        "mouse behavior classification from cortex-wide calcium imaging. PLOS Computational "
        "Biology 20(3): e1011074."
    )
    assert (
        references.WORKS["chen2013"]
        .formatted()
        .startswith(
            "Chen T-W, Wardill TJ, Sun Y, Pulver SR, Renninger SL, Baohan A, et al. (2013) Ultra"
        )
    )
    assert references.WORKS["fisher1935"].formatted() == (
        "Fisher RA (1935) The Design of Experiments. Oliver and Boyd, Edinburgh."
    )
    assert references.WORKS["tan2019"].formatted().endswith("(PMLR 97), 6105-6114.")
    cited = [references.WORKS[key].cited() for key in ("holm1979", "tan2019", "ajioka2024")]
    assert cited == ["Holm 1979", "Tan & Le 2019", "Ajioka et al. 2024"]
    assert references.WORKS["holm1979"].link() == ""


def test_seeds_of_all_that_draws_random_numbers():
    study = STUDY | {"circular_shifts": 9}
    config = studies.resolve(study).config
    config["decoders"]["net"]["seed"] = 5
    config["decoders"]["null"] = config["decoders"]["lin"] | {"labels": "published", "seed": 6}
    seeds = {name: seed for name, _, seed in seeds_of(config, inferred=True)}
    assert seeds == {
        "null": 6,
        **{"net": 5, "seq": 2021, "roi": 123, "svm": 123, "boost": 123, "shap": 123},
        **{"bootstrap": 1, "circular shifts": 1},
    }


@pytest.mark.parametrize("target", ["pupil", "states"])
def test_seeds_name_the_shifts_of_traces_and_states_which_are_always_made(target):
    config = studies.resolve(STUDY).config
    assert config["circular_shifts"] == 0
    assert not [row for row in seeds_of(config, inferred=False) if row[0] == "circular shifts"]
    shifts = "circular shifts", "comparison with chance", 1
    assert shifts in seeds_of(config | {"target": target}, inferred=False)


def test_seeds_name_searches_and_what_losses_across_cohorts_are_held_against():
    line = {"lin": {"search": {"C": [0.01, 0.1]}, "trials": 3, "seed": 7}}
    config = studies.resolve(STUDY).config | {"tune": line}
    found = seeds_of(config, inferred=False, exchanged=True)
    assert ("lin", "search for settings", 7) in found
    assert found[-1] == ("exchanges", "what losses across cohorts go with", 1)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("lin", "logistic regression of 32 × 32 pixels"),
        ("net", "CNN (tf_efficientnet_b0.in1k) of 3 frames"),
        ("seq", "GRU on net (fine-tuned), ±5 frames"),
        ("roi", "LSTM on all ROIs, ±15 frames"),
        ("svm", "linear svm of all ROIs, ±15 frames"),
        ("avg", "mean of lin and net"),
    ],
)
def test_decoder_in_a_few_words(name, words):
    assert as_read(decoder_words.describe(studies.resolve(STUDY).config["decoders"][name])) == words
    moved = {"rois": [1, 2], "shift": -30, "baseline": None, "half_window": 1}
    roi = studies.resolve(with_setting("decoders", "roi", **moved)).config["decoders"]["roi"]
    assert as_read(decoder_words.describe(roi)) == (
        "LSTM on 2 ROIs (no baseline subtracted), ±1 frame about 30 frames earlier"
    )


@pytest.mark.parametrize("by", ["recording", "validation"])
@pytest.mark.parametrize(("target", "score"), [("run", "AUC"), ("states", "macro AUC")])
def test_an_adaptive_decoder_is_said_to_take_the_best_mean_of_its_targets_score(by, target, score):
    settings = schema.defaults("adaptive", adaptive_of=["a", "b"], by=by)
    words = as_read(decoder_words.words("adaptive", settings, targets.KINDS[target]))
    assert f"the one with the best mean {score} in the mice that validated beside" in words
    assert "{" not in words


def test_areas_of_a_map_of_pixels_are_said_as_they_were_given():
    line = {"decoder": "seq"} | schema.defaults("importance_pixels", areas="squares", size=16)
    text = as_read(importance_words.importance(line))
    assert "its inputs" not in text and "the pixels of its frames by Deep SHAP" in text
    assert text.count("the sum of those of its pixels (areas: squares, size: 16).") == 1


@pytest.mark.parametrize(
    ("target", "explained"),
    [
        ("run", "The probability of"),
        ("pupil", "The value of pupil, in its unit, of"),
        ("states", "The log-probability of each state, less the mean over states, of"),
    ],
)
def test_maps_of_every_family_and_target(target, explained):
    for family in ("cutout", "shap", "pixels"):
        settings = schema.defaults(f"importance_{family}", decoder="seq")
        settings |= {"masks": "squares"} if family == "cutout" else {}
        text = as_read(importance_words.importance(settings, target))
        if family == "cutout":
            assert f"is the {targets.kind_named(target).axis} of the whole images" in text
        else:
            assert text.startswith(f"{explained} seq was attributed to")
            assert ("of states also their mean over all" in text) == (target == "states")


STATES = {
    "target": "states",
    "recordings": STUDY["recordings"] | {"target_states": ["rest", "groom", "run"]},
    "decoders": {"net": {}},
    "comparisons": {},
    "importance": {},
}
SIMULATED = {"simulate": {"seed": 42}, "mice": {m: [f"{m}1", f"{m}2"] for m in "abcdef"}}
SIMULATED |= {"cohorts": {"lab": list("abc"), "rig": list("def")}}
MORE = [
    (STATES, "which of these states a frame is of: rest, groom or run."),
    (STATES, "the likeliest state."),
    ({"variants": {"small": {"image_size": 64, "decoders": ["lin"]}}}, "small (image size: 64)"),
    (
        {"recordings": STUDY["recordings"] | {"behavior_position": "xy", "speed_scale": 0.2}},
        "Speed is that of a tracked position (0.2 cm a unit): the straight way between",
    ),
    (
        {"recordings": STUDY["recordings"] | {"behavior_position": "xy"}},
        "Speed is that of a tracked position: the straight way between",
    ),
    ({"decoders": {"lin": DECODERS["lin"] | {"causal": True, "baseline": 90}}}, "the 90 frames"),
    ({"decoders": {"roi": {"input": "rois", "rnn": "tcn", "rois": [*range(1, 10)]}}}, "9 ROIs"),
    (
        {
            "decoders": DECODERS
            | {
                "on": {"adapted_from": "net", "register": True, "batch_norm": True},
                "cov": {"adapted_from": "net", "coral": True},
                "few": {"adapted_from": "seq", "few_shot": 2, "finetune": "norm"},
            }
        },
        "on: the models of net, applied: inputs are normalised as they were in training; turned",
    ),
]


@pytest.mark.parametrize(("change", "words"), MORE)
def test_words_that_other_settings_add(change, words):
    study = STUDY | {"importance": {}} | change
    assert words in " ".join(blocks(study).values())


def test_simulated_cohorts_say_what_they_differ_in():
    study = {key: value for key, value in STUDY.items() if key != "recordings"} | SIMULATED
    study["by_cohort"] = {"rig": {"simulate": {"run_signal": 0.05}}}
    assert "Cohort rig differs on purpose: run signal: 0.05." in blocks(study)["Recordings"]
    seeds = seeds_of(studies.resolve(study).config, inferred=False)
    assert seeds[0] == ("simulation", "recordings", 42)


def test_sentences_have_no_marks_in_a_row_and_nothing_unfilled():
    lines = FILE.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if re.search(r"[,;:] ?[,;.]|  | [,;.] |[{}]", line)]


def test_settings_that_the_first_decoder_makes_nothing_of_are_told_of_the_others():
    """What hangs on a setting that differs is in the words of no decoder before it."""
    lines = {"roi": DECODERS["roi"], "live": DECODERS["roi"] | {"causal": True}}
    lines |= {"deep": DECODERS["roi"] | {"num_layers": 3, "dropout": 0}}
    lines |= {"cov": {"adapted_from": "roi", "coral": True}}
    lines |= {"few": {"adapted_from": "roi", "few_shot": 2, "finetune": "all"}}
    made = blocks(STUDY | {"decoders": lines, "importance": {}})
    told = made["Recurrent networks on ROI signals"]
    assert "live (causal: yes, normalise from: past, warm up: 5)" in told
    assert "deep (num layers: 3, dropout: 0)" in told
    told = made["Decoders applied with other use of the test mouse"]
    few = "few shot: 2, finetune: all, passes: 10, max lr: 0.001, C: 0.01, seed: 2021"
    assert f"few (coral: no, {few})" in told


def test_many_decoders_are_counted_and_few_are_named():
    assert phrases.named(["a", "b"]) == "a and b"
    assert phrases.named(list("abcdefghi")) == "9 decoders of this study"


def test_one_mouse_is_no_mice():
    cohorts = {"lab": list(MICE)[:1], "rig": list(MICE)[1:]}
    study = STUDY | {"cohorts": cohorts, "allocation": {"train": 1}}
    text = " ".join(blocks(study).values())
    assert "lab (n = 1 mouse) and rig" in text and "1 training mouse;" in text


def test_nulls_of_other_targets_are_said_to_have_no_p():
    null = {"model": "logistic_regression", "labels": "published"}
    own = {"model": "logistic_regression"}
    of_run = methods.chance(
        studies.resolve(STUDY | {"decoders": {"n": null}, "importance": {}}).config
    )
    assert "Of n any permutation was drawn, fixed points allowed. p = (r + 1)" in of_run
    states = studies.resolve(STUDY | STATES | {"decoders": {"n": null, "own": own}}).config
    assert methods.chance(states).endswith("fixed points allowed.")


def test_a_pupil_that_is_planted_and_run_that_is_not_decoded_are_told():
    study = {key: value for key, value in STUDY.items() if key != "recordings"}
    trace = {"target": "pupil", "decoders": {"lin": {"model": "ridge"}}, "importance": {}}
    planted = {"simulate": {"pupil_signal": 0.06, "pupil_rois": [3, 4]}}
    text = blocks(study | trace | planted)["Recordings"]
    assert "ΔF/F in ROIs 3 and 4 follows it, by 6 % an SD of its size." in text
    assert "pupil" not in blocks(study | {"simulate": {"pupil_signal": 0}})["Recordings"]
    unknown = "where a file of behaviour says nothing of them, every frame counts as rest"
    assert unknown in blocks(STUDY | trace)["Recordings"]
    assert unknown not in blocks()["Recordings"]


def test_seeds_name_the_checks_of_cut_outs():
    study = {"importance": {"cut": {"decoder": "net", "masks": "squares"}}}
    rows = seeds_of(studies.resolve(STUDY | study).config, inferred=False)
    assert ("cut", "importance analysis", 0) in rows
