"""What a decoder has of its test mouse, derived from its settings: nobody claims it by hand.

strict: nothing but the frames decoded and those before them. first_unlabelled: the first minutes
of each test recording too, without labels, which are not scored. reference: another recording of
the test mouse, without labels, which is not scored. transductive: the whole unlabelled
test recording, as for the normalisation of Ajioka et al. 2024, by mean and SD of the recording.
An adaptive decoder, which takes for each mouse one of several decoders, is transductive if the
output in the whole recording decides, or of the protocol of its members that takes most.
few_shot: some labelled minutes or sessions of the test mouse, which are not scored. AUCs of
different protocols are of different problems. A window's frames after the decoded one are its input
in all of them; decoders with `causal` have none. Nothing heavy here: the Snakefile imports it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mesodecode.base.files import UserError

STRICT, FIRST, REFERENCE = "strict", "first_unlabelled", "reference"
TRANSDUCTIVE, FEW_SHOT = "transductive", "few_shot"


def of(
    settings: Mapping[str, Any], corrected: bool = False, start: Mapping[str, Any] | None = None
) -> str:
    """Return the protocol of a decoder from all its settings (not of an average: see `weakest`).

    `corrected`: whether recordings were corrected by what takes later frames of them
    (`mesodecode.study.correction_table.looks_ahead`). `start`:
    the settings of the decoder that an adapted one applies. Image decoders normalise by the whole
    recording unless they are causal, or adapted with `normalise: past` or `first_unlabelled`; ROI
    decoders too, but for those without baseline and normalisation, which take nothing more than
    their windows. Leaving out ROIs that a test recording lacks takes all of it.
    """
    if settings.get("few_shot"):
        return f"{FEW_SHOT} {part_in_words(settings['few_shot'])}"
    first = settings if start is None else start
    whole = corrected or bool(first.get("drop"))
    causal = bool(first.get("causal"))
    raw = first.get("input") == "rois" and first["normalise"] == "none"
    own = REFERENCE if causal and not raw and first["normalise_from"] == "reference" else STRICT
    if settings.get("first_unlabelled"):
        part = f"{FIRST} {part_in_words(settings['first_unlabelled'])}"
        return TRANSDUCTIVE if whole else weakest([own, part])
    whole |= any(settings.get(key) for key in ("register", "batch_norm", "coral"))
    if not causal and (start is None or settings["normalise"] != "past"):
        whole |= not raw or bool(first["baseline"])
    return TRANSDUCTIVE if whole else own


def labelled_part(few_shot: float | str) -> tuple[float, int]:
    """Return minutes and whole sessions of a `few_shot`: minutes, or "2 sessions"."""
    if isinstance(few_shot, str):
        return 0.0, int(few_shot.split()[0])
    return float(few_shot), 0


def part_in_words(few_shot: float | str) -> str:
    """Return a `few_shot` as tables have it: "2 min", "1 session"."""
    minutes, sessions = labelled_part(few_shot)
    return f"{sessions} session{'s' * (sessions > 1)}" if sessions else f"{minutes:g} min"


def weakest(names: Iterable[str]) -> str:
    """Return the protocol of what is made of decoders with these: the one that takes most.

    A session counts for more than any minutes.
    """
    order = (STRICT, FIRST, REFERENCE, TRANSDUCTIVE, FEW_SHOT)

    def key(name: str) -> tuple[int, bool, float]:
        kind, *part = name.split()
        amount, unit = part or ("0", "min")
        return order.index(kind), unit.startswith("session"), float(amount)

    return max(names, key=key)


def chosen(names: Iterable[str], by: str) -> str:
    """Return the protocol of a decoder that takes, for each mouse, one of decoders with these.

    `by`: recording, whose whole output without labels decides, or validation, which takes nothing
    of the test mouse.
    """
    return weakest([*names, *([TRANSDUCTIVE] if by == "recording" else [])])


def check_one(protocol_of: Mapping[str, str], across: bool, where: str) -> None:
    """Raise UserError if what is compared is not of one protocol, unless that is asked for.

    `protocol_of`: name -> protocol.
    """
    if across or len(set(protocol_of.values())) < 2:
        return
    words = ", ".join(f"{name} is {protocol}" for name, protocol in protocol_of.items())
    raise UserError(
        f"{where}: AUCs of different protocols ({words}); compare within one, or ask for it: "
        "across_protocols: true (--across-protocols)"
    )
