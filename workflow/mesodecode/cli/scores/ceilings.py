"""Hold decoders of other mice against what they reach in mice they were trained on.

Example: mesodecode ceilings --config results/lab/config.json --held-out results/lab/ceilings
--session-auc session_auc.tsv --out ceilings.tsv --gaps ceilings_gaps.tsv --figure ceilings

Writes --out (a row a decoder, arm and tested session: what it was trained on, how many days away,
its AUC, or the score of the study's target), --gaps (differences of arms with 95 % intervals over
mice, and a sentence each) and the figure as PREFIX.svg and PREFIX.png.
"""

import argparse

from mesodecode.base.files import say
from mesodecode.cli import options

HELP = "held-out sessions + AUCs → ceilings of decoders, gaps (tables, figure)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--config", "config of the study, or its config.json")
    options.add_folder(parser, "--held-out", "FOLDER/{decoder}/{split}.h5 of `hold-out`")
    words = "scores of sessions, of `mesodecode auc --sessions` (`mesodecode score` of a target)"
    options.add_file(parser, "--session-auc", words)
    options.add_out(parser, "TSV to write, a row a tested session")
    options.add_out(parser, "TSV to write, a row a difference", "--gaps")
    options.add_figure(parser)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base import plots
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_table, write_table
    from mesodecode.decoders import held_out
    from mesodecode.decoders.predictions import ATTRIBUTES
    from mesodecode.scores import ceiling_gaps, ceilings_figure
    from mesodecode.scores.target_tables import scored_columns
    from mesodecode.study import study as studies
    from mesodecode.study import targets

    study = studies.load(args.config)
    target = study.config["target"]
    kind = targets.kind_named(target)
    if not study.ceilings:
        raise UserError(f"{args.config}: ceilings.decoders: names none; name decoders there")
    held = []
    for decoder, splits in study.ceilings.items():
        for name, split in splits.items():
            path = args.held_out / decoder / f"{name}.h5"
            held.append(held_out.read(path))
            if (held[-1].decoder, held[-1].split) != (decoder, split):
                raise UserError(f"{path}: of another decoder or other sessions; make it again")
            if (decoded := held[-1].target.name) != target:
                raise UserError(f"{path}: decodes {decoded}, not {target}; make it again")
    numbers = scored_columns(kind)
    found = read_table(args.session_auc, [*ATTRIBUTES, "session", *numbers], numbers)
    rows = ceiling_gaps.table(held, found, study.mice, study.dates, kind)
    if rows[kind.metric].isna().all():
        words = f"no session has {kind.a_score}"
        raise UserError(f"{args.config}: ceilings: {words}; see logs of hold_out")
    gaps = ceiling_gaps.gaps(rows)
    for sentence in gaps["sentence"][gaps["difference"].isna()]:
        say(sentence)
    plots.save(
        ceilings_figure.draw(rows),
        args.figure,
        title="Ceilings of decoders",
        caption=ceilings_figure.caption(rows),
    )
    write_table(gaps, args.gaps)
    write_table(rows, args.out)
