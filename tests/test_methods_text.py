"""The methods of the report: its numbers are the config's, the works cited are those used."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pandas as pd
import pytest

from mesodecode import cohort, decoder_table, decoder_text, methods_text, references, schema
from mesodecode.cli import options
from mesodecode.encoding import methods as encoding_methods

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
    resolved = cohort.resolve(study)
    made = methods_text.blocks(
        resolved.config,
        cohort=sessions() if table is None else table,
        n_allocations=len(resolved.allocations),
        **{"compared": True, "inferred": True} | tests,
        versions=VERSIONS,
    )
    return dict(made)


def with_setting(table: str, name: str, **settings: object) -> dict:
    study = copy.deepcopy(STUDY)
    study[table][name] |= settings
    return study


def numbers(text: str) -> list[str]:
    return re.findall(r"\d[\d,]*(?:\.\d+)?(?:e-?\d+)?", text)


def test_recordings_and_mice():
    text = " ".join(blocks().values())
    assert "10 recordings of 5 mice, of 18,000 frames each (30 frames/s; 128 × 96 px)" in text
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
    }
    made = blocks(STUDY | {"decoders": DECODERS | lines})
    text = made["Decoders applied with other use of the test mouse"]
    assert text.startswith("past: the models of svm, applied: ")
    assert "ROI signals by those up to each (the first 5 s are not decoded)" in text
    assert text.endswith("Protocols: past, strict; day, few_shot 1 session.")
    assert "Only day had a labelled part of it" in made["Training, validation and test mice"]
    alone = blocks(STUDY | {"decoders": DECODERS | {"day": lines["day"]}})
    text = alone["Decoders applied with other use of the test mouse"]
    assert "fine-tuned on 1 session of the test mouse with labels, which are not scored" in text
    assert "difference from the trained weights [@chelba2004], C = 0.007)" in text
    words = decoder_text.describe(schema.defaults("adapted", **lines["day"]))
    assert words == "lin, applied with few shot: 1 session, C: 0.007"
    corrected = blocks(STUDY | {"decoders": DECODERS | lines, "corrections": {"binning": 2}})
    assert "Protocols: past, transductive;" in " ".join(corrected.values())


def test_searches_are_described():
    assert "Search for settings" not in blocks()
    line = {"search": {"C": [0.01, 1], "pixels": [8, 16]}, "trials": 17}
    text = blocks(STUDY | {"tune": {"lin": line}})["Search for settings"]
    assert text.startswith("Of lin, C, pixels were chosen among 17 settings (seed 123). ")
    assert "no choice saw the mouse that it is tested on [@varma2006]" in text


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
    change = {"num_layers": 2} if key == "dropout" else {}  # of one layer it does nothing
    # a kind's first decoder is in words, of the others the differences
    others = {name: one for name, one in DECODERS.items() if decoder_table.kind_of(one) != kind}
    one = DECODERS[decoder] | change
    plain = blocks(STUDY | {"decoders": others | {decoder: one}, "importance": {}})
    made = blocks(STUDY | {"decoders": others | {decoder: one | {key: number}}, "importance": {}})
    heading = decoder_text.KINDS[kind]
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


def test_importance():
    text = blocks()["Importance: shap"]
    assert "Deep SHAP [@lundberg2017; @shrikumar2017]" in text
    assert "1,000 windows of the training mice" in text and "(seed 123)" in text
    change = {"windows": 55, "background": 66, "background_from": "test", "seed": 88}
    text = blocks(with_setting("importance", "shap", **change, output="logit"))["Importance: shap"]
    assert numbers(text)[-3:] == ["55", "66", "88"]
    assert "66 windows of the test mouse" in text and text.startswith("The logit of roi")
    text = blocks(with_setting("importance", "shap", method="integrated"))["Importance: shap"]
    assert "[@sundararajan2017]" in text and "SHAP" not in text
    text = methods_text.importance({"decoder": "seq", "masks": "squares", "size": 32})
    assert "[@zeiler2014]" in text and "masks: squares, size: 32" in text


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
    text = blocks()["Comparisons with mice as the unit"]
    assert "1 test mouse to 3 training mice" in text and "10,000 draws" in text
    study = STUDY | {"allocation": {"train": 2}}
    text = blocks(study)["Comparisons with mice as the unit"]
    assert "1 test mouse to 2 training mice" in text


def test_software_is_that_of_the_decoders():
    text = blocks()["Software"]
    assert "PyTorch 2.99 [@paszke2019]" in text and "timm [@wightman2019]" in text
    only = STUDY | {"decoders": {"lin": DECODERS["lin"]}, "importance": {}}
    text = " ".join(blocks(only).values())
    assert "PyTorch" not in text and "timm" not in text and "scikit-learn" in text


def test_works_are_those_cited_and_no_others():
    cited = references.cited_in(blocks().values())
    assert {"ajioka2024", "tan2019", "cho2014", "hochreiter1997", "holm1979"} <= cited.keys()
    assert {"zeiler2014", "elman1990", "harris2020", "chen2013"}.isdisjoint(cited)
    only = STUDY | {"decoders": {"lin": DECODERS["lin"]}, "importance": {}}
    cited = references.cited_in(blocks(only, compared=False, inferred=False).values())
    expected = "ajioka2024 hanley1982 molder2021 pedregosa2011 virtanen2020"
    assert list(cited) == expected.split()
    # of a decoder that is told by what differs
    decoders = DECODERS | {"seq2": {"like": "seq", "rnn": "rnn", "bidirectional": True}}
    cited = references.cited_in(blocks(STUDY | {"decoders": decoders}).values())
    assert {"elman1990", "schuster1997"} <= cited.keys()


def test_every_work_that_the_words_can_cite_is_known():
    parts = (decoder_text, methods_text, encoding_methods)
    source = "".join(Path(part.__file__).read_text() for part in parts)
    keys = set(re.findall(r"@([a-z]+\d{4})", source)) | set(decoder_text.WORKS_OF.values())
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
    config = cohort.resolve(study).config
    config["decoders"]["net"]["seed"] = 5
    config["decoders"]["null"] = config["decoders"]["lin"] | {"labels": "published", "seed": 6}
    seeds = {name: seed for name, _, seed in methods_text.seeds(config, inferred=True)}
    assert seeds == {
        "null": 6,
        **{"net": 5, "seq": 2021, "roi": 123, "svm": 123, "boost": 123, "shap": 123},
        **{"bootstrap": 1, "circular shifts": 1},
    }


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
    assert decoder_text.describe(cohort.resolve(STUDY).config["decoders"][name]) == words
    moved = {"rois": [1, 2], "shift": -30, "baseline": None, "half_window": 1}
    roi = cohort.resolve(with_setting("decoders", "roi", **moved)).config["decoders"]["roi"]
    assert decoder_text.describe(roi) == (
        "LSTM on 2 ROIs (no baseline subtracted), ±1 frame about 30 frames earlier"
    )
