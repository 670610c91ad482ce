"""The hash of a stage's code: what changes it and what does not; the direction of imports."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from mesodecode import provenance
from mesodecode.cli import VERBS

PACKAGE = Path(provenance.__file__).parent


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that the hash is taken of."""
    copy = tmp_path / "mesodecode"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    provenance._parse.cache_clear()
    yield copy
    provenance._parse.cache_clear()


def versions() -> dict[str, str]:
    provenance._parse.cache_clear()
    return {name: provenance.code_version(name) for name in VERBS.values()}


def changed(before: dict[str, str]) -> set[str]:
    return {name for name, version in versions().items() if version != before[name]}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_copy_has_the_versions_of_the_package(package, monkeypatch):
    here = versions()
    monkeypatch.setattr(provenance, "PACKAGE", PACKAGE)
    assert versions() == here
    assert all(len(v) == 12 and int(v, 16) >= 0 for v in here.values())


def test_comments_docstrings_and_formatting_do_not_count(package):
    before = versions()
    for path in package.rglob("*.py"):
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
                node
            ):
                node.body[0] = ast.parse("'another docstring'").body[0]
        path.write_text("# a comment\n\n" + ast.unparse(tree) + "\n")  # no comments, own layout
    assert changed(before) == set()


def test_code_of_a_verb_counts_for_that_verb_only(package):
    before = versions()
    with open(package / "cli/preprocess.py", "a") as file:
        file.write("\nX = 1\n")
    assert changed(before) == {"preprocess"}


def test_module_imported_inside_a_function_counts(package):
    before = versions()
    with open(package / "linear.py", "a") as file:
        file.write("\nX = 1\n")
    users = {"fit_linear", "predict_validation", "cutout", "cutout_check", "shift", "tune", "adapt"}
    assert changed(before) == users


def test_module_imported_by_an_imported_module_counts(package):
    # cli.preprocess -> preprocess -> sources, each step an import of another form if need be
    before = versions()
    with open(package / "sources/tiff.py", "a") as file:
        file.write("\nX = 1\n")
    now = changed(before)
    assert "preprocess" in now
    assert not now & {"train_cnn", "train_rnn", "extract", "predict", "auc", "report", "simulate"}


def test_training_code_leaves_preprocessing_and_the_tables_alone(package):
    before = versions()
    with open(package / "train.py", "a") as file:
        file.write("\nX = 1\n")
    now = changed(before)
    assert {"train_cnn", "train_rnn"} <= now
    assert not now & {"simulate", "preprocess", "cohort", "auc", "compare", "report", "fit_linear"}


def test_unrelated_module_does_not_count(package):
    before = versions()
    (package / "unrelated.py").write_text("X = 1\n")
    assert changed(before) == set()


def test_new_verb_and_new_version_rerun_no_stage(package):
    before = versions()
    edit(package / "cli/__init__.py", "VERBS = {", 'VERBS = {\n    "new": "new",')
    (package / "__init__.py").write_text('__version__ = "99"\n')
    assert changed(before) == set()


@pytest.mark.parametrize(
    "line",
    [
        "import mesodecode.extra",
        "from mesodecode import extra",
        "from mesodecode.extra import thing",
        "import mesodecode.extra as short",
    ],
)
def test_every_form_of_import_is_followed(package, line):
    (package / "extra.py").write_text("thing = 1\n")
    with open(package / "sources/tiff.py", "a") as file:
        file.write(f"def f():\n    {line}\n")
    before = provenance.code_version("preprocess")
    (package / "extra.py").write_text("thing = 2\n")
    provenance._parse.cache_clear()
    assert provenance.code_version("preprocess") != before


def test_data_files_count(package):
    name = "templates/report.html.j2"
    before, plain = provenance.code_version("report", name), provenance.code_version("report")
    edit(package / name, "<", "<!-- new --><")
    assert provenance.code_version("report", name) != before != plain
    assert provenance.code_version("report") == plain


# Imports go one way, as design.md says: from each level only to lower ones (and within one)

LEVELS = [
    "figures report explain evaluate statistics qc qc_figures alignment alignment_figure "
    "quality quality_figure study_figures reproduction",
    "train predict linear predict_validation",
    "models",
    "datasets",
    "preprocess simulate sources",
    "recordings",
    "cohort",
    "corrections config_file config_tables decoder_table",
    "schema",
    "files",
]
# helpers: module -> the highest module it may import
LOW = {
    "windows": "files",
    "scores": "files",
    "progress": "files",
    "measure": "files",
    "timm_import": "files",
    "provenance": "files",
    "allocation": "files",
    "predictions": "files",
    "protocols": "files",
    "adaptable": "files",
    "published": "files",
}


def imports_of(path: Path) -> set[str]:
    """Modules of the package that a file imports, inside functions too: "" is the package."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{path.name}: a relative import, which the hash does not follow"
            )
            if (node.module or "").split(".")[0] == "mesodecode":
                parts = node.module.split(".")[1:]
                found |= {parts[0]} if parts else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {parts[1] for parts in names if parts[0] == "mesodecode" and len(parts) > 1}
    return found


def level_of(module: str) -> int | None:
    """Levels count from the bottom, which is 0."""
    for level, names in enumerate(reversed(LEVELS)):
        if module in names.split():
            return level
    return None


def modules() -> dict[str, set[str]]:
    """Module, or subpackage, -> the modules of the package that it imports."""
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if name not in ("__init__", "__main__", "cli"):
            found[name] = found.get(name, set()) | imports_of(path)
    return found


def test_nothing_imports_the_command_line():
    for name, imported in modules().items():
        assert "cli" not in imported, f"{name} imports cli"


def test_imports_go_down():
    found = modules()
    assert {"cohort", "models", "datasets", "train", "report"} <= set(found)
    for name, imported in found.items():
        level = level_of(name)
        if level is None:
            continue
        upward = [i for i in imported if i not in LOW and (level_of(i) or 0) > level]
        assert not upward, f"{name} imports {upward}, which stand above it"


def test_helpers_stand_low():
    found = modules()
    for name, top in LOW.items():
        known = {i: level_of(i) for i in found[name] if i not in LOW}
        upward = [i for i, level in known.items() if level is None or level > level_of(top)]
        assert not upward, f"{name} imports {upward}"


def test_no_circle_of_imports():
    found, done = modules(), set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " → ".join([*above, name])
        if name not in done:
            for other in found.get(name, set()) - {name}:
                visit(other, (*above, name))
            done.add(name)

    for name in found:
        visit(name, ())


def test_rewording_an_error_of_the_config_trains_nothing_again(tmp_path, monkeypatch):
    copied = tmp_path / "mesodecode"
    shutil.copytree(PACKAGE, copied)
    monkeypatch.setattr(provenance, "PACKAGE", copied)

    def version() -> str:
        provenance._parse.cache_clear()
        return provenance.code_version("train_cnn")

    before = version()
    config = ("schema.py", "cohort.py", "config_file.py", "config_tables.py", "decoder_table.py")
    for name in (*config, "files.py", "progress.py", "cli/options.py"):
        with open(copied / name, "a") as file:
            file.write("\nWORDS = 'other'\n")
    assert version() == before
    with open(copied / "train.py", "a") as file:
        file.write("\nWORDS = 'other'\n")
    assert version() != before
    provenance._parse.cache_clear()
