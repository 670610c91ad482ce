"""Libraries that only some labs need: extras of the package, installed on demand."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

from mesodecode.base.files import UserError


def library(module: str, extra: str, path: str | Path) -> ModuleType:
    """Return a module. Raises UserError, saying what installs it, if it cannot be imported."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise UserError(
            f"{path}: is read by {name}, which is not installed here ({error}): "
            f"pip install 'mesodecode[{extra}]'"
        ) from error
