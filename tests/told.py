"""What functions return, say and refuse, a paragraph a case, as a person last read it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kept import assert_kept
from mesodecode.base.files import UserError


def assert_told(cases: Mapping[str, Callable[[], Any]], path: Path, capsys: Any) -> None:
    """Assert that what each case does is as a file says; `TOLD=write pytest -n 0 …` writes it."""
    parts = []
    for name, case in cases.items():
        capsys.readouterr()
        try:
            lines = [f"  = {plain(case())}"]
        except UserError as error:
            lines = [f"  ! {error}"]
        said = [f"  > {line}" for line in capsys.readouterr().err.splitlines()]
        parts.append("\n".join([name, *said, *lines]))
    assert_kept("\n".join(parts) + "\n", path, "TOLD")


def refusal(call: Callable, *args: Any, **options: Any) -> str:
    """Return the one line of the error by which a call refuses what it was given."""
    with pytest.raises(UserError) as caught:
        call(*args, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def plain(value: Any) -> str:
    """Return a value in words that are the same everywhere: numbers to six digits."""
    match value:
        case np.ndarray():
            kind = value.dtype if value.dtype.kind in "buif" else "text"
            return f"{kind} {value.shape}: {' '.join(map(plain, value.ravel().tolist()))}"
        case bool() | None:
            return str(value)
        case float():
            return f"{value + 0.0:.6g}"
        case tuple() | list():
            return "; ".join(map(plain, value))
        case dict():
            return ", ".join(f"{key}: {plain(one)}" for key, one in value.items())
    return str(value)
