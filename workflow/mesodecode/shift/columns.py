"""Names of what the tables of shift hold; nothing heavy, for those that only read them."""

from __future__ import annotations

from mesodecode.decoders.predictions import ATTRIBUTES

# Of the images of a session: name -> unit.
IMAGES = {
    "x": "% of the width",
    "y": "% of the height",
    "rotation": "degrees",
    "extent": "% of the side",
    "left_right": "log2",
    "brightness": "log2",
    "sharpness": "log2",
    "noise": "share",
    "spatial_slope": "",
    "temporal_hz": "log2",
}
IMAGE_COLUMNS = ["mouse", "session", *IMAGES, "match"]
IMAGE_NUMBERS = IMAGE_COLUMNS[2:]

# Of a test session of an allocation, each beside that of known mice.
OF_FEATURES = ("mahalanobis", "neighbours", "two_sample")
OF_PROBABILITIES = ("energy", "two_states", "slow")
OF_VALUES = ("slow", "far")
MEASURE_NUMBERS = [
    "n_frames",
    *(f"{name}{what}" for name in OF_FEATURES + OF_PROBABILITIES for what in ("", "_reference")),
]
MEASURE_COLUMNS = [*ATTRIBUTES, "session", *MEASURE_NUMBERS, "protocol"]

VERDICTS = ("in distribution", "shifted", "unusable")
OF_IMAGES = {  # what is judged -> in words, with the value (and predicted_error)
    "position": "{:.0f} % of the image away from the training mice",
    "rotation": "turned by {:.0f}° against them",
    "extent": "brain {:.2f} times larger or smaller than theirs",
    "left_right": "left and right lit {:.1f} octaves more unequally",
    "brightness": "{:.1f} octaves brighter or darker",
    "sharpness": "{:.1f} octaves sharper or blurrier",
    "noise": "share of noise differs by {:.2f}",
    "spectrum": "spatial spectrum {:.1f} steeper or flatter",
    "speed": "{:.1f} octaves faster or slower in time",
}
OF_DECODER = {
    "predicted_auc": "predicted AUC {:.2f} (wrong by {:.2f} in the other mice)",
    "mahalanobis": "features {:.1f} times as far from the training mice as known mice, or as near",
    "neighbours": "nearest known frames {:.1f} times as far as for known mice",
    "two_sample": "told apart from the training mice with an AUC {:.2f} above that of known mice",
    "confidence": "the decoder is {:.2f} times as sure as in the validation mouse",
}
JUDGED = {**OF_DECODER, **OF_IMAGES}
NUMBERS = [
    *MEASURE_NUMBERS,
    *("predicted_auc", "predicted_error", "predicted_from", "others_auc", "auc"),
    *(f"{name}_shift" for name in JUDGED if name != "predicted_auc"),
]
COLUMNS = [*ATTRIBUTES, "session", *NUMBERS, "verdict", "why", "protocol"]
