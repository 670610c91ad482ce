"""Which files of a study's folder are results of its config as it is now.

Nothing is deleted when a config is edited: tables of an analysis that is no longer asked for, and
models of a decoder that has another name or of a mouse that was taken out, stay where they are.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.base.tables import read_table
from mesodecode.study import importance, not_asked, session_ids, targets

# Folders below a study's own, and what names the files in each: a key of `_names`.
NAMED = {
    **dict.fromkeys(("models", "predictions"), ("model", "allocation")),
    **dict.fromkeys(("nwb", "sources", "figures/qc"), ("session",)),
    **dict.fromkeys(("tables/quality", "tables/quality_curves"), ("model",)),
    "tables/shift": ("shifted",),
    **dict.fromkeys(("tables/comparisons", "tables/inference"), ("comparison",)),
}
# Beginnings of names in figures/ and tables/ -> what follows: a name, whole.
BEGINNINGS = {"loss_": "model", "quality_": "model", "importance_": "importance"}
BEGINNINGS |= {f"{kind.table}_": "comparison" for kind in targets.KINDS.values()}
OF_MAPS = re.compile(f"_({'|'.join(importance.TABLES)})$")


def current(study: Path, paths: Iterable[Path]) -> list[Path]:
    """Return those of `paths`, all below results/{study}, that its config.json still asks for.

    What is of no known kind is kept, and what is left out is said. Raises UserError for a config
    that is none.
    """
    try:
        config = dict(json.loads((study / "config.json").read_bytes()))
    except (ValueError, TypeError):
        raise UserError(
            f"{study / 'config.json'}: no config that a run wrote; run the study again"
        ) from None
    names, gone = _names(study, config), not_asked.not_asked(config)
    paths = list(paths)
    kept = [path for path in paths if _is_current(path.relative_to(study), names, gone)]
    not_asked.say_left(study, sorted({*paths} - {*kept}))
    return kept


def _names(study: Path, config: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return kind -> names that the config has of it; of kinds left out nothing is known."""
    found = {"model": {*config.get("decoders", {}), *config.get("models", {})}}
    if config.get("kind") == "encoding" or "mice" not in config:
        return found if config.get("models") else {}
    found["session"] = {s for ids in session_ids.included(config).values() for s in ids}
    found["shifted"] = {*config.get("shift", {}).get("decoders", ())}
    found["importance"] = {*config.get("importance", {})}
    found["comparison"] = not_asked.compared(config)
    if (table := study / "allocations.tsv").is_file():
        found["allocation"] = {*read_table(table, ["allocation"], numbers=())["allocation"]}
    return found


def _is_current(path: Path, names: Mapping[str, set[str]], gone: set[str]) -> bool:
    """Tell whether a path below a study's folder has no name that is gone."""
    top, folder = path.parts[0], path.parent.as_posix()
    stem = re.sub(r"(\.history|\.epoch)$", "", path.stem) if top == "models" else path.stem
    if top in ("models", "predictions") and len(path.parts) == 3:
        kinds, words = NAMED[top], (path.parts[1], stem)
    elif path.parent.name in gone:
        return False
    elif folder in NAMED:
        kinds, words = NAMED[folder], (stem,)
    elif folder in ("tables", "figures"):
        if stem in gone:
            return False
        begin = next((b for b in BEGINNINGS if stem.startswith(b)), None)
        kinds = (BEGINNINGS[begin],) if begin else ()
        words = (stem.removeprefix(begin or ""),)
        if begin == "importance_" and words[0] not in names.get("importance", ()):
            words = (OF_MAPS.sub("", words[0]),)
    else:
        return True
    return all(word in names.get(kind, {word}) for kind, word in zip(kinds, words, strict=False))
