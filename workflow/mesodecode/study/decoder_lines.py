"""Lines of the decoder table as they stand in a config: what each has with `like` and its variant.

The Snakefile imports this module: nothing heavy here.
"""

from collections.abc import Mapping
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.study import kinds, schema

Table = Mapping[str, Mapping[str, Any]]


def merged(name: str, table: Table, variants: Table) -> dict[str, Any]:
    """Return the settings of a line, over those that its variant and those that it is `like` give.

    Of a variant's settings a decoder takes those that its kind has. Raises UserError naming the
    line if what it is like, or its variant, is not there.
    """
    lines = _ancestry(name, table)
    plain: dict[str, Any] = {}
    for line in reversed(lines):
        plain |= line
    known, settings = schema.properties(kinds.kind_of(plain).name), {}
    for line in reversed(lines):
        variant = line.get("variant")
        named = isinstance(variant, str)  # what is not is refused by the schema
        if named and variant not in variants:
            raise UserError(
                f"config: decoders.{name}.variant: no variant '{variant}'; known: "
                f"{', '.join(variants) or 'none'}"
            )
        given = variants[variant]["settings"] if named else {}
        settings |= {key: value for key, value in given.items() if key in known} | line
    return settings


def _ancestry(name: str, table: Table) -> list[dict[str, Any]]:
    """Return a line and those that it is like, without that word, the farthest last."""
    lines, seen = [dict(table[name])], [name]
    while "like" in lines[-1]:
        parent = lines[-1].pop("like")
        if not isinstance(parent, str) or parent not in table:
            raise UserError(
                f"config: decoders.{seen[-1]}.like: no decoder '{parent}'; "
                f"known: {', '.join(table)}"
            )
        if parent in seen:
            raise UserError(
                f"config: decoders.{name}.like: {' → '.join([*seen, parent])} is a circle"
            )
        lines.append(dict(table[parent]))
        seen.append(parent)
    return lines
