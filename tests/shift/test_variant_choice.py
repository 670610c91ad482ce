"""A decoder for each test mouse, chosen by what its output looks like, never by labels."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit, softmax

from make_decoders import write_recording
from mesodecode.base.files import UserError
from mesodecode.base.metrics import macro_auc, r2
from mesodecode.base.tables import read_table
from mesodecode.cli import main
from mesodecode.decoders import predictions, validation
from mesodecode.decoders.predictions import SessionPredictions, bind
from mesodecode.shift import measures, predicted_auc, variant_choice
from mesodecode.study import decoder_table
from mesodecode.study import study as studies
from mesodecode.study.mouse_allocations import allocate
from mesodecode.study.targets import RUN, Target
from tabled import as_tabled


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
    # of two mice evidence speaks for a, and nobody knows what choosing by it is worth
    made = variant_choice.choose(mice(0.4, n=2), own(3, -3), 0.0)
    assert made["gain"].argmax() == 0 and made["worth"].isna().all()
    assert made.loc[made["chosen"], "decoder"].item() == "b"


def test_what_is_not_known_of_a_decoder_is_neither_for_nor_against_it():
    """It counts as the mean of the others."""
    known = mice(0.4, n=7)
    unseen = own(0.4, -0.4).assign(two_states=np.nan)
    made = variant_choice.choose(known, unseen, 0.0)
    level = variant_choice.choose(known, own(0, 0), 0.0)
    np.testing.assert_allclose(made["gain"], level["gain"])
    half = own(0.4, -0.4)
    half.loc[0, "two_states"] = np.nan  # alone, what is left is its own mean
    np.testing.assert_allclose(variant_choice.choose(known, half, 0.0)["gain"], level["gain"])
    values = np.array([[1.0, np.nan, 4.0], [np.nan, np.nan, np.nan]])
    assert variant_choice._within(values).tolist() == [[-1.5, 0, 1.5], [0, 0, 0]]


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
    clip = predicted_auc.CLIP
    apart = logit([1 - clip, 0.9]) - logit([0.6, clip])
    np.testing.assert_allclose(made["gain"], [0, -apart.sum() / 3])
    known = by_hand({"x": (1.0, 0.6), "y": (0.9, 0.0)}).assign(far=1.0)
    made = variant_choice.choose(known, own(0, 0).assign(far=1.0), 0.0, Target("pupil").kind)
    np.testing.assert_allclose(made["gain"], [0, -np.log(0.4 / clip * 1 / 0.1) / 3])


def test_decoders_may_stand_in_any_order():
    known, mine = mice(0.4), own(0.4, -0.4)
    made = as_tabled(variant_choice.choose(known, mine, 0.01), "choice_of_decoders")
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


def of_trace(sd):
    """Return what decoders make of a trace of 0 and 1, right or not: then noise of `sd`."""

    def predict(right, label, noise):
        return label * 0.8 + 0.1 * noise if right else label + sd * noise

    return predict


def of_states(right, label, noise):
    """Return probabilities (N, 3) of the states 0 and 1, of three."""
    z = np.stack([(label == code) * 3.0 * right + np.roll(noise, 7 * code) for code in range(3)], 1)
    return softmax(z, 1)


def files(folder, tmp_path, target=RUN, predict=lambda r, s, z: expit((s * 4 - 2.0) * r + z)):
    """Two decoders of five mice: `good` decodes all, `bad` none but mouse e."""
    rng = np.random.default_rng(0)
    label = (np.arange(240) // 20 % 2).astype("u1")
    paths = {m: write_recording(tmp_path / f"{m}.h5", m, n_frames=240, labels=label) for m in MICE}
    for path in paths.values() if target != RUN else ():
        with h5py.File(path, "a") as file:
            file["target"] = label.astype(target.kind.dtype)
            file["target"].attrs.update(target.attributes())
    allocations = list(allocate(MICE, choose="all"))
    for name in ("good", "bad"):
        for one in allocations:
            made = {}
            for mouse in one.valid + one.test:
                right = (name == "good") != (mouse == "e")
                noise = rng.normal(0, 1, 240)
                guess = predict(right, label, noise)
                made[mouse] = SessionPredictions(mouse, np.arange(240), label, guess)
            (folder / "predictions" / name).mkdir(parents=True, exist_ok=True)
            (folder / "validation" / name).mkdir(parents=True, exist_ok=True)
            out, valid = (folder / f / name / f"{one.id}.h5" for f in ("predictions", "validation"))
            validation.write_roles(made, name, one, out, valid, "strict", target)
    table = ["allocation", *(one.id for one in reversed(allocations))]
    (folder / "allocations.tsv").write_text("\n".join(table) + "\n")
    return allocations, list(paths.values())


def choose(folder, recordings, *more, kind=RUN.kind):
    words = ["--predictions", folder / "predictions", "--validation", folder / "validation"]
    words += ["--allocations", folder / "allocations.tsv", "--recordings", *recordings]
    words += ["--decoders", "good", "bad", *more, "--out", folder / "choice.tsv"]
    assert main(["choose-variant", *map(str, words)]) == 0
    return read_table(
        folder / "choice.tsv", variant_choice.columns_of(kind), variant_choice.numbers_of(kind)
    )


def test_the_choice_of_a_test_mouse_is_blind_to_its_labels_and_is_what_is_scored(tmp_path):
    allocations, recordings = files(tmp_path, tmp_path)
    table = choose(tmp_path, recordings, "--margin", "0")
    in_order = dict.fromkeys(one.test[0] for one in reversed(allocations))
    assert [*dict.fromkeys(table["test_mouse"])] == [*in_order] != sorted(in_order)
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


@pytest.mark.parametrize(
    ("target", "predict"),
    [
        (Target("pupil", unit="px"), of_trace(3.0)),
        (Target("states", ("rest", "walk", "groom")), of_states),
    ],
)
@pytest.mark.parametrize("by", ["recording", "validation"])
def test_decoders_of_another_target_are_chosen_among_by_its_own_score(
    tmp_path, target, predict, by
):
    allocations, recordings = files(tmp_path, tmp_path, target, predict)
    table = choose(tmp_path, recordings, "--by", by, kind=target.kind)
    assert {variant_choice.chosen_of(table, mouse) for mouse in MICE[:4]} == {"good"}
    mine = table[table["test_mouse"] == "e"].set_index("decoder")  # the others' scores, by hand
    for name in ("good", "bad"):
        found = {mouse: [] for mouse in MICE[:4]}
        for one in allocations:
            if one.test == ("e",):
                path = tmp_path / f"validation/{name}/{one.id}.h5"
                (session,) = validation.read(path, one.id, one.valid[0]).values()
                score = {"r2": r2, "macro_auc": macro_auc}[target.kind.metric]
                found[one.valid[0]].append(score(session.label, session.probability))
        mean = np.mean([np.mean(scores) for scores in found.values()])
        assert mine.loc[name, f"validation_{target.kind.metric}"] == pytest.approx(mean, rel=1e-4)
    one = next(a for a in allocations if a.test == ("a",) and a.valid != ("e",))
    words = ["--choice", tmp_path / "choice.tsv", "--decoder", "best", "--by", by]
    for flag, kind in (("--predictions", "predictions"), ("--of-validation", "validation")):
        words += [flag, *(tmp_path / kind / n / f"{one.id}.h5" for n in ("good", "bad"))]
    words += ["--out", tmp_path / "p.h5", "--validation", tmp_path / "v.h5"]
    assert main(["adaptive", *map(str, words)]) == 0
    made = predictions.read(tmp_path / "p.h5", of_any=True)
    good = predictions.read(tmp_path / f"predictions/good/{one.id}.h5", of_any=True)
    assert (made.decoder, made.target) == ("best", target)
    np.testing.assert_array_equal(made.sessions["a"].probability, good.sessions["a"].probability)
    np.testing.assert_array_equal(
        validation.read(tmp_path / "v.h5", one.id, one.valid[0])[one.valid[0]].probability,
        validation.read(tmp_path / f"validation/good/{one.id}.h5", one.id, one.valid[0])[
            one.valid[0]
        ].probability,
    )


def test_decoders_of_two_targets_are_not_chosen_among(tmp_path, capsys):
    allocations, recordings = files(tmp_path, tmp_path)
    path = tmp_path / f"predictions/bad/{allocations[0].id}.h5"
    item = predictions.read(path)
    replace(item, target=Target("pupil")).write(path)
    words = ["--predictions", tmp_path / "predictions", "--validation", tmp_path / "validation"]
    words += ["--allocations", tmp_path / "allocations.tsv", "--recordings", *recordings]
    words += ["--decoders", "good", "bad", "--out", tmp_path / "choice.tsv"]
    assert main(["choose-variant", *map(str, words)]) == 1
    assert (
        "predictions of run and of pupil; choose among decoders of one" in capsys.readouterr().err
    )


def test_gain_in_r2_is_of_the_log_of_the_error_by_hand():
    known = by_hand({"x": (0.9, 0.5), "y": (0.75, 0.75), "z": (0.5, -1.0)}).assign(far=1.0)
    made = variant_choice.choose(known, own(0, 0).assign(far=1.0), 0.0, Target("pupil").kind)
    # errors of b are 5, 1 and 4 times those of a: of three mice, as if a fourth had no difference
    np.testing.assert_allclose(made["gain"], [0, -np.log(5 * 4) / 4])
    np.testing.assert_allclose(made["validation_r2"], [2.15 / 3, 0.25 / 3])
    assert list(made) == ["decoder", "validation_r2", "n_mice", "gain", "worth", "chosen"]


def test_a_trace_lasts_for_twice_the_time_of_its_autocorrelation():
    # two states of 20 frames: 1 - k / 10 of neighbours' .9, below 1/e of that first at 7 frames
    states = np.arange(800) // 20 % 2
    assert measures.lasting(states) == 14
    # it does not go on where it began: of a slope of 30 frames, by sums of products
    slope = np.arange(30.0) - 14.5
    falls = [slope[: 30 - lag] @ slope[lag:] for lag in range(30)]
    assert measures.lasting(slope) == 2 * next(n for n in range(30) if falls[n] < falls[1] / np.e)
    noise = np.random.default_rng(0).normal(size=800)
    assert measures.lasting(states * 10.0 + noise) == 14  # noise of each frame does not count
    assert np.isnan(measures.lasting(np.ones(9)))


def test_what_is_seen_of_a_trace_is_how_far_and_how_slow_its_prediction_is():
    recording = SimpleNamespace(frame_rate=10.0, segment=None)
    one = SessionPredictions("m", np.arange(400), np.zeros(400), np.tile([5.0, 1.0], 200))
    found = measures.of_output(one, recording, measures.Usual(4.0, 3.0, 2.0), Target("pupil"))
    # 1 SD to each side of the mean; a mean over 10 frames of 1 and -1 in turn is 0, but at the ends
    assert found["far"] == 1 and found["slow"] < 0.1 and set(found) == {"far", "slow"}
    lasts = SessionPredictions("m", one.frame, one.label, np.repeat([5.0, 1.0], 200))
    found = measures.of_output(lasts, recording, measures.Usual(4.0, 3.0, 2.0), Target("pupil"))
    assert found["slow"] > 0.95


def test_what_is_seen_of_states_is_the_mean_of_each_against_the_others():
    recording = SimpleNamespace(frame_rate=10.0, segment=None)
    rng = np.random.default_rng(0)
    made = rng.dirichlet(np.ones(3), 200)
    one = SessionPredictions("m", np.arange(200), np.zeros(200, "u1"), made)
    three = Target("states", ("rest", "walk", "groom"))
    found = measures.of_output(one, recording, measures.Usual(4.0), three)
    each = [measures.of_probabilities(replace(one, probability=p), recording, 4.0) for p in made.T]
    assert found["two_states"] == pytest.approx(np.mean([e["two_states"] for e in each]))
    assert found["slow"] == pytest.approx(np.mean([e["slow"] for e in each]))


def study(allocation=None, **lines):
    return studies.resolve(
        {
            "study": "s",
            "recordings": {"movie": "{session}.tif", "behavior": "{session}.mat"},
            "mice": {m: [f"{m}1"] for m in MICE},
            "decoders": {"linear": {"model": "logistic_regression"}, **lines},
            "variants": {"small": {"image_size": 32, "decoders": ["linear"]}},
            "allocation": allocation or {},
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
    study(best={"adaptive_of": both}, allocation={"train": 2, "valid": 2, "test": 1})
    with pytest.raises(UserError, match=r"best.adaptive_of: chooses for one test mouse, but .* 2"):
        study(best={"adaptive_of": both}, allocation={"train": 2, "valid": 1, "test": 2})
    for name in ("small", "study"):  # what rows of tables/variants.tsv are called
        with pytest.raises(UserError, match=rf"decoders.{name}: stands beside variants"):
            study(**{name: {"adaptive_of": both}})


@pytest.mark.parametrize(("chosen", "n"), [(["False", "False"], 0), (["True", "True"], 2)])
def test_a_table_that_chooses_none_or_two_for_a_mouse_is_refused(chosen, n):
    rows = [("e", "a", chosen[0]), ("e", "b", chosen[1]), ("f", "a", "False"), ("f", "b", "True")]
    table = pd.DataFrame(rows, columns=["test_mouse", "decoder", "chosen"])
    assert variant_choice.chosen_of(table, "f") == "b"
    with pytest.raises(UserError, match=rf"^the choice of decoders names {n} for mouse e; make it"):
        variant_choice.chosen_of(table, "e")


def test_a_session_too_short_to_decode_says_nothing_of_a_trace():
    recording = SimpleNamespace(frame_rate=10.0, segment=None)
    none = SessionPredictions("m", np.empty(0, int), np.empty(0), np.empty(0))
    found = measures.of_output(none, recording, measures.Usual(4.0, 3.0, 2.0), Target("pupil"))
    assert list(found) == ["slow", "far"] and np.isnan([*found.values()]).all()


def test_without_mice_the_best_decoder_is_the_first():
    none = variant_choice.Known(np.empty((0, 3)), np.empty((0, 3, 2)))
    assert none.best == 0
    some = variant_choice.Known(np.array([[0.5, 0.9, 0.6], [0.7, 0.6, 0.8]]), np.zeros((2, 3, 2)))
    assert some.best == 1 and some.without(0).best == 2
