"""The tables and figures that a report is given, in files or folders: known by their names."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from mesodecode.base.files import UserError
from mesodecode.report.sections import SECTIONS, names
from mesodecode.study import not_asked, targets

FOLDERS = ("qc",)  # of figures that are named by a session alone


def read_tables(config: Mapping[str, Any], given: Iterable[str | Path]) -> dict[str, Any]:
    """Return name -> table of the files and folders given, as the sections read them.

    Raises UserError if one that every report needs is not among them, and for what `by_name`
    refuses.
    """
    scored = targets.kind_named(config["target"]).table
    needed = ("allocations", scored, f"session_{scored}", "cohort")
    readers = {
        name: read
        for section in SECTIONS
        for pattern, read in section.tables.items()
        for name in names([pattern], config)
    }
    files = by_name(given, readers, "table", (".tsv", ".csv"), not_asked.not_asked(config))
    if missing := [f"{name}.tsv" for name in needed if name not in files]:
        raise UserError(f"--tables: no {', '.join(missing)} among them; every report needs these")
    return {name: readers[name](path) for name, path in files.items()}


def find_figures(config: Mapping[str, Any], given: Iterable[str | Path]) -> dict[str, Path]:
    """Return name -> file of the figures that sections show. Raises UserError as `by_name`."""
    wanted = names([name for section in SECTIONS for name in section.figures], config)
    return by_name(given, wanted, "figure", (".svg", ".png"), not_asked.not_asked(config))


def by_name(
    given: Iterable[str | Path],
    wanted: Iterable[str],
    kind: str,
    suffixes: tuple[str, ...],
    left: Collection[str] = (),
) -> dict[str, Path]:
    """Return name -> file of files and of folders that hold some; of two of a name, the first.

    The name is the file's without its suffix, such as ``auc`` of tables/auc.tsv; with its folder if
    that is one of FOLDERS. Of a folder, files with `suffixes` that are `wanted`, the first of
    the suffixes first, but for those named in `left`, as of an earlier config, which is said.
    Raises UserError for a file given that is none of `wanted`; `kind` is what the error calls it.
    """
    wanted, found, passed = set(wanted), {}, []
    for path in map(Path, given):
        folders = [path, *(path / name for name in FOLDERS)] if path.is_dir() else []
        inside = [f for end in suffixes for folder in folders for f in folder.glob(f"*{end}")]
        for file in inside if folders else [path]:
            folder = f"{file.parent.name}/" if file.parent.name in FOLDERS else ""
            name = folder + file.stem
            if folders and name in left:
                passed += [file] if name in wanted else []
            elif name in wanted:
                found.setdefault(name, file)
            elif not folders:
                raise UserError(
                    f"{path}: the report of this study shows no {kind} of the name {name}; "
                    f"those that it knows: {', '.join(sorted(wanted))}"
                )
    not_asked.say_left(f"--{kind}s", passed)
    return found
