"""What is imported by name: the reader of a format, and libraries that only some labs need.

A reader defines, of what its format gives:

- movie: `open_movie(path, asked)`, a context of a `Movie`. `asked` (`axes.Asked`) is what the user
  says of it, no more than the format takes.
- traces: `holding(path)`, a context of name -> `Held`; of a format with intervals too, in its place
  `read_variables(path, names, run_label)`, which returns what `traces.read_variables` does.
- rois: `read_rois(path, dataset)`, signals (T, R) and their names (R,) or None.

Arrays and tables of ROI signals are told apart in `recordings.roi_files`, areas in
`recordings.masks`.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

from mesodecode.base.files import UserError
from mesodecode.study.file_formats import BY_NAME


def reader(name: str) -> ModuleType:
    """Return the module that reads a format."""
    return import_module(f"mesodecode.recordings.readers.{BY_NAME[name].reader}")


def library(module: str, extra: str, path: str | Path) -> ModuleType:
    """Return a module. Raises UserError, saying what installs it, if it cannot be imported."""
    try:
        return import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise UserError(
            f"{path}: is read by {name}, which is not installed here ({error}): "
            f"pip install 'mesodecode[{extra}]'"
        ) from error
