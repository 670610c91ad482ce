"""The target `tables`: from a published table, from a run, and what a config may say of it."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from make import LINEAR, ROOT, STUDY, add_files, check_commands, fails, plan, snakemake
from make_tables import reference
from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table
from mesodecode.scores import paired_tests
from mesodecode.study import study

SOURCE = {"source": "aucs.tsv", "by": "model", "decoders": ["GRU", "RNN"]}
ROIS = {"rois": "my data/{session}_roi.mat"}
GRU = {"input": "rois", "rnn": "gru"}
NULL = {"like": "gru", "labels": "permuted_between_sessions"}


@pytest.mark.e2e
def test_published_tables_are_those_of_r(tmp_path):
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    figures = [f"results/published/figures/auc_{name}.svg" for name in ("fig2e", "roi_window")]
    words = ("--cores", "1", "tables", *figures)
    done = snakemake(tmp_path, *words, config=ROOT / "examples/published.yaml", warm=True)
    assert done.returncode == 0, done.stderr
    tables = tmp_path / "results/published/tables"
    names = {"fig2e": "image"}
    found = read_table(tables / "comparisons.tsv")
    by_mouse = read_table(tables / "inference.tsv", paired_tests.COLUMNS, paired_tests.NUMBERS)
    assert found["family"].nunique() == 7 and len(found) == len(by_mouse) == 46
    for family, rows in found.groupby("family"):
        expected = reference(names.get(family, family))
        assert list(zip(rows["a"], rows["b"], strict=True)) == [row[:2] for row in expected]
        numbers = rows[["statistic", "p", "p_holm"]].to_numpy()
        np.testing.assert_allclose(numbers, [row[2:] for row in expected], rtol=1e-6)
    np.testing.assert_array_equal(by_mouse["p_rank_sum_holm"], found["p_holm"])
    assert set(by_mouse["smallest_p"]) == {0.0625}
    for figure in figures:  # points, and a line
        svg = (tmp_path / figure).read_text()
        assert "n = 20 allocations each" in svg and "Wilcoxon rank-sum test, Holm-corr" in svg
        assert "AUCs read from workflow/reference/ajioka2024_auc.csv" in svg
    jobs, lines = plan(
        tmp_path, config=ROOT / "examples/published.yaml"
    )  # `all` is the tables and figures
    check_commands(lines, jobs)
    assert jobs == {"figure_auc": 5, "all": 1}


def test_tables_of_a_run_and_of_a_source(tmp_path):
    config = STUDY | {
        "recordings": STUDY["recordings"] | ROIS,
        "mice": {mouse: [f"{mouse}{i}" for i in range(5)] for mouse in "abcde"},
        "decoders": {"linear": LINEAR, "gru": GRU, "n1": NULL, "n2": NULL | {"seed": 5}},
        "comparisons": {
            "own": {"decoders": ["linear", "gru"]},
            "paper": SOURCE | {"where": {"set": "a b"}},
        },
    }
    add_files(tmp_path, config)
    (tmp_path / "aucs.tsv").touch()
    jobs, lines = plan(tmp_path, "tables", config=config)
    check_commands(lines, jobs)
    tests = {"compare": 2, "infer": 2, "comparisons": 1, "inference": 1, "chance": 1}
    assert {rule: jobs[rule] for rule in tests} == tests
    assert not jobs.keys() & {"report", "figure_auc"}
    (paper,) = [x for x in lines if x.startswith("mesodecode inference") and "paper" in x]
    assert "--auc aucs.tsv " in paper and "--where 'set=a b' --name paper" in paper
    assert "--by model --only GRU RNN" in paper and "--sessions" not in paper
    (own,) = [x for x in lines if x.startswith("mesodecode inference") and "name own" in x]
    assert "--sessions results/lab/tables/session_auc.tsv --by decoder --only linear gru" in own
    (chance,) = [x for x in lines if x.startswith("mesodecode chance")]
    assert "--null n1=gru n2=gru" in chance
    _, lines = plan(tmp_path, "tables", config=config | {"circular_shifts": 99})
    assert [x for x in lines if "--shifts 99 --predictions results/lab/predictions" in x]
    jobs, lines = plan(tmp_path, config=config)
    check_commands(lines, jobs)
    own, paper = sorted(x for x in lines if x.startswith("mesodecode figures"))[::-1]
    assert "--auc aucs.tsv --by model --only GRU RNN --where 'set=a b' --name paper" in paper
    assert "--auc results/lab/tables/auc.tsv --by decoder --only linear gru --name own" in " ".join(
        own.split()
    )
    (report,) = [x for x in lines if x.startswith("mesodecode report")]
    for name in ("comparisons", "inference", "chance"):
        assert f" results/lab/tables/{name}.tsv " in report


def test_several_test_mice_are_compared_as_published_only(tmp_path):
    config = STUDY | {
        "allocation": {"train": 2, "test": 2},
        "decoders": {"linear": LINEAR, "ridge": LINEAR | {"C": 0.1}},
        "comparisons": {"own": {"decoders": ["linear", "ridge"]}},
    }
    add_files(tmp_path, config)
    jobs, _ = plan(tmp_path, config=config)
    assert jobs["compare"] == 1 and not jobs.keys() & {"infer", "inference"}


def test_missing_source_is_named(tmp_path):
    text = fails(tmp_path, config={"study": "x", "comparisons": {"paper": SOURCE}})
    assert "Missing input files for rule compare" in text and "aucs.tsv" in text


def test_nulls_differ_by_labels_and_seed_only():
    decoders = {
        **{"gru": GRU, "wide": {"like": "gru", "half_window": 30}, "n1": NULL},
        **{"n2": NULL | {"seed": 5, "labels": "published"}, "n3": NULL | {"hidden_size": 8}},
        "linear": LINEAR,
    }
    mice = {mouse: [f"{mouse}{i}" for i in range(5)] for mouse in "abcde"}
    recordings = STUDY["recordings"] | ROIS
    config = {"study": "x", "recordings": recordings, "mice": mice, "decoders": decoders}
    assert study.resolve(config).nulls == {"gru": ["n1", "n2"]}
    config["decoders"] |= {"n4": NULL}  # the seed of n1
    assert study.resolve(config).nulls == {"gru": ["n1", "n2"]}
    config["mice"] = {mouse: sessions[:2] for mouse, sessions in mice.items()}
    config["decoders"]["n2"] = NULL | {"seed": 5}  # two sessions can only be exchanged
    assert study.resolve(config).nulls == {"gru": ["n1"]}
    assert study.load(ROOT / "config.yaml").nulls == {"roi_gru": ["roi_gru_null"]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"by": None}, "paper: 'source' is given, and 'by' is missing, which goes with it"),
        ({"source": None}, "paper: 'by' is given, and 'source' is missing, which goes with it"),
        ({"source": None, "by": None, "where": {}}, "'where' is given, and 'source' is missing"),
        ({"source": 1}, "config: comparisons.paper.source: 1 is not of type 'string'"),
        (
            {"where": {"half_window": 5}},
            "where.half_window: 5 is not of type 'string'; write it in",
        ),
        (
            {"decoders": None},
            "comparisons.paper: 'decoders' is missing; list values of column `by`",
        ),
        ({"form": "x"}, "config: comparisons.paper.form: no such key"),
    ],
)
def test_bad_comparisons_are_refused_in_one_line(change, words):
    paper = {k: v for k, v in (SOURCE | change).items() if v is not None}
    with pytest.raises(UserError) as caught:
        study.resolve({"study": "x", "comparisons": {"paper": paper}})
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["mice", "decoders"])
def test_mice_and_decoders_are_left_out_together_and_with_sources_only(key):
    one = copy.deepcopy(STUDY) | {"comparisons": {"paper": SOURCE}}
    del one[key]
    own = {"study": "x", "comparisons": {"own": {"decoders": ["a", "b"]}}}
    some = {"study": "x", "comparisons": {"paper": SOURCE} | own["comparisons"]}
    both = "; leave out both mice and decoders, as each comparison reads a table (source)"
    lacks = "; without mice and decoders each comparison reads a table: comparisons.own has no "
    lacks += "source"
    neither = {"study": "x"}
    configs = [(one, key, both), (own, "mice", lacks), (neither, "mice", ""), (some, "mice", lacks)]
    for config, missing, hint in configs:
        with pytest.raises(UserError) as caught:
            study.resolve(config)
        assert str(caught.value) == f"config: top level: '{missing}' is missing{hint}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"importance": {"map": {"decoder": "gru"}}},
            "importance.map.decoder: no recurrent decoder of ROI signals 'gru'",
        ),
        ({"reproduction": {"gru": {"model": "GRU"}}}, "reproduction.gru: no such decoder; known"),
        ({"shift": {"decoders": ["gru"]}}, "shift.decoders: no decoder 'gru' with labels of its"),
    ],
)
def test_a_study_of_tables_alone_has_no_decoders_to_explain(change, words):
    with pytest.raises(UserError, match=words):
        study.resolve({"study": "x", "comparisons": {"paper": SOURCE}} | change)


def test_published_config_names_every_published_family():
    comparisons = yaml.safe_load((ROOT / "examples/published.yaml").read_text())["comparisons"]
    table = pd.read_csv(ROOT / comparisons["fig2e"]["source"], dtype=str)
    named = {value for c in comparisons.values() for value in (c["where"].get("analysis"),)}
    named |= {
        value for c in comparisons.values() if c["by"] == "analysis" for value in c["decoders"]
    }
    assert named - {None} == set(table["analysis"])
    for comparison in comparisons.values():
        assert Path(ROOT / comparison["source"]).is_file()
        rows = table.loc[
            (table[list(comparison["where"])] == pd.Series(comparison["where"])).all(axis=1)
        ]
        assert set(comparison["decoders"]) <= set(rows[comparison["by"]])
