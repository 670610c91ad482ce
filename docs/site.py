"""What the documentation site has beside the pages of docs/: hooks of MkDocs, for `make docs`.

README is its first page; reference pages are made of the schemas and of the verbs' `--help`, and
the changes of results of CHANGELOG. Links between files of the repository become links of the site,
or words where the site does not have the file.
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGES = {  # file of the repository -> page of the site; those of docs/ keep their names
    "README.md": "index.md",
    "CHANGELOG.md": "changes.md",
    "benchmarks/README.md": "benchmarks.md",
    "workflow/report/demo.png": "pictures/demo.png",
}
NAV = {  # pages that nobody names here are added to the last but one
    "Start": ["index.md", "tutorial.md", "install.md"],
    "How to": [
        "own-data.md",
        "behavior.md",
        "targets.md",
        "axes.md",
        "running.md",
        "hpc.md",
        "results.md",
    ],
    "Reference": ["reference/config.md", "reference/commands.md"],
    "Science": [
        "decoders.md",
        "shift.md",
        "maps.md",
        "cohorts.md",
        "ceilings.md",
        "encoding.md",
        "live.md",
    ],
    "Project": [
        "changed-results.md",
        "changes.md",
        "benchmarks.md",
        "security.md",
        "house.md",
        "adding.md",
    ],
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")
OF_RESULTS = re.compile(r"results|runs again", re.IGNORECASE)


def page_of(path: str) -> str | None:
    """Return the page or picture of the site that shows a file of the repository."""
    if path.startswith("docs/") and path.endswith((".md", ".svg", ".png")):
        return path.removeprefix("docs/")
    return PAGES.get(path)


def rewritten(text: str, source: str) -> str:
    """Return a page's text with links as the site has them; `source` is its file."""
    here = posixpath.dirname(page_of(source) or source)

    def link(match: re.Match[str]) -> str:
        mark, words, target, anchor = match.groups()
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        page = page_of(path)
        if page is None:
            return words if words == path or "`" in words else f"{words} (`{path}`)"
        return f"{mark}[{words}]({posixpath.relpath(page, here or '.')}{anchor or ''})"

    picture = 'src="{}"'
    for path, page in PAGES.items():  # pictures of a width of their own
        text = text.replace(picture.format(path), picture.format(page))
    return LINK.sub(link, text)


def changed_results(text: str) -> str:
    """Return the parts of CHANGELOG that say which results change, under their dates."""
    lines = ["# What changed results", ""]
    lines += [
        "Of every version: which results were wrong or differ, for whom, what runs again.",
        "",
    ]
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        date, _, rest = part.partition("\n")
        kept = [
            section
            for section in re.split(r"^### ", rest, flags=re.MULTILINE)[1:]
            if OF_RESULTS.search(section.partition("\n")[0])
        ]
        if kept:
            lines += [f"## {date}", "", *(f"### {section.strip()}\n" for section in kept)]
    return "\n".join(lines)


def settings() -> str:
    """Return the reference of all keys of a config, in Markdown."""
    from mesodecode.study import schema

    lines = ["# Keys of a config", ""]
    lines += [
        "Made of the schemas by which a config is checked. A unit stands in the words of its key; ",
        "`*` marks what must be given. [Decoders](#decoders-cnn) have the table of their kind.",
        "",
    ]
    for name, path in sorted(schema.files().items(), key=_place):
        lines += list(_table(_title(path), schema.load(name)))
    return "\n".join(lines) + "\n"


def _place(item: tuple[str, Path]) -> tuple[int, str]:
    rooms = ("schemas", "tables", "decoders", "importance", "encoding")
    return rooms.index(item[1].parent.name), item[0]


def _title(path: Path) -> str:
    folder = path.parent.name
    return path.stem if folder in ("schemas", "tables") else f"{folder}: {path.stem}"


def _table(title: str, spec: dict[str, Any]) -> Iterator[str]:
    """Yield a table of settings, and one for each of those that are tables themselves."""
    words = spec.get("description") or spec.get("title")
    yield from (f"## {title}", "", *([f"{_cell(words)}.", ""] if words else []))
    yield from ("| key | type | default | |", "|---|---|---|---|")
    within = []
    for key, one in spec["properties"].items():
        star = " *" if key in spec.get("required", []) else ""
        default = f"`{_shown(one['default'])}`" if "default" in one else ""
        yield f"| `{key}`{star} | {_type(one)} | {default} | {_cell(one.get('description', ''))} |"
        lines = one.get("additionalProperties")
        for table in (one, lines if isinstance(lines, dict) else {}):
            if table.get("properties"):
                within.append((f"{title}: {key}", table | {"description": one.get("description")}))
    yield ""
    for name, table in within:
        yield from _table(name, table)


def _shown(value: Any) -> str:
    if value == "":
        return '""'
    return "null" if value is None else str(value).lower() if value in (True, False) else str(value)


def _type(spec: dict[str, Any]) -> str:
    if "enum" in spec:
        return ", ".join(f"`{_shown(one)}`" for one in spec["enum"])
    if "const" in spec:
        return f"`{spec['const']}`"
    kinds = spec.get("type", "any")
    words = " or ".join(kinds if isinstance(kinds, list) else [kinds])
    least = [f"≥ {spec['minimum']}" if "minimum" in spec else ""]
    least += [f"> {spec['exclusiveMinimum']}" if "exclusiveMinimum" in spec else ""]
    least += [f"≤ {spec['maximum']}" if "maximum" in spec else ""]
    return " ".join([words, *filter(None, least)])


def _cell(text: str) -> str:
    """Return words as a cell of a table shows them; braces and stars are no markup in it."""
    plain = " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
    return re.sub(r"(?<!`)([*_])(?!`)", r"\\\1", plain)


def verbs() -> str:
    """Return the reference of all verbs, in Markdown: what `--help` of each says."""
    from mesodecode import cli

    os.environ["COLUMNS"] = "100"
    top = cli.parser()
    (subs,) = (a.choices for a in top._actions if isinstance(a.choices, dict))
    lines = ["# Commands", "", "What `mesodecode VERB --help` says, by room of the package.", ""]
    for room, title in cli.ROOMS.items():
        lines += [f"## {title[0].upper()}{title[1:]}", ""]
        for verb, module in cli.VERBS.items():
            if module.partition(".")[0] == room:
                only = "Called by the workflow only.\n\n" if verb in cli.FOR_WORKFLOW else ""
                lines += [f"### {verb}", "", f"{only}```text", subs[verb].format_help().rstrip()]
                lines += ["```", ""]
    return "\n".join(lines)


def made() -> dict[str, str]:
    """Return the pages that are made, page -> text."""
    texts = {page: (ROOT / path, path) for path, page in PAGES.items() if page.endswith(".md")}
    pages = {page: rewritten(path.read_text("utf-8"), of) for page, (path, of) in texts.items()}
    changes = changed_results((ROOT / "CHANGELOG.md").read_text("utf-8"))
    pages["changed-results.md"] = rewritten(changes, "CHANGELOG.md")
    return pages | {"reference/config.md": settings(), "reference/commands.md": verbs()}


def nav(pages: set[str]) -> list[dict[str, list[str]]]:
    """Return the site's list of pages, of those that are there."""
    named = {page for of in NAV.values() for page in of}
    more = {"Science": sorted(pages - named)}
    return [
        {title: [page for page in (*of, *more.get(title, [])) if page in pages]}
        for title, of in NAV.items()
    ]


# What MkDocs calls


def on_config(config: Any) -> Any:
    """List the pages, and let this checkout's package be found."""
    sys.path.insert(0, str(ROOT / "workflow"))
    pages = {path.name for path in (ROOT / "docs").glob("*.md")}
    config.nav = nav(pages | set(made()))
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made, the picture of README, and the schema under its id."""
    import json

    from mkdocs.structure.files import File

    from mesodecode.study import editor_schema

    for page, text in made().items():
        files.append(File.generated(config, page, content=text))
    picture = (ROOT / "workflow/report/demo.png").read_bytes()
    files.append(File.generated(config, PAGES["workflow/report/demo.png"], content=picture))
    name = f"schemas/{editor_schema.NAME}"
    schema = editor_schema.build(posixpath.join(config.site_url or "", name))
    files.append(File.generated(config, name, content=json.dumps(schema, indent=1)))
    return files


def on_page_markdown(text: str, page: Any, **_: Any) -> str:
    """Mend the links of a page of docs/."""
    if page.file.generated_by:
        return text
    return rewritten(text, f"docs/{page.file.src_uri}")
