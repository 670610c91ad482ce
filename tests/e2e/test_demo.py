"""The whole workflow, run as a user runs it: on simulated truth, and on five real mice."""

from __future__ import annotations

import html
import itertools
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import average_precision_score

from make import ROOT, demo, run_study
from mesodecode.explain.cutout_masks import squares

REAL = ROOT.parent / "shared" / "data" / "jedi1p_whisker"

pytestmark = [pytest.mark.slow, pytest.mark.e2e]


def mean_auc(results: Path, n: int) -> dict[str, float]:
    """Mean AUC of each decoder, of `n` allocations."""
    table = pd.read_csv(results / "tables" / "auc.tsv", sep="\t")
    assert (table.groupby("decoder").size() == n).all()
    return table.groupby("decoder")["auc"].mean().to_dict()


def check_cutout(results: Path) -> None:
    """The squares that hide a planted ROI are on top, and no planted ROI is missed."""
    table = pd.read_csv(results / "tables" / "importance_cutout.tsv", sep="\t")
    grid = squares(48, 48)
    assert table["mask"].tolist() == list(grid.names) and set(table["n"]) == {20}
    assert set(table["n_frames"]) == {10 * 25} and set(table["n_decodable"]) == {10 * 598}
    with h5py.File(results / "simulated" / "m1_s1_truth.h5") as truth:
        x, y = np.rint(truth["roi_xy"][:][np.array([6, 8, 31, 33]) - 1].T).astype(int)
    hides = grid.areas[:, y, x]  # (masks, planted ROIs)
    others = table["mean"][~hides.any(1)]
    assert average_precision_score(hides.any(1), table["mean"]) > 0.85
    for hidden in hides.T:
        assert table["mean"][hidden].mean() > others.quantile(0.9)


def test_planted_signal_is_decoded_and_the_second_run_does_nothing(tmp_path):
    config = demo()
    first = run_study(tmp_path, config)
    assert first.returncode == 0, first.stderr
    results = tmp_path / "results" / "demo"
    auc = mean_auc(results, 20)
    assert auc["cnn_gru"] >= 0.90
    assert auc["cnn_gru"] > auc["cnn"] > 0.6
    report = (results / "report.html").read_text()
    assert "Complete: 20 of 20 allocations" in report and f"{auc['cnn_gru']:.3f}" in report

    tests = pd.read_csv(results / "tables" / "comparisons.tsv", sep="\t")
    pairs = itertools.combinations(["linear", "cnn", "cnn_gru", "roi_gru"], 2)
    assert list(zip(tests["a"], tests["b"], strict=True)) == list(pairs)
    correlation = pd.read_csv(results / "tables" / "roi_correlation_summary.tsv", sep="\t")
    strongest = correlation.sort_values("mean", ascending=False)["roi"][:4]
    assert set(strongest) == {6, 8, 31, 33}  # where the signal was planted
    assert "Pearson" in report
    shap = pd.read_csv(results / "tables" / "importance_shap.tsv", sep="\t")
    assert set(shap.sort_values("mean", ascending=False)["roi"][:4]) == {6, 8, 31, 33}
    assert "What roi_gru looks at: mean |SHAP|" in report
    signed = pd.read_csv(results / "tables" / "importance_shap_signed.tsv", sep="\t")
    assert set(signed.set_index("roi")["toward"][[6, 8, 31, 33]]) == {"run"}  # they rise with it
    assert "Which state the activity of an area speaks for" in report
    checks = pd.read_csv(results / "tables" / "importance_shap_checks.tsv", sep="\t")
    verdicts = checks.set_index("check")["verdict"].to_dict()
    assert {verdicts.pop("seeds"), verdicts.pop("noise")} == {"not made"}
    assert set(verdicts.values()) == {"pass"}, checks["sentence"].tolist()
    assert checks["value"][0] == 1  # average precision of the planted ROIs
    assert all(sentence in html.unescape(report) for sentence in checks["sentence"])
    assert {"mean_null", "p_holm"} <= set(shap)
    quality = pd.read_csv(results / "tables" / "quality.tsv", sep="\t")
    assert (quality.groupby("decoder").size() == 20).all() and quality["threshold"].notna().all()
    assert "Quality of roi_gru" in report and "Frames in which the mouse runs" in report
    check_cutout(results)
    assert "How much cnn loses when an area of its images is hidden" in report
    assert "AUC lost when hidden of cnn: every mask of the image" in report  # left and right
    sides = pd.read_csv(results / "tables" / "importance_shap_sides.tsv", sep="\t")
    assert list(zip(sides["unit"], sides["mirror"], strict=True)) == [
        (i, i + 25) for i in range(1, 26)
    ]
    for row in pd.read_csv(results / "tables" / "auc.tsv", sep="\t").itertuples():
        roles = [*row.train_mice.split("+"), row.valid_mouse, row.test_mouse]
        assert sorted(roles) == ["m1", "m2", "m3", "m4", "m5"]
        with h5py.File(results / "predictions" / row.decoder / f"{row.allocation}.h5") as file:
            assert {group.attrs["mouse"] for group in file.values()} == {row.test_mouse}
        # 600 frames a session less t-1 and t+1, and less 5 more on each side for the window;
        # windows of ROI signals are ±15 frames
        lost = {"cnn_gru": 12, "roi_gru": 30, "roi_gru_null": 30}.get(row.decoder, 2)
        assert row.n_frames == 2 * (600 - lost)

    second = run_study(tmp_path, config)
    assert second.returncode == 0 and "Nothing to be done" in second.stderr


def test_without_a_signal_every_decoder_is_at_chance(tmp_path):
    config = demo(image_size=32, n_frames=700, run_signal=0)
    del config["mice"]["m5"]
    config["allocation"] = {"train": 2, "choose": "each_test"}
    config["decoders"]["cnn"]["epochs"] = 1
    del config["decoders"]["roi_gru_null"]
    config["importance"] = {}
    done = run_study(tmp_path, config, "results/demo/tables/auc.tsv")
    assert done.returncode == 0, done.stderr
    for decoder, auc in mean_auc(tmp_path / "results" / "demo", n=4).items():
        assert 0.40 <= auc <= 0.60, decoder


@pytest.mark.skipif(not REAL.is_dir(), reason=f"the real recordings are not at {REAL}")
def test_real_recordings_with_segments(tmp_path):
    config = yaml.safe_load((ROOT / "tests" / "real" / "jedi1p.yaml").read_text())
    for kind in ("movie", "behavior"):
        config["recordings"][kind] = str(ROOT / config["recordings"][kind])
    config["image_size"] = 48
    config["allocation"] = {"choose": "each_test"}
    for decoder in ("cnn", "cnn_gru"):
        config["decoders"][decoder] |= {"epochs": 4, "frame_step": 2}
    done = run_study(tmp_path, config)
    assert done.returncode == 0, done.stderr
    results = tmp_path / "results" / "jedi1p"
    auc = mean_auc(results, 5)
    # The reference of the data's README, logistic regression on 4 training mice, is .870.
    assert auc["linear"] > 0.75
    assert auc["cnn"] > 0.6
    table = pd.read_csv(results / "tables" / "auc.tsv", sep="\t").set_index("decoder")
    # 15 deflections of 10 frames: an image takes one neighbour on each side, a window one more
    assert set(table.loc["linear", "n_frames"]) == set(table.loc["cnn", "n_frames"]) == {15 * 8}
    assert set(table.loc["cnn_gru", "n_frames"]) == {15 * 6}
    assert "Voltage imaging" in (results / "report.html").read_text()
