"""Docs name what is there: files that pages write, and rooms in the picture of the house."""

from __future__ import annotations

import importlib.util
import re
from xml.etree import ElementTree

import pytest

from make import ROOT
from mesodecode.study import file_formats

PACKAGE = ROOT / "workflow/mesodecode"
PATTERNS = ["README.md", "*/README.md", "docs/*.md", "config.yaml", "demo.yaml", "examples/*.yaml"]
PATTERNS += ["workflow/*/README.md", "workflow/schemas/**/*.yaml", "Makefile", "slurm/*", "local/*"]
PAGES = [page for pattern in PATTERNS for page in sorted(ROOT.glob(pattern))]
ROOMS = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
TOPS = {"benchmarks", "docs", "envs", "examples", "local", "slurm", "tests", "workflow"}
WORD = re.compile(rf"(?<![\w/{{}}.-])(?:{'|'.join(sorted(TOPS | ROOMS))})/[\w./*-]*")
LINK = re.compile(r"\]\(([^)#:]+)\)")


@pytest.fixture(scope="module")
def house():
    """The script that draws the picture."""
    spec = importlib.util.spec_from_file_location("house", ROOT / "docs/house.py")
    house = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(house)
    return house


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


def test_readme_says_what_is_read_from_which_formats():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [line for line in file_formats.table().splitlines() if line not in text]
    assert missing == [], f"README.md needs these lines:\n{chr(10).join(missing)}"
