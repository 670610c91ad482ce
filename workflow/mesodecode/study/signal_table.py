"""Which areas of simulated mice carry the signal of running, how strongly, and when.

Lists of `tables/simulate.yaml` that go with its `signal_rois`. The Snakefile imports this module:
nothing heavy here.
"""

from collections.abc import Mapping
from typing import Any

from mesodecode.base.files import UserError

LISTS = ("signal_leads_s", "signal_gains")


def check(settings: Mapping[str, Any], where: str = "") -> None:
    """Raise UserError unless each list has a number for each of `signal_rois`, and no gain is 0.

    `where` stands before the key, such as ``config: simulate.``.
    """
    n = len(settings["signal_rois"])
    for key in LISTS:
        given = settings[key]
        if given and len(given) != n:
            raise UserError(
                f"{where}{key}: {len(given)} numbers, but signal_rois has {n}; give one for each, "
                "in the same order, or none"
            )
    if 0 in settings["signal_gains"]:
        raise UserError(
            f"{where}signal_gains: 0 plants nothing; leave the ROI out of signal_rois instead"
        )
