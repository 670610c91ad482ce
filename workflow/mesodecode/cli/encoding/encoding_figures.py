"""Draw a figure of an encoding study (SVG and PNG).

Example: mesodecode encoding-figures --kind sweep --tables results/encoding-demo/tables/sweep.tsv
--out figures/sweep

--kind scores: tables of neurons and of the summary; loss: histories of one model, a file a fold;
sweep: the table of the sweep; diagnosis: tables of neurons, layers and rates.
"""

import argparse

from mesodecode.cli import options

HELP = "draw a figure of an encoding study (SVG and PNG)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--kind", choices=["scores", "loss", "sweep", "diagnosis"], required=True, help="which")
    options.add_files(parser, "--tables", "what is drawn (TSV), as said above")
    add("--name", default="", help="model in the title")
    options.add_out(parser, "path without .svg and .png", written=options.FIGURE)


def run(args: argparse.Namespace) -> None:
    import pandas as pd

    from mesodecode.base.plots import save
    from mesodecode.encoding import columns, figures, scores
    from mesodecode.encoding.columns import read

    if args.kind == "scores":
        neurons = read(args.tables[0], scores.NEURONS)
        summary = read(args.tables[1], scores.SUMMARY)
        drawn, caption = figures.scores_figure(neurons, summary), figures.scores_caption(neurons)
        title = "Scores of the models"
    elif args.kind == "loss":
        parts = [read(path, columns.HISTORY).assign(fold=path.name) for path in args.tables]
        history = pd.concat(parts)
        drawn, caption = figures.loss_figure(history), figures.loss_caption(history)
        title = f"Training of {args.name}"
    elif args.kind == "sweep":
        table = read(args.tables[0], columns.SWEEP)
        drawn, caption = figures.sweep_figure(table), figures.sweep_caption(table)
        title = f"Sweep of {args.name}"
    else:
        neurons = read(args.tables[0], ("neuron", "explainable", "responsive"))
        layers = read(args.tables[1], ("layer", "ratio"))
        rates = read(args.tables[2], ("learning_rate", "loss"))
        drawn = figures.diagnosis_figure(neurons, layers, rates)
        caption, title = figures.diagnosis_caption(neurons, layers), f"Diagnosis of {args.name}"
    save(drawn, args.out, title=title, caption=caption)
