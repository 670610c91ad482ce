"""Which recurrent ROI decoders train side by side: one job for those of one line and newest mouse.

Decoders that differ by seed or permuted labels are of one line of the config, that of the first. A
job has those sets of training mice whose newest mouse, the last in the order of the config, is the
same: another mouse, added at the end, adds a job and changes none.

The Snakefile imports this module: nothing heavy here.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mesodecode.study.allocation import Allocation

Groups = dict[tuple[str, str], list[tuple[str, tuple[str, ...]]]]


def may_stack(decoder: Any) -> bool:
    """Tell whether a decoder is a network that can train side by side with others of its shape.

    Not a TCN, nor in mixed precision, nor with `drop`: which ROIs are dropped hangs on all mice of
    an allocation.
    """
    settings = decoder.settings
    return (
        decoder.kind == "roi_rnn"
        and settings["rnn"] != "tcn"
        and settings["precision"] == "float32"
        and not settings["drop"]
    )


def lines_of(decoders: Mapping[str, Any]) -> dict[str, str]:
    """Return decoder -> the first one that has all its settings but seed and labels."""
    first: dict[str, str] = {}
    found = {}
    for name, decoder in decoders.items():
        shared = {k: v for k, v in decoder.settings.items() if k not in ("seed", "labels")}
        found[name] = first.setdefault(repr(sorted(shared.items())), name)
    return found


def newest(mice: Iterable[str], order: Sequence[str]) -> str:
    """Return that of `mice` which comes last in `order`."""
    return max(mice, key=list(order).index)


def groups_of(
    decoders: Mapping[str, Any], allocations: Iterable[Allocation], mice: Sequence[str]
) -> Groups:
    """Return (line, newest mouse) -> what trains side by side, each a decoder and its mice.

    `mice` in the order of the config. Every set of training mice comes once a decoder, whatever
    number of allocations has it.
    """
    sets = dict.fromkeys(one.train for one in allocations)
    groups: Groups = {}
    for name, line in lines_of(decoders).items():
        for trained in sorted(sets, key=lambda s: [list(mice).index(mouse) for mouse in s]):
            groups.setdefault((line, newest(trained, mice)), []).append((name, trained))
    return groups
