"""Draw docs/house.svg: which room imports which, from the imports as they are.

python docs/house.py
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import grimp
import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mesodecode.base.plots import MM, PALETTE, STYLE

ROOT = Path(__file__).parents[1]
BOX, ROW = 11.5, 4.6  # mm, of a cell


def floors() -> list[list[str]]:
    """Return the rooms of each floor, ground floor first, as the contract in pyproject.toml."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    (layers,) = [one["layers"] for one in contracts if one["type"] == "layers"]
    return [[room.strip() for room in layer.split("|")] for layer in reversed(layers)]


def imports() -> set[tuple[str, str]]:
    """Return (room, room it imports) for all imports of the package, late ones too."""
    graph = grimp.build_graph("mesodecode", cache_dir=None)
    pairs = {
        (_room(module), _room(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    return {(room, below) for room, below in pairs if room and below and room != below}


def _room(module: str) -> str | None:
    parts = module.split(".")
    is_room = len(parts) > 1 and (ROOT / "workflow/mesodecode" / parts[1]).is_dir()
    return parts[1] if is_room else None


def draw() -> Figure:
    """Draw a step a room, going up, and left of it the rooms below that it imports."""
    rooms = [room for floor in floors() for room in floor]
    at = {room: i for i, room in enumerate(rooms)}
    size = (len(rooms) * BOX + 2) * MM, (len(rooms) * ROW + 8) * MM
    figure = Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.1, len(rooms) + 0.1), ylim=(-1.5, len(rooms) + 0.2))
    axes.axis("off")
    for floor in floors():
        first, n = at[floor[0]], len(floor)
        axes.add_patch(Rectangle((first, first), n, n, fc="#e8e8e8", ec="none"))
    for room, i in at.items():
        axes.plot([0, i], [i + 0.5, i + 0.5], color="#d8d8d8", lw=0.5, zorder=0)
        step = Rectangle((i, i), 1, 1, fc=PALETTE[0], ec="white", lw=0.8, gid=f"room-{room}")
        axes.add_patch(step)
        axes.text(i + 0.5, i + 0.46, room, color="white", ha="center", va="center", size=5.6)
    for room, below in sorted(imports()):
        axes.plot(at[below] + 0.5, at[room] + 0.5, "o", color=PALETTE[1], ms=4.5, mec="none")
    words = (
        "A dot: the room on the step at the right imports the room on the step below the dot.\n"
        "Right of the stair is none: no room imports one above it, or a sibling (grey)."
    )
    axes.text(0, -0.35, words, va="top", size=6)
    return figure


if __name__ == "__main__":
    with mpl.rc_context(STYLE):
        draw().savefig(ROOT / "docs/house.svg", metadata={"Date": None, "Title": "The rooms"})
