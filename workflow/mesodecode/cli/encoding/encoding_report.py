"""Write the report of an encoding study: one HTML file with its tables and figures inside.

Example: mesodecode encoding-report --config results/encoding-demo/config.json
--summary results/encoding-demo/tables/encoding_summary.tsv
--neurons results/encoding-demo/tables/encoding_neurons.tsv --out report.html
"""

import argparse

from mesodecode.cli import options

HELP = "write the HTML report of an encoding study"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--config", "resolved config (JSON)")
    options.add_file(parser, "--summary", "summary of `mesodecode score-encoding`")
    options.add_file(parser, "--neurons", "neurons of `mesodecode score-encoding`")
    parser.add_argument(
        "--diagnosis",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "FILE"),
        help="a network and its checks of `mesodecode diagnose`; repeated",
    )
    options.add_file(parser, "--sweep", "table of the sweep", required=False)
    options.add_files(parser, "--truth", "truths of simulated sessions (HDF5)", required=False)
    options.add_file(parser, "--runtimes", "run times of `mesodecode runtimes`", required=False)
    options.add_files(parser, "--figures", "SVG or PNG files", required=False)
    options.add_out(parser, "the report (.html)")
    words = "BibTeX file to write: the works that the report cites"
    options.add_out(parser, words, "--references", required=False)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import read_json, write_text
    from mesodecode.encoding import columns, methods, report, scores, truth
    from mesodecode.encoding.columns import read
    from mesodecode.report import references
    from mesodecode.running import runtimes

    config = read_json(args.config, "; give the resolved config")
    neurons = read(args.neurons, scores.NEURONS)
    page = report.render(
        config,
        summary=read(args.summary, scores.SUMMARY),
        neurons=neurons,
        diagnoses={name: read(path, columns.CHECKS) for name, path in args.diagnosis},
        sweep=read(args.sweep, columns.SWEEP) if args.sweep else None,
        truth=truth.sentences(neurons, args.truth) if args.truth else [],
        runtimes=runtimes.read(args.runtimes) if args.runtimes else None,
        figures=args.figures,
    )
    write_text(args.out, page)
    if args.references:
        cited = references.cited_in(text for _, text in methods.blocks(config, {}))
        write_text(args.references, references.bibtex(cited))
