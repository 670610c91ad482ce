"""Which recurrent ROI decoders train side by side: one job for those of one line and newest mouse.

Decoders that differ by seed or permuted labels are of one line of the config, that of the first. A
job has those sets of training mice whose newest mouse, the last in the order of the config, is the
same: of all allocations another mouse, added at the end, adds a job and changes none. Chosen ones
(`allocation.choose`) get other sets, by which the last job or two before it are trained again. No
study has fewer mice than an allocation; the sets among the first so many are one job, as none of
them would fill a GPU alone.

The Snakefile imports this module: nothing heavy here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
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


def newest(mice: Iterable[str], order: Sequence[str], fewest: int) -> str:
    """Return the last of `mice` in `order`, or of the first `fewest` if all are among them."""
    places = [list(order).index(mouse) for mouse in mice]
    return order[max(fewest - 1, *places)]


def fewest_mice(allocations: Iterable[Allocation]) -> int:
    """Return how many mice an allocation has, in all roles; 0 if there is none."""
    return min((len(one.train + one.valid + one.test) for one in allocations), default=0)


def groups_of(
    decoders: Mapping[str, Any], allocations: Collection[Allocation], mice: Sequence[str]
) -> Groups:
    """Return (line, newest mouse) -> what trains side by side, each a decoder and its mice.

    `mice` in the order of the config. Every set of training mice comes once a decoder, whatever
    number of allocations has it.
    """
    sets = dict.fromkeys(one.train for one in allocations)
    fewest = fewest_mice(allocations)
    groups: Groups = {}
    for name, line in lines_of(decoders).items():
        for trained in sorted(sets, key=lambda s: [list(mice).index(mouse) for mouse in s]):
            key = line, newest(trained, mice, fewest)
            groups.setdefault(key, []).append((name, trained))
    return groups
