"""Write the schema of configs as JSON, by which editors complete a config and mark its mistakes.

Example: mesodecode schema --out mesodecode.schema.json

Then put this line at the head of a config beside it (`mesodecode init` writes both):
# yaml-language-server: $schema=mesodecode.schema.json
VS Code (extension YAML of Red Hat), Neovim, Emacs and others with yaml-language-server read it.
Write it anew after an update of mesodecode.
"""

import argparse

from mesodecode.cli import options

HELP = "schema of configs, by which editors complete them"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_out(parser, "schema to write (.json)")


def run(args: argparse.Namespace) -> None:
    from mesodecode.study import editor_schema

    editor_schema.write(args.out)
