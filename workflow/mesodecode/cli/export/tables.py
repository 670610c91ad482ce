"""Print tables of a study for a manuscript: LaTeX (booktabs), Markdown or CSV.

Example: mesodecode tables --study results/demo
mesodecode tables --format latex results/demo/tables/auc.tsv --out table1.tex

auc.tsv becomes a row a decoder (mean ± SD over allocations), session_auc.tsv a row a session,
cohort.tsv a row a mouse; other tables keep their rows, and those of others their columns too. LaTeX
and Markdown are rounded; CSV holds all digits.
"""

import argparse
from pathlib import Path

from mesodecode.cli import options

HELP = "tables as LaTeX, Markdown or CSV, for a manuscript"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("files", type=Path, nargs="*", metavar="FILE", help="tables (TSV or CSV)")
    options.add_folder(parser, "--study", "all tables of results/{study}", required=False)
    add("--format", choices=("latex", "csv", "md"), default="md", help="(default: md)")
    words = "file to write (.tex, .csv, .md; of one table), or a folder for a file a table; "
    words += "without it, tables are printed"
    add("--out", type=options.FILE, metavar="PATH", help=words)


def run(args: argparse.Namespace) -> None:
    from mesodecode.base.files import UserError, write_text
    from mesodecode.base.natural_order import in_order
    from mesodecode.export import manuscript
    from mesodecode.export.current import current

    paths = list(args.files)
    if args.study is not None:
        found = in_order((args.study / "tables").glob("*.tsv"))
        if (args.study / "config.json").is_file():
            found = current(args.study, found)
        if not found:
            raise UserError(f"{args.study / 'tables'}: no tables (.tsv) there; run the study first")
        paths += found
    if not paths:
        raise UserError("no table: give files, or --study results/NAME")
    suffix = manuscript.FORMATS[args.format]
    one_file = args.out is not None and args.out.suffix in manuscript.FORMATS.values()
    if one_file and (len(paths) > 1 or args.out.suffix != suffix):
        raise UserError(
            f"{args.out}: a file holds one table, as {suffix} with --format {args.format}; of "
            f"{len(paths)} tables give a folder"
        )
    if args.out is None and args.format == "csv" and len(paths) > 1:
        raise UserError(f"{len(paths)} tables do not fit one CSV; give a folder with --out")
    write = {"latex": manuscript.latex, "csv": manuscript.csv, "md": manuscript.markdown}
    texts = {path: write[args.format](manuscript.read(path)) for path in paths}
    if args.out is None:
        print("\n".join(texts.values()), end="")
        return
    targets = [args.out if one_file else args.out / f"{path.stem}{suffix}" for path in paths]
    if len(set(targets)) < len(paths):
        raise UserError(f"{args.out}: two tables have the same name; write them one by one")
    for target, text in zip(targets, texts.values(), strict=True):
        write_text(target, text)
