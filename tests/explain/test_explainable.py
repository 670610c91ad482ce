"""Which backbones Deep SHAP refuses is known before they are trained."""

from __future__ import annotations

import re

import pytest

from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.explain.explainable import check_backbone


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("test_convnext", r"no rule for LayerNorm"),
        ("test_vit", r"no rule for LayerNorm"),
        ("vit_tiny_patch16_224", r"no rule for LayerNorm"),  # of images of 224 px alone
        ("test_efficientnet_gn", r"no rule for 'group_norm'"),
        ("resnet50_clip", r"no rule for 'scaled_dot_product_attention'"),  # it pools by attention
    ],
)
def test_a_backbone_without_a_rule_is_refused_by_name(name, message):
    with pytest.raises(UserError, match=message) as refused:
        check_backbone(name)
    words = str(refused.value)
    assert words.startswith(f"backbone '{name}' has no map of pixels: Deep SHAP")
    assert "a cut-out" in words and "\n" not in words


@pytest.mark.parametrize(
    "name",
    [
        *("efficientnet_lite0", "tf_efficientnet_b0.in1k", "test_efficientnet", "mobilenetv2_050"),
        *("vgg19", "vgg11_bn", "resnet18", "test_resnet", "densenet121"),  # max pooling
    ],
)
def test_those_with_rules_are_not(name, capsys):
    assert cli.main(["check-backbone", "--backbone", name]) == 0
    assert capsys.readouterr().out == f"{name}: Deep SHAP has a rule for all that it does\n"


def test_an_unknown_one_is_told_from_one_without_a_rule(capsys):
    assert cli.main(["check-backbone", "--backbone", "efficientnet_lite0", "no_net"]) == 1
    assert re.search(r"backbone 'no_net': timm cannot make it", capsys.readouterr().err)
