"""Verbs of suites (see `called`)."""

from called import TABLES, Row

VERBS: dict[str, Row] = {
    "suite": (
        "--studies s_2 s_10 s_1 --out o --figure f",
        f"{TABLES} suite.suite suite.suite_figure",
        {},
    ),
}
