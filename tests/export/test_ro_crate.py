"""`mesodecode export-crate`: what a study was made of and by, as an RO-Crate."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

import mesodecode
from mesodecode import cli
from mesodecode.base.files import UserError
from mesodecode.export import ro_crate


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "results" / "my lab"
    for name in ("tables/auc.tsv", "tables/quality/cnn gru.tsv", "figures/auc.svg", "report.html"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "config.json").write_text("{}")
    for hidden in ("tables/.part.tsv", "logs/auc.log", "recordings/a1.h5"):
        (folder / hidden).parent.mkdir(exist_ok=True)
        (folder / hidden).write_text("no part of the crate")
    movie = {"path": "data/a1.tif", "sha256": "ab" * 32, "bytes": 12, "stamp": "x"}
    (folder / "sources").mkdir()
    speed = movie | {"path": "data/a1.mat", "sha256": "cd" * 32, "bytes": 3}
    other = movie | {"path": "data/a2.tif", "sha256": "ef" * 32}
    sources = {"a1": {"movie": movie, "behavior": speed}, "a2": {"movie": other}}
    for session, files in sources.items():
        record = json.dumps({"revision": "", "sources": files})
        (folder / f"sources/{session}.json").write_text(record)
    return folder


def test_crate_lists_results_inputs_and_software(study, capsys):
    words = ["--licence", "CC-BY-4.0", "--author", "A. B.", "--orcid", "0000-0002-1825-0097"]
    assert cli.main(["export-crate", "--study", str(study), *words]) in (None, 0)
    assert capsys.readouterr().out.endswith("ro-crate-metadata.json: 5 files\n")
    crate = json.loads((study / "ro-crate-metadata.json").read_text())
    by_id = {entity["@id"]: entity for entity in crate["@graph"]}
    assert len(by_id) == len(crate["@graph"])
    root = by_id["./"]
    listed = [part["@id"] for part in root["hasPart"]]
    assert listed == [  # in the same order in every crate
        *("config.json", "figures/auc.svg", "report.html", "tables/auc.tsv"),
        "tables/quality/cnn%20gru.tsv",
    ]
    files = set(listed)
    table = by_id["tables/quality/cnn%20gru.tsv"]
    assert table["sha256"] == hashlib.sha256(b"tables/quality/cnn gru.tsv").hexdigest()
    assert table["contentSize"] == "26"
    run = by_id[root["mentions"]["@id"]]
    movie, *others = [by_id[one["@id"]] for one in run["object"]]
    assert [(one["name"], one["sha256"][:2], one["description"]) for one in others] == [
        ("data/a1.mat", "cd", "behavior of session a1"),
        ("data/a2.tif", "ef", "movie of session a2"),
    ]
    assert (movie["name"], movie["sha256"]) == ("data/a1.tif", "ab" * 32)
    assert movie["contentSize"] == "12" and movie["description"] == "movie of session a1"
    assert {one["@id"] for one in run["result"]} == files
    tool = by_id[run["instrument"]["@id"]]
    assert tool["version"] == mesodecode.__version__
    assert by_id[tool["softwareRequirements"][1]["@id"]]["name"] == "snakemake"
    assert by_id[run["agent"]["@id"]]["name"] == "A. B."
    assert run["agent"]["@id"] == "https://orcid.org/0000-0002-1825-0097"
    assert by_id[root["license"]["@id"]]["@id"] == "https://spdx.org/licenses/CC-BY-4.0"
    # everything that is referred to is there
    text = json.dumps(crate)
    for reference in ("#mesodecode", "#run", ro_crate.PROFILE):
        assert reference in by_id and reference in text


def test_files_are_of_their_media_types(study):
    types = {
        "config.json": "application/json",
        "tables/auc.tsv": "text/tab-separated-values",
        "figures/auc.svg": "image/svg+xml",
        "references.bib": "application/x-bibtex",
        "predictions/cnn/a.h5": "application/x-hdf5",
        "nwb/a1.nwb": "application/x-hdf5",
        "models/cnn/a.pt": "application/zip",
        "models/roi/a.joblib": "application/octet-stream",
        "figures/auc.png": "image/png",
        "report.html": "text/html",
    }
    for name in types:
        (study / name).parent.mkdir(parents=True, exist_ok=True)
        (study / name).touch()
    graph = ro_crate.describe(study, licence="CC0-1.0")["@graph"]
    by_id = {entity["@id"]: entity for entity in graph}
    assert {name: by_id[name]["encodingFormat"] for name in types} == types


def test_crate_says_from_when_to_when_results_were_made_and_by_whom(study):
    for path in study.rglob("*.*"):
        os.utime(path, (0, 1.2e9))
    os.utime(study / "report.html", (0, 1.3e9))
    os.utime(study / "tables/auc.tsv", (0, 1.1e9))
    os.utime(study / "logs/auc.log", (0, 1.0e9))  # no result
    for orcid in ("0000-0002-1825-0097", "https://orcid.org/0000-0002-1825-0097"):
        graph = ro_crate.describe(study, licence="CC0-1.0", author="A. B.", orcid=orcid)["@graph"]
        by_id = {entity["@id"]: entity for entity in graph}
        run = by_id["#run"]
        assert run["startTime"] == "2004-11-09T11:33:20+00:00"
        assert run["endTime"][:10] == by_id["./"]["datePublished"] == "2011-03-13"
        assert run["agent"]["@id"] == "https://orcid.org/0000-0002-1825-0097"


def test_crate_describes_itself_when_made_again(study):
    first = ro_crate.describe(study, licence="https://example.org/mine")
    (study / ro_crate.NAME).write_text("{}")
    assert ro_crate.describe(study, licence="https://example.org/mine") == first


def test_study_that_is_not_finished_or_broken_is_named(study):
    none = ["[]", "{", "{}", '{"sources": []}', '{"sources": {"movie": {"path": "m.tif"}}}']
    for record in none:
        (study / "sources/b1.json").write_text(record)
        with pytest.raises(UserError, match=r"b1\.json: no record of sources"):
            ro_crate.describe(study, licence="CC0-1.0")
    (study / "report.html").unlink()
    with pytest.raises(UserError, match="run the study first"):
        ro_crate.describe(study, licence="CC0-1.0")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{}", "Running and rest of mice decoded"),
        ('{"target": "states"}', "Behavioural states of mice decoded"),
        ('{"target": "pupil"}', "A trace of the behaviour (pupil) of mice decoded"),
        ('{"kind": "encoding"}', "Responses of neurons to images, predicted"),
    ],
)
def test_crate_says_what_was_decoded(study, config, said):
    (study / "config.json").write_text(config)
    made = ro_crate.describe(study, licence="CC0-1.0")["@graph"]
    (root,) = [one for one in made if one["@id"] == "./"]
    assert root["description"].startswith(said)
    for none in ("[1", "5", "[1, 2]", "null"):
        (study / "config.json").write_text(none)
        with pytest.raises(UserError, match=r"config\.json: no config that a run wrote"):
            ro_crate.describe(study, licence="CC0-1.0")


@pytest.mark.parametrize(
    ("given", "url", "name"),
    [
        ("CC-BY-4.0", "https://spdx.org/licenses/CC-BY-4.0", "CC-BY-4.0"),
        ("https://example.org/own/", "https://example.org/own/", "own"),
    ],
)
def test_a_licence_is_named_by_its_word_or_address(study, given, url, name):
    graph = ro_crate.describe(study, licence=given)["@graph"]
    (found,) = [one for one in graph if one["@id"] == url]
    assert (found["name"], found["description"]) == (name, f"Licence {name}")
