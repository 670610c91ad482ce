"""Download the ImageNet weights of a timm backbone to a file that needs no network.

Example: mesodecode fetch-weights --backbone tf_efficientnet_b0.in1k --out b0.pt
then     mesodecode train-cnn --backbone tf_efficientnet_b0.in1k --pretrained file:b0.pt …

Beside OUT stands OUT.sha256, which whoever reads OUT verifies.
"""

import argparse

from mesodecode.cli import options

HELP = "timm's ImageNet weights → a file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--backbone", required=True, help="name of a timm model")
    options.add_out(parser, "weights to write (.pt)")


def run(args: argparse.Namespace) -> None:
    from mesodecode.decoders import backbones
    from mesodecode.study import schema

    schema.check_flags({"backbone": args.backbone}, "cnn")
    backbones.fetch_weights(args.backbone, args.out)
