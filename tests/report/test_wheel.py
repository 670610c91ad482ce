"""The package alone, from a wheel: it reads, tests and reports elsewhere, with what it asks for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile

import fresh
from make import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder that the wheel is unpacked in."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT / "workflow", source / "workflow", ignore=shutil.ignore_patterns("__py*"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "Snakefile", "demo.yaml"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "-w", folder, source], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def elsewhere(site, tmp_path, monkeypatch):
    """A function that runs `main` in a process that has the wheel, and not this checkout."""
    monkeypatch.setenv("PYTHONPATH", str(site))

    def run(main: str, *words: object) -> str:
        done = fresh.Process(main, *words, folder=tmp_path).finish()
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.e2e
def test_a_wheel_makes_a_report_elsewhere(site, study, elsewhere):
    where = elsewhere("fresh:execute", "import mesodecode; print(mesodecode.__file__)")
    assert where.startswith(str(site))
    inputs = ["--config", "config.json", "--tables", ".", "--figures", "."]
    out = ["--out", "report.html", "--references", "references.bib"]
    elsewhere("mesodecode.cli:main", "report", *inputs, *out)
    page = (study / "report.html").read_text(encoding="utf-8")
    assert "ajioka&lt;2024&gt;" in page and "cnn_gru" in page
    assert "Ajioka" in (study / "references.bib").read_text(encoding="utf-8")


@pytest.mark.e2e
def test_a_wheel_plans_the_demo_elsewhere(site, elsewhere):
    package = site / "mesodecode"
    line = ["qc", "-n", "--cores", "1", "--configfile", package / "demo.yaml"]
    said = elsewhere("snakemake.cli:main", "--snakefile", package / "Snakefile", *line)
    assert "preprocess" in said


# Imports of what is not asked for fail, as if it were not installed.
ONLY = """
import importlib.abc, importlib.metadata as m, re, sys
def name(line): return re.sub('[-_.]+', '-', re.match(r'[\\w.-]+', line)[0]).lower()
wanted, left = set(), {names!r}
while left:
    one = name(left.pop())
    if one in wanted: continue
    wanted.add(one)
    try: left += [r for r in m.requires(one) or [] if 'extra ==' not in r]
    except m.PackageNotFoundError: pass
held = m.packages_distributions()
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, full, path=None, target=None):
        of = held.get(full.partition('.')[0])
        if of and 'mesodecode' not in of and not {{*map(name, of)}} & wanted:
            raise ImportError(f'{{full}} is not asked for')
sys.meta_path.insert(0, Refuse())
"""


def alone(site: Path, folder: Path, extras: list[str], code: str) -> str:
    """What `code` prints where the package and its `extras` are installed and nothing else."""
    names = list(PROJECT["dependencies"])
    for extra in extras:
        names += PROJECT["optional-dependencies"][extra]
    line = [sys.executable, "-c", ONLY.format(names=names) + code]
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.e2e
def test_readers_and_tests_of_tables_need_no_torch(site, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 8, 9), "u2"), compression="zlib")
    rows = "".join(f"{model},{k},{0.5 + 0.1 * k + x}\n" for k in range(5) for model, x in MODELS)
    (tmp_path / "auc.csv").write_text(f"model,allocation,auc\n{rows}")
    code = """
try: import torch
except ImportError as error: assert 'not asked for' in str(error)
else: raise SystemExit('torch is there')
from mesodecode.recordings.readers import open_movie
with open_movie('a.tif') as movie: print(movie.shape)
from mesodecode.cli import main
assert main('compare --auc auc.csv --by model --out tests.tsv'.split()) == 0
"""
    assert alone(site, tmp_path, [], code).startswith("(5, 8, 9)")
    assert "a\tb" in (tmp_path / "tests.tsv").read_text()


MODELS = (("a", 0.0), ("b", 0.05))


@pytest.mark.e2e
def test_deep_shap_needs_no_workflow(site, tmp_path):
    code = """
import torch
from mesodecode.models import RNNDecoder
from mesodecode.explain.deepshap import deep_shap
torch.manual_seed(0)
net = RNNDecoder(4, cell='gru', hidden_size=3)
windows, background = torch.randn(2, 5, 4), torch.randn(6, 5, 4)
values, base = deep_shap(net.eval(), windows, background, output='logit')
print(tuple(values.shape))
"""
    assert alone(site, tmp_path, ["networks"], code).strip().endswith("(2, 5, 4)")


def names_of(lines: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", line)[0] for line in lines} - {"mesodecode"}


def test_the_package_asks_for_what_the_environment_is_made_of():
    text = (ROOT / "envs/requirements.in").read_text().partition("# development")[0]
    asked = names_of([line for line in text.splitlines() if line[:1].isalnum()])
    extras = PROJECT["optional-dependencies"]
    every = [*PROJECT["dependencies"], *extras["networks"], *extras["all"], *extras["live"]]
    # the inspector of NWB files is for tests; sockets and tables of numbers come with others
    assert asked - names_of(every) == {"nwbinspector"}
    assert names_of(every) - asked == set()
