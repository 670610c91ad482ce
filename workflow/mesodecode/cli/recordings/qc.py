"""Check recordings: a verdict and a sentence for each check, and a page of pictures a session.

Writes TABLE (a row a session and check: value, unit, thresholds, verdict, words), a page a session,
OUT/{session}.svg and .png, and one of all sessions, OUT.svg and .png (174 mm wide). Exit status 0
whatever the verdicts: a session that fails stays in the study until the config leaves it out. Two
sessions of one movie are said, which a study refuses.

Example: mesodecode qc --recordings r/*.h5 --measures qc/*.h5 --table qc.tsv --out figures/qc
"""

import argparse
from pathlib import Path

from mesodecode.base.files import say
from mesodecode.cli import options

HELP = "recordings → quality control: table and figures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_measures(parser)
    options.add_out(parser, "TSV to write", "--table")
    words = "page of all sessions and folder of each one's: "
    options.add_figure(parser, "--out", words)
    options.add_settings(parser, "qc")


def run(args: argparse.Namespace) -> None:
    import pandas as pd

    from mesodecode.base import plots
    from mesodecode.base.files import UserError
    from mesodecode.base.progress import Progress
    from mesodecode.base.tables import write_table
    from mesodecode.recordings import qc, qc_figure
    from mesodecode.recordings.same_frames import check_apart

    settings = options.settings_of(args, "qc")
    pairs, tables = options.with_measures(args), []
    with Progress(len(pairs), "sessions", "checking") as progress:
        for recording, measures in pairs:
            session = qc.read_session(recording, measures)
            table = qc.check_session(session, settings)
            name = session.recording.session
            plots.save(
                qc_figure.session_page(session, table),
                Path(args.out, name),
                title=f"Quality of {name}",
                caption=qc_figure.session_caption(session, table),
            )
            tables.append(table)
            progress.update(1)
    try:
        check_apart([recording for recording, _ in pairs])
    except UserError as error:  # each page is right by itself
        say(error)
    table = pd.concat(tables, ignore_index=True)
    plots.save(
        qc_figure.cohort_page(table),
        args.out,
        title="Quality of all sessions",
        caption=qc_figure.cohort_caption(table),
    )
    write_table(table, args.table)
