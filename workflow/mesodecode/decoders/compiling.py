"""A CNN compiled, where that pays and can be done: for a long training on a GPU, for one image."""

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from mesodecode.base.files import say
from mesodecode.decoders.graphs import tell_not_compiled
from mesodecode.decoders.networks import REDUCED, CNNDecoder
from mesodecode.decoders.steps import Steps

# Seconds that an image of 128 × 128 px gains in a compiled step of EfficientNet-B0 against a
# captured one (H200: 23 µs in batches of 512, 39 µs in runs of 16), and that compiling takes.
GAIN, COST = 3e-5, 90.0
# The same of an image that is passed in the reduced type, in batches of 512 (H200: 50,000 images/s
# become 88,000, compiled in 17 s).
GAIN_PASSED, COST_PASSED = 8e-6, 20.0
WARM = 5  # passes before the first frame


def compile_for(steps: Steps, batches: Sequence[torch.Tensor], epochs: int) -> None:
    """Compile the CNN of a training for its commonest number of images, if the job is long enough.

    `batches` are those of the first of its `epochs`. In float32 nothing is compiled, as other
    kernels give other last bits. Where compiling fails, a line says so and the network stays as it
    is.
    """
    cnns = [part for part in steps.model.modules() if isinstance(part, CNNDecoder)]
    if not (steps.captured and steps.dtype and cnns):
        return
    counts = steps.source.images_of(batches)
    size = steps.source.image_size
    seconds = epochs * sum(counts) * GAIN * size[0] * size[1] / 128**2
    if seconds < COST:
        return
    ((commonest, _),) = Counter(counts).most_common(1)

    def attempt() -> None:
        with undone(steps.model), steps.side():
            at = batches[counts.index(commonest)]
            steps.gradients(at, *next(iter(steps.source.feed([at]))))

    _compile(cnns, True, commonest, attempt)


def compile_passes(cnn: CNNDecoder, n_images: int, batch: int, size: Sequence[int]) -> None:
    """Compile a CNN in use on a GPU for batches of `batch` images (3, *size), if that pays.

    It does where `n_images` are many, and their type a reduced one (as in training). Where
    compiling fails, a line says so and the network stays as it is.
    """
    weight = next(cnn.parameters())
    pays = n_images * GAIN_PASSED * size[0] * size[1] / 128**2 > COST_PASSED
    if cnn.replayed is None or weight.dtype not in REDUCED or not pays:
        return

    def attempt() -> None:
        with torch.inference_mode():
            images = torch.zeros(batch, 3, *size, device=weight.device)
            cnn.features(images.to(memory_format=torch.channels_last))

    _compile([cnn], False, batch, attempt)


def _compile(
    cnns: Sequence[CNNDecoder], training: bool, n_images: int, attempt: Callable[[], None]
) -> None:
    """Have CNNs compiled, in training or not, for so many images; `attempt` computes with them."""
    say(f"compiling for batches of {n_images} images")
    try:
        for cnn in cnns:
            made = torch.compile(cnn.net.forward_features, dynamic=False)
            cnn.compiled = training, n_images, made
        attempt()
    except Exception as error:  # no compiler on this machine, and much else
        tell_not_compiled(error)
        for cnn in cnns:
            cnn.compiled = None


def compile_for_one(cnn: CNNDecoder, size: Sequence[int]) -> None:
    """Compile what a CNN makes of one image (1, 3, *size) on a CPU, in place, weights as constants.

    By OpenVINO where it is installed, else by torch.compile. Features differ in the last bits from
    those that are not compiled. Where compiling fails, a line says so and the network stays as it
    is.
    """
    say(f"compiling {' x '.join(map(str, size))} px")
    start, by = time.monotonic(), "OpenVINO"
    try:
        with torch.inference_mode():  # the image too: of another, it would be compiled again
            image = torch.zeros(3, *size)[None].to(memory_format=torch.channels_last)
            try:
                made = _by_openvino(cnn, image)
            except ModuleNotFoundError:
                made, by = _by_torch(cnn, image), "torch.compile"
            for _ in range(WARM):
                made(image)
    except Exception as error:  # no compiler on this machine, and much else
        tell_not_compiled(error)
        return
    cnn.features = made
    say(f"compiled by {by} in {time.monotonic() - start:.0f} s")


def _by_torch(cnn: CNNDecoder, image: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what makes features of an image as `image` (1, 3, H, W), by torch.compile."""
    from torch._inductor import config

    made = torch.compile(cnn.features, dynamic=False)
    with config.patch(freezing=True):  # as an option of torch.compile, weights would stay inputs
        made(image)
    return made


def _by_openvino(cnn: CNNDecoder, image: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what makes features of an image as `image` (1, 3, H, W), by OpenVINO in float32.

    It would report that it is imported, and each conversion, to its makers, without asking: the
    package that does is kept out. Raises ModuleNotFoundError where OpenVINO is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # it then has a stub of its own
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the shape of an image decides, which stays
        traced = torch.jit.trace(_Features(cnn), (image,), check_trace=False)
    front = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced)  # named, as it must outlive what reads it
    model = front.convert(front.load(decoder))
    model.reshape(list(image.shape))
    how = {
        "INFERENCE_PRECISION_HINT": "f32",  # else bfloat16 where a processor has it
        # a core is left to what reads frames and writes rows, on which it would else wait
        "INFERENCE_NUM_THREADS": max(1, torch.get_num_threads() - 1),
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    compiled = openvino.Core().compile_model(model, "CPU", how)
    return lambda images: torch.from_numpy(compiled(images.numpy())[0])


class _Features(nn.Module):
    """The features of a CNN as what a module returns; in evaluation mode, as the CNN is."""

    def __init__(self, cnn: CNNDecoder) -> None:
        super().__init__()
        self.cnn = cnn
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.cnn.features(images)


@contextmanager
def undone(model: nn.Module) -> Iterator[None]:
    """Undo what passes of a network in training leave: its statistics, gradients, random state."""
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    mode, cuda = model.training, torch.cuda.is_available()
    dice = torch.get_rng_state(), torch.cuda.get_rng_state_all() if cuda else []
    model.train()
    try:
        yield
    finally:
        model.train(mode)
        model.zero_grad(set_to_none=True)
        torch.set_rng_state(dice[0])
        if cuda:
            torch.cuda.set_rng_state_all(dice[1])
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
