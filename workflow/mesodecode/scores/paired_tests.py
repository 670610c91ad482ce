"""Every pair of decoders compared over the same allocations, with mice as the unit."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError, say
from mesodecode.scores import mouse_tests, published_tests
from mesodecode.scores.mouse_tests import LEVEL
from mesodecode.study.allocation import join_ids, split_ids

TESTS = ("rank_sum", "signed_rank", "mouse_t", "sign_flip", "nadeau_bengio", "mixed")
COLUMNS = [
    *("family", "a", "b", "n_allocations", "n_mice", "mean_a", "mean_b", "mean_difference"),
    *("ci_low", "ci_high", "effect_size", "bootstrap_of", "bootstrap_low", "bootstrap_high"),
    *(f"p_{test}{holm}" for test in TESTS for holm in ("", "_holm")),
    *("smallest_p", "mixed_note", "icc_a", "icc_b", "icc", "design_effect", "n_effective"),
    "sentence",
]
WORDS = ("family", "a", "b", "bootstrap_of", "mixed_note", "sentence")
NUMBERS = [name for name in COLUMNS if name not in WORDS]


def infer(
    table: pd.DataFrame,
    *,
    by: str,
    only: Sequence[str] | None = None,
    name: str = "all",
    sessions: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Compare the AUCs of all pairs of values of column `by`; return a table with `COLUMNS`.

    `table` has a row an allocation: auc, test_mouse, valid_mouse and, if it is known, allocation
    and train_mice; `sessions` the same with session. A pair is compared over the allocations that
    both have; the difference is a - b. Its interval, effect and the tests mouse_t and sign_flip are
    of the means of the test mice. The bootstrap is over mice and sessions, without `sessions` over
    mice and allocations. Columns p_…_holm are Holm-corrected within the family; a test that could
    not be done counts there as p = 1.

    Raises UserError as `published_tests.compare` does, for a missing column, for allocations that
    two decoders do not share or have twice, and for allocations with several test mice.
    """
    _check_mice(table)
    given, table = table, of_studies(table, by)
    sessions = None if sessions is None else of_studies(sessions, by)
    published = published_tests.compare(table, by=by, only=only, name=name)
    paired = _paired(table, by, list(dict.fromkeys([*published["a"], *published["b"]])))
    if sessions is not None:
        try:
            published_tests.check_rows(sessions, by)
        except UserError as error:
            raise UserError(f"table of sessions: {error}") from None
        means = sessions.groupby(["test_mouse", "session", by], sort=False)["auc"].mean()
        sessions = means.unstack(by).rename(columns=str).reset_index()
    rows = []
    for pair in published.to_dict("records"):
        ratio = _test_train_ratio(given[given[by].astype(str).isin([pair["a"], pair["b"]])])
        row = _compare(paired, pair["a"], pair["b"], ratio)
        row |= _bootstrap(paired, sessions, pair["a"], pair["b"])
        means = {key: pair[key] for key in ("family", "a", "b", "mean_a", "mean_b")}
        rows.append(means | row | {"p_rank_sum": pair["p"]})
    result = pd.DataFrame(rows)
    for test in TESTS:
        p = result[f"p_{test}"]
        result[f"p_{test}_holm"] = np.where(p.isna(), np.nan, published_tests.holm(p.fillna(1.0)))
    result["sentence"] = [sentence(row) for row in result.to_dict("records")]
    return result[COLUMNS]


def of_studies(table: pd.DataFrame, by: str | None, mouse: str = "test_mouse") -> pd.DataFrame:
    """Return a table whose mice and allocations are called STUDY/NAME, where it is of several.

    That is, where its column `study` has several values: mouse 1 of two studies is two animals, as
    a line says. Raises UserError if studies themselves are compared (`by`), whose mice make no
    pairs.
    """
    names = [] if "study" not in table else list(table["study"].astype(str).unique())
    if len(names) < 2:
        return table
    if by == "study":
        raise UserError(
            "by study: pairs are over the same mice, and those of two studies are others, though "
            "they may have one name; test studies with mesodecode compare, or, if they are of the "
            "same animals, give the column another name"
        )
    say(f"mice of studies {', '.join(names)} are different animals, whatever they are called")
    named = {mouse, "test_mouse", "valid_mouse", "allocation", "session"} & {*table.columns}
    study = table["study"].astype(str) + "/"
    return table.assign(**{key: study + table[key].astype(str) for key in named})


def sentence(row: Mapping) -> str:
    """Return what a row of `infer` says, all tests Holm-corrected within its family."""
    difference = row["mean_difference"]
    high, low = (row["a"], row["b"]) if difference >= 0 else (row["b"], row["a"])
    published = row["p_rank_sum_holm"] < LEVEL
    words = f"{high} above {low} by {abs(difference):.3f}: "
    words += "significant as published; " if published else "not significant as published; "
    if not row["p_mouse_t_holm"] < LEVEL:
        words += "not with mice as the unit" if published else "nor with mice as the unit"
    elif row["p_sign_flip_holm"] < LEVEL:
        words += "also with mice as the unit" if published else "but with mice as the unit"
    else:
        words += "with mice as the unit only by the t test, which assumes normal differences"
    if row["smallest_p"] >= LEVEL:
        mice = "1 mouse" if row["n_mice"] == 1 else f"{row['n_mice']} mice"
        words += f" (exact p {row['p_sign_flip']:.3g}; {mice} cannot go below "
        words += f"{row['smallest_p']:.3g})"
    return words


def _check_mice(table: pd.DataFrame) -> None:
    """Raise UserError unless each row has a validation mouse and one test mouse."""
    for column in ("test_mouse", "valid_mouse"):
        if column not in table:
            raise UserError(
                f"no column {column}, a mouse of the allocation that each AUC is of; add it, as "
                "tests that know the mice need it"
            )
    several = table["test_mouse"].astype(str).str.contains("+", regex=False)
    if several.any():
        raise UserError(
            f"test_mouse {table['test_mouse'][several].iloc[0]}: allocations with several test "
            "mice share mice in part, for which there is no test here; use allocation.test: 1"
        )


def _paired(table: pd.DataFrame, by: str, groups: list[str]) -> pd.DataFrame:
    """Return valid_mouse, test_mouse and the AUC of each group, a row an allocation."""
    rows = table[table[by].astype(str).isin(groups)]
    keys = ["allocation"] if "allocation" in table else ["valid_mouse", "test_mouse"]
    twice = rows[rows.duplicated([by, *keys])]
    if len(twice):
        first = twice.iloc[0]
        raise UserError(
            f"{by} {first[by]} has the allocation {', '.join(map(str, first[keys]))} twice; "
            "choose rows with --where"
        )
    index = list(dict.fromkeys([*keys, "valid_mouse", "test_mouse"]))
    paired = rows.assign(**{by: rows[by].astype(str)}).pivot(index=index, columns=by, values="auc")
    missing = paired[groups].isna().any(axis=1)
    if missing.any():
        raise UserError(
            f"{int(missing.sum())} of {len(paired)} allocations are not there for every {by} "
            f"compared ({', '.join(groups)}); complete them"
        )
    return paired.reset_index()


def _test_train_ratio(table: pd.DataFrame) -> float:
    """Return test mice over training mice, of the allocations with fewest of these.

    Where they are not named, all other mice of the study train.
    """
    if "train_mice" in table:
        named = table["train_mice"].fillna("").astype(str).str.strip()
        if unnamed := int(named.isin(["", "nan"]).sum()):
            raise UserError(f"{unnamed} rows have no value in column train_mice; fill them in")
        return 1 / min(len(split_ids(mice)) for mice in named.unique())
    if "study" in table and table["study"].nunique() > 1:
        return max(_test_train_ratio(rows) for _, rows in table.groupby("study"))
    valid = len(split_ids(str(table["valid_mouse"].iloc[0])))
    mice = set(
        split_ids(join_ids(table[["test_mouse", "valid_mouse"]].astype(str).to_numpy().flat))
    )
    if len(mice) < valid + 2:
        raise UserError("no column train_mice, and no mouse of the table is left to train")
    return 1 / (len(mice) - valid - 1)


def _compare(paired: pd.DataFrame, a: str, b: str, ratio: float) -> dict:
    # rounded, or differences that are equal would differ by their last bit and not tie
    difference = (paired[a] - paired[b]).round(9).to_numpy()
    test, valid = paired["test_mouse"].to_numpy(), paired["valid_mouse"].to_numpy()
    means = mouse_tests.by_mouse(difference, test)
    low, high, p_mouse = mouse_tests.mean_interval(means)
    p_flip, smallest = mouse_tests.sign_flip(means)
    p_mixed, note = mouse_tests.mixed_model(difference, test, valid)
    correlation = mouse_tests.icc(difference, test)
    effect = mouse_tests.design_effect(correlation, test)
    return {
        "n_allocations": len(difference),
        "n_mice": len(means),
        "mean_difference": means.mean(),
        "ci_low": low,
        "ci_high": high,
        "effect_size": mouse_tests.hedges_g(means),
        "smallest_p": smallest,
        "p_mouse_t": p_mouse,
        "p_sign_flip": p_flip,
        "p_mixed": p_mixed,
        "mixed_note": note,
        "p_signed_rank": mouse_tests.signed_rank(difference),
        "p_nadeau_bengio": mouse_tests.nadeau_bengio(difference, ratio),
        "icc": correlation,
        "icc_a": mouse_tests.icc(paired[a], test),
        "icc_b": mouse_tests.icc(paired[b], test),
        "design_effect": effect,
        "n_effective": len(difference) / effect,
    }


def _bootstrap(paired: pd.DataFrame, scored: pd.DataFrame | None, a: str, b: str) -> dict:
    source = paired if scored is None else scored
    difference = (source[a] - source[b]).dropna()  # a session of one state has no AUC
    groups = difference.groupby(source["test_mouse"], sort=False)
    low, high = mouse_tests.hierarchical_bootstrap([rows.to_numpy() for _, rows in groups])
    unit = "mice and allocations" if scored is None else "mice and sessions"
    return {"bootstrap_of": unit, "bootstrap_low": low, "bootstrap_high": high}
