"""Pages of quality control: one a session, one for the cohort."""

import textwrap
from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from mesodecode.base.files import in_words
from mesodecode.base.plots import PALETTE, heat_map, new_figure
from mesodecode.recordings.qc import CHECKS, DOUBTS, Session, by_session, drift_path

# Shape, lightness and a word say the verdict, not the colour alone.
COLOURS = {"pass": "#E4F3EC", "warn": "#F6C85F", "fail": "#B03A00", "skipped": "#F2F2F2"}
SIGNS = {"pass": "o", "warn": "^", "fail": "X", "skipped": "_", "done": "D"}
SIGN_COLOURS = {"pass": PALETTE[2], "warn": "#C98A00", "fail": "#B03A00", "skipped": "0.5"}
COLUMNS = 600  # of a trace; each shows the lowest and highest frame in it
PALE = ("#8CBFDD", "#EDB58B")  # PALETTE's first two, on white
WIDTH, IMAGE, LINE = 174, 38, 2.9  # mm: of a page, of an image, of a line of text
LEFT, RIGHT = 18, 4  # mm beside the traces, for their labels
MOST_ROWS = 40  # sessions on a cohort page of full row height


def session_page(session: Session, table: pd.DataFrame) -> Figure:
    """Draw images, checks and traces of a session; `table` are its rows of `qc.check_session`."""
    r = session.recording
    lines = _lines(table)
    top = max(IMAGE + 14, LINE * len(lines) + 2)  # mm, as all lengths here
    panels = [26] + [18] * session.light + [16] * (r.time is not None)
    height = 9 + top + sum(panels) + 4 * len(panels) + 7
    with new_figure(WIDTH, height, layout=None) as figure:

        def place(left: float, above: float, width: float, tall: float) -> Axes:
            low = height - above - tall
            return figure.add_axes((left / WIDTH, low / height, width / WIDTH, tall / height))

        verdict = by_session(table)[0]["verdict"]
        figure.text(
            2 / WIDTH, 1 - 5 / height, f"{r.session} ({in_words(r.mouse)}): {verdict}", size=8
        )
        _images(place, session)
        _checks(place(88, 9, WIDTH - 90, LINE * len(lines)), lines)
        at, axes = 9 + top, []
        for tall in panels:
            axes.append(place(LEFT, at, WIDTH - LEFT - RIGHT, tall))
            at += tall + 4
        _traces(axes, session)
    return figure


def session_caption(session: Session, table: pd.DataFrame) -> str:
    """Return the caption of `session_page`, in plain text."""
    corrected = "; grey: as recorded, blue: corrected" if session.effects else ""
    moved = " Pale: of each frame before it was shifted." if session.shifts is not None else ""
    brightness = "Brightness: mean over pixels" if session.light else "Mean of pixels"
    told = (
        f" Axes of the movie are taken as {session.axes} (Y rows, X columns), the usual order, "
        "since nothing in the files says which: if the mean image is turned, set movie_axes."
        if session.axes_by == "nothing"
        else ""
    )
    place = (
        f" Position: of the mean image of each of {len(session.decoded.parts)} parts, by phase "
        f"correlation with the first.{moved}"
    )
    return (
        f"{by_session(table)[0]['verdict'].capitalize()} (the worst of its checks). Mean over time "
        f"and SD over time of each pixel.{told} {brightness}, lowest and highest frame in each "
        f"{_span(session):.2g} s{corrected if session.light else ''}. Shaded: run."
        f"{place if session.light else ''}"
    )


def cohort_page(table: pd.DataFrame) -> Figure:
    """Draw value and verdict of every check (columns) of every session (rows).

    `table` has the rows of all sessions, see `qc.check_session`.
    """
    sessions = by_session(table)
    checks = [name for name in (*CHECKS, DOUBTS) if (table["check"] == name).any()]
    shown = table.assign(level=table["verdict"].map({v: i for i, v in enumerate(COLOURS)}))
    shown["cell"] = [_cell(row) for _, row in table.iterrows()]
    shown = shown.set_index(["session", "check"])[["level", "cell"]].unstack()
    shown = shown.loc[[item["session"] for item in sessions]]
    row, size = (4.6, 5.5) if len(sessions) <= MOST_ROWS else (3.2, 4.5)  # mm, pt
    with new_figure(174, 30 + row * len(sessions)) as figure:
        axes = figure.add_subplot()
        colours = {"cmap": ListedColormap(list(COLOURS.values())), "vmin": -0.5, "vmax": 3.5}
        text = {"annot_kws": {"size": size}}
        heat_map(axes, shown["level"][checks], shown["cell"][checks], **colours, **text)
        units = {name: CHECKS[name].unit if name in CHECKS else "" for name in checks}
        labels = [
            name.replace("_", " ") + (f" ({unit})" if unit in ("s", "min", "px") else "")
            for name, unit in units.items()
        ]
        axes.xaxis.tick_top()
        axes.set_xticklabels(labels, rotation=35, ha="left", rotation_mode="anchor")
        names = [f"{item['session']} ({item['mouse']})" for item in sessions]
        axes.set_yticklabels(names, fontsize=size + 0.5)
        _legend(axes, table)
    return figure


def cohort_caption(table: pd.DataFrame) -> str:
    """Return the caption of `cohort_page`, in plain text."""
    verdicts = [item["verdict"] for item in by_session(table)]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in ("pass", "warn", "fail"))
    return (
        f"Every check of every session (n = {len(verdicts)}: {counts}, by the worst check). "
        "Shares are of frames or pixels; a dash where a check cannot be made. Thresholds stand "
        "under qc in the config."
    )


# --- parts of a session's page -----------------------------------------------------------------


def _images(place: Callable[..., Axes], session: Session) -> None:
    measures, unit = session.decoded, " (ΔF/F)" if session.unit == "dff" else " (counts)"
    shown = [
        ("Mean" + " (counts)" * session.light + _axes(session), measures.mean, "gray"),
        ("SD over time" + unit * session.light, measures.sd, "viridis"),
    ]
    if session.r2 is not None:
        shown.append(("Share explained by reference", session.r2, "viridis"))
    side = IMAGE if len(shown) == 2 else IMAGE * 2 / 3 - 1
    for i, (title, image, colours) in enumerate(shown):
        left = 3 + i * (side + 4)
        axes = place(left, 13, side, side)
        low, high = np.percentile(image, [0.5, 99.5])
        drawn = axes.imshow(image, colours, vmin=low, vmax=high, interpolation="none")
        axes.set_anchor("S")
        bar = axes.figure.colorbar(
            drawn, cax=place(left, 14 + side, side, 1.5), orientation="horizontal"
        )
        bar.ax.tick_params(labelsize=5, length=1.5, pad=1)
        bar.locator = MaxNLocator(3)
        bar.outline.set_visible(False)
        axes.set_title(title, fontsize=6 if len(shown) == 2 else 5, pad=2)
        axes.set_axis_off()


def _axes(session: Session) -> str:
    """Return the axes of the movie as the mean image's title has them, flagged if nothing told."""
    if session.axes_by == "nothing":
        return f"\naxes {session.axes} (assumed)"
    return f"\naxes {session.axes}" if session.axes else ""


def _lines(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return (text, verdict) of each line of the list of checks; a further line has no verdict."""
    lines = []
    for row in table.itertuples():
        words = row.words.split("; to leave it out")[0]
        first, *more = textwrap.wrap(f"{row.check.replace('_', ' ')}: {words}", 76)
        lines += [(first, row.verdict), *((f"    {text}", "") for text in more)]
    return lines


def _checks(axes: Axes, lines: list[tuple[str, str]]) -> None:
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    for y, (text, verdict) in enumerate(lines):
        bold = "bold" if verdict in ("warn", "fail") else "normal"
        axes.text(0.03, y, text, va="center", fontsize=5.5, weight=bold)
        if verdict:
            colour = SIGN_COLOURS.get(verdict, PALETTE[0])
            axes.plot(0, y, SIGNS[verdict], color=colour, ms=3.4, clip_on=False)


def _span(session: Session) -> float:
    """Return the seconds that a column of a trace covers."""
    r = session.recording
    return max(1, -(-len(r) // COLUMNS)) / r.frame_rate


def _trace(axes: Axes, values: np.ndarray, time: np.ndarray, colour: str) -> None:
    """Draw a trace (T,) against time (T,): a line, or lowest and highest in each column."""
    step = -(-len(values) // COLUMNS)
    if step == 1:
        axes.plot(time, values, color=colour, lw=0.5)
        return
    starts = np.arange(0, len(values), step)
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    axes.fill_between(time[starts], low, high, color=colour, lw=0.3)


def _traces(panels: list[Axes], session: Session) -> None:
    """Draw brightness, position and, with time stamps, intervals between frames."""
    r = session.recording
    long = len(r) / r.frame_rate >= 120  # s
    time = np.arange(len(r) + 1) / r.frame_rate / (60 if long else 1)
    light, dff = panels[0], session.unit == "dff"
    edges = np.flatnonzero(np.diff(r.labels.astype(np.int8), prepend=0, append=0))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        light.axvspan(time[start], time[stop], color="0.88", lw=0, zorder=0)
    after = session.decoded.brightness
    if session.light:
        if session.effects:
            before = session.brightness
            _trace(light, 100 * (before / before.mean() - 1), time[:-1], "0.65")
        _trace(light, 100 * (after if dff else after / after.mean() - 1), time[:-1], PALETTE[0])
        light.set_ylabel("Brightness\n(ΔF/F, %)" if dff else "Brightness less\nits mean (%)")
    else:  # of changes there is no share
        _trace(light, after, time[:-1], PALETTE[0])
        light.set_ylabel("Mean of\npixels")
    if session.light:
        _position(panels[1], session, time)
    if r.time is not None:
        intervals = np.append(np.diff(r.time), np.nan)
        intervals[np.append(session.breaks[1:], True)] = np.nan  # from one segment to the next
        _trace(panels[-1], 1e3 * intervals, time[:-1], "0.3")
        panels[-1].set_ylabel("Interval\n(ms)")
    for axes in panels:
        axes.set_xlim(0, time[-1])
        axes.yaxis.set_label_coords(-11 / (WIDTH - LEFT - RIGHT), 0.5)
        axes.tick_params(labelbottom=axes is panels[-1])
    panels[-1].set_xlabel("Time (min)" if long else "Time (s)")


def _position(place: Axes, session: Session, time: np.ndarray) -> None:
    """Draw where the image lies in each part of the movie, and in each frame where it was moved."""
    if session.shifts is not None:
        for column, colour in zip(session.shifts.T, PALE, strict=True):
            _trace(place, -column, time[:-1], colour)
    middle = session.decoded.part_start
    middle = time[(middle + np.append(middle[1:], len(time) - 1)) // 2]
    path = drift_path(session)
    for column, name, colour, sign in zip(path.T, ("down", "right"), PALETTE, "os", strict=False):
        place.plot(middle, column, sign + "-", color=colour, ms=2, lw=0.7, label=name)
    place.set_ylabel("Position\n(px)")
    reach = max(1.0, 1.1 * max(map(abs, place.get_ylim())))
    place.set_ylim(-reach, reach)
    place.legend(frameon=False, fontsize=5.5, ncols=2, loc="upper right", borderpad=0)


# --- parts of the cohort's page ----------------------------------------------------------------


def _cell(row: pd.Series) -> str:
    if row["verdict"] == "skipped":
        return "–"
    if row["unit"] == "share":
        number = f"{np.format_float_positional(100 * row['value'], 2, fractional=False, trim='-')}%"
    else:
        number = f"{row['value']:.3g}"
    return number + {"warn": " !", "fail": " ✗"}.get(row["verdict"], "")


def _legend(axes: Axes, table: pd.DataFrame) -> None:
    words = {"pass": "pass", "warn": "warn (!)", "fail": "fail (✗)", "skipped": "not checked (–)"}
    handles = [
        Rectangle((0, 0), 1, 1, facecolor=COLOURS[verdict], label=words[verdict])
        for verdict in words
        if (table["verdict"] == verdict).any() or verdict != "skipped"
    ]
    axes.figure.legend(
        handles=handles, loc="outside lower right", ncols=4, frameon=False, fontsize=6
    )
