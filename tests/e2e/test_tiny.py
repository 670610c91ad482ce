"""One tiny study, run as a user runs it: what it leaves, what runs again, and a bad recording."""

from __future__ import annotations

import json
import zipfile

import h5py
import pandas as pd
import pytest

from make import demo, plan, run_study, snakemake

pytestmark = pytest.mark.slow
MICE = ("m1", "m2", "m3")
N_FRAMES = 120


def tiny() -> dict:
    """Three mice of 4 s at 32 px, each tested once; the demo, in `make test-e2e`, has CNNs too."""
    config = demo(image_size=32, n_frames=N_FRAMES)
    config["mice"] = {mouse: [f"{mouse}_s1"] for mouse in MICE}
    config["allocation"] = {"train": 1, "valid": 1, "test": 1, "choose": "each_test"}
    config["decoders"] = {
        "linear": {"model": "logistic_regression", "pixels": 8},
        "roi_gru": {"input": "rois", "rnn": "gru", "half_window": 3, "epochs": 1, "hidden_size": 4},
    }
    config["comparisons"] = {"two": {"decoders": ["linear", "roi_gru"]}}
    return config | {"importance": {}, "shift": {"decoders": ["linear"]}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    done = run_study(folder, tiny())
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_tables_are_of_frames_of_mice_that_no_decoder_saw(finished):
    results = finished / "results/demo"
    auc = pd.read_csv(results / "tables/auc.tsv", sep="\t")
    assert auc.groupby("decoder").size().to_dict() == dict.fromkeys(tiny()["decoders"], 3)
    lost = {"linear": 2, "roi_gru": 6}  # t-1 and t+1; 3 on either side of a window of ROI signals
    for row in auc.itertuples():
        assert {row.train_mice, row.valid_mouse, row.test_mouse} == set(MICE)
        assert row.n_frames == N_FRAMES - lost[row.decoder]
        for role in ("predictions", "validation"):
            of = row.test_mouse if role == "predictions" else row.valid_mouse
            with h5py.File(results / role / row.decoder / f"{row.allocation}.h5") as file:
                assert [group.attrs["mouse"] for group in file.values()] == [of]
    quality = pd.read_csv(results / "tables/quality.tsv", sep="\t")
    assert (quality.groupby("decoder").size() == 3).all() and quality["threshold"].notna().all()


def test_the_report_says_what_the_tables_do(finished):
    results = finished / "results/demo"
    report = (results / "report.html").read_text()
    auc = pd.read_csv(results / "tables/auc.tsv", sep="\t")
    assert "Complete: 3 of 3 allocations" in report
    for _, mean in auc.groupby("decoder")["auc"].mean().items():
        assert f"{mean:.3f}" in report
    for words in ("Quality of roi_gru", "Frames in which the mouse runs", "Pearson", "3 mice"):
        assert words in report


def test_snakemakes_own_report_has_captions_categories_figures_and_tables(finished):
    done = snakemake(finished, "--report", "report.zip", config=tiny())
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(finished / "report.zip") as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    page = held.pop("report/report.html").decode()

    def data(name: str) -> dict:
        script = page.partition(f'<script id="{name}">')[2].partition("= ")[2]
        return json.JSONDecoder().raw_decode(script)[0]

    shown = {path.removeprefix("results/demo/"): about for path, about in data("results").items()}
    wanted = {"figures/auc_two.svg", "figures/qc.svg", "figures/quality_roi_gru.svg"}
    wanted |= {"figures/loss_roi_gru.svg", "figures/cohort.svg", "figures/shift.svg"}
    wanted |= {f"tables/{name}.tsv" for name in ("auc", "session_auc", "comparisons", "inference")}
    assert wanted | {"allocations.tsv", "tables/cohort.tsv", "tables/runtimes.tsv"} <= set(shown)
    for path, about in shown.items():
        assert (
            held.pop("report/" + about["data_uri"])
            == (finished / "results/demo" / path).read_bytes()
        )
        assert about["caption"].startswith("<p>")
        assert about["labels"]  # by which the page lists them
    assert held == {}  # and no file that the page does not name
    listed = data("categories")
    assert {*listed} == {"AUC", "Cohort", "Quality", "ROIs", "Run", "Shift", "Tests", "Training"}
    paths = [path for subs in listed.values() for names in subs.values() for path in names]
    assert sorted(paths) == sorted(data("results"))
    assert "in mice that a decoder has never seen" in page  # workflow/report/workflow.rst


def test_a_second_run_has_nothing_to_do_and_a_lost_file_is_made_again_alone(finished):
    assert plan(finished, config=tiny())[0] == {}
    report = finished / "results/demo/report.html"
    kept = report.rename(finished / "report.html")
    assert plan(finished, config=tiny())[0] == {"report": 1, "all": 1}
    kept.rename(report)


@pytest.mark.e2e  # two more runs
def test_what_a_stopped_run_had_not_made_anew_is_made_by_the_next(finished):
    """What stands for all predictions must not pass for unchanged where these are others."""
    changed = tiny()
    changed["decoders"]["linear"] |= {"C": 7}
    there = "results/demo/predicted/linear.txt"
    done = snakemake(finished, "--cores", "2", there, config=changed)  # and is stopped
    assert done.returncode == 0, done.stdout + done.stderr
    jobs, _ = plan(finished, config=changed)
    assert {"auc", "quality", "shift", "report"} <= {*jobs} and "fit_linear" not in jobs
    done = run_study(finished, tiny())
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_bad_recording_is_named_and_the_others_go_on(finished, tmp_path):
    simulated = finished / "results/demo/simulated"
    config = tiny() | {"study": "real", "decoders": {"linear": tiny()["decoders"]["linear"]}}
    config |= {"comparisons": {}}
    del config["simulate"]
    config["recordings"] = {
        "movie": "{session}.tif",
        "behavior": f"{simulated}/{{session}}_behavior.mat",
    }
    for mouse in MICE:
        movie = (simulated / f"{mouse}_s1.tif").read_bytes()
        cut = 100_000 if mouse == "m2" else len(movie)
        (tmp_path / f"{mouse}_s1.tif").write_bytes(movie[:cut])
    done = run_study(tmp_path, config, "--keep-going")
    results = tmp_path / "results/real"
    assert done.returncode != 0
    assert sorted(path.stem for path in (results / "recordings").glob("*.h5")) == ["m1_s1", "m3_s1"]
    (line,) = (results / "logs/preprocess/m2_s1.log").read_text().splitlines()
    assert "m2_s1.tif" in line
