"""The works that a study's methods may rest on, for its report and as BibTeX.

They stand in references.bib beside this file, to be edited with a reference manager.
A text cites by key, as pandoc does: ``[@holm1979]`` or ``[@cho2014; @hochreiter1997]``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

CITATION = re.compile(r"\[(@\w+(?:; @\w+)*)\]")
MOST_AUTHORS = 6  # in a reference; of more, the first six and "et al."
_BRACED = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\}"  # two pairs inside at most
_ENTRY = re.compile(rf"^@(\w+)\{{([^,\s{{}}]*),?((?:[^{{}}]|{_BRACED})*)\}}", re.MULTILINE)
_FIELD = re.compile(rf'(\w+)\s*=\s*({_BRACED}|"[^"]*"|\w+)')
_WHERE = {"article": "journal", "inproceedings": "booktitle", "book": "publisher"}


@dataclass(frozen=True)
class Work:
    """One work: BibTeX's `kind`, authors as "Family, I. J.", title, where and when it appeared.

    `venue` is the journal, the proceedings or the publisher; for `misc` how it was published.
    """

    kind: str
    authors: str
    title: str
    venue: str
    year: int
    volume: str = ""
    number: str = ""
    pages: str = ""
    doi: str = ""
    url: str = ""

    @property
    def families(self) -> list[str]:
        """Family names; "others" stands for those that are not listed."""
        return [author.split(",")[0] for author in self.authors.split(" and ")]

    def cited(self) -> str:
        """Return the work as a text cites it, such as ``Lundberg & Lee 2017``."""
        names = self.families
        who = " & ".join(names) if len(names) < 3 else f"{names[0]} et al."
        return f"{who} {self.year}"

    def formatted(self) -> str:
        """Return the work as a list of references has it, without its DOI or address."""
        people = [_short(author) for author in self.authors.split(" and ")]
        listed = [name for name in people[:MOST_AUTHORS] if name != "others"]
        who = ", ".join([*listed, *(["et al."] if listed != people else [])])
        issue = f"{self.volume}({self.number})" if self.number else self.volume
        place = f" {issue}" if issue else ""
        if self.pages:
            place += f"{':' if issue else ','} {self.pages}"
        return f"{who} ({self.year}) {self.title}. {self.venue}{place}."

    def link(self) -> str:
        """Return the address of the work; empty if it has none."""
        return f"https://doi.org/{self.doi}" if self.doi else self.url


def read(text: str) -> dict[str, Work]:
    """Return the works of a BibTeX file by key, in its order; other fields than `Work`'s are left.

    Values stand in braces or quotes, in UTF-8: braces inside them are dropped, as `bibtex` keeps
    all capitals. Raises ValueError for an entry that cannot be read, or whose key is there twice.
    """
    entries = _ENTRY.findall(text)
    if len(entries) != len(re.findall(r"^\s*@", text, re.MULTILINE)):
        raise ValueError(f"{len(entries)} entries can be read, and there are more; check braces")
    works: dict[str, Work] = {}
    for kind, key, body in entries:
        if kind.lower() == "comment":  # of a reference manager
            continue
        fields = {name.lower(): _bare(value) for name, value in _FIELD.findall(body)}
        fields["venue"] = fields.get(_WHERE.get(kind.lower(), "howpublished"), "")
        if missing := [n for n in ("author", "title", "venue", "year") if not fields.get(n)]:
            raise ValueError(f"{key}: no {', '.join(missing)}")
        if key in works or "\\" in body:
            raise ValueError(f"{key}: {'twice' if key in works else 'LaTeX; write UTF-8'}")
        works[key] = Work(
            kind=kind.lower(),
            authors=fields["author"],
            title=fields["title"],
            venue=fields["venue"],
            year=int(fields["year"]),
            volume=fields.get("volume", ""),
            number=fields.get("number", ""),
            pages=fields.get("pages", "").replace("--", "-"),
            doi=fields.get("doi", ""),
            url=fields.get("url", ""),
        )
    return works


def cited_in(texts: Iterable[str]) -> dict[str, Work]:
    """Return the works that texts cite by key, sorted by author and year."""
    groups = (group for text in texts for group in CITATION.findall(text))
    keys = {key.removeprefix("@") for group in groups for key in group.split("; ")}
    works = {key: WORKS[key] for key in keys}
    order = sorted(works, key=lambda key: (works[key].families[0].lower(), works[key].year, key))
    return {key: works[key] for key in order}


def bibtex(works: Mapping[str, Work]) -> str:
    """Return works by key as a BibTeX file (UTF-8)."""
    return "\n".join(_entry(key, work) for key, work in works.items())


def _bare(value: str) -> str:
    """Return a value without the quotes around it, without braces, on one line."""
    value = value[1:-1] if value.startswith('"') else re.sub("[{}]", "", value)
    return " ".join(value.split())


def _short(author: str) -> str:
    """Return "Family, I. J." as "Family IJ"."""
    family, _, initials = author.partition(", ")
    return f"{family} {re.sub('[. ]', '', initials)}".strip()


def _entry(key: str, work: Work) -> str:
    fields = {
        "author": work.authors,
        "title": f"{{{work.title}}}",  # a second pair of braces keeps its capitals
        _WHERE.get(work.kind, "howpublished"): work.venue,
        "year": str(work.year),
        "volume": work.volume,
        "number": work.number,
        "pages": work.pages.replace("-", "--"),
        "doi": work.doi,
        "url": work.url,
    }
    lines = [f"  {name} = {{{value}}},\n" for name, value in fields.items() if value]
    return f"@{work.kind}{{{key},\n{''.join(lines)}}}\n"


WORKS: Mapping[str, Work] = read(Path(__file__).with_suffix(".bib").read_text(encoding="utf-8"))
