"""The roles of mice in one split, apart from `study`: networks and predictions carry it too."""

from collections.abc import Iterable
from dataclasses import dataclass

from mesodecode.base.files import UserError

ROLES = ("train", "valid", "test")
JOINED = "+"  # between ids in tables and names of files; no id holds it


def join_ids(ids: Iterable[str]) -> str:
    """Return ids of mice or sessions as tables write them: ``1+2+3``."""
    return JOINED.join(ids)


def split_ids(joined: str) -> list[str]:
    """Return the ids of `join_ids`."""
    return joined.split(JOINED)


def share_mice(sets: Iterable[str]) -> bool:
    """Return whether sets of test mice, each as of `join_ids`, have mice in common.

    Such sets are no units of their own: an interval over them would be too narrow.
    """
    mice = [mouse for one in dict.fromkeys(sets) for mouse in dict.fromkeys(split_ids(one))]
    return len(mice) > len({*mice})


@dataclass(frozen=True)
class Allocation:
    """The roles of the mice in one train/validation/test split; no mouse has two.

    Its `id` spells its mice, so that it names the same split whatever mice a study gains.
    """

    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        mice = self.train + self.valid + self.test
        if len(set(mice)) != len(mice):
            raise UserError(
                f"{self.id}: a mouse has two roles; a decoder never tests a mouse it saw"
            )

    @property
    def id(self) -> str:
        """For example ``train-1+2+3.valid-4.test-5``."""
        return ".".join(f"{role}-{self.joined(role)}" for role in ROLES)

    def joined(self, role: str) -> str:
        """The mice of a role as tables write them."""
        return join_ids(getattr(self, role))
