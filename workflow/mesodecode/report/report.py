"""The report of a study: one HTML file that needs nothing else, for a mailbox or an archive."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from mesodecode.base.files import UserError
from mesodecode.report import decoder_words, formats, front, methods, summaries
from mesodecode.report.sections import SECTIONS
from mesodecode.scores import published_tests
from mesodecode.study import schema, targets

TEMPLATES = Path(__file__).parent / "templates"
CONFIG_KEYS = ("study", "mice", "allocation", "decoders")
SIGNIFICANT = 0.05
FOLD = 30  # rows; a longer table is folded


def filled(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved config with the defaults of keys that came later.

    Raises UserError if it lacks a key.
    """
    for key in CONFIG_KEYS:
        if key not in config:
            raise UserError(f"config: no key {key}; give the resolved config, which has all keys")
    return schema.defaults("config", **config)


def environment(*folders: Path) -> jinja2.Environment:
    """Return what renders the templates in folders, with the formats of `formats` as filters."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    made.filters |= {
        "auc": formats.format_auc,
        "p": formats.format_p,
        "setting": formats.format_setting,
        "number": formats.format_number,
        "hours": formats.format_hours,
        "cited": formats.cited,
    }
    return made


def render(
    config: Mapping[str, Any], tables: Mapping[str, Any], figures: Mapping[str, Path]
) -> str:
    """Return the report as HTML: each of SECTIONS that has something to show.

    `config` is that of `filled`, `tables` those of `given.read_tables` and `figures` those of
    `given.find_figures`. Raises UserError if the config lacks a setting or a figure is of
    another kind.
    """
    scored = targets.kind_named(config["target"])
    made = environment(TEMPLATES)
    made.globals |= {
        "describe": decoder_words.describe,
        "fold": FOLD,
        "significant": SIGNIFICANT,
        "test_names": published_tests.TEST_NAMES,
        "config": config,
        "scored": scored,
        "decoded": methods.decoded(config),
        "progress": summaries.progress(
            config, tables["allocations"], tables[scored.table], tables["cohort"]
        ),
        "versions": formats.versions(),
        "commit": formats.commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    shown = [(section.name, section.shown(config, tables, figures)) for section in SECTIONS]
    parts = {name: part for name, part in shown if part is not None}
    pages = [Markup(made.get_template(part["template"]).render(part)) for part in parts.values()]
    first = front.page(config, parts, tables)
    return made.get_template("report.html.j2").render(parts=parts, pages=pages, front=first)
