"""What `init` found, as a short table for the terminal."""

from mesodecode.base.files import first_few
from mesodecode.study.discovery.config_text import KEYS, RATE
from mesodecode.study.discovery.found import Found

SHOWN = 3  # files without a use that are named


def found_table(found: Found) -> list[str]:
    """Return lines: what, and where it was found."""
    n_sessions = sum(map(len, found.mice.values()))
    rows = [
        ("layout", found.program or "no known one: guessed from names"),
        ("sessions", f"{n_sessions} of {len(found.mice)} mice, by {found.guess or 'their names'}"),
        *(("movie", pattern) for pattern in found.patterns["movie"]),
    ]
    rows += [(key, found.patterns[kind][0]) for kind, key in KEYS.items() if kind in found.patterns]
    tables = {**found.settings, **{f"corrections: {k}": v for k, v in found.corrections.items()}}
    rows += [
        (key, f"{value}" + (f"   {said}" if said else "")) for key, (value, said) in tables.items()
    ]
    if "behavior" not in found.patterns:
        rows.append(("behavior", "FILL IN: none was found"))
    if "frame_rate" not in found.settings:
        rows.append(("frame_rate", f"{RATE[0]}   {RATE[1]}"))
    if found.left:
        rows.append(("not used", first_few(found.left, SHOWN)))
    width = max(len(what) for what, _ in rows)
    return [f"{what:<{width}}  {words}" for what, words in rows]
