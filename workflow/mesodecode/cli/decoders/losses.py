"""Draw loss and validation AUC by epoch, a figure a decoder.

Example: mesodecode losses --models results/demo/models --decoders cnn roi_gru
--allocations results/demo/allocations.tsv --out figures/loss_

Reads FOLDER/{decoder}/{allocation}.history.tsv, which every training verb writes; writes
PREFIX{decoder}.svg (text kept as text) and PREFIX{decoder}.png (300 dpi), 174 mm wide.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from mesodecode.cli import options

if TYPE_CHECKING:
    import pandas as pd

HELP = "draw loss and AUC by epoch (SVG and PNG)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_folder(parser, "--models", "folder of the decoders")
    parser.add_argument(
        "--decoders", nargs="+", required=True, metavar="NAME", help="decoders in the folder"
    )
    options.add_allocations(parser)
    options.add_out(parser, "path without {decoder}.svg, {decoder}.png", written=options.PREFIX)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.tables import read_table
    from mesodecode.decoders import loss_figure

    allocations = read_table(args.allocations, ["allocation"])["allocation"]
    for decoder in args.decoders:
        history = read_histories(args.models / decoder, allocations)
        plots.save(
            loss_figure.loss_by_epoch(history),
            f"{args.out}{decoder}",
            title=f"Training of {decoder}",
            caption=loss_figure.loss_caption(history),
        )


def read_histories(folder: Path, allocations: Iterable[str]) -> pd.DataFrame:
    """Return the histories in `folder` with a column allocation, one under the other."""
    import pandas as pd

    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_table
    from mesodecode.study.targets import KINDS

    columns, tables = ("epoch", "train_loss", "valid_loss"), []
    numbers = (*columns, *(f"valid_{kind.metric}" for kind in KINDS.values()))
    for allocation in allocations:
        path = folder / f"{allocation}.history.tsv"
        if not path.exists():
            raise UserError(f"{path}: no such history; train the decoder first")
        tables.append(read_table(path, columns, numbers=numbers).assign(allocation=allocation))
        if not {*numbers[3:]} & {*tables[-1]}:
            raise UserError(f"{path}: no column valid_auc; train the decoder again")
    return pd.concat(tables, ignore_index=True)
