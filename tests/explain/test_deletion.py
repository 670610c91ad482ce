"""Areas removed from images one by one and by sign, on decoders that read known pixels."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torch import nn

from mesodecode.base.tables import write_table
from mesodecode.explain import cutout_masks, deletion, map_check, map_verdicts, maps
from mesodecode.explain.cutout import cutout_session
from mesodecode.explain.cutout_logits import Masked
from mesodecode.explain.cutout_masks import CutoutMasks
from mesodecode.explain.cutout_tables import COLUMNS
from mesodecode.explain.removed_areas import SHARES, Areas
from mesodecode.recordings.sample import Sample
from mesodecode.study.allocation import Allocation
from mesodecode.study.targets import Target
from texts import as_read

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 16
MASKS = cutout_masks.squares(SIDE, SIDE, size=4, stride=4)  # 4 x 4, side by side
# pixels of the areas that decoders read, by the number of their mask
PIXELS = {0: (1, 1), 1: (1, 5), 2: (1, 9)}
SETTINGS = {"fill": "zero", "blur_sigma": 0.1, "frame_step": 1, "run_length": 300}
MICE = ("d", "e", "f")


class Pixels(nn.Module):
    """A decoder whose logit is a weighted sum of pixels; of none when drawn anew."""

    def __init__(self, weights):
        super().__init__()
        self.weights = weights

    def reset_parameters(self):
        self.weights = {}

    def forward(self, images):
        logits = 0.001 * images[:, 1, 15, 15]
        for mask, weight in self.weights.items():
            logits = logits + weight * images[:, 1, *PIXELS[mask]]
        return logits


def session(mouse: str = "d") -> Sample:
    """Areas 0 and 1 do the same, area 2 tells the state."""
    rng = np.random.default_rng(sum(map(ord, mouse)))
    n = 240
    labels = (np.arange(n) // 12 % 2).astype(np.uint8)
    frames = rng.normal(0, 1, (n, SIDE, SIDE)).astype(np.float32)
    frames[:, *PIXELS[1]] = frames[:, *PIXELS[0]]
    frames[:, *PIXELS[2]] = 2.0 * labels - 1 + 0.1 * frames[:, *PIXELS[2]]
    return Sample(
        path=Path(mouse),
        session=f"{mouse}_s1",
        mouse=mouse,
        frame_rate=30.0,
        labels=labels,
        speed=None,
        segment=None,
        rois=None,
        pixel_mean=frames.mean(axis=0),
        stack_sd=1.0,
        shape=frames.shape,
        frames=frames,
    )


def areas(weights, masks=MASKS, few=None) -> Areas:
    one = session()
    at = np.arange(1, len(one.labels) - 1)
    return Areas(Masked(Pixels(weights), one), masks, one.labels, at, at if few is None else few)


def test_the_output_moves_by_the_size_of_each_removal_whatever_its_sign():
    one = session()
    sizes = [np.abs(one.frames[1:-1, *PIXELS[i]] - one.pixel_mean[PIXELS[i]]) for i in range(3)]
    scores = np.zeros(16)
    scores[:3] = 1, -3, 2  # so that area 1 goes first, then 2, then 0
    ((gone, logits),) = areas({0: 3.0, 1: -2.0, 2: 1.0}).one_by_one([scores])
    np.testing.assert_allclose(gone, np.arange(16) / 16)  # the last would leave nothing
    expected = np.cumsum([2 * sizes[1].mean(), sizes[2].mean(), 3 * sizes[0].mean()])
    found = deletion.moved(gone, logits, np.array([1, 2, 3, 4]) / 16)
    np.testing.assert_allclose(found, [*expected, expected[-1]], rtol=1e-3)


def test_masks_that_overlap_add_what_they_hide_more():
    masks = cutout_masks.squares(SIDE, SIDE, size=8, stride=4)  # 3 x 3, half over each other
    more = np.array([~masks.areas[0], masks.areas[0]])
    hiding = areas({}, masks + CutoutMasks(("all but x", "the first again"), more))
    ((gone, _),) = hiding.one_by_one([np.array([*np.linspace(1, 0.1, 9), 5, 0.95])])
    # rows of 3: 8 x 8, then twice 8 x 4 more; in rows below half as much, the last hides all
    np.testing.assert_allclose(gone * SIDE**2, [0, 64, 96, 128, 160, 176, 192, 224, 240])


def test_masks_are_added_one_by_one_until_nine_tenths_are_gone():
    fine = cutout_masks.squares(SIDE, SIDE, size=2, stride=2)
    ((gone, _),) = areas({}, fine).one_by_one([np.linspace(1, 0.1, 64)])
    np.testing.assert_allclose(gone, np.arange(59) / 64)  # 57 are less than .9


def checked(weights, scores, says) -> tuple[map_verdicts.Evidence, pd.DataFrame]:
    """Check decoders of three mice by a map of another; return the rows of the checks too."""
    index = pd.MultiIndex.from_tuples([("x", "m")], names=["allocation", "test_mouse"])
    columns = pd.Index(MASKS.names, name="mask")
    signed = {state: pd.DataFrame([one], index, columns) for state, one in says.items()}
    given = {"maps": pd.DataFrame([scores], index, columns), "signed": signed}
    made, rows = [], []
    for mouse in MICE:
        allocation = Allocation(("a",), ("b",), (mouse,))
        made.append(
            map_check.check_cutout(
                Pixels(weights), [session(mouse)], [MASKS], SETTINGS, allocation=allocation, **given
            )
        )
        rows.append((made[-1].allocation, mouse))
    index = pd.MultiIndex.from_tuples(rows, names=["allocation", "test_mouse"])
    table = pd.DataFrame([scores] * len(MICE), index, columns)
    found = map_verdicts.gather(table, made)
    return found, map_verdicts.table(found).set_index("check")


def unit(**values) -> np.ndarray:
    found = np.zeros(16)
    for name, value in values.items():
        found[int(name.removeprefix("m"))] = value
    return found


CANCEL = {0: 4.0, 1: -4.0, 2: 1.0}


def test_areas_that_cancel_are_seen_one_by_one_and_not_in_the_auc():
    found, table = checked(CANCEL, unit(m0=0.4, m1=0.39, m2=0.01), {})
    # 30 % of the image hold areas 0 and 1, and 2 is not among the first 10 %
    np.testing.assert_allclose(found.auc[:, 0], found.auc_intact, atol=0.01)
    row = table.loc["deletion one by one"]
    assert row["verdict"] == "pass" and row["value"] > 1
    assert "one area after another" in as_read(row["sentence"])
    # an area that misleads has a score below 0, and moves the output as far
    _, table = checked(CANCEL, unit(m0=0.4, m1=-0.39, m2=0.01), {})
    assert table.loc["deletion one by one", "value"] == pytest.approx(row["value"], rel=0.2)
    _, table = checked(CANCEL, 1 - unit(m0=0.9, m1=0.8, m2=0.7), {})
    row = table.loc["deletion one by one"]
    assert row["verdict"] == "flag" and "moves no farther" in as_read(row["sentence"])
    assert table.loc["deletion by sign", "verdict"] == "not made"


def test_removing_by_sign_passes_with_what_areas_say_and_fails_with_the_contrary():
    """Area 2 says what is; area 0, which is read the other way round, is silent on average."""
    weights = {2: 3.0}
    one = cutout_session(Pixels(weights), session("m"), MASKS)
    says = {state: one[state].to_numpy() for state in ("in_run", "in_rest")}
    assert says["in_run"][2] > 2 and says["in_rest"][2] < -2
    _, table = checked(weights, one["score"].to_numpy(), says)
    row = table.loc["deletion by sign"]
    assert row["verdict"] == "pass" and row["value"] > 2
    contrary = {state: -values for state, values in says.items()}
    _, table = checked(weights, one["score"].to_numpy(), contrary)
    row = table.loc["deletion by sign"]
    assert row["verdict"] == "flag" and row["value"] < -2
    swapped = dict(zip(says, reversed(says.values()), strict=True))
    _, table = checked(weights, one["score"].to_numpy(), swapped)
    assert table.loc["deletion by sign", "verdict"] == "flag"


def test_what_is_hidden_by_sign_is_that_of_the_frames_state():
    hidden = areas({})._by_sign(np.array([unit(m3=-2, m4=1), unit(m5=3)]))
    assert hidden.shape == (2, len(SHARES), 2, SIDE, SIDE)
    for sign, state, mask in ((0, 0, 3), (1, 0, 4), (1, 1, 5)):
        for step in hidden[sign, :, state]:
            np.testing.assert_array_equal(step, MASKS.areas[mask])
    assert not hidden[0, :, 1].any()


def test_luck_exchanges_areas_and_not_what_hides_all_but_one():
    masks = MASKS + CutoutMasks(("all but x",), ~MASKS.areas[:1])
    index = pd.MultiIndex.from_tuples([("x", "m")], names=["allocation", "test_mouse"])
    values = np.arange(2.0 * len(masks)).reshape(2, 1, -1)
    signed = {
        name: pd.DataFrame(one, index, pd.Index(masks.names, name="mask"))
        for name, one in zip(("in_rest", "in_run"), values, strict=True)
    }
    rng = np.random.default_rng(0)
    ((own, *drawn),) = map_check.said_by_masks(signed, ("d",), masks, Target(), 4, rng)
    np.testing.assert_array_equal(own, values[:, 0])
    for one in drawn:
        np.testing.assert_array_equal(one[:, -1], own[:, -1])
        np.testing.assert_array_equal(np.sort(one), own)
        assert (one != own)[:, :-1].sum() > 16


def test_masks_say_of_a_state_what_they_say_in_its_frames_and_nothing_in_others():
    index = pd.MultiIndex.from_tuples([("x", "m"), ("y", "d")], names=["allocation", "test_mouse"])
    values = np.arange(2.0 * len(MASKS)).reshape(2, 1, -1)  # of which one is 0
    own = np.full((1, len(MASKS)), 99.0)  # of the test mouse, which is left out
    signed = {
        f"in_{state}": pd.DataFrame(np.concatenate([one, own]), index, MASKS.names)
        for state, one in zip(("walk", "groom"), values, strict=True)
    }
    target, rng = Target("states", ("walk", "groom")), np.random.default_rng(0)
    found = map_check.said_by_masks(signed, ("d",), MASKS, target, 0, rng)
    for (one,), (expected,) in zip(found, values, strict=True):
        np.testing.assert_array_equal(one, [np.zeros(len(MASKS)), expected])


def test_each_removal_is_made_once_and_few_frames_are_enough(monkeypatch):
    few = np.arange(1, 31)
    hiding, seen, logits = areas({2: 1.0}, few=few), [], Masked.logits

    def told(self, hidden, at):
        seen.append((len(hidden), len(at)))
        return logits(self, hidden, at)

    monkeypatch.setattr(Masked, "logits", told)
    one = np.array([unit(m2=-1), unit(m2=1)])
    found = hiding.by_sign([one, one])
    assert seen == [(2, 30)]  # nothing, and area 2
    assert found.shape == (2, 2, len(SHARES), 30)
    apart = found[0, 0] - found[0, 1]
    run = session().labels[few] == 1
    assert (apart[:, run] > 0.5).all() and (apart[:, ~run] > 0.5).all()


def test_states_of_cutout_tables_are_read_beside_the_scores(tmp_path):
    rows = [("s1", "one", 0.1, 1.0, -1.0), ("s2", "one", 0.3, 3.0, np.nan)]
    table = pd.DataFrame(rows, columns=["session", "mask", "score", "in_run", "in_rest"])
    about = dict.fromkeys(COLUMNS, 0) | {"allocation": "A", "test_mouse": "07", "decoder": "x"}
    table = table.assign(**{k: v for k, v in about.items() if k not in table})
    write_table(table, tmp_path / "new.tsv")
    write_table(table.drop(columns=["in_run", "in_rest"]), tmp_path / "old.tsv")
    scores, signed = maps.read_cutout([tmp_path / "new.tsv"])
    assert scores.loc[("A", "07"), "one"] == pytest.approx(0.2)
    assert signed["in_run"].loc[("A", "07"), "one"] == 2
    assert signed["in_rest"].loc[("A", "07"), "one"] == -1
    assert maps.read_cutout([tmp_path / "old.tsv"])[1] == {}


def test_maps_stand_in_the_order_in_which_they_are_given(tmp_path):
    for mouse, loss in (("m2", 0.2), ("m10", 0.1), ("m1", 0.3)):
        table = pd.DataFrame({"session": [f"{mouse}s", f"{mouse}t"], "mask": "one"})
        table["score"] = [loss, loss + 0.2]
        about = dict.fromkeys(COLUMNS, 0) | {"allocation": f"to_{mouse}", "decoder": "x"}
        about["test_mouse"] = mouse
        table = table.assign(**{k: v for k, v in about.items() if k not in table})
        write_table(table, tmp_path / f"{mouse}.tsv")
    (tmp_path / "a.txt").write_text(f"{tmp_path}/m10.tsv\n{tmp_path}/m1.tsv\n")
    given = [tmp_path / "m2.tsv", tmp_path / "a.txt"]
    found = maps.read(given)["one"]
    assert found.index.tolist() == [("to_m2", "m2"), ("to_m10", "m10"), ("to_m1", "m1")]
    np.testing.assert_allclose(found, [0.3, 0.2, 0.4])
    assert [path.name for path in maps.listed(given)] == ["m2.tsv", "m10.tsv", "m1.tsv"]


def test_sessions_count_alike():
    one = deletion.Curves(0.5, 10, *[np.full((2, 3), 1.0)] * 3)
    two = dataclasses.replace(one, auc_intact=1.0, n=5, moved=np.full((2, 3), 4.0))
    three = dataclasses.replace(two, auc_intact=0.9, auc=np.full((2, 3), 1.9))
    found = deletion.mean([one, two, three])
    assert (found.auc_intact, found.n) == (pytest.approx(0.8), 20)
    firsts = [one[0, 0] for one in (found.auc, found.moved, found.apart)]
    assert firsts == pytest.approx([1.3, 3, 1])
    parts = found.parts()
    assert parts["moved"].shape == parts["moved_random"].shape == (1, 3)


def test_noise_is_drawn_by_any_seed_nought_too():
    one = session()
    at = np.arange(1, len(one.labels) - 1)[:20]
    masked = Masked(Pixels({0: 1.0}), one)
    plain, nought, again, other = (
        masked.logits(MASKS.areas, at, noise_seed=n)[0] for n in (None, 0, 0, 1)
    )
    assert np.array_equal(nought, again)
    assert not np.allclose(plain, nought) and not np.allclose(nought, other)


def test_as_much_noise_is_added_as_a_pixel_has_itself():
    one = session()
    threefold = dataclasses.replace(one, frames=3 * one.frames, pixel_mean=3 * one.pixel_mean)
    masked, at = Masked(Pixels({0: 1.0}), threefold), np.arange(1, len(one.labels) - 1)
    plain, noisy = (masked.logits(MASKS.areas[:1], at, noise_seed=n)[0] for n in (None, 0))
    # the pixel that is read is white noise of SD 3; where it is hidden, nothing is added
    assert (noisy - plain)[0].std() == pytest.approx(3, rel=0.2)
    np.testing.assert_allclose(noisy[1], plain[1], atol=0.1)
