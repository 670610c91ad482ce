"""Describe a finished study as an RO-Crate: results, inputs, software, with SHA-256.

Example: mesodecode export-crate --study results/demo --licence CC-BY-4.0 --author "A. Researcher"

Writes ro-crate-metadata.json into the folder of the study (RO-Crate 1.1, Process Run Crate 0.5).
It lists tables, figures, report, models, predictions and NWB files, not recordings and features; of
the files that recordings were made of it has names, bytes and SHA-256. Versions are those of the
environment that this is called in. Hashing reads all files that are listed, once.
"""

import argparse

from mesodecode.cli import options

HELP = "results of a study → RO-Crate (JSON-LD with hashes)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_folder(parser, "--study", "results/{study}")
    words = "under which you publish it: SPDX identifier, such as CC-BY-4.0, or URL"
    add("--licence", "--license", required=True, metavar="NAME", help=words)
    add("--author", metavar="NAME", help="who ran it (default: not said)")
    add("--orcid", metavar="ID", help="ORCID of the author (default: not said)")


def run(args: argparse.Namespace) -> None:
    import json

    from mesodecode.base.files import UserError, write_text
    from mesodecode.export import ro_crate

    if args.orcid and not args.author:
        raise UserError("--orcid: whose? give --author too")
    about = ro_crate.describe(
        args.study, licence=args.licence, author=args.author, orcid=args.orcid
    )
    path = args.study / ro_crate.NAME
    write_text(path, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    files = sum(entity["@type"] == "File" for entity in about["@graph"])
    print(f"{path}: {files} files")
