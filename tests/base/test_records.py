"""Results of one job as one file: what is written comes back, of its own type."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from mesodecode.base import records
from mesodecode.base.files import UserError


@dataclass(frozen=True)
class Made:
    name: str
    n: int
    share: float
    names: tuple[str, ...]
    number: np.ndarray
    value: np.ndarray


@pytest.mark.parametrize(("single", "kind"), [(False, "f8"), (True, "f4")])
def test_a_record_comes_back_as_it_was_and_only_real_numbers_are_rounded(tmp_path, single, kind):
    number, value = np.array([1, 2**40]), np.array([[0.1, np.nan]])
    records.write(Made("a", 3, 0.1, ("x", "y"), number, value), tmp_path / "m.h5", single=single)
    found = records.read(tmp_path / "m.h5", Made, "made")
    assert (found.name, found.n, found.share, found.names) == ("a", 3, 0.1, ("x", "y"))
    assert found.number.tolist() == number.tolist() and found.number.dtype == number.dtype
    np.testing.assert_array_equal(found.value, value.astype(kind))
    assert found.value.dtype == kind


def test_a_file_that_lacks_a_field_is_none_of_the_verb(tmp_path):
    @dataclass(frozen=True)
    class More(Made):
        other: float

    records.write(Made("a", 3, 0.1, (), np.zeros(1), np.zeros(1)), tmp_path / "m.h5")
    said = r"/m\.h5: not a file of `mesodecode made` \(.*other.*\); make it with `mesodecode made`$"
    with pytest.raises(UserError, match=said):
        records.read(tmp_path / "m.h5", More, "made")
