"""Verbs of studies, of what is simulated, exported and reported (see `called`)."""

from collections.abc import Mapping, Sequence

from called import TABLES, Made, Row


def study(
    mice: Mapping[str, Sequence[str]], test: Mapping[str, Sequence[str]], decoders: str
) -> Made:
    """Return a study of sessions by mouse, of allocations with the mice that test in each."""
    return Made(
        "study",
        [],
        mice=mice,
        by_id={name: f"session {name}" for names in mice.values() for name in names},
        allocations={a: Made(a, [], id=a, test=mice) for a, mice in test.items()},
        decoders=dict.fromkeys(decoders),
    )


EXPORTED = (
    "decoders.predictions export.nwb_export export.nwb_metadata recordings.qc_measures "
    "recordings.recording study.study"
)
EXPORTED_STUDY = {
    "study.study.load": lambda path: study(
        {"m2": ["s4", "s3"], "m1": ["s2", "s1"]}, {"a2": ["m1"], "a1": ["m2"]}, "edc"
    ),
    "export.nwb_metadata.read_metadata": lambda sessions, *more: {
        name: f"metadata of {name}" for name in sessions
    },
}

VERBS: dict[str, Row] = {
    "allocations": (
        "--config c --out o",
        "base.files study.study",
        {"study.study.load": lambda path: Made("study", [], allocation_table=lambda: "table")},
    ),
    "cohort-figure": (
        "--cohort c --recordings r --out o",
        f"{TABLES} recordings.recording report.cohort_figure",
        {},
    ),
    "export-crate": (
        "--study s --licence l --author a --orcid o",
        "base.files export.ro_crate",
        {
            "export.ro_crate.describe": lambda folder: {
                "@graph": [{"@type": one} for one in ("File", "Person", "File")]
            }
        },
    ),
    "export-nwb": (
        "--config c --recordings r --predictions p --out o --excitation 470",
        EXPORTED,
        EXPORTED_STUDY,
    ),
    "export-nwb: of some": (
        "--config c --recordings r --predictions p --measures q --session s1 s3 --decoders d c "
        "--out o --excitation 470",
        f"{EXPORTED} study.session_ids",
        EXPORTED_STUDY | {"study.session_ids.one_named": lambda name, *more: Made("", [], id=name)},
    ),
    "report": (
        "--config c --tables b a --figures g f --out o --references r",
        "base.files report.given report.references report.report report.section_words",
        {},
    ),
    "report: without figures": (
        "--config c --tables b a --out o",
        "base.files report.given report.references report.report report.section_words",
        {},
    ),
    "schema": ("--out o", "study.editor_schema", {}),
    "simulate": (
        "--mice 3 --sessions 4 --out o --n-frames 90",
        "simulation.simulate cli.simulation.simulate:say",
        {"simulation.simulate.cohort": [("m1", "s1", 0.25), ("m2", "s2", 0.5)]},
    ),
    "simulate: as it comes": (
        "--out o",
        "simulation.simulate",
        {"simulation.simulate.cohort": []},
    ),
    "simulate: one": (
        "--mouse m --session s --run-share 0.25 --out o",
        "simulation.simulate cli.simulation.simulate:say",
        {},
    ),
    "tables": (
        "x/b.tsv x/a.tsv --format latex --out o",
        "base.files export.manuscript",
        {},
    ),
    "tables: into a file": (
        "a.tsv --format csv --out o.csv",
        "base.files export.manuscript",
        {},
    ),
    "tables: of a study": (
        "b.tsv --study s",
        "base.files export.manuscript",
        {
            "base.natural_order.in_order": lambda paths: ["s/tables/a.tsv"],
            "export.manuscript.markdown": lambda table: f"{table} in Markdown\n",
        },
    ),
    "export-crate: of nobody": (
        "--study s --license l",
        "base.files export.ro_crate",
        {"export.ro_crate.describe": {"@graph": []}},
    ),
}
