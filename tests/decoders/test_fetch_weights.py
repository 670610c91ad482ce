"""ImageNet weights are downloaded once, to a file; training reads that file and checks it."""

import subprocess

import pytest
import torch

from mesodecode.base.files import UserError
from mesodecode.cli import main
from mesodecode.decoders.backbones import create_backbone
from mesodecode.decoders.timm_import import timm

TINY = "test_efficientnet"


@pytest.fixture
def hub(monkeypatch):
    """A timm whose download gives known weights; the list of what was downloaded."""
    create, asked = timm.create_model, []

    def download(name, pretrained=False, **options):
        torch.manual_seed(7 if pretrained else 8)
        if pretrained:
            asked.append(name)
        return create(name, pretrained=False, **options)

    monkeypatch.setattr(timm, "create_model", download)
    return asked


def fetch(out, backbone=TINY):
    return main(["fetch-weights", "--backbone", backbone, "--out", str(out)])


def test_one_download_serves_every_training(hub, tmp_path):
    path = tmp_path / "weights" / f"{TINY}.pt"
    assert fetch(path) == 0
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name, f"{path.name}.sha256"]
    downloaded = create_backbone(TINY, "imagenet").state_dict()
    hub.clear()
    for _ in range(3):
        read = create_backbone(TINY, f"file:{path}").state_dict()
    assert hub == []
    kept = torch.load(path, weights_only=True)
    assert set(read) - set(kept) == {"classifier.weight", "classifier.bias"}
    assert kept.keys() <= read.keys()
    assert all(torch.equal(read[key], downloaded[key]) for key in kept)


def test_the_same_weights_make_the_same_file(hub, tmp_path):
    assert fetch(tmp_path / "a.pt") == fetch(tmp_path / "b.in1k") == 0  # a suffix of any kind
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.in1k").read_bytes()
    checked = subprocess.run(["sha256sum", "--check", "a.pt.sha256", "b.in1k.sha256"], cwd=tmp_path)
    assert checked.returncode == 0


def test_a_file_that_changed_is_refused_by_name(hub, tmp_path):
    path = tmp_path / "w.pt"
    assert fetch(path) == 0
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    for changed in (bytes(flipped), content[:-9], b""):
        path.write_bytes(changed)
        with pytest.raises(UserError, match=rf"{path}: does not have the SHA-256 in w.pt.sha256"):
            create_backbone(TINY, f"file:{path}")
    torch.save(timm.create_model(TINY, num_classes=1).state_dict(), path)  # it would fit
    with pytest.raises(UserError, match="SHA-256"):
        create_backbone(TINY, f"file:{path}")
    (tmp_path / "w.pt.sha256").unlink()  # a user's own file needs none
    create_backbone(TINY, f"file:{path}")


@pytest.mark.parametrize("name", ["../b0", "a/b", "hf-hub:timm/resnet18", "", "b0\n", "a..b", "~"])
def test_a_name_that_could_be_a_path_is_refused(hub, tmp_path, capsys, name):
    assert fetch(tmp_path / "w.pt", name) == 1
    assert "is not the name of a timm model" in capsys.readouterr().err
    assert hub == [] and not list(tmp_path.iterdir())


def test_no_network_is_one_line_and_no_file(tmp_path, capsys, monkeypatch):
    def offline(*_, **__):
        try:
            raise ConnectionError("Name or service not known\n(see the log)")
        except ConnectionError as error:
            raise OSError("We cannot find the requested files in the local cache") from error

    monkeypatch.setattr(timm, "create_model", offline)
    assert fetch(tmp_path / "w.pt") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "(Name or service not known)" in line
    for way in ("fetch-weights", "HF_HOME", "file:PATH", "efficientnet_lite0", "none"):
        assert way in line
    assert not list(tmp_path.iterdir())
