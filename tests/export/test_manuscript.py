"""Tables for a manuscript: LaTeX that compiles, Markdown of the right shape, CSV without loss."""

from __future__ import annotations

import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_tables import published
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.base.tables import write_table
from mesodecode.export import manuscript
from mesodecode.report import formats
from mesodecode.running import runtimes
from mesodecode.scores import auc as auc_tables
from mesodecode.scores import chance_tests, paired_tests, published_tests

NASTY = r"a_b & c% #1 {x} $5 ~ ^ \ |" + " ± − × 10⁻⁷ <é> [ *"


def aucs() -> pd.DataFrame:
    """Two decoders, three allocations: means .8 and .6, SDs .1 and .05."""
    rows = [
        (name, f"t{i}", "1+2+3", "4", f"{i}", 1000, 400, auc, 0.75)
        for name, values in {NASTY: (0.7, 0.8, 0.9), "cnn_gru": (0.55, 0.6, 0.65)}.items()
        for i, auc in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=auc_tables.COLUMNS)


def write(table: pd.DataFrame, path) -> manuscript.Table:
    write_table(table, path)
    return manuscript.read(path)


def test_latex_of_aucs_written_by_hand(tmp_path):
    table = write(aucs(), tmp_path / "auc.tsv")
    assert manuscript.latex(table) == (
        r"""% auc.tsv; needs \usepackage{booktabs}
\begin{tabular}{lrrrrr}
\toprule
Decoder & n & AUC & Lowest & Highest & Accuracy \\
\midrule
a\_b \& c\% \#1 \{x\} \$5 \textasciitilde{} \textasciicircum{} \textbackslash{} \textbar{} """
        r"""$\pm$ $-$ $\times$ 10$^{-7}$ $<$é$>$ {[} {*} & """
        r"""3 & 0.800 $\pm$ 0.100 & 0.700 & 0.900 & 0.750 \\
cnn\_gru & 3 & 0.600 $\pm$ 0.050 & 0.550 & 0.650 & 0.750 \\
\bottomrule
\end{tabular}
"""
    )


def test_markdown_of_aucs_written_by_hand(tmp_path):
    names = ["x|y"] * 3 + [r"a\b"] * 3
    table = write(aucs().assign(decoder=names), tmp_path / "auc.tsv")
    assert manuscript.markdown(table) == (
        r"""**auc.tsv**

| Decoder | n | AUC | Lowest | Highest | Accuracy |
| --- | ---: | ---: | ---: | ---: | ---: |
| x\|y | 3 | 0.800 ± 0.100 | 0.700 | 0.900 | 0.750 |
| a\\b | 3 | 0.600 ± 0.050 | 0.550 | 0.650 | 0.750 |
"""
    )


TEX = r"""\textbackslash{} \textasciitilde{} \textasciicircum{} \& \% \$ \# \_ \{ \} \textbar{} $<$
$>$ $-$ -- --- $\pm$ $\times$ $\Delta$ $\leq$ $\geq$ $^{\circ}$ \ldots{} {[} {*} 10$^{-23}$ µ é"""


def test_each_sign_is_that_of_latex():
    signs = [*r"\~^&%$#_{}|<>−–—±×Δ≤≥°…[*", "10⁻²³", "µ", "é"]
    rows = [[sign] for sign in signs]
    table = manuscript.Table("t", pd.DataFrame(), ["x"], rows, [False])
    lines = manuscript.latex(table).split("\\midrule\n")[1].split("\\bottomrule")[0].splitlines()
    assert dict(zip(signs, lines, strict=True)) == {
        sign: rf"{tex} \\" for sign, tex in zip(signs, TEX.split(), strict=True)
    }


names = st.text(st.sampled_from(NASTY + "\n"), min_size=1, max_size=12).filter(str.strip)


@given(st.lists(names, min_size=1, max_size=5))
def test_any_name_is_one_balanced_cell(cells):
    table = manuscript.Table("t", pd.DataFrame(), cells, [cells, cells], [False] * len(cells))
    lines = manuscript.latex(table).splitlines()
    bare = re.sub(r"\\[&%$#_{}]|\\text\w+\{\}", "", "\n".join(lines[1:]))  # without what is escaped
    assert bare.count("{") == bare.count("}") and bare.count("$") % 2 == 0
    assert not re.search(r"[%#_~|]", bare)
    assert bare.count("&") == 3 * (len(cells) - 1) and bare.count(r"\\") == 3
    _, _, head, rule, *rows = manuscript.markdown(table).splitlines()
    for row in (head, *rows):
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == rule.count("|") == len(cells) + 1


def test_csv_holds_all_digits(tmp_path):
    auc = aucs().assign(auc=np.linspace(0.1, 1 / 3, 6), decoder=['q"u,o'] * 3 + ["b"] * 3)
    table = write(auc, tmp_path / "auc.tsv")
    again = pd.read_csv(io.StringIO(manuscript.csv(table)))
    pd.testing.assert_frame_equal(again, table.data, check_exact=True, check_dtype=False)
    assert again["mean"][1] == pytest.approx(auc["auc"][3:].mean(), abs=1e-6)
    comparisons = published_tests.compare(auc, by="decoder")
    table = write(comparisons, tmp_path / "comparisons.tsv")
    again = pd.read_csv(io.StringIO(manuscript.csv(table)))
    written = pd.read_csv(tmp_path / "comparisons.tsv", sep="\t")
    pd.testing.assert_frame_equal(again, written, check_exact=True)


def test_published_comparison_reads_as_in_the_paper(tmp_path):
    auc = published("image")
    compared = write(published_tests.compare(auc, by="model", name="fig2e"), tmp_path / "c.tsv")
    assert compared.headings == [
        *("Family", "Test", "A", "B", "n A, B", "Mean A", "Mean B", "W", "p", "p (Holm)")
    ]
    (row,) = compared.cells
    # W and p of R (tests/test_statistics.py), the interval too (tests/r/inference.tsv)
    assert row[1] == "Wilcoxon rank-sum test"
    assert row[4:] == ["20, 20", "0.896", "0.956", "56.5", "1.1 × 10⁻⁴", "1.1 × 10⁻⁴"]
    inferred = write(paired_tests.infer(auc, by="model", name="fig2e"), tmp_path / "i.tsv")
    (row,) = [dict(zip(inferred.headings, row, strict=True)) for row in inferred.cells]
    assert row["Smallest p"] == "0.0625" and row["Difference"] == "−0.059"
    assert row["95 % CI"] == "−0.107 to −0.011" and row["t, mice"] == "0.027"


def test_other_tables_keep_their_columns(tmp_path):
    text = (
        "mouse\tp_x\tscore\tn\tword\tsome\n"
        "01\t0.00001\t-0.00022\t1200\ta|b\t0.12345\n02\tnan\t1234.5\t-3\t\tnone\n"
    )
    (tmp_path / "own.tsv").write_text(text)
    table = manuscript.read(tmp_path / "own.tsv")
    assert table.headings == ["mouse", "p_x", "score", "n", "word", "some"]
    assert table.cells == [
        ["01", "1.0 × 10⁻⁵", "−2.2 × 10⁻⁴", "1200", "a|b", "0.12345"],  # beside a word: as it is
        ["02", "–", "1,234", "−3", "", "none"],
    ]
    assert manuscript.csv(table) == text.replace("\t", ",")


def test_sessions_and_cohort(tmp_path):
    auc = aucs().replace(NASTY, "x")
    sessions = pd.concat([auc.assign(session=f"s{i}") for i in (1, 2)])
    sessions["auc"] = sessions["auc"].where(sessions["session"] == "s1")
    table = write(sessions[auc_tables.SESSION_COLUMNS], tmp_path / "session_auc.tsv")
    assert table.headings == ["Mouse", "Session", "x", "cnn_gru"]  # as in the table, each once
    assert [row[:2] for row in table.cells][:2] == [["0", "s1"], ["0", "s2"]]
    assert table.cells[1][2:] == ["–", "–"] and table.cells[0][2:] == ["0.700", "0.550"]
    assert manuscript.csv(table).splitlines()[0] == "mouse,session,x,cnn_gru"
    cohort = pd.DataFrame({"mouse": ["a", "a"], "session": ["1", "2"]})
    cohort = cohort.assign(n_frames=1800, n_run=450, frame_rate=30.0, height=128, width=96)
    table = write(cohort, tmp_path / "cohort.tsv")
    assert table.cells == [["a", "2", "3,600", "2.0", "25 %", "128 × 96"]]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.97345, "0.973"), (-0.0586, "−0.059"), (0.0, "0.000"), (float("nan"), "–")),
        *(
            (0.00022, "2.2 × 10⁻⁴"),
            (0.00099, "9.9 × 10⁻⁴"),
            (0.001, "0.001"),
            (999.4, "999.400"),
            (1000.0, "1,000"),
            (-1000.0, "−1,000"),
            (-0.00022, "−2.2 × 10⁻⁴"),
            (12345.6, "12,346"),
            (55.5, "55.500"),
        ),
    ],
)
def test_numbers(value, text):
    assert manuscript.number(value) == text


def tables(*words: object) -> int:
    return cli.main(["tables", *map(str, words)])


def test_verb_prints_all_tables_of_a_study_or_writes_them(tmp_path, capsys):
    study = tmp_path / "results/x"
    (study / "tables/comparisons").mkdir(parents=True)
    write_table(aucs(), study / "tables/auc.tsv")
    write_table(published_tests.compare(aucs(), by="decoder"), study / "tables/c.tsv")
    assert tables("--study", study) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("**auc.tsv**\n") and "\n\n**c.tsv**\n" in printed
    for name, suffix in manuscript.FORMATS.items():
        assert tables("--study", study, "--format", name, "--out", tmp_path / name) == 0
        assert {path.name for path in (tmp_path / name).iterdir()} == {f"auc{suffix}", f"c{suffix}"}
    assert tables(study / "tables/auc.tsv", "--format", "csv") == 0
    assert capsys.readouterr().out == (tmp_path / "csv/auc.csv").read_text()
    words = (study / "tables/auc.tsv", "--format", "latex", "--out", tmp_path / "t1.tex")
    assert tables(*words) == 0
    assert (tmp_path / "t1.tex").read_text() == (tmp_path / "latex/auc.tex").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no table: give files, or --study results/NAME"),
        (("--study", "gone"), "gone/tables: no tables (.tsv) there"),
        (("a.tsv", "b.tsv", "--out", "t.md"), "t.md: a file holds one table, as .md"),
        (("a.tsv", "--out", "t.tex"), "t.tex: a file holds one table, as .md with --format md"),
        (("a.tsv", "b.tsv", "--format", "csv"), "2 tables do not fit one CSV"),
        (("a.tsv", "sub/a.tsv", "--out", "folder"), "folder: two tables have the same name"),
        (("empty.tsv",), "empty.tsv: "),
    ],
)
def test_verb_refuses_in_one_line(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("a.tsv", "b.tsv", "sub/a.tsv"):
        (tmp_path / name).write_text("x\n1\n")
    (tmp_path / "empty.tsv").touch()
    assert tables(*words) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "folder").exists() and not list(tmp_path.glob("t.*"))


def test_missing_file_is_one_line(tmp_path, capsys):
    with pytest.raises((UserError, FileNotFoundError)):
        manuscript.read(tmp_path / "gone.tsv")
    assert tables(tmp_path / "gone.tsv") == 1
    assert "gone.tsv" in capsys.readouterr().err


COPIED = [  # columns of a table, and heading -> column that it shows
    (
        paired_tests.COLUMNS,
        {
            **{"Family": "family", "A": "a", "B": "b", "Difference": "mean_difference"},
            **{"95 % CI": ("ci_low", "ci_high"), "g": "effect_size"},
            **{"Rank-sum": "p_rank_sum_holm", "Signed-rank": "p_signed_rank_holm"},
            **{"t, mice": "p_mouse_t_holm", "Exact, mice": "p_sign_flip_holm"},
            **{"Smallest p": "smallest_p", "Nadeau–Bengio": "p_nadeau_bengio_holm"},
            "Mixed model": "p_mixed_holm",
        },
    ),
    (
        published_tests.COLUMNS,
        {
            **{"Family": "family", "Test": "test", "A": "a", "B": "b"},
            "n A, B": ("n_a", "n_b"),
            **{"Mean A": "mean_a", "Mean B": "mean_b", "W": "statistic"},
            **{"p": "p", "p (Holm)": "p_holm"},
        },
    ),
    (
        chance_tests.COLUMNS,
        {
            **{"Decoder": "decoder", "Null": "null", "AUC": "mean_auc", "Draws": "n_null"},
            **{"Null AUC": "null_mean", "Highest": "null_max", "p": "p"},
            "Smallest p": "smallest_p",
        },
    ),
    (
        runtimes.COLUMNS,
        {
            **{"Rule": "rule", "Jobs": "jobs", "Hours": "wall_hours", "CPU hours": "cpu_hours"},
            "Memory (MB)": "max_memory_mb",
        },
    ),
]


@pytest.mark.parametrize(("columns", "shown"), COPIED)
def test_each_heading_has_the_cells_of_its_own_column(tmp_path, columns, shown):
    words = {"family", "a", "b", "decoder", "null", "rule", "sentence", "unit", "test"}
    counts = ("n_null", "jobs", "n_a", "n_b")
    values = {n: f"<{n}>" if n in words else (at + 1) / 64 for at, n in enumerate(columns)}
    values |= {name: 64 * values[name] for name in counts if name in values}
    table = write(pd.DataFrame([values], columns=columns), tmp_path / "t.tsv")
    assert table.headings == [*shown]

    def cell(heading: str, name: str) -> str:
        if name in words:
            return values[name]
        if name in (*counts, "statistic"):
            return f"{values[name]:g}"
        p = "p" in name.split("_") and heading != "g"
        return formats.format_p(values[name]) if p else f"{values[name]:.3f}"

    for (heading, names), found in zip(shown.items(), table.cells[0], strict=True):
        names = (names,) if isinstance(names, str) else names
        between = ", " if heading == "n A, B" else " to "
        assert found == between.join(cell(heading, name) for name in names), heading


def test_lines_of_csv_end_alike_on_every_system(tmp_path, monkeypatch):
    table = write(pd.DataFrame({"mouse": ["a", "b"], "auc": [0.5, np.nan]}), tmp_path / "t.tsv")
    monkeypatch.setattr("os.linesep", "\r\n")
    assert manuscript.csv(table) == "mouse,auc\na,0.5\nb,nan\n"
