"""Names of what the tables of shift hold; nothing heavy, for those that only read them."""

from mesodecode.decoders.predictions import ATTRIBUTES
from mesodecode.study.targets import RUN, Kind

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

# Of a test session of an allocation, each beside that of known mice; kind of target -> of output.
OF_FEATURES = ("mahalanobis", "neighbours", "two_sample")
OF_PROBABILITIES = ("energy", "two_states", "slow")
OF_VALUES = ("slow", "far")
OF_OUTPUT = {"run": OF_PROBABILITIES, "regression": OF_VALUES, "states": OF_PROBABILITIES}

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
_OF_FEATURES = {
    "mahalanobis": "features {:.1f} times farther from, or nearer to, the training mice than those "
    "of known mice",
    "neighbours": "nearest known frames {:.1f} times as far as for known mice",
    "two_sample": "told apart from the training mice with an AUC {:.2f} above that of known mice",
}
_SURE = {"confidence": "the decoder is {:.2f} times as sure as in the validation mouse"}
_OF_OUTPUT = {
    "run": _SURE,
    "regression": {
        "spread": "predictions {:.1f} times farther from, or nearer to, the mean of known mice "
        "than those of the validation mouse"
    },
    "states": _SURE,
}


def predicted_of(kind: Kind = RUN.kind) -> tuple[str, ...]:
    """Return the columns of the score to expect: it, its error, from how many mice, their mean."""
    score = kind.expected
    return f"predicted_{score}", "predicted_error", "predicted_from", f"others_{score}"


def measure_numbers(kind: Kind = RUN.kind) -> list[str]:
    """Return the columns of what is measured of a session under decoders of a kind of target."""
    names = OF_FEATURES + OF_OUTPUT[kind.name]
    return ["n_frames", *(f"{name}{what}" for name in names for what in ("", "_reference"))]


def measure_columns(kind: Kind = RUN.kind) -> list[str]:
    """Return the columns of a table of `mesodecode shift`."""
    return [*ATTRIBUTES, "session", *measure_numbers(kind), "protocol"]


def of_decoder(kind: Kind = RUN.kind) -> dict[str, str]:
    """Return what is judged of features and output -> in words, as `OF_IMAGES`."""
    predicted = f"predicted {kind.expected_axis} {{:.2f}} (wrong by {{:.2f}} in the other mice)"
    return {predicted_of(kind)[0]: predicted} | _OF_FEATURES | _OF_OUTPUT[kind.name]


def judged(kind: Kind = RUN.kind) -> dict[str, str]:
    """Return all that is judged -> in words."""
    return of_decoder(kind) | OF_IMAGES


def column(name: str) -> str:
    """Return the column of what is judged."""
    return name if name.startswith("predicted_") else f"{name}_shift"


def numbers_of(kind: Kind = RUN.kind) -> list[str]:
    """Return the columns of numbers of the shift report of a kind of target."""
    shifts = (column(name) for name in judged(kind) if column(name) != name)
    return [*measure_numbers(kind), *predicted_of(kind), *kind.scores, *shifts]


def columns_of(kind: Kind = RUN.kind) -> list[str]:
    """Return the columns of the shift report of a kind of target."""
    return [*ATTRIBUTES, "session", *numbers_of(kind), "verdict", "why", "protocol"]
