"""The tables of a study as a manuscript has them: the columns a reader needs, rounded.

A table that this package writes gets a layout of its own (AUCs: a row a decoder, mean ± SD); any
other keeps its columns. CSV holds the same rows and numbers as they are, not rounded.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mesodecode.base.tables import NUMBERS, read_table
from mesodecode.report import formats, summaries
from mesodecode.running import runtimes
from mesodecode.scores import auc, chance_tests, paired_tests, published_tests

FORMATS = {"latex": ".tex", "csv": ".csv", "md": ".md"}
GAP = "–"  # where there is no value
Cell = Callable[[Mapping], str]

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
    "|": r"\textbar{}",
    "<": "$<$",
    ">": "$>$",
    "−": "$-$",
    "–": "--",
    "—": "---",
    "±": r"$\pm$",
    "×": r"$\times$",
    "Δ": r"$\Delta$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "°": r"$^{\circ}$",
    "…": r"\ldots{}",
    "[": "{[}",
    "*": "{*}",  # at the start of a row they would belong to the \\ before
}
_RAISED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


@dataclass(frozen=True)
class Table:
    """A table to print: `data` as CSV has it; headings and cells (rows, columns) as text.

    `numeric` are the columns that are set flush right.
    """

    name: str
    data: pd.DataFrame
    headings: Sequence[str]
    cells: Sequence[Sequence[str]]
    numeric: Sequence[bool]


def read(path: str | Path) -> Table:
    """Return a table of a study, or any other CSV or TSV file, ready to print.

    Raises UserError if the file is no table.
    """
    path = Path(path)
    raw = read_table(path, numbers=())
    for needs, numbers, make, columns in _LAYOUTS:
        if set(needs) <= set(raw.columns):
            data = make(read_table(path, needs, numbers))
            columns = columns or _by_decoder(data)
            cells = [[cell(row) for cell in columns.values()] for row in data.to_dict("records")]
            return Table(path.name, data, [*columns], cells, [c not in _NAMES for c in columns])
    return _as_it_is(path.name, raw)


def latex(table: Table) -> str:
    """Return a LaTeX tabular (package booktabs), all characters escaped."""
    rows = [" & ".join(map(escape_latex, cells)) + r" \\" for cells in table.cells]
    columns = "".join("r" if numeric else "l" for numeric in table.numeric)
    head = " & ".join(map(escape_latex, table.headings)) + r" \\"
    lines = [
        f"% {table.name}; needs \\usepackage{{booktabs}}",
        *(rf"\begin{{tabular}}{{{columns}}}", r"\toprule", head, r"\midrule"),
        *(*rows, r"\bottomrule", r"\end{tabular}"),
    ]
    return "\n".join(lines) + "\n"


def markdown(table: Table) -> str:
    """Return a Markdown table with its name above."""
    rule = ["---:" if numeric else "---" for numeric in table.numeric]
    rows = [[_escape_markdown(cell) for cell in row] for row in (table.headings, *table.cells)]
    lines = [f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:])]
    return "\n".join([f"**{_escape_markdown(table.name)}**", "", *lines]) + "\n"


def csv(table: Table) -> str:
    """Return the rows as CSV, numbers with all their digits."""
    return table.data.to_csv(index=False, na_rep="nan", lineterminator="\n")


def escape_latex(text: str) -> str:
    """Return text as LaTeX prints it: special characters, signs, and powers such as 10⁻⁷."""
    escaped = "".join(_LATEX.get(char, char) for char in text)
    return re.sub(r"[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda m: f"$^{{{m[0].translate(_RAISED)}}}$", escaped)


def number(value: float) -> str:
    """Return a number with three decimals, or with three digits if that would hide it."""
    if value != value:
        return GAP
    if value == 0 or 0.001 <= abs(value) < 1000:
        text = f"{value:.3f}"
    else:
        text = f"{value:,.0f}" if abs(value) >= 1000 else formats.format_p(abs(value))
        text = f"-{text}" if value < 0 and text[0] != "-" else text
    return text.replace("-", "−")


def _escape_markdown(text: str) -> str:
    return " ".join(text.replace("\\", "\\\\").replace("|", r"\|").split())


def _text(name: str) -> Cell:
    return lambda row: str(row[name])


def _test(row: Mapping) -> str:
    return published_tests.TEST_NAMES.get(row["test"], str(row["test"]))


def _number(name: str) -> Cell:
    return lambda row: number(row[name])


def _p(name: str) -> Cell:
    return lambda row: formats.format_p(row[name])


def _count(*names: str) -> Cell:
    return lambda row: ", ".join(f"{row[name]:,.0f}" for name in names)


def _spread(middle: str, spread: str) -> Cell:
    return lambda row: f"{number(row[middle])} ± {number(row[spread])}"


def _sessions(table: pd.DataFrame) -> pd.DataFrame:
    rows = [
        {"mouse": r["mouse"], "session": r["session"]} | r["auc"]
        for r in summaries.by_session(table)
    ]
    return pd.DataFrame(rows)[["mouse", "session", *table["decoder"].unique()]]


def _by_decoder(data: pd.DataFrame) -> dict[str, Cell]:
    names = [name for name in data.columns if name not in ("mouse", "session")]
    return {"Mouse": _text("mouse"), "Session": _text("session")} | {n: _number(n) for n in names}


_PAIR = {"Family": _text("family"), "A": _text("a"), "B": _text("b")}
# What a table must have, which of it are numbers, what is made of it, and the columns shown; of
# several that fit, the first.
_LAYOUTS: list[tuple[Sequence[str], Sequence[str], Callable, dict[str, Cell]]] = [
    (auc.SESSION_COLUMNS, NUMBERS, _sessions, {}),
    (
        *(auc.COLUMNS, NUMBERS, summaries.decoder_summary),
        {
            "Decoder": _text("decoder"),
            "n": _count("n"),
            "AUC": _spread("mean", "sd"),
            "Lowest": _number("min"),
            "Highest": _number("max"),
            "Accuracy": _number("accuracy"),
        },
    ),
    (
        *(paired_tests.COLUMNS, paired_tests.NUMBERS, pd.DataFrame.copy),
        _PAIR
        | {
            "Difference": _number("mean_difference"),
            "95 % CI": lambda row: f"{number(row['ci_low'])} to {number(row['ci_high'])}",
            "g": _number("effect_size"),
            "Rank-sum": _p("p_rank_sum_holm"),
            "Signed-rank": _p("p_signed_rank_holm"),
            "t, mice": _p("p_mouse_t_holm"),
            "Exact, mice": _p("p_sign_flip_holm"),
            "Smallest p": _p("smallest_p"),
            "Nadeau–Bengio": _p("p_nadeau_bengio_holm"),
            "Mixed model": _p("p_mixed_holm"),
        },
    ),
    (
        *(published_tests.COLUMNS, NUMBERS, pd.DataFrame.copy),
        {"Family": _text("family"), "Test": _test}
        | _PAIR
        | {
            "n A, B": _count("n_a", "n_b"),
            "Mean A": _number("mean_a"),
            "Mean B": _number("mean_b"),
            "W": lambda row: f"{row['statistic']:g}",
            "p": _p("p"),
            "p (Holm)": _p("p_holm"),
        },
    ),
    (
        *(chance_tests.COLUMNS, chance_tests.NUMBERS, pd.DataFrame.copy),
        {
            "Decoder": _text("decoder"),
            "Null": _text("null"),
            "AUC": _number("mean_auc"),
            "Draws": _count("n_null"),
            "Null AUC": _number("null_mean"),
            "Highest": _number("null_max"),
            "p": _p("p"),
            "Smallest p": _p("smallest_p"),
        },
    ),
    (
        ("mouse", "session", "n_frames", "n_run", "frame_rate", "height", "width"),
        *(NUMBERS, lambda table: pd.DataFrame(summaries.mouse_table(table))),
        {
            "Mouse": _text("mouse"),
            "Sessions": _count("sessions"),
            "Frames": _count("frames"),
            "Minutes": lambda row: f"{row['minutes']:,.{1 if row['minutes'] >= 1 else 3}f}",
            "Run": lambda row: f"{100 * row['run']:.0f} %",
            "Pixels": _text("size"),
        },
    ),
    (
        *(runtimes.COLUMNS, runtimes.COLUMNS[1:], pd.DataFrame.copy),
        {
            "Rule": _text("rule"),
            "Jobs": _count("jobs"),
            "Hours": _number("wall_hours"),
            "CPU hours": _number("cpu_hours"),
            "Memory (MB)": _number("max_memory_mb"),
        },
    ),
]
# Columns of words.
_NAMES = {*_PAIR, "Test", "Decoder", "Null", "Mouse", "Session", "Rule", "Pixels"}


def _as_it_is(name: str, raw: pd.DataFrame) -> Table:
    """Return a table with its own columns; whole numbers, such as mouse 01, as they are written."""
    shown, numeric = raw.copy(), []
    for column in raw.columns:
        values = pd.to_numeric(raw[column].replace("", "nan"), errors="coerce")
        numbers = not (values.isna() & ~raw[column].str.lower().isin(["", "nan", "na"])).any()
        numeric.append(bool(numbers and values.notna().any()))
        if not numeric[-1]:
            continue
        whole = raw[column].str.fullmatch(r"-?\d+").all()
        is_p = re.fullmatch(r"p(_.*)?|.*_p", column) is not None
        write = formats.format_p if is_p else number
        shown[column] = raw[column].str.replace("-", "−") if whole else [write(v) for v in values]
    return Table(name, raw, list(raw.columns), shown.to_numpy().tolist(), numeric)
