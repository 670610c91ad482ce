"""Score predictions of a trace or of named states, per allocation and per test session.

Example: mesodecode score --predictions results/lab/predictions --decoders linear gru
--allocations results/lab/allocations.tsv --out regression.tsv --sessions session_regression.tsv
--figure target_regression

A trace: R², Pearson's r, the ceiling of R² by the trace's own autocorrelation, and R² and p of
circularly shifted values. Named states: macro AUC, the AUC of each state against the others,
accuracy of the likeliest state, the same of shifted states; --confusion has a row a state and
predicted state. Run and rest are scored by `mesodecode auc`.
"""

import argparse

from mesodecode.cli import options
from mesodecode.cli.scores.auc import add_scored, paths_of

HELP = "score predictions of a trace (R²) or of named states (macro AUC)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from mesodecode.study import targets

    add = parser.add_argument
    add_scored(parser)
    words = "circular shifts of the test values that say what chance is "
    words += f"(default: {targets.SHIFTS})"
    add("--shifts", type=int, default=targets.SHIFTS, metavar="K", help=words)
    options.add_out(parser, "table, a row an allocation")
    options.add_out(parser, "table, a row a test session", "--sessions")
    options.add_out(
        parser, "table of states by predicted states (states only)", "--confusion", required=False
    )
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    import pandas as pd

    from mesodecode.base import plots
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import write_table
    from mesodecode.decoders import predictions
    from mesodecode.scores import target_figure, target_tables

    made, first, seen = [], {}, {}
    for path in paths_of(args):  # one file in memory at a time, and one a decoder for the figure
        item = predictions.read(path, of_any=True)
        key = (item.decoder, item.allocation)
        shown = next(iter(first.values()), item)
        if key in seen:
            raise UserError(f"{path}: decoder and allocation are also in {seen[key]}")
        if item.target != shown.target or item.target.name == "run":
            raise UserError(
                f"{path}: decodes {item.target.name}; needs predictions of one trace, or of the "
                "same states (run and rest: `mesodecode auc`)"
            )
        seen[key] = path
        first.setdefault(item.decoder, item)
        made.append(target_tables.tables(item, args.shifts))
    pooled, sessions, confusion = (
        pd.concat(parts, ignore_index=True) for parts in zip(*made, strict=True)
    )
    items = list(first.values())
    if states := items[0].target.states:
        by_decoder = {name: confusion[confusion["decoder"] == name] for name in first}
        figure, title = target_figure.confusion(by_decoder, states), "States and predicted states"
    else:
        figure, title = target_figure.traces(items), "Measured and decoded"
    words = target_figure.caption(items, pooled["allocation"].nunique())
    plots.save(figure, args.figure, title=title, caption=words)
    if args.confusion:
        write_table(confusion, args.confusion)
    write_table(sessions, args.sessions)
    write_table(pooled, args.out)
