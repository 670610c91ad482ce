"""What figures share: style, colours, points by mouse, and how they are saved."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from string import ascii_uppercase

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mesodecode.base.files import atomic_path

MM = 1 / 25.4  # inches
DPI = 300  # of PNG files
STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the layout is the same everywhere
    "font.size": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    **{"figure.autolayout": False, "figure.constrained_layout.use": False},  # whatever a user set
    "svg.fonttype": "none",
    "svg.hashsalt": "mesodecode",
}
# Okabe & Ito's colours for all kinds of colour vision, without the yellow, which white swallows.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

DASHED = {"color": "0.45", "lw": 0.6, "ls": (0, (4, 3)), "zorder": 0}  # chance, or no difference


@contextmanager
def new_figure(width: float, height: float, layout: str | None = "constrained") -> Iterator[Figure]:
    """Yield an empty figure of `width` x `height` mm, in whose block the common style holds."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width * MM, height * MM), layout=layout)
        FigureCanvasAgg(figure)
        yield figure


def journal_width(wanted: float) -> float:
    """Return the width in mm nearest to `wanted` from one column of a journal to two."""
    return max(85.0, min(wanted, 174.0))


def letters(*panels: Axes) -> None:
    """Name panels A, B, … at their upper left."""
    for axes, letter in zip(panels, ascii_uppercase, strict=False):
        axes.set_title(letter, loc="left", fontweight="bold", fontsize=8)


def above(axes: Axes, text: str, x: float, y: float) -> None:
    """Write a text, such as stars, just above a point."""
    axes.annotate(text, (x, y), xytext=(0, 1), textcoords="offset points", ha="center")


def low_to_high(values: Collection[float]) -> str:
    """Return the lowest and the highest value as "3 to 5", or the one that all are."""
    low, high = min(values), max(values)
    return f"{low:.12g}" if low == high else f"{low:.12g} to {high:.12g}"


def save(figure: Figure, prefix: str | Path, *, title: str, caption: str) -> list[Path]:
    """Write `prefix`.svg and `prefix`.png (300 dpi), with title and caption inside both."""
    engine = figure.get_layout_engine()
    if engine is not None:  # once; savefig would, and draw all for it, for each of the files
        figure.dpi = DPI
        with mpl.rc_context(STYLE):
            engine.execute(figure)
            figure.set_layout_engine(None)
    formats = {
        ".svg": {"metadata": {"Title": title, "Description": caption, "Date": None}},
        ".png": {"metadata": {"Title": title, "Description": caption}, "dpi": DPI},
    }
    paths = []
    for suffix, options in formats.items():
        path = Path(f"{prefix}{suffix}")  # with_suffix would cut "v1.2" short
        with mpl.rc_context(STYLE), atomic_path(path) as temporary:
            figure.savefig(temporary, **options)
        paths.append(path)
    return paths


def markers(index: int) -> dict[str, str | float]:
    """Return how the points of the `index`-th test mouse look, the same in every figure."""
    return {
        **{"ls": "none", "marker": MARKERS[index % len(MARKERS)], "ms": 2.9},
        **{"mfc": PALETTE[index % len(PALETTE)], "mec": "white", "mew": 0.3},
    }


def spread(n: int, lanes: int) -> np.ndarray:
    """Return where n points stand in so many lanes, side by side, in lanes from the middle (n,)."""
    return np.arange(n) % lanes - (min(n, lanes) - 1) / 2


def strip(
    axes: Axes, x: float, rows: pd.DataFrame, mice: Sequence[str], column: str = "auc"
) -> None:
    """Draw the points of a column of `rows`, a lane a test mouse, and mean ± SD to their right."""
    # Not seaborn's stripplot: it has one marker for all mice, and draws jitter at random, so that
    # no two files are the same bytes.
    lanes = np.linspace(-0.34, 0.12, len(mice)) if len(mice) > 1 else [-0.1]
    for index, mouse in enumerate(mice):
        values = rows.loc[rows["test_mouse"] == mouse, column].to_numpy()
        jitter = 0.025 * spread(len(values), 3)
        axes.add_line(Line2D(x + lanes[index] + jitter, values, **markers(index)))
    mean, sd = rows[column].mean(), rows[column].std()
    axes.errorbar(
        x + 0.31,
        mean,
        yerr=None if np.isnan(sd) else sd,
        fmt="_",
        color="black",
        ms=7,
        mew=1.3,
        elinewidth=0.8,
        capsize=1.8,
        capthick=0.8,
    )


def below(lowest: float) -> float:
    """Return where an axis of scores begins, so that the lowest point is not cut: R² has no end."""
    return lowest - 0.02 * max(1, 1 - lowest)


def heat_map(
    axes: Axes, values: pd.DataFrame, cells: pd.DataFrame | None = None, **look: object
) -> None:
    """Draw a table of numbers in colour, with the text of each cell, or else a colour bar.

    A cell of NaN stays empty.
    """
    import seaborn  # here, as every figure imports this module

    text = {} if cells is None else {"annot": cells, "fmt": "", "annot_kws": {"size": 5.5}}
    lines = {"linewidths": 0.8, "linecolor": "white", "cbar": cells is None}
    seaborn.heatmap(values, ax=axes, **text | lines | look)
    axes.set(xlabel="", ylabel="")
    axes.tick_params(length=0)
    axes.tick_params(axis="y", rotation=0)


def mouse_legend(
    figure: Figure, mice: Sequence[str], words: str = "test mouse", columns: int | None = None
) -> None:
    """Name the mice above the axes: after some words, or below them in columns."""
    title = [] if columns else [Line2D([], [], ls="none", label=words)]
    points = [Line2D([], [], label=str(m), **markers(index)) for index, m in enumerate(mice)]
    figure.legend(
        handles=[*title, *points],
        title=words if columns else None,
        loc="outside upper center",
        ncols=columns or len(mice) + 1,
        frameon=False,
        handletextpad=0.1,
        columnspacing=1.0,
        handlelength=1.2,
    )
