"""What the rules run, as it is written down: a command of each rule for the configs in ledger/.

One that changed on purpose is read in the diff of commands.txt, which
`COMMANDS=write pytest -n 0 tests/workflow/test_commands.py` writes anew.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from make import ROOT, dry_run
from mesodecode.export.current import current
from mesodecode.study import study

FILE = Path(__file__).with_name("commands.txt")
CONFIGS = sorted(Path(__file__).with_name("ledger").glob("*.yaml"))
RESOURCES = {"gpu", "mem_mb", "runtime"}  # what a cluster is asked for beside threads
# Lists of files, and what test_workflow.py has of downloads.
WITHOUT = {"benchmark", "fetch", "figures", "tables"}


# Decoders of the same ROIs; allocations that differ in who tests; dates of when all are there;
# sessions whose names are their seeds.
TWICE = {"dropped_rois", "choose_epoch", "predictions_of_decoder", "simulate"}


def jobs_of(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield of each job its rule, what is told of it, and its command in one line."""
    for block in re.split(r"^(?=(?:local)?rule \w+:$)", text, flags=re.MULTILINE)[1:]:
        run = re.search(r"\nShell command: (?!None)(.*?)(?=\n\n|\Z)", block, re.DOTALL)
        rule = re.match(r"(?:local)?rule (\w+):", block)[1]
        yield rule, block, " ".join(run[1].split()) if run else ""


def alike(text: str) -> list[str]:
    """Return the commands that two jobs of a rule share, whatever they call themselves.

    Such as jobs on parts of something that all take the first of it.
    """
    seen = Counter()
    for rule, block, line in jobs_of(text):
        for told in re.findall(r"^    (?:output|log): (.*)$", block, re.MULTILINE):
            for file in told.split(", "):
                line = line.replace(file, "")
        named = re.findall(r"^    wildcards: (.*)$", block, re.MULTILINE)
        for value in re.findall(r"=([^,]+)", "".join(named)):
            line = re.sub(rf"(?<!\S){re.escape(value)}(?!\S)", "", line)
        seen[rule, line] += bool(line)
    return sorted(
        f"{rule}: {line}" for (rule, line), times in seen.items() if times > 1 and rule not in TWICE
    )


def rules_run(text: str) -> list[str]:
    """Return of each rule, for each set of its flags, the first job: what it runs after what.

    Files that a job waits for are those that its command does not name; what it asks for follows,
    and last what makes it run again beside all that.
    """
    found: dict[tuple[str, ...], str] = {}
    for rule, block, line in jobs_of(text):
        read = re.search(r"^    input: (.*)$", block, re.MULTILINE)
        waited = [file for file in (read[1].split(", ") if read else ()) if file not in line]
        asked = re.search(r"^    resources: (.*)$", block, re.MULTILINE)[1].split(", ")
        asked = sorted(one for one in asked if one.partition("=")[0] in RESOURCES)
        entry = f"{rule}: {line}" + (f" < {' '.join(waited)}" if waited else "")
        entry += f" [{' '.join(asked)}]" if asked else ""
        beside = re.search(r"^    params: (.+)$", block, re.MULTILINE)
        entry += f" {{{beside[1]}}}" if beside else ""
        key = (rule, *sorted(re.findall(r"(?<!\S)'?(--[a-z-]+)", line)))
        found[key] = min(found.get(key, entry), entry)
    return sorted(found.values())


def written(name: str) -> list[str]:
    """Return the lines of a config in the file."""
    text = FILE.read_text(encoding="utf-8").partition(f"# {name}\n")[2]
    return text.partition("\n# ")[0].splitlines()


def sources(folder: Path, config: dict) -> None:
    """Make the source files of a study, empty: all paths of its config, for each session.

    Of a study with variants, records too: the first session's files are not what they were.
    """
    mice = config.get("mice") or {"": config["sessions"]}
    for path in re.findall(r"my data/[\w{}.]+", yaml.safe_dump(config)):
        for mouse, session in ((mouse, one) for mouse, them in mice.items() for one in them):
            file = folder / path.format(mouse=mouse, session=session)
            file.parent.mkdir(exist_ok=True)
            file.touch()
    if config.get("variants"):  # whose recording of a session is of its third files
        (session, *_), *_ = mice.values()
        for made, revision in (("", "second"), ("variants/raw/", "third")):
            record = folder / f"results/{config['study']}/{made}sources/{session}.json"
            record.parent.mkdir(parents=True)
            record.write_text(json.dumps({"revision": revision, "sources": {}}))


@pytest.mark.parametrize("path", CONFIGS, ids=[path.stem for path in CONFIGS])
def test_rules_run_what_is_written(tmp_path, path):
    config = yaml.safe_load(path.read_text())
    sources(tmp_path, config)
    words = ["--cores", "9", "all", *(["export"] if "nwb" in config else [])]
    told = dry_run(tmp_path, *words, config=config, main="mains:told_params")
    assert alike(told) == []
    found = rules_run(told)
    if os.environ.get("COMMANDS") == "write":
        parts = {p.stem: found if p == path else written(p.stem) for p in CONFIGS}
        text = "\n".join(f"# {name}\n" + "\n".join(lines) + "\n" for name, lines in parts.items())
        FILE.write_text(text, encoding="utf-8")
    assert found == written(path.stem)


def test_every_rule_is_written():
    rules = "".join(p.read_text() for p in (ROOT / "workflow/rules").glob("*.smk"))
    named = {*re.findall(r"^ *(?:use rule \w+ as|rule) (\w+)", rules, re.MULTILINE)}
    found = {*re.findall(r"^(\w+): ", FILE.read_text(encoding="utf-8"), re.MULTILINE)}
    assert named - found == WITHOUT


def test_what_only_another_study_makes_is_known_to_be_an_earlier_config_s(tmp_path):
    """A table that hangs on a key of the config has its line in study/not_asked.py."""
    studies, made = {}, {}
    for path in CONFIGS:
        config = yaml.safe_load(path.read_text())
        if config.get("kind") != "encoding":
            studies[path.stem] = study.resolve(config).config
            named = rf"results/{config['study']}/((?:tables|figures)/[\w-]+\.[a-z]+)"
            made[path.stem] = {*re.findall(named, "\n".join(written(path.stem)))}
    for name, config in studies.items():
        (tmp_path / "config.json").write_text(json.dumps(config))
        paths = [tmp_path / file for file in set().union(*made.values())]
        kept = {file.relative_to(tmp_path).as_posix() for file in current(tmp_path, paths)}
        assert kept == made[name]
