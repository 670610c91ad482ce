"""A finished study as an RO-Crate: what was made of which files, by which software, with hashes.

RO-Crate 1.1 with the profile Process Run Crate 0.5 (https://w3id.org/ro/wfrun/process/0.5): one
JSON-LD file beside the results. Inputs are known by the records that `mesodecode preprocess` leaves
in sources/, and are named and hashed, not part of the crate.
"""

import json
import mimetypes
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mesodecode import __version__
from mesodecode.base.files import UserError, sha256
from mesodecode.export.current import current

NAME = "ro-crate-metadata.json"  # of the specification
CRATE = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
TERMS = "https://w3id.org/ro/terms/workflow-run/context"  # has sha256, which 1.1 has not
# Results that are kept: not recordings, features, logs and what trainings need while they run.
KEPT = (
    *("config.json", "allocations.tsv", "report.html", "references.bib", "tables/**/*.tsv"),
    *("figures/**/*.svg", "figures/**/*.png", "models/**/*", "predictions/**/*", "nwb/*.nwb"),
)
TYPES = mimetypes.MimeTypes()  # none that a machine adds: .pt as those of a console's games
LIBRARIES = ("snakemake", "torch", "numpy", "scipy", "scikit-learn", "pandas", "h5py", "tifffile")
FORMATS = {
    ".tsv": "text/tab-separated-values",
    ".pt": "application/zip",  # as torch writes them
    ".h5": "application/x-hdf5",
    ".nwb": "application/x-hdf5",
    ".bib": "application/x-bibtex",
}


def describe(
    study: Path, *, licence: str, author: str | None = None, orcid: str | None = None
) -> dict[str, Any]:
    """Return the metadata of results/{study}, to be written there as `NAME`.

    `licence` is an SPDX identifier or URL; `orcid` (URL or number) is the author's. Start and end
    are the dates of the first and the last file that was made.
    Raises UserError if the study has not been run to its report, or a record cannot be read.
    """
    if not all((study / name).is_file() for name in ("config.json", "report.html")):
        raise UserError(f"{study}: no config.json and report.html there; run the study first")
    paths = {path for pattern in KEPT for path in study.glob(pattern) if _is_kept(path)}
    paths = sorted(current(study, paths))
    files = [_file(path, study) for path in paths]
    inputs = list(_inputs(study))
    software = [_software("Python", platform.python_version()), *_libraries()]
    tool = _software("mesodecode", __version__)
    tool["softwareRequirements"] = _refer(software)
    dates = sorted(path.stat().st_mtime for path in paths)
    people = [_person(author, orcid)] if author else []
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"mesodecode run of the study {study.name}",
        "instrument": {"@id": tool["@id"]},
        "object": _refer(inputs),
        "result": _refer(files),
        "startTime": _date(dates[0]),
        "endTime": _date(dates[-1]),
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
    }
    given = _licence(licence)
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"mesodecode study {study.name}",
        "description": f"{_subject(study / 'config.json')}: tables, figures, models and "
        f"predictions of the study {study.name}",
        "datePublished": _date(dates[-1])[:10],
        "license": {"@id": given["@id"]},
        "conformsTo": {"@id": PROFILE},
        "hasPart": _refer(files),
        "mentions": {"@id": "#run"},
    }
    if people:
        root["author"] = action["agent"] = {"@id": people[0]["@id"]}
    profile = {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate"}
    descriptor = {
        "@id": NAME,
        "@type": "CreativeWork",
        "conformsTo": {"@id": CRATE},
        "about": {"@id": "./"},
    }
    about = [descriptor, root, profile | {"version": "0.5"}, given, *people, action, tool]
    graph = [*about, *software, *inputs, *files]
    return {"@context": [f"{CRATE}/context", TERMS], "@graph": graph}


def _subject(config: Path) -> str:
    """Return what a study is about, by its resolved config. Raises UserError for no config."""
    try:
        found = dict(json.loads(config.read_bytes()))
    except (ValueError, TypeError):
        raise UserError(f"{config}: no config that a run wrote; run the study again") from None
    if found.get("kind") == "encoding":
        return "Responses of neurons to images, predicted from the images"
    target = found.get("target", "run")
    named = {"run": "Running and rest", "states": "Behavioural states"}
    what = named.get(target, f"A trace of the behaviour ({target})")
    return f"{what} of mice decoded from widefield calcium imaging, across mice"


def _is_kept(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _file(path: Path, study: Path) -> dict[str, Any]:
    below = path.relative_to(study).as_posix()
    kind = FORMATS.get(path.suffix) or TYPES.guess_type(path.name)[0]
    return {
        "@id": quote(below),
        "@type": "File",
        "name": below,
        "contentSize": str(path.stat().st_size),
        "sha256": sha256(path),
        "encodingFormat": kind or "application/octet-stream",
    }


def _inputs(study: Path) -> Iterable[dict[str, Any]]:
    """Yield the files that recordings were made of, as their records have them."""
    for record in sorted(current(study, (study / "sources").glob("[!.]*.json"))):
        try:
            sources = json.loads(record.read_bytes())["sources"]
            for kind, source in sources.items():
                yield {
                    "@id": f"#{quote(record.stem)}-{kind}",
                    "@type": "CreativeWork",
                    "name": source["path"],
                    "description": f"{kind} of session {record.stem}",
                    "sha256": source["sha256"],
                    "contentSize": str(source["bytes"]),
                }
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(
                f"{record}: no record of sources; make it again with "
                "`snakemake --forcerun preprocess`"
            ) from None


def _software(name: str, version: str) -> dict[str, Any]:
    return {
        "@id": f"#{name}",
        "@type": "SoftwareApplication",
        "name": name,
        "version": version,
        "softwareVersion": version,
    }


def _libraries() -> Iterable[dict[str, Any]]:
    for name in LIBRARIES:
        try:
            yield _software(name, metadata.version(name))
        except metadata.PackageNotFoundError:
            continue


def _licence(given: str) -> dict[str, Any]:
    url = given if "://" in given else f"https://spdx.org/licenses/{quote(given)}"
    name = given.rstrip("/").rpartition("/")[2]
    return {"@id": url, "@type": "CreativeWork", "name": name, "description": f"Licence {name}"}


def _person(name: str, orcid: str | None) -> dict[str, Any]:
    url = f"https://orcid.org/{orcid.rpartition('/')[2]}" if orcid else "#author"
    return {"@id": url, "@type": "Person", "name": name}


def _refer(entities: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [{"@id": entity["@id"]} for entity in entities]


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
