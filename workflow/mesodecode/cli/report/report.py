"""Write the report of a study: one HTML file with its tables and figures inside."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = "write the HTML report of a study"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this verb's flags."""
    for flag, words in (
        ("--config", "resolved config (JSON)"),
        ("--allocations", "table of allocations"),
        ("--auc", "table of `mesodecode auc`, a row an allocation"),
        ("--sessions", "table of `mesodecode auc`, a row a test session"),
        ("--cohort", "table of recordings, a row a session (frame_rate in frames/s)"),
    ):
        parser.add_argument(flag, required=True, metavar="FILE", help=words)
    parser.add_argument("--comparisons", metavar="FILE", help="table of `mesodecode compare`")
    parser.add_argument("--inference", metavar="FILE", help="table of `mesodecode inference`")
    parser.add_argument("--chance", metavar="FILE", help="table of `mesodecode chance`")
    parser.add_argument("--runtimes", metavar="FILE", help="table of `mesodecode runtimes`")
    parser.add_argument("--figure", nargs="+", default=[], metavar="FILE", help="SVG or PNG files")
    parser.add_argument(
        "--losses", nargs="+", default=[], metavar="FILE", help="figures of `mesodecode losses`"
    )
    parser.add_argument("--qc-table", metavar="FILE", help="table of `mesodecode qc`")
    parser.add_argument(
        "--qc", nargs="+", default=[], metavar="FILE", help="pictures of recordings (SVG or PNG)"
    )
    parser.add_argument(
        "--importance",
        nargs="+",
        action="append",
        default=[],
        metavar=("NAME", "FILE"),
        help="an importance analysis: its table of `mesodecode map-checks`, then figures; repeated",
    )
    parser.add_argument("--quality", metavar="FILE", help="table of `mesodecode quality`")
    parser.add_argument(
        "--quality-figures",
        nargs="+",
        default=[],
        metavar="FILE",
        help="figures of `mesodecode quality`",
    )
    parser.add_argument(
        "--confounds",
        nargs=2,
        metavar=("TABLE", "FIGURE"),
        help="table and figure of `mesodecode confounds`",
    )
    parser.add_argument("--reproduction", metavar="FILE", help="table of `mesodecode reproduction`")
    parser.add_argument(
        "--calibration",
        nargs=3,
        metavar=("FILE", "SETS", "FIGURE"),
        help="tables and figure of `mesodecode calibrate`",
    )
    parser.add_argument(
        "--shift",
        nargs=2,
        metavar=("FILE", "FIGURE"),
        help="table and figure of `mesodecode shift-report`",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="the report (.html)")
    parser.add_argument(
        "--references", metavar="FILE", help="write the works that the methods cite here (BibTeX)"
    )


def run(args: argparse.Namespace) -> None:
    """Write the report."""
    from mesodecode.base.files import UserError, atomic_path
    from mesodecode.base.tables import NUMBERS, read_table
    from mesodecode.recordings import qc
    from mesodecode.report import references, report
    from mesodecode.running import runtimes
    from mesodecode.scores import (
        auc,
        calibration,
        mouse_tests,
        published_tests,
        quality,
        reproduction,
    )
    from mesodecode.shift import columns as shift

    try:
        config = json.loads(Path(args.config).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{args.config}: not JSON ({error}); give the resolved config") from None
    tests = {  # table -> its file, columns and numbers
        "comparisons": (args.comparisons, published_tests.COLUMNS, NUMBERS),
        "inference": (args.inference, mouse_tests.COLUMNS, mouse_tests.NUMBERS),
        "chance": (args.chance, mouse_tests.CHANCE_COLUMNS, mouse_tests.CHANCE_NUMBERS),
        "qc_table": (args.qc_table, qc.COLUMNS, qc.NUMBERS),
        "quality": (args.quality, quality.COLUMNS, quality.NUMBERS),
        "reproduction": (args.reproduction, reproduction.COLUMNS, reproduction.NUMBERS),
        "calibration": (
            args.calibration and args.calibration[0],
            calibration.COLUMNS,
            calibration.NUMBERS,
        ),
        "prediction_sets": (
            args.calibration and args.calibration[1],
            calibration.SET_COLUMNS,
            calibration.SET_NUMBERS,
        ),
        "shift": (args.shift and args.shift[0], shift.COLUMNS, shift.NUMBERS),
    }
    columns = ("mouse", "session", "n_frames", "n_run", "frame_rate", "height", "width")
    allocations = read_table(args.allocations, auc.ATTRIBUTES[1:])
    cohort = read_table(args.cohort, columns)
    tested = {name: read_table(*what) for name, what in tests.items() if what[0]}
    page = report.render(
        config,
        allocations=allocations,
        auc=read_table(args.auc, auc.COLUMNS),
        sessions=read_table(args.sessions, auc.SESSION_COLUMNS),
        cohort=cohort,
        **tested,
        runtimes=runtimes.read(args.runtimes) if args.runtimes else None,
        figures=args.figure,
        losses=args.losses,
        calibration_figures=args.calibration[2:] if args.calibration else (),
        shift_figures=args.shift[1:] if args.shift else (),
        quality_figures=args.quality_figures,
        qc=args.qc,
        importance=[_importance(*words) for words in args.importance],
        confounds=_confounds(*args.confounds) if args.confounds else None,
    )
    with atomic_path(args.out) as temporary:
        temporary.write_text(page, encoding="utf-8")
    if args.references:
        shown = (tested.get("comparisons"), tested.get("inference"))
        text = report.methods(config, allocations, cohort, *shown)
        with atomic_path(args.references) as temporary:
            works = references.cited_in(block for _, block in text)
            temporary.write_text(references.bibtex(works), encoding="utf-8")


def _confounds(table: str, figure: str) -> tuple:
    """Return the controls as `report.render` takes them."""
    from mesodecode.base.tables import read_table
    from mesodecode.confounds import control_verdicts

    return read_table(table, control_verdicts.COLUMNS, control_verdicts.NUMBERS), figure


def _importance(name: str, *files: str) -> tuple:
    """Return an importance analysis as `report.render` takes it."""
    from mesodecode.base.files import UserError
    from mesodecode.base.tables import read_table

    if not files:
        raise UserError(f"--importance {name}: give its table of checks and its figures")
    columns = ("check", "verdict", "value", "sentence")
    return name, read_table(files[0], columns, ("value", "limit", "n")), files[1:]
