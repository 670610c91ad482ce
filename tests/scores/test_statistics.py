"""Rank-sum tests and Holm correction, against R, by property and through the command line."""

from __future__ import annotations

import argparse
import itertools
import math
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_tables import PUBLISHED, reference
from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table, write_table
from mesodecode.cli.scores import compare as verb
from mesodecode.scores import published_tests
from tabled import as_tabled

GROUPS = {"roi_window": "half_window_frames"}  # column of the groups; else model

# The same, of hand-made vectors with ties: a, b, W, p.
VECTORS = [
    ([1, 2, 2, 3, 5], [2, 3, 3, 4, 6, 7], 7, 0.163045055854),
    ([0.5, 0.5, 0.5, 0.9], [0.5, 0.5, 0.8, 0.9], 6.5, 0.738882680364),
    ([1, 1, 2, 2], [1, 1, 2, 2], 8, 1),
    ([1, 2], [3, 4], 0, 0.245278116807),
    ([5, 5, 5, 6], [1, 2, 5], 10.5, 0.118670345565),
    ([0, 0, 0, 1, 1, 9], [-3, 0], 10.5, 0.152640561826),
    (list(range(1, 42, 2)), [40, 41, 42, 42, 42], 1.5, 0.00100779335332),
]


def toy(**groups: list[float]) -> pd.DataFrame:
    rows = [(name, auc) for name, aucs in groups.items() for auc in aucs]
    return pd.DataFrame(rows, columns=["decoder", "auc"])


def compare(*words: object) -> None:
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    verb.run(parser.parse_args([str(word) for word in words]))


@pytest.mark.parametrize("a, b, w, p", VECTORS)
def test_rank_sum_is_that_of_r(a, b, w, p):
    assert published_tests.rank_sum(a, b) == (w, pytest.approx(p, rel=1e-9))


def test_rank_sum_of_equal_values_is_one():
    assert published_tests.rank_sum([1.0, 1.0, 1.0], [1.0, 1.0]) == (3.0, 1.0)


@pytest.mark.parametrize(
    "family", ["roi_models", "roi_window", "roi_regions_limb", "roi_regions_parts", "image"]
)
def test_published_families_are_those_of_r(family):
    table = read_table(PUBLISHED)
    by = GROUPS.get(family, "model")
    found = published_tests.compare(table[table["analysis"] == family], by=by, name=family)
    expected = reference(family)
    assert " ".join(found.columns) == ("family test a b n_a n_b mean_a mean_b statistic p p_holm")
    assert list(zip(found["a"], found["b"], strict=True)) == [row[:2] for row in expected]
    numbers = found[["statistic", "p", "p_holm"]].to_numpy()
    np.testing.assert_allclose(numbers, [row[2:] for row in expected], rtol=1e-9)
    assert set(found["family"]) == {family} and set(found["n_a"]) == {20}


@pytest.mark.parametrize("family", ["roi_null", "roi_raw"])
def test_null_and_raw_against_the_published_gru_are_those_of_r(family, tmp_path):
    table = read_table(PUBLISHED)
    table[table["model"] == "GRU"].to_csv(tmp_path / "gru.csv", index=False)
    words = ["--auc", tmp_path / "gru.csv", "--by", "analysis", "--only", "roi_models", family]
    compare(*words, "--name", family, "--out", tmp_path / "out.csv")
    found = pd.read_csv(tmp_path / "out.csv")
    assert found[["family", "a", "b"]].to_numpy().tolist() == [[family, "roi_models", family]]
    numbers = found[["statistic", "p", "p_holm"]].to_numpy()
    np.testing.assert_allclose(numbers, [row[2:] for row in reference(family)], rtol=1e-9)


def test_families_of_within_are_corrected_apart():
    table = pd.concat(
        [toy(a=[0.1, 0.2, 0.3], b=[0.4, 0.5, 0.6], c=[0.7, 0.8, 0.9]).assign(set=s) for s in "yx"]
    )
    apart = published_tests.compare(table, by="decoder", within="set")
    alone = published_tests.compare(table[table["set"] == "x"], by="decoder")
    assert list(apart["family"]) == ["y"] * 3 + ["x"] * 3  # in the order of the table
    as_tabled(apart, "comparisons")
    np.testing.assert_array_equal(apart["p_holm"][:3], alone["p_holm"])
    assert set(alone["family"]) == {"all"}


def test_exact_p_is_the_share_of_orders_that_are_as_far_from_even():
    a, b = [0.91, 0.86, 0.88], [0.75, 0.71, 0.87, 0.8]
    found = published_tests.compare(toy(a=a, b=b), by="decoder", test="rank_sum_exact")
    # of 12 pairs a is above in all but (.86, .87): W 11, 5 from the mean of 6
    assert found["statistic"].tolist() == [11] and found["test"].tolist() == ["rank_sum_exact"]
    orders = [sum(ranks) - 6 for ranks in itertools.combinations(range(1, 8), 3)]
    assert found["p"].tolist() == [sum(abs(w - 6) >= 5 for w in orders) / 35]  # R: .1142857
    approximate = published_tests.compare(toy(a=a, b=b), by="decoder")["p"]
    assert abs(approximate - found["p"]).item() > 0.001
    with pytest.raises(UserError, match="family all: decoder a and b: two AUCs or more are equal"):
        published_tests.compare(toy(a=a, b=[*b, 0.91]), by="decoder", test="rank_sum_exact")


def test_families_in_which_protocols_are_mixed_are_left_out_and_said(tmp_path, capsys):
    table = toy(a=[0.1, 0.2, 0.3], b=[0.4, 0.5, 0.6])
    mixed = table.assign(set="y", protocol=["strict"] * 3 + ["transductive"] * 3)
    same = table.assign(set="x", protocol="strict")
    other = table.assign(set="z", protocol="transductive")
    write_table(pd.concat([mixed, same, other]), path := tmp_path / "auc.tsv")
    words = ["--auc", path, "--by", "decoder", "--within", "set", "--out", tmp_path / "out.tsv"]
    compare(*words)
    assert read_table(tmp_path / "out.tsv")["family"].tolist() == ["x", "z"]
    assert re.match(
        "family y: column decoder: AUCs of different protocols .*; left out\n$",
        capsys.readouterr().err,
    )
    compare(*words, "--across-protocols")
    assert read_table(tmp_path / "out.tsv")["family"].tolist() == ["y", "x", "z"]
    write_table(mixed, path)
    with pytest.raises(UserError, match=r"family y: .*of different protocols") as one:
        compare(*words)
    assert "more families" not in str(one.value)
    write_table(pd.concat([mixed, mixed.assign(set="w")]), path)
    with pytest.raises(UserError, match=r"family y: .* \(and so in 1 more families\)$"):
        compare(*words)
    write_table(mixed, path)
    with pytest.raises(UserError, match=r"auc\.tsv: no column sets; the columns are"):
        compare("--auc", path, "--by", "set", "--within", "sets", "--out", tmp_path / "out.tsv")
    # without families, and with them, of those that are compared alone
    three = pd.concat([mixed, mixed[:3].assign(decoder="c")])
    write_table(three, path)
    plain = ["--auc", path, "--by", "decoder", "--out", tmp_path / "out.tsv"]
    for line in (plain, words):
        compare(*line, "--only", "c", "a")
        assert read_table(tmp_path / "out.tsv")["a"].tolist() == ["c"]
        with pytest.raises(UserError, match=r"different protocols \(a is strict, b is transd"):
            compare(*line, "--only", "b", "a")
        compare(*line, "--only", "b", "a", "--across-protocols")
    numbers = three.assign(frame_rate=three["decoder"].map({"a": 10, "b": 30, "c": 20}))
    write_table(numbers, path)
    by_rate = [*plain[:3], "frame_rate", *plain[4:], "--only", "10", "30"]
    with pytest.raises(UserError, match=r"different protocols \(10 is strict, 30 is transd"):
        compare(*by_rate)
    # decoders in the order of the table, protocols of one in their own
    several = ["transductive", "strict", "strict"] + ["few-shot"] * 3
    write_table(mixed[::-1].assign(protocol=several), path)
    with pytest.raises(UserError, match=r"\(b is strict and transductive, a is few-shot\)"):
        compare(*words)


def test_holm_by_hand():
    # sorted .01 .02 .03 .04, times 4 3 2 1: .04 .06 .06 .04, which may not fall: .04 .06 .06 .06
    np.testing.assert_allclose(
        published_tests.holm([0.04, 0.01, 0.03, 0.02]), [0.06, 0.04, 0.06, 0.06]
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_is_between_p_and_bonferroni_and_keeps_order(p):
    p = np.array(p)
    adjusted = published_tests.holm(p)
    assert (adjusted >= p).all() and (adjusted <= np.minimum(1, p * len(p)) + 1e-15).all()
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()


samples = st.lists(st.integers(0, 12).map(float), min_size=2, max_size=15)  # ties are likely


@given(samples, samples)
def test_swapping_groups_mirrors_the_statistic(a, b):
    w, p = published_tests.rank_sum(a, b)
    w_swapped, p_swapped = published_tests.rank_sum(b, a)
    assert w + w_swapped == len(a) * len(b)
    assert p == pytest.approx(p_swapped, rel=1e-12) and 0 <= p <= 1


@given(samples, samples)
def test_only_ranks_count(a, b):
    assert published_tests.rank_sum(np.exp(a), np.exp(b)) == published_tests.rank_sum(a, b)


def test_groups_stand_in_the_order_of_the_table_not_of_letters():
    table = pd.DataFrame({"decoder": [*"zzaabb"], "auc": [0.1, 0.2, 0.4, 0.3, 0.6, 0.8]})
    table["kind"] = table["decoder"].map({"z": "second", "a": "first", "b": "second"})
    found = published_tests.compare(table, by="decoder")
    assert list(zip(found["a"], found["b"], strict=True)) == [("z", "a"), ("z", "b"), ("a", "b")]
    more = pd.concat([table, table.assign(decoder=table["decoder"] + "2")])
    found = published_tests.compare(more, by="decoder", within="kind")
    assert list(dict.fromkeys(found["family"])) == ["second", "first"]


def test_summary_is_mean_and_sample_sd():
    found = as_tabled(published_tests.summary(toy(b=[0.5, 0.7], a=[0.9])), "summary")
    assert list(found["decoder"]) == ["b", "a"] and list(found["n"]) == [2, 1]
    assert found["mean"][0] == pytest.approx(0.6)
    assert found["sd"][0] == pytest.approx(math.sqrt(0.02))
    assert np.isnan(found["sd"][1])


@pytest.mark.parametrize(
    "table, options, words",
    [
        (toy(a=[1, 2], b=[1, 2]).drop(columns="auc"), {}, "no column auc; the columns are decoder"),
        (toy(a=[1, 2], b=[1, 2]), {"by": "model"}, "no column model; the columns are decoder, auc"),
        (toy(a=[1, 2], b=[1, 2]), {"within": "set"}, "no column set"),
        (toy(a=[1, 2], b=[1, 2]), {"within": "decoder"}, "decoder is given for both"),
        (toy(a=[1, 2]), {}, "family all: decoder has 1 value (a)"),
        (toy(a=[1, 2], b=[1, math.nan]), {}, "decoder b: 1 of 2 AUCs are missing"),
        (toy(a=[1, 2], b=[1]), {}, "decoder b has 1 AUC"),
        (toy(a=[1, 2], **{"": [1, 2]}), {}, "2 rows have no value in column decoder"),
        (toy(a=[1, 2], b=[1, 2]), {"test": "t"}, "no test named t; known: rank_sum"),
        (toy(a=[1, 2], b=[1, 2]), {"only": ["a", "c"]}, "no decoder c; in the table: a, b"),
        (toy(a=[1, 2], b=[1, 2], **{" ": [1, 2]}), {}, "2 rows have no value in column decoder"),
        (toy(a=[1], b=[2]).assign(set=["x", "y"]), {"within": "set"}, "family x: decoder has 1 "),
    ],
)
def test_bad_tables_are_refused_in_one_line(table, options, words):
    with pytest.raises(UserError) as caught:
        published_tests.compare(table, **({"by": "decoder"} | options))
    assert words in str(caught.value) and "\n" not in str(caught.value)


A, B = [0.91, 0.84, 0.88, 0.95], [0.71, 0.74, 0.78, 0.7]


def twice(**columns: list) -> pd.DataFrame:
    """The table of A and B and another column, with the rows of a there twice."""
    table = toy(a=A, b=B).assign(**columns)
    return pd.concat([table[:4], table])


@pytest.mark.parametrize(
    "table",
    [
        twice(),  # no column but group and AUC: all of a are doubled
        pd.concat([twice(), twice()]),
        twice(mouse=[*"1234"] * 2),
        twice(allocation=[*"1234"] * 2),
        twice(allocation=[*"1234"] * 2).iloc[3:],  # one row only
        twice(mouse=[*"1234"] * 2).iloc[3:],
        twice(mouse=[*"1122"] * 2),
        twice(allocation=[*"1234"] * 2).assign(auc=np.linspace(0.8, 0.9, 12)),  # of two runs
        *(  # rows that are numbered, as pandas does
            twice(**{name: [*"1234"] * 2}).assign(**{number: range(12)})
            for name in ("allocation", "mouse")
            for number in ("Unnamed: 0", "Unnamed: 0.1", "index", "")
        ),
        twice(allocation=[*"1234"] * 2).assign(allocation=[*"1234", *"1234", "1 ", *"234"]),
        twice(allocation=[*"1234"] * 2, n_frames=[*range(8)]),
    ],
)
def test_rows_that_are_there_twice_are_refused(table):
    with pytest.raises(UserError, match="rows are there twice or more, such as decoder a"):
        published_tests.compare(table, by="decoder")
    with pytest.raises(UserError, match="there twice"):
        published_tests.compare(table.assign(set="x"), by="decoder", within="set")


@pytest.mark.parametrize(
    "table",
    [
        toy(a=[1.0] * 6, b=[0.9, 0.9, 0.9, 0.8]),  # perfect, or rounded
        toy(a=[1.0] * 6, b=[0.9] * 4),
        toy(a=[*A, *A, A[0]], b=B),  # one thrice, the others twice: no whole number of copies
        toy(a=[0.91, 0.91, 0.84, 0.84, 0.88, 0.95], b=B),
        toy(a=[0.91, 0.91, 0.84, 0.84, 0.88, 0.88], b=B),  # three values are too few to tell
        toy(a=[0.91, 0.91, 0.84, 0.88], b=B).assign(study="x"),
        # sessions without a name: two of a mouse have one AUC
        toy(a=[0.91, 0.91, 0.84, 0.88], b=B).assign(mouse=[*"1112"] * 2),
        twice(allocation=[*"1234"] * 2).assign(seed=[*"11112222", *"1111"]),
        twice(allocation=[*"1234"] * 2).assign(analysis=[*"xxxxyyyyyyyy"]),
    ],
)
def test_equal_aucs_that_may_be_of_different_rows_are_compared(table, capsys):
    found = published_tests.compare(table, by="decoder")
    assert (found["n_a"][0], found["n_b"][0]) == tuple(table["decoder"].value_counts(sort=False))
    of_family = published_tests.compare(table.assign(family="x"), by="decoder", within="family")
    pd.testing.assert_frame_equal(of_family.assign(family="all"), found)
    told_apart = bool({"seed", "analysis"} & {*table})
    assert ("each AUC of decoder a is there twice or more" in capsys.readouterr().err) == told_apart


def test_rows_are_counted_among_those_that_are_compared():
    table = twice(allocation=[*"1234"] * 2).replace({"decoder": {"a": "c"}})
    table = pd.concat([table, toy(a=A).assign(allocation=[*"1234"])])
    assert published_tests.compare(table, by="decoder", only=["a", "b"])["n_a"][0] == 4
    with pytest.raises(UserError, match="there twice"):
        published_tests.compare(table, by="decoder", only=["a", "c"])


def test_groups_may_be_numbers_in_the_table_and_are_asked_for_as_words():
    named, windows = toy(a=A, b=B, c=B[::-1]), {"a": 5, "b": 10, "c": 0}
    table = named.assign(window=named["decoder"].map(windows))
    assert published_tests.select(table, {"window": "10"})["decoder"].unique().tolist() == ["b"]
    with pytest.raises(UserError, match=r"^no row where window is 7; there: 5, 10, 0$"):
        published_tests.select(table, {"window": "7"})
    with pytest.raises(UserError, match=r"^no window 7; in the table: 5, 10, 0$"):
        published_tests.keep(table, "window", ["7"])
    found = published_tests.compare(table, by="window", only=["10", "5"])
    by_name = published_tests.compare(named, by="decoder", only=["b", "a"])
    names = {"a": "10", "b": "5"}
    pd.testing.assert_frame_equal(found, by_name.assign(**names))


@pytest.mark.parametrize("other", ["cnn ", " cnn", "cnn\xa0", "\ufeffcnn", "cnn\u200b"])
def test_names_that_differ_in_blanks_alone_are_refused(other):
    table = toy(cnn=A, gru=B, **{other: B})
    with pytest.raises(UserError) as caught:
        published_tests.compare(table, by="decoder")
    assert "column decoder: 'cnn' is written in 2 ways that differ in blanks only" in str(
        caught.value
    ) and ascii(other) in str(caught.value)
    families = table.rename(columns={"decoder": "set"}).assign(decoder=[*"aabb"] * 3)
    with pytest.raises(UserError, match="column set: 'cnn' is written in 2 ways"):
        published_tests.compare(families, by="decoder", within="set")
    whole = toy(**{"cnn 2": A, "cnn  2": B})
    with pytest.raises(UserError, match="'cnn 2' is written in 2 ways"):
        published_tests.compare(whole, by="decoder")


@pytest.mark.parametrize(("one", "other"), [("R\xe9seau", "Re\u0301seau"), ("a-b", "a\u2013b")])
def test_names_that_look_alike_are_refused(one, other):
    with pytest.raises(UserError, match=r"is written in 2 ways.*or look alike"):
        published_tests.compare(toy(**{one: A, other: B}), by="decoder")


def test_two_columns_of_one_name_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("decoder,auc, auc\na,0.9,0.5\n")
    with pytest.raises(UserError, match=r"a\.csv: two columns are called auc; rename one"):
        read_table(tmp_path / "a.csv")


def test_names_that_differ_in_case_are_said_to_be_two(capsys):
    found = published_tests.compare(toy(cnn=A, CNN=B), by="decoder")
    assert found[["a", "b"]].to_numpy().tolist() == [["cnn", "CNN"]]
    words = "column decoder: CNN, cnn differ in case only; taken for 2 names\n"
    assert capsys.readouterr().err == words


def test_families_of_one_group_are_left_out_with_a_line(capsys, tmp_path):
    out = tmp_path / "out.tsv"
    compare("--auc", PUBLISHED, "--by", "model", "--within", "analysis", "--out", out)
    found = pd.read_csv(out, sep="\t")
    count = found["family"].value_counts().to_dict()
    assert count == {
        "roi_models": 15,
        "roi_regions_parts": 10,
        "roi_regions_limb": 3,
        "image": 1,
    }
    lines = sorted(capsys.readouterr().err.splitlines())
    left = "model has 1 value (GRU); left out, as a comparison needs two groups"
    assert lines == [f"family {name}: {left}" for name in ("roi_null", "roi_raw", "roi_window")]


@pytest.mark.parametrize("suffix, separator", [("tsv", "\t"), ("csv", ","), ("txt", "\t")])
def test_verb_reads_and_writes_tables_by_suffix(tmp_path, suffix, separator):
    source = tmp_path / f"auc.{suffix}"
    out = tmp_path / "new" / f"comparisons.{suffix}"
    table = read_table(PUBLISHED)
    table[table["analysis"].isin(["roi_models", "image"])].to_csv(
        source, sep=separator, index=False
    )
    compare("--auc", source, "--by", "model", "--within", "analysis", "--out", out)
    found = pd.read_csv(out, sep="," if suffix == "csv" else "\t")
    for family in ("roi_models", "image"):
        numbers = found.loc[found["family"] == family, ["statistic", "p", "p_holm"]].to_numpy()
        np.testing.assert_allclose(numbers, [row[2:] for row in reference(family)], rtol=1e-6)


def test_verb_keeps_the_named_groups_in_their_order(tmp_path):
    table = read_table(PUBLISHED)
    table[table["analysis"] == "roi_models"].to_csv(tmp_path / "auc.csv", index=False)
    compare(
        "--auc",
        tmp_path / "auc.csv",
        "--by",
        "model",
        "--only",
        "RNN",
        "GRU",
        "--name",
        "fig2e",
        "--out",
        tmp_path / "out.csv",
    )
    found = pd.read_csv(tmp_path / "out.csv")
    assert found[["family", "a", "b"]].to_numpy().tolist() == [["fig2e", "RNN", "GRU"]]
    assert found["p_holm"][0] == pytest.approx(0.00279860219091, rel=1e-9)  # one pair: p itself


def test_names_that_look_like_numbers_or_nothing_stay_names(tmp_path):
    names = ["01", "1e5", "1_000", "true", "NA", "None", "null"]
    rows = [(name, m, i / 10) for name in ("01", "null") for m in names for i in (5, 6)]
    table = pd.DataFrame(rows, columns=["decoder", "test_mouse", "auc"])
    write_table(table, path := tmp_path / "auc.tsv")
    assert read_table(path)["test_mouse"].unique().tolist() == names
    words = ("--by", "decoder", "--within", "test_mouse")
    compare("--auc", path, *words, "--out", tmp_path / "out.tsv")
    found = read_table(tmp_path / "out.tsv")
    assert found["family"].tolist() == names
    assert {*zip(found["a"], found["b"], strict=True)} == {("01", "null")}


@pytest.mark.parametrize(
    "content, words",
    [
        ("decoder,auc\na,0.5\na,x\nb,1\nb,1\n", "line 3: auc is 'x'; it must be a number"),
        ("decoder,auc\na,0.5\na,\nb,1\nb,1\n", "decoder a: 1 of 2 AUCs are missing"),
        ("decoder,auc\n", "the table has no rows"),
        ("", "not a CSV or TSV table"),
        ("decoder,score\na,1\n", "no column auc"),
        ("decoder,auc\na,0.5\na,1.2\nb,1\n", "line 3: auc is 1.2, but an AUC is between 0 and 1"),
        ("decoder,auc\na,0.5\na,0.4\nb,-0.1\n", "line 4: auc is -0.1, but an AUC is between"),
        ("decoder,auc\na,50\na,inf\nb,1\n", "line 2: auc is 50, but an AUC"),
        ("decoder,auc\na,95\na,97.5\nb,\nb,100\n", "these look like percent: divide by 100"),
        (
            "decoder,auc\na,.9\na,12\nb,.8\nb,.7\n",
            "line 3: auc is 12, but an AUC is between 0 and 1; cor",
        ),
    ],
)
def test_verb_refuses_bad_files_and_leaves_none(tmp_path, content, words):
    source, out = tmp_path / "auc.csv", tmp_path / "out/comparisons.tsv"
    source.write_text(content)
    with pytest.raises(UserError) as caught:
        compare("--auc", source, "--by", "decoder", "--out", out)
    assert str(caught.value).startswith(f"{source}: ") and words in str(caught.value)
    assert "\n" not in str(caught.value) and not out.parent.exists()
