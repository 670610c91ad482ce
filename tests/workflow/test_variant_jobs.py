"""The jobs of a study with variants."""

from __future__ import annotations

import re

import pytest

from make import check_commands, plan

CONFIG = {
    "study": "v",
    "simulate": {"n_frames": 300, "image_size": 32},
    "mice": {f"m{i}": [f"m{i}_s1"] for i in range(1, 6)},
    "allocation": {"choose": "each_test"},
    "shift": {"decoders": []},
    "decoders": {
        "linear": {"model": "logistic_regression", "pixels": 16},
        "best": {"adaptive_of": ["linear", "linear_bin"]},
    },
    "variants": {
        "bin": {
            "corrections": {"binning": 2, "dark_frame": "dark_{mouse}.npy"},
            "decoders": ["linear"],
        },
        "coarse": {"settings": {"pixels": 8}, "decoders": ["linear"]},
    },
}


@pytest.fixture(autouse=True)
def dark_frames(tmp_path):
    for mouse in CONFIG["mice"]:
        (tmp_path / f"dark_{mouse}.npy").touch()


def test_a_variant_adds_the_jobs_of_its_own_recordings_and_decoders_only(tmp_path):
    for of in ("", "variants/bin/"):  # lists whose recordings were deleted
        (tmp_path / f"results/v/{of}recordings").mkdir(parents=True)
        (tmp_path / f"results/v/{of}recordings/m1.txt").touch()
    (tmp_path / "aucs.tsv").touch()
    source = {"source": "aucs.tsv", "by": "model", "decoders": ["GRU", "RNN"]}
    jobs, lines = plan(tmp_path, config=CONFIG | {"comparisons": {"paper": source}})
    check_commands(lines, jobs)
    assert not [*tmp_path.rglob("m1.txt")]  # what waits for a list makes its recordings again
    drawn = [line.partition("--name ")[2] for line in lines if "mesodecode figures" in line]
    assert {line.split()[0] for line in drawn} == {"paper", "all"}  # its own decoders, too
    assert jobs["preprocess"] == jobs["preprocess_variant"] == 5  # none for coarse
    assert jobs["fit_linear"] == 3 * 5
    assert (jobs["choose_variant"], jobs["adaptive"]) == (1, 5)
    assert jobs["qc_variant"] == jobs["variants"] == 1
    darks = sorted(re.findall(r"--dark-frame[ =](\S+)", " ".join(lines)))
    assert darks == [
        f"dark_m{i}.npy" for i in range(1, 6)
    ]  # files of the variant's, none of others
    (binned,) = [line for line in lines if "preprocess" in line and "variants/bin" in line][:1]
    assert "--binning 2" in binned and "--record results/v/variants/bin/sources/" in binned
    read = {part for line in lines for part in line.split() if part.endswith("m1.txt")}
    assert read == {"results/v/recordings/m1.txt", "results/v/variants/bin/recordings/m1.txt"}


def test_variants_of_a_trace_have_its_target_and_are_put_side_by_side_by_its_score(tmp_path):
    lines = {"linear": {"model": "ridge", "pixels": 16}, "best": CONFIG["decoders"]["best"]}
    config = CONFIG | {"target": "pupil", "decoders": lines, "confounds": {"decoders": ["linear"]}}
    config["simulate"] = CONFIG["simulate"] | {"pupil_signal": 0.1}
    del config["shift"]
    jobs, lines = plan(tmp_path, config=config)
    check_commands(lines, jobs)
    assert (jobs["choose_variant"], jobs["adaptive"], jobs["variants"]) == (1, 5, 1)
    (table,) = [line for line in lines if "mesodecode variants" in line]
    assert "--auc results/v/tables/regression.tsv" in table
    (held,) = [line for line in lines if line.startswith("mesodecode confounds")]
    assert "--auc results/v/tables/regression.tsv" in held
    controls = [line for line in lines if line.startswith("mesodecode decode-controls")]
    assert len(controls) == 5 and all("--model ridge" in line for line in controls)
    made = [line for line in lines if "mesodecode preprocess" in line]
    assert len(made) == 10 and all("--target=pupil" in line for line in made)
