"""The hash of a stage's code: what changes it and what does not; the direction of imports."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from mesodecode.cli import VERBS
from mesodecode.running import provenance
from mesodecode.study.file_formats import FORMATS

PACKAGE = provenance.PACKAGE
NAMES = [module.rpartition(".")[2] for module in VERBS.values()]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of the package that the hash is taken of."""
    copy = tmp_path / "mesodecode"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("*.pyc*", ".*"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    yield copy
    forget()


def forget() -> None:
    """Let the next hash read the files again."""
    for cached in ("_versions", "_modules", "_names_of_modules", "_kept", "_parse", "_digest"):
        getattr(provenance, cached).cache_clear()


def versions() -> dict[str, str]:
    forget()
    return {name: provenance.code_version(name) for name in NAMES}


def changed(before: dict[str, str]) -> set[str]:
    return {name for name, version in versions().items() if version != before[name]}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_copy_has_the_versions_of_the_package(package, monkeypatch):
    (package / "__pycache__/code_versions.json").unlink(missing_ok=True)
    here = versions()
    monkeypatch.setattr(provenance, "PACKAGE", PACKAGE)
    assert versions() == here
    assert all(len(v) == 12 and int(v, 16) >= 0 for v in here.values())


def test_code_of_a_verb_counts_for_that_verb_only(package):
    before = versions()
    with open(package / "cli/recordings/preprocess.py", "a") as file:
        file.write("\nX = 1\n")
    assert changed(before) == {"preprocess"}


def test_module_imported_inside_a_function_counts(package):
    before = versions()
    with open(package / "decoders/fitted/linear.py", "a") as file:
        file.write("\nX = 1\n")
    users = {"fit_linear", "pass_pixels", "pass_signals", "keep_fitted", "tune", "hold_out"}
    applied = {"adapt", "cutout", "cutout_check", "live", "pixels_check", "shap_pixels", "shift"}
    assert changed(before) == users | applied


def test_the_order_of_the_files_of_a_movie_counts(package):
    """Frames in another order are another recording."""
    before = versions()
    edit(package / "base/natural_order.py", "if index % 2", "if index")
    assert {"preprocess", "auc"} & changed(before) == {"preprocess"}


def test_module_imported_by_an_imported_module_counts(package):
    # by way of the stage and the table of readers, each step an import of another form
    before = versions()
    with open(package / "recordings/readers/tiff.py", "a") as file:
        file.write("\nX = 1\n")
    now = changed(before)
    assert "preprocess" in now
    assert not now & {"train_cnn", "train_rnn", "extract", "predict", "auc", "report", "simulate"}


def test_an_edit_of_any_reader_of_the_table_is_another_preprocess(package):
    def version() -> str:
        forget()
        return provenance._version("mesodecode.cli.recordings.preprocess")

    readers = {f"{one.reader}.py" for one in FORMATS if one.reader}
    assert len(readers) > 12
    seen = [version()]
    for name in sorted(readers | {"imagej.py", "image_files.py"}):
        with open(package / "recordings/readers" / name, "a") as file:
            file.write("\nX = 1\n")
        seen.append(version())
        assert seen[-1] != seen[-2], name


def test_training_code_leaves_preprocessing_and_the_tables_alone(package):
    before = versions()
    with open(package / "decoders/train.py", "a") as file:
        file.write("\nX = 1\n")
    now = changed(before)
    assert {"train_cnn", "train_rnn"} <= now
    assert not now & {"simulate", "preprocess", "cohort", "auc", "compare", "report", "fit_linear"}


def test_hashes_are_kept_until_code_is_another(package):
    before = versions()
    kept = package / "__pycache__/code_versions.json"
    held = json.loads(kept.read_text())
    held["verbs"] = dict.fromkeys(held["verbs"], "kept")
    kept.write_text(json.dumps(held))
    assert len(set(versions().values())) == 1  # they were read, not made
    with open(package / "decoders/train.py", "a") as file:
        file.write("\nX = 1\n")
    now = versions()
    assert now["auc"] == before["auc"]
    assert now["train_cnn"] != before["train_cnn"]
    kept.write_text("{")
    assert versions() == now


def test_only_edited_modules_are_parsed_again(package, monkeypatch):
    versions()
    parsed = []
    whole = provenance._parsed
    monkeypatch.setattr(
        provenance, "_parsed", lambda text, *rest: parsed.append(text) or whole(text, *rest)
    )
    with open(package / "scores/auc.py", "a") as file:
        file.write("\nX = 1\n")
    versions()
    assert parsed == [(package / "scores/auc.py").read_bytes()]


# Comments, docstrings, formatting, where a module lies, what it is called and how it is imported
# do not count


BY_NAME = {  # folders whose modules are opened by their names
    "mesodecode.recordings.readers.": "mesodecode.lower.were_readers.",
    "mesodecode.decoders.fitted.": "mesodecode.upper.were_fitted.",
}


def moved(module: str) -> str:
    """Return the new name of a module of the package; verbs, readers and kinds are by theirs."""
    if module == "mesodecode" or module.startswith("mesodecode.cli"):
        return module
    for folder, new in BY_NAME.items():
        if module.startswith(folder):
            return module.replace(folder, new)
    floor = "upper" if sum(module.encode()) % 2 else "lower"
    return f"mesodecode.{floor}.was_{module.removeprefix('mesodecode.').replace('.', '_')}"


def with_moved_imports(tree: ast.Module, modules: set[str]) -> ast.Module:
    """Import the moved modules under the names that the text has for them, last one first."""

    class Moved(ast.NodeTransformer):
        def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.ImportFrom] | ast.ImportFrom:
            if (node.module or "").split(".")[0] != "mesodecode":
                return node
            lines = []
            for alias in reversed(node.names):
                whole, name = f"{node.module}.{alias.name}", alias.asname or alias.name
                if whole in modules:
                    folder, _, last = moved(whole).rpartition(".")
                    lines.append(ast.ImportFrom(folder, [ast.alias(last, name)], 0))
                else:
                    of = [ast.alias(alias.name, alias.asname)]
                    lines.append(ast.ImportFrom(moved(node.module), of, 0))
            return lines

        def visit_Constant(self, node: ast.Constant) -> ast.Constant:
            return ast.Constant(BY_NAME.get(node.value, node.value))

    tree = Moved().visit(tree)
    places = [i for i, node in enumerate(tree.body) if of_package(node)]
    lines = [tree.body[i] for i in reversed(places)]
    for i, line in zip(places, lines, strict=True):
        tree.body[i] = line
    return tree


def with_other_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and ast.get_docstring(node):
            node.body[0] = ast.parse("'another docstring'").body[0]
    return tree


def of_package(node: ast.AST) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mesodecode")


@pytest.mark.e2e  # takes hundreds of modules apart, twice
def test_moving_renaming_and_rewording_every_module_changes_no_hash(package, monkeypatch):
    before = versions()
    files = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        files[".".join(parts).removesuffix(".__init__")] = path
    trees = {name: ast.parse(path.read_text()) for name, path in files.items()}
    assert sum(moved(name) != name for name in files) > 100
    shutil.rmtree(package)
    for name, tree in trees.items():
        new = package.parent.joinpath(*moved(name).split("."))
        if name in ("mesodecode", "mesodecode.cli"):
            new = new / "__init__"
        new.parent.mkdir(parents=True, exist_ok=True)
        tree = with_moved_imports(with_other_docstrings(tree), set(files))
        new.with_suffix(".py").write_text("# a comment\n\n" + ast.unparse(tree) + "\n")
    monkeypatch.setattr(provenance, "CARRIERS", {moved(name) for name in provenance.CARRIERS})
    assert changed(before) == set()


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A package of one verb; returns its hash after files are written, relative path -> text."""
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "mesodecode")
    monkeypatch.setattr(provenance, "CARRIERS", {"mesodecode.base.files"})

    def hashed(**files: str) -> str:
        shutil.rmtree(tmp_path / "mesodecode", ignore_errors=True)
        for name, text in files.items():
            path = tmp_path / "mesodecode" / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        forget()
        return provenance.code_version("verb")

    yield hashed
    forget()


VERB = "from mesodecode import areas\n\ndef run(x):\n    return areas.of(x)\n"
AREAS = "def of(x):\n    return x\n"


@pytest.mark.parametrize(
    ("verb", "place"),
    [
        (VERB.replace("areas", "regions"), "regions"),
        ("from mesodecode.base import areas\n" + VERB.partition("\n")[2], "base__areas"),
        (VERB.replace("import areas", "import areas as a").replace("areas.of", "a.of"), "areas"),
        ("import mesodecode.areas\n\ndef run(x):\n    return mesodecode.areas.of(x)\n", "areas"),
        ("from mesodecode.areas import of\n\ndef run(x):\n    return of(x)\n", "areas"),
        ("def run(x):\n    from mesodecode import areas\n\n    return areas.of(x)\n", "areas"),
    ],
)
def test_how_a_module_is_called_and_imported_does_not_count(small, verb, place):
    assert small(cli__room__verb=verb, **{place: AREAS}) == small(cli__room__verb=VERB, areas=AREAS)


@pytest.mark.parametrize(
    "verb",
    [
        VERB.replace("areas.of(x)", "areas.by(x)"),
        VERB.replace("import areas", "import other as areas"),  # another module, the same call
        VERB.replace("def run(x)", "def run(areas)"),  # now an argument
        VERB + "from mesodecode import other\n",
    ],
)
def test_what_is_called_counts(small, verb):
    files = {"areas": AREAS, "other": "def of(x):\n    return -x\n"}
    assert small(cli__room__verb=verb, **files) != small(cli__room__verb=VERB, **files)


def test_a_name_that_is_no_module_in_its_scope_stays_as_it_is(small):
    text = (
        "from mesodecode import {0}\n\nclass C:\n    areas: int = 1\n\n"
        "def f(areas):\n    return [areas.of for areas in areas]\n\n"
        "def g(x):\n    return {0}.of(x), lambda areas: areas.of(x)\n"
    )
    before = small(cli__room__verb=text.format("areas"), areas=AREAS)
    assert small(cli__room__verb=text.format("regions"), regions=AREAS) == before


def test_modules_that_exchange_their_names_count(small):
    verb = "from mesodecode import a, b\n\ndef run(x):\n    return a.of(x) - b.of(x)\n"
    twice = "def of(x):\n    return 2 * x\n"
    assert small(cli__room__verb=verb, a=AREAS, b=twice) != small(
        cli__room__verb=verb, a=twice, b=AREAS
    )


def test_two_modules_that_import_each_other_have_a_hash(small):
    verb = "from mesodecode.a import f\n"
    a = "from mesodecode import b\n\ndef f(x):\n    return b.g(x)\n"
    b = "def g(x):\n    from mesodecode import a\n\n    return a.f(x - {})\n"
    assert small(cli__room__verb=verb, a=a, b=b.format(1)) != small(
        cli__room__verb=verb, a=a, b=b.format(2)
    )


def test_imports_are_followed_to_the_end():
    """A digest follows so many imports down; no verb has a longer way to its last module."""

    def longest(module: str, above: tuple[str, ...]) -> int:
        below = [m for m in provenance._imports(module) if m not in above]
        if module not in depths:
            depths[module] = 1 + max((longest(m, (*above, module)) for m in below), default=0)
        return depths[module]

    depths: dict[str, int] = {}
    forget()
    assert max(longest(f"mesodecode.cli.{name}", ()) for name in VERBS.values()) < provenance.DEPTH


# Modules behind a verb, as an upper bound: what they hold runs again when one of them is edited.
# Networks are trained by `train`; its steps, and what compiles them, are modules of their own. What
# a GPU records and replays is one (`graphs`), behind all networks.
# Verbs that predict write files of test mice (`predictions`) and of validation mice (`validation`).
# Fitted models are read by one door (`fitted_files`) wherever decoders are applied.
# A recording says whether its corrections take later frames: study.correction_table.
BEHIND = {
    "preprocess": 65,  # a module a format; labels; masks that lie turned, by the AUC of the light
    "fit_roi": 17,  # targets and their losses, outputs and scores: two to four in all that train
    "train_rnn": 30,
    "train_cnn": 30,
    "finetune": 35,  # of each epoch of the CNN that is chosen
    "predict": 30,
    "train_roi": 35,
    "fit_linear": 18,  # with what fit-roi shares with it; the order of names
    "hold_out": 41,  # all kinds that are trained in one step; movies of sessions are compared
    "cutout": 65,  # through the one door to decoders of all kinds; compiled where that pays
    "shap": 41,  # two ways through a network; what of it is explained, and kept
    "shap_summary": 36,  # tables and figures of maps alone, no network
    "sides": 35,
    "adapt": 57,  # base.records reads the measures of a movie
    "shift": 67,  # as adapt, and images are resized
}


def test_few_modules_stand_behind_a_verb():
    behind = {name: len(provenance.modules_behind(provenance._module_of(name))) for name in BEHIND}
    assert {name: n for name, n in behind.items() if n > BEHIND[name]} == {}


def test_unrelated_module_new_verb_and_new_version_rerun_no_stage(small, tmp_path):
    files = {"cli__room__verb": VERB, "areas": AREAS}
    before = small(**files)
    assert small(**files, unrelated="X = 1\n", cli__room__new="HELP = 'new'\n") == before
    (tmp_path / "mesodecode/__init__.py").write_text('__version__ = "99"\n')
    forget()
    assert provenance.code_version("verb") == before


@pytest.mark.parametrize(
    "line",
    [
        "import mesodecode.extra",
        "from mesodecode import extra",
        "from mesodecode.extra import thing",
        "import mesodecode.extra as short",
    ],
)
def test_every_form_of_import_is_followed(small, line):
    verb = "def run(x):\n    from mesodecode import reader\n\n    return reader.f(x)\n"
    files = {"cli__room__verb": verb, "reader": f"def f(x):\n    {line}\n"}
    assert small(**files, extra="thing = 1\n") != small(**files, extra="thing = 2\n")


def test_modules_of_a_room_that_are_opened_by_name_count_all(small):
    verb = (
        "import importlib\n\ndef run(name, x):\n"
        '    return importlib.import_module(f"mesodecode.{0}.{{name}}").of(x)\n'
    )
    before = small(cli__room__verb=verb.format("a"), a__b=AREAS, c__d=AREAS)
    assert small(cli__room__verb=verb.format("a"), a__b=AREAS + "X = 1\n", c__d=AREAS) != before
    assert small(cli__room__verb=verb.format("a"), a__b=AREAS, c__d=AREAS + "X = 1\n") == before
    assert small(cli__room__verb=verb.format("rooms"), rooms__b=AREAS, c__d=AREAS) == before
    user = "from mesodecode import x, y\n\ndef of(z):\n    return x.of(y.of(z))\n"
    files = {"cli__room__verb": verb.format("a"), "a__b": user}
    other = AREAS.replace("return x", "return 2 * x")
    assert small(**files, x=AREAS, y=other) != small(**files, x=other, y=AREAS)


def test_data_files_count(package):
    name = "report/templates/base.html.j2"
    before, plain = provenance.code_version("report", name), provenance.code_version("report")
    edit(package / name, "<", "<!-- new --><")
    assert provenance.code_version("report", name) != before != plain
    assert provenance.code_version("report") == plain


# Imports: rooms, from which floor to which, are `make lint`'s (import-linter)


def modules() -> dict[str, set[str]]:
    """Module -> the modules of the package that it imports when it is imported itself."""
    found = {}
    for module, path in provenance._modules().items():
        tree, names = ast.parse(path.read_text()), set()
        for node in tree.body:
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import, which the hash does not follow"
                of = [f"{node.module}.{alias.name}" for alias in node.names]
                names |= {name if name in provenance._modules() else node.module for name in of}
        found[module] = (names & set(provenance._modules())) - {module}
    return found


def test_no_circle_of_imports():
    found, done = modules(), set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " → ".join([*above, name])
        if name not in done:
            for other in found[name]:
                visit(other, (*above, name))
            done.add(name)

    for name in found:
        visit(name, ())


def test_no_two_modules_have_one_name():
    """But for verbs and `encoding`, a house of its own; a main file may bear its room's name."""
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    counts = Counter()
    for module in provenance._modules():
        *folders, name = module.split(".")[1:] or [""]
        if folders and folders[0] not in ("cli", "encoding") and name != folders[-1]:
            counts[name] += 1
    assert [name for name, count in counts.items() if count > 1] == []
    assert not set(counts) & (rooms - {"adapt", "corrections", "readers", "discovery"})
    assert not set(counts) & sys.stdlib_module_names


def test_the_package_itself_holds_its_entry_and_contracts_only():
    assert {path.name for path in PACKAGE.glob("*.py")} == {
        "__init__.py",
        "__main__.py",
        "models.py",
    }


def test_rewording_an_error_of_the_config_trains_nothing_again(tmp_path, monkeypatch):
    copied = tmp_path / "mesodecode"
    shutil.copytree(PACKAGE, copied)
    monkeypatch.setattr(provenance, "PACKAGE", copied)

    def version() -> str:
        forget()
        return provenance.code_version("train_cnn")

    before = version()
    config = ("schema", "study", "config_file", "config_tables", "decoder_table")
    files = [f"study/{name}.py" for name in config]
    for name in (*files, "base/files.py", "base/progress.py", "cli/options.py"):
        with open(copied / name, "a") as file:
            file.write("\nWORDS = 'other'\n")
    assert version() == before
    with open(copied / "decoders/train.py", "a") as file:
        file.write("\nWORDS = 'other'\n")
    assert version() != before
    forget()
