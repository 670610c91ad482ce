"""Say whether a CNN of a backbone can have a map of pixels, before it is trained.

Example: mesodecode check-backbone --backbone efficientnet_lite0 vgg19

Deep SHAP passes differences through all operations of a network, and has no rule for some, such as
the LayerNorm of ConvNeXts and transformers. The
first is named. No weights are needed. A run of the workflow does it before its first job.
"""

import argparse

HELP = "names of backbones → can they have a map of pixels?"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    words = "names of models of timm"
    parser.add_argument("--backbone", nargs="+", required=True, metavar="NAME", help=words)


def run(args: argparse.Namespace) -> None:
    from mesodecode.explain.explainable import check_backbone

    for name in args.backbone:
        check_backbone(name)
        print(f"{name}: Deep SHAP has a rule for all that it does")
