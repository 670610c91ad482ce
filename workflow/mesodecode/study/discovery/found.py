"""What `mesodecode init` finds in a folder: its sessions, and what the config says of them."""

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mesodecode.study.discovery.mice_of_names import Place
from mesodecode.study.discovery.movie_files import Recorded


@dataclass
class Found:
    """What `look` found.

    patterns: kind of file -> patterns; mice -> their sessions; notes for the user; links, files and
    the names that patterns can hold which they are linked to; what the mice rest on; the program
    that laid out the movies, '' if not known; settings of `recordings` and `corrections`, each a
    value and a comment, the frame rate among them; files that are not used.
    """

    folder: str
    patterns: dict[str, list[str]] = field(default_factory=dict)
    mice: dict[str, list[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    guess: str = ""
    program: str = ""
    left: list[str] = field(default_factory=list)
    settings: dict[str, tuple[object, str]] = field(default_factory=dict)
    corrections: dict[str, tuple[object, str]] = field(default_factory=dict)


@dataclass
class Session:
    """A session: its movie, further files by kind, where it is, and its mouse ('' if unknown).

    telling: the words of its place, in order, that not all sessions have.
    """

    movie: Recorded
    place: Place
    telling: tuple[str, ...]
    files: dict[str, PurePosixPath] = field(default_factory=dict)
    mouse: str = ""
    name: str = ""

    @property
    def path(self) -> PurePosixPath:
        """The first of its movie's files."""
        return self.movie.units[0].files[0]

    @property
    def lights(self) -> set[str]:
        """What the names of its movies, taken or not, say of wavelengths."""
        return {unit.light for unit in (*self.movie.units, *self.movie.others)}
