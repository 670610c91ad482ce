"""The figure of a map's checks: deletion curves, rank correlations, and the planted truth."""

from itertools import combinations
from string import ascii_uppercase

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mesodecode.base.plots import DASHED, MARKERS, PALETTE, letters, new_figure, spread
from mesodecode.explain import map_measures
from mesodecode.explain.map_verdicts import SURVIVES, Evidence


def draw(evidence: Evidence) -> Figure:
    """Draw what the checks rest on: as many panels as there were checks of its kind made."""
    panels = [_deletion] * bool(evidence.auc.size) + [_correlations]
    panels += [_precision_recall] * (evidence.truth is not None)
    panels += [_moved] * bool(evidence.moved.size) + [_apart] * bool(evidence.apart.size)
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    with new_figure(58 * columns, 62 * rows) as figure:
        for number, panel in enumerate(panels, 1):
            panel(figure.add_subplot(rows, columns, number), evidence)
        letters(*figure.axes)
    return figure


def caption(evidence: Evidence) -> str:
    """Return the figure's caption, in plain text."""
    n, kind = len(evidence.real), evidence.kind
    one, other = evidence.target.kind.speaks
    what = "ROIs" if kind == "ROI" else "areas"
    unknowing = "dashed: flagged from here on"
    if kind == "area":
        unknowing = "not what they are judged by, as all show where the input varies"
    parts = []
    if evidence.auc.size:
        of = "ROIs" if kind == "ROI" else "the image's area"
        draws = evidence.auc_random.shape[1]
        parts.append(
            f"test {evidence.target.kind.axis} while a growing share of {of} is removed, in the "
            f"order of the map of other mice (blue, circles) and in {draws} random orders (grey, "
            f"thin; their mean orange, squares); mean over allocations (n = {n}); dashed: chance"
        )
    parts.append(
        f"Spearman's rank correlation over {len(evidence.units)} {kind}s of an allocation's map "
        "with maps of what cannot know the behaviour (orange squares, one an allocation; "
        f"{unknowing}), and with other maps of the same analysis (blue circles, one a pair "
        "of allocations, or an allocation and seed); bar: mean"
    )
    if evidence.truth is not None:
        parts.append(
            f"precision and recall of the planted {kind}s as the mean map is read from the top "
            "down; dashed: the precision of a random order"
        )
    if evidence.moved.size:
        parts.append(
            f"how far the output has moved as {what} are removed one by one, the sum of the sizes "
            "of all changes, in the order of the map of other mice and in random orders as in A"
        )
    if evidence.apart.size:
        parts.append(
            f"the output without the {what} that speak for {other} in a window less that without "
            f"those that speak for {one}, by the signed map of other mice (blue), and with the "
            f"signed maps of {what} exchanged at random (grey; their mean orange)"
        )
    words = [f"{letter}: {part}." for letter, part in zip(ascii_uppercase, parts, strict=False)]
    return "Is the map right? " + " ".join(words)


def _deletion(axes: Axes, e: Evidence) -> None:
    intact = float(np.nanmean(e.auc_intact))
    _curves(axes, e, e.auc, e.auc_random, intact, ("order of the map", "random order"))
    axes.axhline(e.target.kind.chance, **DASHED)
    axes.set_ylim(top=1.02)
    axes.set_ylabel(f"Test {e.target.kind.axis}")


def _moved(axes: Axes, e: Evidence) -> None:
    _curves(axes, e, e.moved, e.moved_random, 0, ("order of the map", "random order"))
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"Output moved ({e.target.steps})")


def _apart(axes: Axes, e: Evidence) -> None:
    _curves(axes, e, e.apart, e.apart_random, 0, ("signs of the map", "exchanged"))
    axes.axhline(0, **DASHED)
    one, other = (words.removeprefix("the ").split()[0] for words in e.target.kind.speaks)
    axes.set_ylabel(f"Without {other} less without {one} ({e.target.steps})")


def _curves(
    axes: Axes,
    e: Evidence,
    own: np.ndarray,
    drawn: np.ndarray,
    intact: float,
    labels: tuple[str, str],
) -> None:
    """Draw what removal does by the map, own (A, S), and at random, drawn (A, K, S)."""
    share = 100 * np.concatenate([[0], e.share])
    random = np.nanmean(drawn, axis=0)
    for curve in random:
        axes.plot(share, [intact, *curve], color="0.75", lw=0.4)
    for index, curve in ((1, random.mean(axis=0)), (0, np.nanmean(own, axis=0))):
        axes.plot(
            share,
            [intact, *curve],
            color=PALETTE[index],
            marker=MARKERS[index],
            ms=3,
            lw=1.2,
            mec="white",
            mew=0.3,
            label=labels[index],
        )
    axes.set_xlim(-2, 100)
    axes.set_xlabel(f"{'ROIs' if e.kind == 'ROI' else 'Area'} removed (%)")
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.02, 1),
        ncols=2,
        frameon=False,
        fontsize=5.5,
        handlelength=1.2,
        columnspacing=0.6,
        borderaxespad=0.2,
    )


def _correlations(axes: Axes, e: Evidence) -> None:
    pairs = [*combinations(range(len(e.real)), 2)]
    groups = {"random\nweights": map_measures.rank_correlations(e.real, e.randomised)}
    if e.null is not None:
        groups["permuted\nlabels"] = map_measures.rank_correlations(e.real, e.null)
    n_unknowing = len(groups)
    for name, alike in (("other\nmouse", False), ("same\nmouse", True)):
        chosen = [p for p in pairs if (e.mice[p[0]] == e.mice[p[1]]) == alike]
        if chosen:
            first, second = np.array(chosen).T
            groups[name] = map_measures.rank_correlations(e.real[first], e.real[second])
    if e.seeds:
        found = [map_measures.rank_correlations(e.real, other) for other in e.seeds]
        groups["other\nseed"] = np.concatenate(found)
    for x, values in enumerate(groups.values()):
        color = PALETTE[1] if x < n_unknowing else PALETTE[0]
        places = x + 0.28 * spread(len(values), 7) / 3
        marker = MARKERS[1] if x < n_unknowing else MARKERS[0]
        axes.plot(places, values, ls="none", marker=marker, ms=2.6, mfc=color, mec="white", mew=0.3)
        axes.plot([x - 0.38, x + 0.38], [np.mean(values)] * 2, color="black", lw=1.2)
    words = {"ha": "center", "va": "bottom", "fontsize": 5.5}
    # a little to the right of the middle, where the panel's letter is not
    low = "may be high" if e.kind == "area" else "should be low"  # as `map_measures.elsewhere`
    axes.text(n_unknowing / 2 - 0.35, 1.03, low, color=PALETTE[1], **words)
    if len(groups) > n_unknowing:
        middle = (n_unknowing + len(groups) - 1) / 2
        axes.text(middle, 1.03, "should be higher", color=PALETTE[0], **words)
    if e.kind != "area":
        axes.plot([-0.5, n_unknowing - 0.5], [SURVIVES] * 2, color="0.45", lw=0.6, ls=(0, (4, 3)))
    axes.axhline(0, color="0.7", lw=0.5, zorder=0)
    axes.set_xlim(-0.5, len(groups) - 0.5)
    axes.set_xticks(range(len(groups)), groups, fontsize=6 if len(groups) < 5 else 5)
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(top=1.02)
    axes.set_ylabel("Rank correlation with the map")


def _precision_recall(axes: Axes, e: Evidence) -> None:
    from sklearn.metrics import precision_recall_curve  # seconds, and only here

    counted = ~np.isnan(e.truth)
    truth = e.truth[counted]
    precision, recall, _ = precision_recall_curve(truth, e.mean[counted])
    axes.step(recall, precision, where="post", color=PALETTE[0], lw=1.4, clip_on=False)
    axes.axhline(truth.mean(), color="0.45", lw=0.6, ls=(0, (4, 3)))
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0, 1.02)
    n = int(truth.sum())
    axes.set_xlabel(f"Recall (of {n} planted {e.kind}s)")
    axes.set_ylabel("Precision")
