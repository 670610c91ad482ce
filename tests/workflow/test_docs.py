"""Docs name what is there: files that pages write, and rooms in the picture of the house."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest
from snakemake.cli import get_argument_parser

from make import ROOT, snakemake
from mesodecode import cli
from mesodecode.running import doctor
from mesodecode.study import file_formats, schema

PACKAGE = ROOT / "workflow/mesodecode"
PATTERNS = ["README.md", "*/README.md", "docs/*.md", "config.yaml", "demo.yaml", "examples/*.yaml"]
PATTERNS += ["workflow/*/README.md", "workflow/schemas/**/*.yaml", "Makefile", "slurm/*", "local/*"]
PAGES = [page for pattern in PATTERNS for page in sorted(ROOT.glob(pattern))]
ROOMS = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
TOPS = {"benchmarks", "docs", "envs", "examples", "local", "slurm", "tests", "workflow"}
WORD = re.compile(rf"(?<![\w/{{}}.-])(?:{'|'.join(sorted(TOPS | ROOMS))})/[\w./*-]*")
LINK = re.compile(r"\]\(([^)#:]+)\)")


def script(name: str):
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def house():
    """The script that draws the picture."""
    return script("house")


@pytest.fixture(scope="module")
def site():
    """The script that makes pages of the site."""
    return script("site")


def there(word: str) -> bool:
    """Whether a path of the repository, the package or the schemas stands for any file."""
    name = word.rstrip("./")
    return any(any(top.glob(name)) for top in (ROOT, PACKAGE, ROOT / "workflow/schemas"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_and_links_of_a_page_are_there(page):
    text = page.read_text(encoding="utf-8")
    gone = {word for word in WORD.findall(text) if not there(word)}
    gone |= {link for link in LINK.findall(text) if not (page.parent / link).exists()}
    assert gone == set()


def test_paths_are_found_in_text():
    found = WORD.findall("`decoders/train.py`, docs/house.md; results/docs/x, run/rest `base/`.")
    assert found == ["decoders/train.py", "docs/house.md", "base/"]
    assert not there("decoders/gone.py") and not there("docs/gone/")


def test_every_room_is_on_the_page_and_in_the_picture_of_the_house(house):
    floors = house.floors()
    assert {room for floor in floors for room in floor} == ROOMS
    page = (ROOT / "docs/house.md").read_text(encoding="utf-8")
    assert [room for room in ROOMS if f"`{room}/`" not in page] == []
    picture = ElementTree.parse(ROOT / "docs/house.svg").iter()
    assert {f"room-{room}" for room in ROOMS} <= {element.get("id") for element in picture}


def test_imports_that_the_picture_shows_go_down(house):
    at = {room: i for i, floor in enumerate(house.floors()) for room in floor}
    found = house.imports()
    assert ("decoders", "recordings") in found and ("cli", "base") in found
    assert [pair for pair in found if at[pair[0]] <= at[pair[1]]] == []


def test_adding_lists_as_many_files_as_its_headings_say():
    text = (ROOT / "docs/adding.md").read_text(encoding="utf-8")
    parts = re.findall(r"^## (.+): (\d+) files?.*\n((?:(?!^## ).*\n)*)", text, re.MULTILINE)
    listed = {name: len(re.findall(r"^\d+\. ", part, re.MULTILINE)) for name, _, part in parts}
    assert len(parts) > 5 and listed["A correction"] == 3
    said = {name: int(count) for name, count, _ in parts}
    assert {name: n for name, n in listed.items() if n} == {n: said[n] for n in said if listed[n]}


def test_docs_say_what_is_read_from_which_formats():
    text = (ROOT / "docs/own-data.md").read_text(encoding="utf-8")
    missing = [line for line in file_formats.table().splitlines() if line not in text]
    assert missing == [], f"docs/own-data.md needs these lines:\n{chr(10).join(missing)}"


def test_readme_leads_to_every_page_by_way_of_another_at_most():
    pages = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    first = {name for name in pages if f"](docs/{name})" in text}
    second = {name for name in pages if any(f"]({name}" in pages[page] for page in first)}
    assert {"tutorial.md", "install.md", "own-data.md"} <= first
    assert set(pages) - first - second == set()


# The site


def test_every_key_and_verb_is_in_the_reference(site):
    pages = site.made()
    keys = {key for name in schema.files() for key in schema.properties(name)}
    assert [key for key in keys if f"| `{key}`" not in pages["reference/config.md"]] == []
    assert "| `epochs` | integer ≥ 1 |" in pages["reference/config.md"]
    verbs = pages["reference/commands.md"]
    assert [verb for verb in cli.VERBS if f"\n### {verb}\n" not in verbs] == []
    assert "--half-window INTEGER" in verbs


def test_changes_of_results_are_on_a_page_of_their_own(site):
    text = (
        "# Changelog\n\n## B\n\n### New\n\n- a key\n\n### Results that change, and whose\n\n- x\n"
        "\n## A\n\nonly words\n\n## 0\n\n### What runs again\n\nall\n"
    )
    page = site.changed_results(text)
    assert re.findall("^##.*", page, re.MULTILINE) == [
        *("## B", "### Results that change, and whose", "## 0", "### What runs again")
    ]
    assert "- x\n" in page and "a key" not in page


@pytest.mark.parametrize(
    ("source", "link", "made"),
    [
        ("README.md", "[a](docs/hpc.md#run)", "[a](hpc.md#run)"),
        ("README.md", "![a](workflow/report/demo.png)", "![a](pictures/demo.png)"),
        ("README.md", '<img src="workflow/report/demo.png">', '<img src="pictures/demo.png">'),
        ("docs/live.md", "[a](../benchmarks/README.md)", "[a](benchmarks.md)"),
        ("docs/live.md", "[a](hpc.md)", "[a](hpc.md)"),
        ("docs/live.md", "[the config](../config.yaml)", "the config (`config.yaml`)"),
        ("CHANGELOG.md", "[a](README.md)", "[a](index.md)"),
        ("README.md", "[a](https://a.org/b.md)", "[a](https://a.org/b.md)"),
        ("docs/x.md", "[a](#below)", "[a](#below)"),
    ],
)
def test_links_lead_to_pages_of_the_site(site, source, link, made):
    assert site.rewritten(link, source) == made


def test_every_page_is_in_the_list_of_the_site_once(site):
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} | {*site.made(), "new.md"}
    listed = [page for part in site.nav(pages) for of in part.values() for page in of]
    assert sorted(listed) == sorted(pages)


# Commands on the pages


BLOCK = re.compile(r"^ *```\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
GUIDES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(page: Path, *programs: str) -> list[list[str]]:
    """Words of the commands of some programs in a page's blocks, without what stands before."""
    found = []
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            before = re.match(
                rf"\s*(?:\w+=\S+ |srun [-=\w ]*?)*({'|'.join(programs)}) ", f"{line} "
            )
            if before:
                found.append(shlex.split(line[before.start(1) :], comments=True))
    return found


def verb_fault(words: list[str]) -> str:
    """What `mesodecode` has against a line of the docs; a line with … is known by its flags."""
    if words[0] == "warm":
        return ""
    top = cli.parser()
    if "…" in words:
        known = top._subparsers._group_actions[0].choices[words[0]]._option_string_actions
        return " ".join(word for word in words if word.startswith("--") and word not in known)
    try:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            top.parse_args(words)
    except SystemExit as end:
        return said.getvalue() if end.code else ""
    return ""


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_verbs_of_a_page_take_their_flags(page):
    faults = {" ".join(words): verb_fault(words[1:]) for words in commands(page, "mesodecode")}
    assert {line: fault for line, fault in faults.items() if fault} == {}


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_snakemake_of_a_page_knows_flags_rules_and_configs(page):
    text = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    rules = set(re.findall(r"^rule (\w+):", text, re.MULTILINE)) | {"all"}
    for words in commands(page, "snakemake"):
        args = get_argument_parser().parse_args(words[1:])
        assert {word for word in args.targets if "/" not in word} <= rules, words
        there = [path for path in args.configfile or [] if "/" in str(path)]
        assert [path for path in there if not (ROOT / path).exists()] == [], words


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_targets_of_make_are_there(page):
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in commands(page, "make"):
        assert {word for word in words[1:] if "=" not in word and word[0] != "-"} <= targets, words


def test_commands_are_found_in_blocks(tmp_path):
    block = "```\nmake x   # why\nA=1 mesodecode auc \\\n  --out y\n"
    block += "srun --gpus=1 mesodecode doctor\n```\n"
    (tmp_path / "p.md").write_text(f"`make no`\n\n{block}```yaml\nmake: no\n```\n")
    assert commands(tmp_path / "p.md", "make") == [["make", "x"]]
    lines = [["mesodecode", "auc", "--out", "y"], ["mesodecode", "doctor"]]
    assert commands(tmp_path / "p.md", "mesodecode") == lines
    assert verb_fault(["auc", "--no-such", "…"]) == "--no-such"
    assert "required" in verb_fault(["auc"]) and verb_fault(["auc", "--help"]) == ""


@pytest.mark.e2e
def test_the_tutorial_runs_as_it_is_written(tmp_path, monkeypatch):
    """In its order, on its files; what takes minutes is a dry-run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "HUB", "http://127.0.0.1:1")
    done = 0
    for words in commands(ROOT / "docs/tutorial.md", "mesodecode", "snakemake"):
        if "slurm" in words:
            continue
        if words[0] == "mesodecode":
            assert cli.main(words[1:]) == 0, words
        else:
            said = snakemake(tmp_path, "-n", *words[1:])
            assert said.returncode == 0, said.stderr
        done += 1
    assert done >= 6


def test_parts_of_the_report_are_called_as_in_it():
    """What begins a paragraph of docs/results.md in italics, but for what no report holds."""
    templates = (PACKAGE / "report/templates").glob("*.j2")
    shown = {h for page in templates for h in re.findall(r"<h2>(.*?)</h2>", page.read_text())}
    named = re.findall(r"^\*(.*?)\.?\*", (ROOT / "docs/results.md").read_text(), re.MULTILINE)
    assert len(named) > 6 and set(named) - shown == {"yes", "How many mice?"}
