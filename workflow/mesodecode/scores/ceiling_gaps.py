"""How good could a decoder be? Its AUC in mice that it was trained on, against other mice.

Of another target than run and rest its own score stands for the AUC, in words as in columns, and
Pearson's correlation beside the R² of a trace: a gap in R² that is none in correlation is one of
level and scale.

The unit is the mouse: differences of two arms are taken in the same session, averaged over the
sessions of a mouse, and their interval is over mice (`mouse_tests.mean_interval`, which overlapping
training mice make a little narrow). Arms are those of `mesodecode.study.ceilings`, and `others`,
the study's own decoder of other mice.
"""

import datetime
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from mesodecode.base.files import UserError
from mesodecode.decoders.held_out import HeldOut
from mesodecode.scores.mouse_tests import by_mouse, mean_interval
from mesodecode.scores.target_tables import scored, scored_columns
from mesodecode.study.ceilings import OTHERS, OWN
from mesodecode.study.targets import RUN, Kind, kind_scored

ARMS = (*OWN[:1], "others", *OTHERS[:1], *OWN[1:], *OTHERS[1:])
# The second arm is subtracted from the first.
CONTRASTS = (
    ("own", "others"),
    ("own", "others_equal"),
    ("own_near", "own_far"),
    ("others_near", "others_far"),
    ("own_near", "others_near"),
    ("own_far", "others_far"),
)
MOUSE_COLUMNS = ("decoder", "test_mouse", "n_sessions", "own", "others", "gap")
MOUSE_COLUMNS += ("others_equal", "gap_equal")
WORDS = {
    "own": "other sessions of the same mouse",
    "others": "other mice",
    "others_equal": "as many sessions of other mice",
    "own_near": "sessions of the same mouse near in days",
    "own_far": "sessions of the same mouse far in days",
    "others_near": "sessions of other mice near in days",
    "others_far": "sessions of other mice far in days",
}
LIMITS = ("difference", "low", "high")  # of the scores beside the first
NO_DATES = (
    "no dates of sessions are known (set nwb.session_start, or nwb.sessions to a table of them)"
)


def numbers_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of numbers in a `table` of a kind of target."""
    return "n_train", "days", "n_same_day", *scored_columns(kind)


def columns_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of a `table` of a kind of target."""
    about = ("decoder", "arm", "test_mouse", "session", "train_sessions", "valid_sessions")
    return *about, *numbers_of(kind)


def gap_numbers_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of numbers in `gaps` of a kind of target."""
    return (
        *("n_mice", "n_sessions", f"{kind.metric}_a", f"{kind.metric}_b"),
        *("difference", "ci_low", "ci_high"),
        *("n_train_a", "n_train_b", "days_a", "days_b", "n_same_day_a"),
        *(f"{name}_{side}" for name in kind.beside for side in ("a", "b", *LIMITS)),
    )


def gap_columns_of(kind: Kind) -> tuple[str, ...]:
    """Return the columns of `gaps` of a kind of target."""
    return "decoder", "a", "b", *gap_numbers_of(kind), "sentence"


def table(
    held: Iterable[HeldOut],
    session_auc: pd.DataFrame,
    sessions: Mapping[str, Sequence[str]],
    dates: Mapping[str, datetime.date],
    kind: Kind = RUN.kind,
) -> pd.DataFrame:
    """Return `columns_of` a kind, a row a decoder, arm and tested session.

    `session_auc`: the study's table, of which the arm `others` is: means over the allocations in
    which a session is tested. `sessions`: mouse -> its sessions; `dates`: session -> its day.
    `days` is the mean distance of training sessions from the tested one, `n_same_day` how many of
    them are of its day, NaN where no day is known; an AUC is NaN where a session has one state.
    Raises UserError if a tested session has no AUC in the study.
    """
    rows = [_row(one, dates, kind) for one in held]
    mouse_of = {name: mouse for mouse, names in sessions.items() for name in names}
    for decoder, session in dict.fromkeys((row["decoder"], row["session"]) for row in rows):
        found = session_auc["decoder"].eq(decoder) & session_auc["session"].eq(session)
        if not found.any():
            words = f"session_{kind.table}: no {kind.axis} of {decoder} in session {session}"
            raise UserError(f"{words}; score it")
        mine = session_auc[found]
        trained = [
            [name for mouse in mice.split("+") for name in sessions[mouse]]
            for mice in mine["train_mice"]
        ]
        row = {"decoder": decoder, "arm": "others", "test_mouse": mouse_of[session]}
        row |= {"session": session, "train_sessions": f"of {len(mine)} allocations"}
        row |= {"valid_sessions": "-", "n_train": np.mean([len(names) for names in trained])}
        away = [_days(names, session, dates) for names in trained]
        row["days"] = _mean([_mean(each) for each in away])
        row["n_same_day"] = _mean([each.count(0) for each in away if each])
        row |= {key: mine[key].iloc[0] for key in ("n_frames", *kind.counts)}
        rows.append(row | {key: _mean(mine[key]) for key in kind.scores})
    return pd.DataFrame(rows, columns=list(columns_of(kind)))


def _row(one: HeldOut, dates: Mapping[str, datetime.date], kind: Kind) -> dict:
    split = one.split
    (test,) = split.test
    trained = [member.session for member in split.train]
    away = _days(trained, test.session, dates)
    return {
        **{"decoder": one.decoder, "arm": split.arm, "test_mouse": test.mouse},
        "session": test.session,
        "train_sessions": "+".join(member.address for member in split.train),
        "valid_sessions": "+".join(member.address for member in split.valid) or "-",
        **{"n_train": len(trained), "days": _mean(away)},
        "n_same_day": away.count(0) if away else np.nan,
        **scored(one.predictions.label, one.predictions.probability, kind),
    }


def _days(names: Iterable[str], test: str, dates: Mapping[str, datetime.date]) -> list[int]:
    """Return how many days sessions are away from a tested one, of those whose day is known."""
    if test not in dates:
        return []
    return [abs((dates[name] - dates[test]).days) for name in names if name in dates]


def _mean(values: Iterable[float]) -> float:
    kept = [value for value in values if not np.isnan(value)]
    return float(np.mean(kept)) if kept else np.nan


def of_mice(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `MOUSE_COLUMNS`, the ceiling of each test mouse, of a `table`.

    Means over the `n_sessions` that `own` and `others` have a score of; `gap`: how far `others` is
    below `own`; `gap_equal`: how far `others_equal`, over the sessions that both have. NaN where
    there is none.
    """
    found, score = [], kind_scored(rows.columns).metric
    for (decoder, mouse), mine in rows.groupby(["decoder", "test_mouse"], sort=False):
        arms = mine.pivot(index="session", columns="arm", values=score)
        both, equal = (arms.reindex(columns=list(pair)).dropna() for pair in CONTRASTS[:2])
        means = dict(both.mean()) | {"others_equal": equal["others_equal"].mean()}
        apart = [(pair["own"] - pair.iloc[:, 1]).mean() for pair in (both, equal)]
        row = {"decoder": decoder, "test_mouse": mouse, "n_sessions": len(both), **means}
        found.append(row | dict(zip(("gap", "gap_equal"), apart, strict=True)))
    return pd.DataFrame(found, columns=list(MOUSE_COLUMNS))


def gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """Return `gap_columns_of` its kind, a row a decoder and pair of arms, of a `table`.

    Over the sessions that both arms have; a pair of fewer than two mice is not made, and its
    sentence says why.
    """
    found, kind = [], kind_scored(rows.columns)
    for decoder, mine in rows.groupby("decoder", sort=False):
        for a, b in CONTRASTS:
            first, second = (mine[mine["arm"] == arm].set_index("session") for arm in (a, b))
            both = first.add_suffix("_a").join(second.add_suffix("_b"), how="inner")
            both = both.dropna(subset=[f"{kind.metric}_a", f"{kind.metric}_b"])
            about = {"decoder": decoder, "a": a, "b": b}
            found.append(about | _contrast(about, both, bool(mine["days"].notna().any()), kind))
    return pd.DataFrame(found, columns=list(gap_columns_of(kind)))


def _contrast(about: Mapping[str, str], both: pd.DataFrame, dated: bool, kind: Kind) -> dict:
    mouse = both["test_mouse_a"].to_numpy()
    row = {"n_mice": len(set(mouse)), "n_sessions": len(both)}
    a, b = about["a"], about["b"]
    if row["n_mice"] < 2:
        why = NO_DATES
        if dated or (a, b) in CONTRASTS[:2]:
            some = "1 mouse has" if row["n_mice"] else "0 mice have"
            why = f"{some} sessions of both, and an interval needs two"
        words = f"{WORDS[a]} against {WORDS[b]}"
        return row | {"sentence": f"{about['decoder']}: not made, {words}: {why}."}

    def mean(column: str) -> float:
        return float(np.mean(by_mouse(both[column].to_numpy(), mouse)))

    def apart(column: str) -> tuple[float, float, float]:
        """Return the mean difference of mice, and its interval."""
        values = by_mouse((both[f"{column}_a"] - both[f"{column}_b"]).to_numpy(), mouse)
        return float(np.mean(values)), *mean_interval(values)[:2]

    averaged = (*kind.scores, "n_train", "days")
    row |= {f"{key}_{side}": mean(f"{key}_{side}") for key in averaged for side in "ab"}
    row |= dict(zip(("difference", "ci_low", "ci_high"), apart(kind.metric), strict=True))
    for name in kind.beside:
        row |= dict(zip((f"{name}_{limit}" for limit in LIMITS), apart(name), strict=True))
    row["n_same_day_a"] = mean("n_same_day_a")
    return row | {"sentence": _sentence(about, row, kind)}


def _sentence(about: Mapping[str, str], row: Mapping[str, float], kind: Kind) -> str:
    a, b = about["a"], about["b"]
    arms = []
    for arm, side in ((a, "a"), (b, "b")):
        n = row[f"n_train_{side}"]
        where = f"{n:.3g} session{'s' * (n != 1)}"
        if not np.isnan(row[f"days_{side}"]) and (a, b) != ("own", "others"):
            where += f", {row[f'days_{side}']:.3g} days away"
        score = row[f"{kind.metric}_{side}"]
        arms.append(f"{score:.3f} after training on {WORDS[arm]} ({where})")
    verdict = "no difference is shown"
    if row["ci_low"] > 0:
        verdict = "the first is better"
    elif row["ci_high"] < 0:
        verdict = "the second is better"
    return (
        f"{about['decoder']}: mean {kind.axis} {arms[0]}, {arms[1]}; difference "
        f"{row['difference']:.3f} (95 % interval {row['ci_low']:.3f} to {row['ci_high']:.3f}, "
        f"{row['n_mice']} mice): {verdict}."
    )


def headlines(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (verdict, sentence) of each decoder, of `gaps`: gap if its own mice are better.

    The answer first: how far the decoder of other mice is below its ceiling.
    """
    found, kind = [], kind_scored(table.columns, "_a")
    for decoder, mine in table.groupby("decoder", sort=False):
        rows = {(row["a"], row["b"]): row for row in mine.to_dict("records")}
        first = rows["own", "others"]
        if np.isnan(first["difference"]):
            found.append(("not made", first["sentence"]))
            continue
        beside = "".join(
            f" ({name} {first[f'{name}_b']:.3f} and {first[f'{name}_a']:.3f})"
            for name in kind.beside
        )
        text = (
            f"{decoder} reaches {kind.a_score} of {first[f'{kind.metric}_b']:.3f} in a mouse it "
            f"never saw, and {first[f'{kind.metric}_a']:.3f} if trained on other sessions of that "
            f"mouse instead{beside}: "
            f"{_gap(first, 'below its ceiling', 'above what its own sessions reach')}"
        )
        equal = rows["own", "others_equal"]
        if not np.isnan(equal["difference"]):
            text += f"; at equal numbers of training sessions it is {_numbers(equal)}"
        text += f".{_days_in_words(rows, kind)}"
        if first["n_same_day_a"] > 0:
            text += (
                f" Of a session's own training sessions {first['n_same_day_a']:.3g} are of its day "
                "on average: if they are parts of one recording, the ceiling is too high."
            )
        found.append(("gap" if first["ci_low"] > 0 else "none", text))
    return found


def _days_in_words(rows: Mapping[tuple[str, str], Mapping[str, float]], kind: Kind) -> str:
    """Return what days between training and test do, or why that is not known."""
    own, others = rows["own_near", "own_far"], rows["others_near", "others_far"]
    if np.isnan(own["difference"]):
        return f" By days: {own['sentence'].partition(': ')[2]}"
    text = (
        f" Training near in days ({own['days_a']:.3g} on average) rather than far "
        f"({own['days_b']:.3g}) changes the {kind.axis} by {_numbers(own)} in a mouse's own "
        "sessions"
    )
    if not np.isnan(others["difference"]):
        text += f", by {_numbers(others)} in those of other mice"
    return f"{text}."


def _gap(row: Mapping[str, float], below: str, above: str) -> str:
    if row["ci_low"] > 0:
        return f"{_numbers(row)} {below}"
    if row["ci_high"] < 0:
        return f"{_numbers(row, -1)} {above}"
    return f"no gap is shown, {_numbers(row)}"


def _numbers(row: Mapping[str, float], sign: int = 1) -> str:
    low, high = sorted((sign * row["ci_low"], sign * row["ci_high"]))
    return (
        f"{sign * row['difference']:.3f} (95 % interval {low:.3f} to {high:.3f}, "
        f"{row['n_mice']:.0f} mice)"
    )
