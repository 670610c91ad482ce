"""The kinds of decoders there are, a line a kind: what config, rules and text ask of it.

The Snakefile imports this module: nothing heavy here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Fits:
    """How a kind is fitted in one step: the rules that fit and keep its models, and their jobs.

    `fit` is its verb too, with dashes, whose job takes `mem_mb` (MB) and `runtime` (min).
    """

    fit: str
    keep: str
    mem_mb: int
    runtime: int


@dataclass(frozen=True)
class Trains:
    """How a network is trained on mice alone: the rule, named as its verb, and its job.

    `train` is the verb, with dashes, whose job takes `mem_mb` (MB) and `runtime` (min).
    """

    train: str
    mem_mb: int
    runtime: int


@dataclass(frozen=True)
class Kind:
    """A kind of decoder; `name` is its schema's too.

    `title` heads it in the Methods, `words` say in short what it is where nothing better does.
    `told_by`: whether settings of the config are of this kind; the first line that says so has it.
    `made_of`: the setting that names the decoders whose models or predictions it uses; such a kind
    is not trained itself. `input`: "images" or "rois". `network`: PyTorch's, that trains for epochs
    and runs on a GPU if it is of images. `suffix`: how files of its models end. `tunable`: trained
    in one step, so that its settings can be searched. `window`: half-width and shift (frames) of
    the recorded frames that it sees. `libraries` are named in the Methods; `draws`: whether
    training draws random numbers. `fits`: of a kind that is fitted in one step, by a module of
    `mesodecode.decoders.fitted` of its name; `trains`: of a network that starts from no other.
    """

    name: str
    title: str
    words: str
    told_by: Callable[[Settings], bool]
    made_of: str = ""
    input: str = ""
    network: bool = False
    suffix: str = ""
    tunable: bool = False
    window: Callable[[Settings], tuple[int, int]] | None = None
    libraries: tuple[str, ...] = ()
    draws: bool = True
    fits: Fits | None = None
    trains: Trains | None = None

    def members(self, settings: Settings) -> list[str]:
        """Return the decoders that a decoder with these settings is made of."""
        names = settings[self.made_of] if self.made_of else []
        return [names] if isinstance(names, str) else list(names)

    @property
    def of_images(self) -> bool:
        """Whether it reads images."""
        return self.input == "images"

    @property
    def image_network(self) -> bool:
        """Whether it is a network that reads images, which is what asks for a GPU."""
        return self.network and self.of_images


def _has(*keys: str) -> Callable[[Settings], bool]:
    return lambda settings: any(key in settings for key in keys)


def _of_rois(settings: Settings) -> bool:
    return settings.get("input") == "rois"


def _shifted(settings: Settings) -> tuple[int, int]:
    half = settings["half_window"]
    return half, settings["shift"] - half * bool(settings.get("causal"))


def _of_images(half: int, settings: Settings) -> tuple[int, int]:
    return half, -half * bool(settings.get("causal"))  # a causal window ends at the decoded frame


_LINES = (
    Kind(
        name="average",
        title="Averages of decoders",
        words="an average of decoders",
        told_by=_has("average_of"),
        made_of="average_of",
    ),
    Kind(
        name="adaptive",
        title="One of several decoders for each mouse",
        words="for each test mouse one of several decoders",
        told_by=_has("adaptive_of"),
        made_of="adaptive_of",
    ),
    Kind(
        name="adapted",
        title="Decoders applied with other use of the test mouse",
        words="a decoder applied in another way",
        told_by=_has("adapted_from"),
        made_of="adapted_from",
    ),
    Kind(
        name="roi_classical",
        title="Classical decoders of ROI signals",
        words="a classical decoder of ROI signals",
        told_by=lambda settings: _of_rois(settings) and "model" in settings,
        input="rois",
        suffix=".joblib",
        tunable=True,
        window=_shifted,
        libraries=("scikit-learn",),
        # 3.8 GB (linear_svm); minutes on simulated sessions, real ones converge later
        fits=Fits("fit_roi", "keep_classical", mem_mb=6000, runtime=120),
    ),
    Kind(
        name="roi_rnn",
        title="Recurrent networks on ROI signals",
        words="a recurrent network on ROI signals",
        told_by=_of_rois,
        input="rois",
        network=True,
        suffix=".pt",
        tunable=True,
        window=_shifted,
        libraries=("torch",),
        # 0.8 GB; 25 min on a core
        trains=Trains("train_roi", mem_mb=2000, runtime=90),
    ),
    Kind(
        name="linear",
        title="Linear decoders of pixels",
        words="a linear decoder of pixels",
        told_by=_has("model"),
        input="images",
        suffix=".npz",
        tunable=True,
        window=lambda settings: (0, 0),
        libraries=("scikit-learn",),
        draws=False,
        # 0.7 GB; 1 min on simulated sessions, real ones converge later
        fits=Fits("fit_linear", "keep_linear", mem_mb=2000, runtime=60),
    ),
    Kind(
        name="cnn_rnn",  # searched through its CNN
        title="Recurrent networks on a CNN",
        words="a recurrent network on a CNN",
        told_by=_has("rnn", "start_from"),
        input="images",
        network=True,
        suffix=".pt",
        window=lambda settings: _of_images(settings["half_window"] + 1, settings),
        libraries=("torch",),
    ),
    Kind(
        name="cnn",
        title="Convolutional networks",
        words="a convolutional network",
        told_by=lambda settings: True,
        input="images",
        network=True,
        suffix=".pt",
        tunable=True,
        window=lambda settings: _of_images(1, settings),  # an image has three frames as channels
        libraries=("torch", "timm"),
        # 39 GB on a CPU: 33 of frames, 6 of a batch of 512; no GPU timed; out of time, it goes on
        # from its checkpoint
        trains=Trains("train_cnn", mem_mb=48000, runtime=720),
    ),
)
KINDS = {kind.name: kind for kind in _LINES}
FITTED = {name: kind for name, kind in KINDS.items() if kind.fits}
TRAINED = {name: kind for name, kind in KINDS.items() if not kind.made_of}
# What files of weights are of: a kind's name, but that a CNN and its recurrent network, trained
# together, are "finetuned", and "cnn_rnn" is what reads the features of a frozen CNN.
TOGETHER = {"cnn_rnn": "finetuned"}
SIGNAL_NETWORKS = tuple(n for n, k in KINDS.items() if k.network and not k.of_images)
IMAGE_NETWORKS = tuple(sorted(TOGETHER.get(n, n) for n, k in KINDS.items() if k.image_network))


def kind_of(settings: Settings) -> Kind:
    """Return the kind of a decoder by its settings in the config."""
    return next(kind for kind in KINDS.values() if kind.told_by(settings))
