"""Download the files of a public record, such as the recordings of a published study.

Example: mesodecode fetch zenodo:10408334 --only '*_behavior.mat' --out data

Each file is checked against the record's checksum; files that are there are left alone. A download
that was cut short goes on where it ended when the same command is run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

HELP = "a public record (Zenodo) → its files, checked"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    add = parser.add_argument
    add("source", help="zenodo:NUMBER, or the DOI of a record on Zenodo")
    add("--only", nargs="+", default=[], metavar="PATTERN", help="names of files, such as '*.mat'")
    add("--list", action="store_true", help="print names and sizes (MB), download nothing")
    add("--site", default="https://zenodo.org", help="where the record is (default: Zenodo)")
    add("--out", type=Path, default=Path("data"), help="folder to fill (default: data)")


def run(args: argparse.Namespace) -> None:
    """Run this verb."""
    from mesodecode.recordings.fetch import MB, fetch, record_files

    files = record_files(args.source, args.only, args.site)
    if args.list:
        for file in files:
            print(f"{file.name}\t{file.size / MB:.1f} MB\t{file.checksum}")
        return
    fetch(files, args.out)
