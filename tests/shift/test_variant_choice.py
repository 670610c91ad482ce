"""A decoder for each test mouse, chosen by what its output looks like, never by labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from make_decoders import write_recording
from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table
from mesodecode.cli import main
from mesodecode.decoders import predictions, validation
from mesodecode.decoders.predictions import SessionPredictions, bind
from mesodecode.shift import variant_choice
from mesodecode.study import decoder_table
from mesodecode.study import study as studies
from mesodecode.study.mouse_allocations import allocate


def mice(seen, n=6, seed=0):
    """Rows of mice in which decoder a or b is the better, and `seen` times that is in sight."""
    rng = np.random.default_rng(seed)
    rows = []
    for at in range(n):
        better = 1.0 if at % 2 else -1.0
        for name, sign in (("a", 1), ("b", -1)):
            auc = expit(1.2 + 0.5 * sign * better + rng.normal(0, 0.05))
            shown = expit(seen * sign * better + rng.normal(0, 0.05))
            rows.append({"mouse": f"m{at}", "decoder": name, "auc": auc, "two_states": shown})
    return pd.DataFrame(rows).assign(slow=0.5)


def own(a, b):
    return pd.DataFrame(
        {"decoder": ["a", "b"], "two_states": [expit(a), expit(b)], "slow": [0.5, 0.5]}
    )


def taken(*args):
    made = variant_choice.choose(*args)
    return made.loc[made["chosen"], "decoder"].item()


@pytest.mark.parametrize("sign", [1, -1])
def test_each_mouse_gets_what_its_output_speaks_for_as_other_mice_have_shown(sign):
    """Also where the better decoder looks worse, as long as it does so in all mice."""
    known = mice(0.4 * sign)
    assert taken(known, own(0.4 * sign, -0.4 * sign), 0.01) == "a"
    assert taken(known, own(-0.4 * sign, 0.4 * sign), 0.01) == "b"


def test_without_evidence_that_holds_in_other_mice_the_best_mean_is_kept():
    known = mice(0.0, n=7)  # a is the better in three, b in four
    best = known.groupby("decoder")["auc"].mean().idxmax()
    other = {"a": -1, "b": 1}[best]
    assert taken(known, own(0.4 * other, -0.4 * other), 0.01) == best
    strong = mice(0.4, n=7)
    assert taken(strong, own(0.4 * other, -0.4 * other), None) == best  # by validation alone
    assert taken(strong, own(0.4 * other, -0.4 * other), 0.5) == best  # a margin not reached


def test_few_mice_say_what_is_best_and_no_more():
    two = mice(0.4, n=2).query("mouse == 'm1'")
    made = variant_choice.choose(two, own(-3, 3), 0.0)
    assert made["n_mice"].tolist() == [1, 1] and made["worth"].isna().all()
    assert made.loc[made["chosen"], "decoder"].item() == "a"


def by_hand(auc):
    """Rows of mice in which nothing is seen; `auc`: mouse -> AUCs of a and b, a row or more."""
    rows = [
        {"mouse": mouse, "decoder": name, "auc": value, "two_states": 0.5, "slow": 0.5}
        for mouse, both in auc.items()
        for name, values in zip("ab", both, strict=True)
        for value in np.atleast_1d(values)
    ]
    return pd.DataFrame(rows)


def test_gain_is_the_difference_of_levels_drawn_to_none_by_hand():
    known = by_hand({"x": (0.9, 0.6), "y": ([0.7, 0.9], 0.7), "z": (0.7, 0.8)})
    made = variant_choice.choose(known, own(0, 0), 0.0)
    # rows of one mouse are averaged; of three mice, as if a fourth had no difference
    apart = logit([0.9, 0.8, 0.7]) - logit([0.6, 0.7, 0.8])
    np.testing.assert_allclose(made["gain"], [0, -apart.sum() / 4])
    np.testing.assert_allclose(made["validation_auc"], [0.8, 0.7])


def test_a_perfect_decoder_is_no_more_than_nearly_perfect():
    made = variant_choice.choose(by_hand({"x": (1.0, 0.6), "y": (0.9, 0.0)}), own(0, 0), 0.0)
    clip = variant_choice.CLIP
    apart = logit([1 - clip, 0.9]) - logit([0.6, clip])
    np.testing.assert_allclose(made["gain"], [0, -apart.sum() / 3])


def test_decoders_may_stand_in_any_order():
    known, mine = mice(0.4), own(0.4, -0.4)
    made = variant_choice.choose(known, mine, 0.01)
    turned = variant_choice.choose(known[::-1], mine[::-1], 0.01)
    assert turned["decoder"].tolist() == ["b", "a"]
    pd.testing.assert_frame_equal(turned[::-1].reset_index(drop=True), made)


def test_what_choosing_is_worth_is_held_against_the_best_of_the_same_other_mice():
    # without x, b is the better on average; with nothing to see, both ways are one
    made = variant_choice.choose(
        by_hand({"x": (0.9, 0.7), "y": (0.6, 0.65), "z": (0.6, 0.65)}), own(0, 0), None
    )
    assert made["worth"].tolist() == [0, 0] and made["chosen"].tolist() == [True, False]


def test_a_mouse_that_one_decoder_has_no_auc_of_does_not_count():
    known = mice(0.4)
    known.loc[0, "auc"] = np.nan
    assert variant_choice.choose(known, own(0, 0), 0.01)["n_mice"].tolist() == [5, 5]


MICE = ("a", "b", "c", "d", "e")


def files(folder, tmp_path):
    """Two decoders of five mice: `good` decodes all, `bad` none but mouse e."""
    rng = np.random.default_rng(0)
    label = (np.arange(240) // 20 % 2).astype("u1")
    paths = {m: write_recording(tmp_path / f"{m}.h5", m, n_frames=240, labels=label) for m in MICE}
    allocations = list(allocate(MICE, choose="all"))
    for name in ("good", "bad"):
        for one in allocations:
            made = {}
            for mouse in one.valid + one.test:
                right = (name == "good") != (mouse == "e")
                noise = rng.normal(0, 1, 240)
                z = (label * 4 - 2.0) * right + noise
                made[mouse] = SessionPredictions(mouse, np.arange(240), label, expit(z))
            (folder / "predictions" / name).mkdir(parents=True, exist_ok=True)
            (folder / "validation" / name).mkdir(parents=True, exist_ok=True)
            out, valid = (folder / f / name / f"{one.id}.h5" for f in ("predictions", "validation"))
            validation.write_roles(made, name, one, out, valid, "strict")
    table = ["allocation", *(one.id for one in allocations)]
    (folder / "allocations.tsv").write_text("\n".join(table) + "\n")
    return allocations, list(paths.values())


def choose(folder, recordings, *more):
    words = ["--predictions", folder / "predictions", "--validation", folder / "validation"]
    words += ["--allocations", folder / "allocations.tsv", "--recordings", *recordings]
    words += ["--decoders", "good", "bad", *more, "--out", folder / "choice.tsv"]
    assert main(["choose-variant", *map(str, words)]) == 0
    return read_table(folder / "choice.tsv", variant_choice.COLUMNS, variant_choice.NUMBERS)


def test_the_choice_of_a_test_mouse_is_blind_to_its_labels_and_is_what_is_scored(tmp_path):
    allocations, recordings = files(tmp_path, tmp_path)
    table = choose(tmp_path, recordings, "--margin", "0")
    assert {variant_choice.chosen_of(table, mouse) for mouse in MICE[:4]} == {"good"}
    for name in ("good", "bad"):  # other labels of e where it is the test mouse
        for one in allocations:
            if one.test == ("e",):
                path = tmp_path / "predictions" / name / f"{one.id}.h5"
                item = predictions.read(path)
                flipped = {
                    k: SessionPredictions(s.mouse, s.frame, 1 - s.label, s.probability)
                    for k, s in item.sessions.items()
                }
                bind(name, one, flipped, "strict").write(path)
    write_recording(  # nor does it matter how long its bouts are
        tmp_path / "e.h5", "e", n_frames=240, labels=(np.arange(240) // 3 % 2).astype("u1")
    )
    again = choose(tmp_path, recordings, "--margin", "0")
    mine = table["test_mouse"] == "e"
    pd.testing.assert_frame_equal(table[mine], again[mine])


def test_decoders_are_held_against_each_other_in_sessions_that_all_of_them_decode(tmp_path):
    allocations, recordings = files(tmp_path, tmp_path)
    words = (tmp_path, recordings, "--by", "validation")
    before = choose(*words)
    for one in allocations:  # as where another member has that session labelled
        path, mouse = tmp_path / "validation/bad" / f"{one.id}.h5", one.valid[0]
        sessions = validation.read(path, one.id, mouse)
        old = sessions[mouse]
        right = SessionPredictions(mouse, old.frame, old.label, old.label.astype("f4"))
        sessions = {**sessions, f"{mouse}_2": right}
        validation.write(path, sessions, decoder="bad", allocation=one.id, valid_mouse=mouse)
    pd.testing.assert_frame_equal(choose(*words), before)


@pytest.mark.parametrize(
    ("by", "protocol", "names"),
    [("recording", "transductive", ("good", "bad")), ("validation", "strict", ("bad", "good"))],
)
def test_predictions_and_validation_are_those_of_the_chosen_decoder(tmp_path, by, protocol, names):
    allocations, recordings = files(tmp_path, tmp_path)
    choose(tmp_path, recordings, "--by", by)
    one = next(a for a in allocations if a.test == ("a",) and a.valid != ("e",))
    words = ["--choice", tmp_path / "choice.tsv", "--decoder", "best", "--by", by]
    for flag, kind in (("--predictions", "predictions"), ("--of-validation", "validation")):
        words += [flag, *(tmp_path / kind / n / f"{one.id}.h5" for n in names)]
    words += ["--out", tmp_path / "p.h5", "--validation", tmp_path / "v.h5"]
    assert main(["adaptive", *map(str, words)]) == 0
    made = predictions.read(tmp_path / "p.h5")
    good = predictions.read(tmp_path / f"predictions/good/{one.id}.h5")
    assert (made.decoder, made.protocol) == ("best", protocol)
    np.testing.assert_array_equal(made.sessions["a"].probability, good.sessions["a"].probability)
    valid = validation.read(tmp_path / "v.h5", one.id, one.valid[0])
    of_good = validation.read(tmp_path / f"validation/good/{one.id}.h5", one.id, one.valid[0])
    for name, session in of_good.items():
        np.testing.assert_array_equal(valid[name].probability, session.probability)


def study(**lines):
    return studies.resolve(
        {
            "study": "s",
            "recordings": {"movie": "{session}.tif", "behavior": "{session}.mat"},
            "mice": {m: [f"{m}1"] for m in MICE},
            "decoders": {"linear": {"model": "logistic_regression"}, **lines},
            "variants": {"small": {"image_size": 32, "decoders": ["linear"]}},
        }
    )


def test_an_adaptive_decoder_is_of_two_or_more_and_its_protocol_is_named():
    both = ["linear", "linear_small"]
    made = study(best={"adaptive_of": both}, fixed={"adaptive_of": both, "by": "validation"})
    found = decoder_table.protocols_of(made.config, made.decoders)
    assert found["best"] == found["fixed"] == "transductive"  # as the members
    live = {"model": "logistic_regression", "causal": True}
    lines = {"l": live, "l2": {**live, "pixels": 8}, "mean": {"average_of": ["l", "l2"]}}
    made = study(**lines, best={"adaptive_of": ["l", "mean"]})
    assert decoder_table.protocols_of(made.config, made.decoders)["best"] == "transductive"
    made = study(**lines, best={"adaptive_of": ["l", "l2"], "by": "validation"})
    assert decoder_table.protocols_of(made.config, made.decoders)["best"] == "strict"
    for members, message in (
        (["linear"], r"best.adaptive_of: 1, but it chooses among two or more"),
        (["linear", "no"], r"best.adaptive_of: 'no' is no decoder; known: linear"),
        (["linear", "best"], r"'best' is for each test mouse one of several decoders itself"),
    ):
        with pytest.raises(UserError, match=message):
            study(best={"adaptive_of": members})
    settings = {"adaptive_of": both, "by": "validation"}
    with pytest.raises(UserError, match=r"decoders.best.margin: is what choosing by the recording"):
        study(best=settings | {"margin": 0.2})
    for name in ("small", "study"):  # what rows of tables/variants.tsv are called
        with pytest.raises(UserError, match=rf"decoders.{name}: stands beside variants"):
            study(**{name: {"adaptive_of": both}})
