"""Write the report of a study: one HTML file with its tables and figures inside.

Example: mesodecode report --config results/demo/config.json --tables results/demo/allocations.tsv
results/demo/tables/{auc,session_auc,cohort}.tsv --figures results/demo/figures/auc_*.svg
--out report.html
"""

import argparse

from mesodecode.cli import options

HELP = "write the HTML report of a study"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_file(parser, "--config", "resolved config (JSON)")
    options.add_files(
        parser,
        "--tables",
        "tables, or folders of tables, known by their names: allocations.tsv, auc.tsv, "
        "session_auc.tsv and cohort.tsv, and what there is of the others in results/STUDY/tables",
    )
    words = "figures (SVG or PNG), or folders of figures, known by their names in "
    words += "results/STUDY/figures"
    options.add_files(parser, "--figures", words, required=False)
    options.add_out(parser, "the report (.html)")
    words = "write the works that the methods cite here (BibTeX)"
    options.add_out(parser, words, "--references", required=False)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import read_json, write_text
    from mesodecode.report import given, references, report, section_words

    config = read_json(args.config, "; give the resolved config")
    config = report.filled(config)
    tables = given.read_tables(config, args.tables)
    page = report.render(config, tables, given.find_figures(config, args.figures))
    write_text(args.out, page)
    if args.references:
        works = section_words.works(config, tables)
        write_text(args.references, references.bibtex(works))
