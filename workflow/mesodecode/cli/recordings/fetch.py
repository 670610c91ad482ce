"""Download the files of a public record, such as the recordings of a published study.

Example: mesodecode fetch zenodo:10408334 --only '*_behavior.mat' --out data
         mesodecode fetch dandi:NUMBER@VERSION/sub-1 --only '*_ophys.nwb' --out data

Each file is checked against the record's checksum (of a dandiset its SHA-256, or the archive's own
digest where it has none yet); files that are there are left alone. A download
that was cut short goes on where it ended when the same command is run again.
"""

import argparse
from pathlib import Path

from mesodecode.cli import options

HELP = "a public record (Zenodo, DANDI) → its files, checked"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    words = "zenodo:NUMBER, or the DOI of a record on Zenodo; dandi:NUMBER@VERSION[/PATH] (without "
    words += "a version the newest that is published)"
    add("source", help=words)
    add("--only", nargs="+", default=[], metavar="PATTERN", help="names of files, such as '*.mat'")
    words = "groups and datasets of HDF5 or NWB files that are left out, such as 'acquisition/*': "
    words += "of a file, no more than the rest is downloaded, which checksums cannot check"
    add("--without", nargs="+", default=[], metavar="PATTERN", help=words)
    add("--list", action="store_true", help="print names and sizes (MB), download nothing")
    add("--site", help="where the record is (default: zenodo.org, or api.dandiarchive.org/api)")
    add("--out", type=options.FOLDER, default=Path("data"), help="folder to fill (default: data)")


def run(args: argparse.Namespace) -> None:
    from mesodecode.recordings.fetch import MB, fetch, fetch_parts, record_files

    files = record_files(args.source, args.only, args.site)
    if args.list:
        for file in files:
            print(f"{file.name}\t{file.size / MB:.1f} MB\t{file.checksum}")
        return
    if args.without:
        fetch_parts(files, args.out, args.without)
    else:
        fetch(files, args.out)
