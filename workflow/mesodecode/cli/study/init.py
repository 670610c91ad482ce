"""Look at a folder of recordings and write a commented config: sessions, mice, what is missing.

Guesses from the names of files and folders; reads headers of HDF5, MAT and NPY files where names do
not tell movies from behaviour. Without --out the config goes to standard output.

Example: mesodecode init data --out mylab.yaml
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = "folder of recordings → a first config"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of this verb."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with movies and behaviour")
    parser.add_argument("--out", type=Path, metavar="FILE", help="config to write (.yaml)")


def run(args: argparse.Namespace) -> None:
    """Write the config."""
    from mesodecode.base.files import UserError, atomic_path
    from mesodecode.study.discovery.config_text import config_text
    from mesodecode.study.discovery.discover import look

    if args.out is not None and args.out.exists():
        raise UserError(f"{args.out}: is there already; name another file or take it away first")
    text = config_text(look(args.folder))
    if args.out is None:
        sys.stdout.write(text)
        return
    with atomic_path(args.out) as part:
        part.write_text(text, encoding="utf-8")
    for line in text.splitlines():
        if "FILL IN" in line or "CHECK" in line:
            print(line.lstrip("# "), file=sys.stderr)
