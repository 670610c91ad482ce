"""The networks that decoders are."""

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from mesodecode.base.files import UserError
from mesodecode.decoders import gru
from mesodecode.decoders.backbones import create_backbone
from mesodecode.decoders.convolutions import merged, with_depthwise
from mesodecode.decoders.graphs import Replayed
from mesodecode.study.targets import Target

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
REDUCED = (torch.bfloat16, torch.float16)
# What makes a network, of the length of the vectors that it reads (one of images asks for none) and
# of a decoder's settings.
Make = Callable[[int, dict[str, Any]], nn.Module]
NORMS = (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
Maps = Callable[[torch.Tensor], torch.Tensor]  # images (N, 3, H, W) to what is pooled


def logits_of(layer: nn.Linear, features: torch.Tensor) -> torch.Tensor:
    """Return the logits (N,) that a last layer makes of features (N, F), (N, K) of K outputs.

    Never in a reduced type, whose 8 bits would be all that is left of a logit.
    """
    with torch.autocast(features.device.type, enabled=False):
        made = layer(features.float() if features.dtype in REDUCED else features)
    return made.squeeze(1)


class RNNDecoder(nn.Module):
    """A recurrent network over a window, and a linear read-out of its final state.

    1. `rnn` (GRU, LSTM or tanh RNN, batch_first) reads the window (N, T, F).
    2. The last layer's final state is taken: after the last frame, and for a bidirectional
       network also that of the backward direction, after the first frame.
    3. `head` maps it to one logit; sigmoid(logit) is the probability of run.

    It computes in float32 in mixed precision too.

    Ajioka et al. 2024: 2 layers of 128 units on CNN features, 1 layer of 32 units on ROI signals.
    """

    def __init__(
        self,
        n_features: int,
        *,
        cell: str,
        hidden_size: int,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.rnn = CELLS[cell](
            n_features,
            hidden_size,
            num_layers,
            batch_first=True,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,  # torch warns: it acts between layers
        )
        self.head = nn.Linear(hidden_size * (2 if bidirectional else 1), outputs)

    @property
    def n_features(self) -> int:
        """Length F of the vectors that it reads."""
        return self.rnn.input_size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows (N, T, F) to logits (N,)."""
        # Asked for bfloat16, autocast gives cuDNN's recurrent layers float16 all the same, in which
        # gradients of a loss that nothing scales vanish.
        with torch.autocast(x.device.type, enabled=False):
            return self._logits(x.float() if x.dtype in REDUCED else x)

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        if gru.fits(self.rnn, x):
            return logits_of(self.head, gru.final_state(self.rnn, x))
        state = self._layer_by_layer(x) if self.training and self.rnn.dropout else self.rnn(x)[1]
        state = state[0] if isinstance(state, tuple) else state  # LSTM: (hidden, cell)
        directions = 2 if self.rnn.bidirectional else 1
        return logits_of(self.head, torch.cat(tuple(state[-directions:]), dim=1))

    def state_of(self, x: torch.Tensor) -> Any:
        """Return the state after the first frames (N, T - 1, F) of windows, for `resumed`.

        None if the network reads them backwards too: then it begins with the last frame.
        """
        return None if self.rnn.bidirectional else self.rnn(x)[1]

    def resumed(self, state: Any, x: torch.Tensor) -> torch.Tensor:
        """Map the state of `state_of` and the last frames (N, F) of windows to logits (N,)."""
        if isinstance(self.rnn, nn.GRU) and x.device.type == "cpu":
            return logits_of(self.head, gru.last_step(self.rnn, state, x))
        return logits_of(self.head, self.rnn(x[:, None], state)[0][:, -1])

    def _layer_by_layer(self, x: torch.Tensor) -> Any:
        """Return the state of the last layer; dropout between layers is drawn by torch.

        cuDNN's own has a state that no seed sets again and no checkpoint holds.
        """
        rnn, n = self.rnn, 4 * (2 if self.rnn.bidirectional else 1)  # weights of a layer
        zeros = x.new_zeros(n // 4, len(x), rnn.hidden_size)
        lstm = isinstance(rnn, nn.LSTM)
        name = "rnn_tanh" if rnn.mode == "RNN_TANH" else rnn.mode.lower()
        for layer in range(rnn.num_layers):
            if layer:
                x = nn.functional.dropout(x, rnn.dropout)
            weights = rnn._flat_weights[n * layer : n * (layer + 1)]
            weights = _as_one_block(weights) if _by_cudnn(x) else weights
            first = (zeros, zeros) if lstm else zeros
            rest = True, 1, 0.0, True, rnn.bidirectional, True  # bias, one layer … batch first
            x, *state = getattr(torch._VF, name)(x, first, weights, *rest)
        return tuple(state) if lstm else state[0]


def _by_cudnn(x: torch.Tensor) -> bool:
    return x.is_cuda


def _as_one_block(weights: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return copies of a recurrent layer's weights in one block: all matrices, then all biases.

    So cuDNN reads a network that is this layer alone. A block of several layers has the biases of
    all at its end, of which torch would copy those of one at each call, weight by weight, and warn.
    """
    order = sorted(range(len(weights)), key=lambda i: -weights[i].dim())
    block = torch.cat([weights[i].flatten() for i in order])
    parts = block.split([weights[i].numel() for i in order])
    placed = dict(zip(order, parts, strict=True))
    return [placed[i].view_as(weight) for i, weight in enumerate(weights)]


class TCNDecoder(nn.Module):
    """Temporal convolutions over a window, in the place of a recurrent network.

    1. `inputs` maps each frame of the window (N, T, F) to `hidden_size` channels.
    2. Layer n adds to them a convolution of three frames that lie 2ⁿ apart (n = 0, 1 …), so that
       `num_layers` layers see 2^num_layers - 1 frames to each side; past and future alike.
    3. `head` maps the channels at the middle frame and their mean over the window to one logit.

    After Bai, Kolter & Koltun 2018 (arXiv 1803.01271), who convolve the past only.
    """

    def __init__(
        self,
        n_features: int,
        *,
        hidden_size: int,
        num_layers: int = 1,
        dropout: float = 0.0,
        outputs: int = 1,
    ) -> None:
        super().__init__()
        self.inputs = nn.Conv1d(n_features, hidden_size, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(hidden_size, hidden_size, 3, dilation=2**n, padding=2**n)
            for n in range(num_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * hidden_size, outputs)

    @property
    def n_features(self) -> int:
        """Length F of the vectors that it reads."""
        return self.inputs.in_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows (N, T, F) to logits (N,)."""
        x = self.inputs(x.transpose(1, 2))
        for layer in self.layers:
            x = x + self.dropout(torch.relu(layer(x)))
        return logits_of(self.head, torch.cat((x[:, :, x.shape[2] // 2], x.mean(2)), dim=1))


class CNNDecoder(nn.Module):
    """A timm backbone with one output, or more, on pseudo-RGB images (N, 3, H, W).

    `passed_in`: the reduced type in which its maps are computed where no gradient is taken, or
    None; pooling and output are float32 in any case. `compiled`: whether in training and for how
    many images something else computes the maps, and what (`mesodecode.decoders.compiling`).
    `replayed`: what gives the features of a network in use on a GPU (`for_use`).
    """

    passed_in: torch.dtype | None = None
    compiled: tuple[bool, int, Maps] | None = None
    replayed: Replayed | None = None

    def __init__(self, backbone: str, pretrained: str = "none", outputs: int = 1) -> None:
        super().__init__()
        net = create_backbone(backbone, pretrained)
        if outputs > 1:
            net.reset_classifier(outputs)
        self.net = with_depthwise(net)
        if not isinstance(self.net.get_classifier(), nn.Linear):
            raise UserError(f"backbone '{backbone}': its output is no single linear layer")
        # timm draws EfficientNet heads from ±1/sqrt(outputs), here ±1: logits of tens at the start.
        self.net.get_classifier().reset_parameters()

    @property
    def n_features(self) -> int:
        """Length of the pooled feature vector, 1280 for EfficientNet-B0."""
        return self.net.head_hidden_size

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (N, 3, H, W) to pooled features (N, n_features).

        Raises UserError if the backbone does not take images of this size.
        """
        if self.replayed is None or torch.is_grad_enabled():
            return self._features(images)
        return self.replayed(images)

    def _features(self, images: torch.Tensor) -> torch.Tensor:
        try:
            maps = self._maps(images)
        except AssertionError as error:  # timm: transformers mostly are made for one size
            about = self.net.pretrained_cfg
            height, width = images.shape[2:]
            raise UserError(
                f"backbone '{about['architecture']}': does not take images of {height} x {width} "
                f"px ({str(error).strip().rstrip('.')}); set image_size in the config to "
                f"{about['input_size'][-1]}, or choose another backbone"
            ) from error
        if maps.dtype in REDUCED:
            maps = maps.float()
        return self.net.forward_head(maps, pre_logits=True)

    def _maps(self, images: torch.Tensor) -> torch.Tensor:
        weights = next(self.net.parameters()).dtype
        images = images.to(weights) if weights in REDUCED else images
        if self.compiled and self.compiled[:2] == (self.training, len(images)):
            return self.compiled[2](images)
        if self.passed_in in (None, weights) or torch.is_grad_enabled():
            return self.net.forward_features(images)
        # No cache of cast weights: it would outlive those that another epoch's take the place of.
        with torch.autocast(images.device.type, self.passed_in, cache_enabled=False):
            return self.net.forward_features(images)

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Map pooled features (N, n_features) to logits (N,)."""
        return logits_of(self.net.get_classifier(), features)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images (N, 3, H, W) to logits (N,)."""
        return self.classify(self.features(images))


class CNNRNNDecoder(nn.Module):
    """A CNN and a recurrent network trained together, on windows of images that share frames.

    1. `cnn` turns each image of a batch into features, once (M, n_features).
    2. The features of every window are gathered (N, 2 w + 1, n_features).
    3. `rnn` reads each window and gives one logit.

    The result and its gradients are those of passing every window through the CNN on its own,
    at up to 1/(2 w + 1) of the cost (tests/decoders/test_finetune.py, benchmarks/windows.py).
    """

    def __init__(self, cnn: CNNDecoder, rnn: RNNDecoder | TCNDecoder) -> None:
        super().__init__()
        self.cnn, self.rnn = cnn, rnn

    def forward(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Map images (M, 3, H, W) and windows (N, 2 w + 1) of their numbers to logits (N,)."""
        images, windows = batch
        return self.rnn(self.cnn.features(images)[windows])


def last_layer(network: nn.Module) -> nn.Linear:
    """Return the layer that gives the logit."""
    if isinstance(network, CNNDecoder):
        return network.net.get_classifier()
    return (network.rnn if isinstance(network, CNNRNNDecoder) else network).head


def copied(network: nn.Module) -> nn.Module:
    """Return a copy of a network, on its device, that computes as fast.

    A plain copy has each weight in memory of its own. cuDNN needs those of a recurrent network in
    one block, and else warns and gathers them at every call.
    """
    made = copy.deepcopy(network)
    for part in made.modules():
        if isinstance(part, nn.RNNBase):
            part.flatten_parameters()
    return made


def for_use(network: nn.Module) -> nn.Module:
    """Return a network to be passed only, as `merged` says: CNNs as fast as the device passes them.

    Where no normalisation is left, weights are kept in the type that images are passed in; on a GPU
    batches of a size that recurs are replayed, by a copy. What is in use so is returned itself.
    """
    cnns = [part for part in network.modules() if isinstance(part, CNNDecoder)]
    if any(cnn.replayed for cnn in cnns):
        return network
    used = merged(network)
    if used is network and cnns and _on_gpu(network):
        used = copied(network)
    for cnn in (part for part in used.modules() if isinstance(part, CNNDecoder)):
        if cnn.passed_in and not any(isinstance(layer, NORMS) for layer in cnn.modules()):
            for part in cnn.net.children():
                if part is not cnn.net.get_classifier():
                    part.to(cnn.passed_in)
        if _on_gpu(cnn):
            cnn.replayed = Replayed(cnn._features)
    return used


def _on_gpu(network: nn.Module) -> bool:
    return any(weight.is_cuda for weight in network.parameters())


def rnn_decoder(n_features: int, settings: dict[str, Any]) -> RNNDecoder | TCNDecoder:
    """Build the network over windows of a decoder's settings (see its schema)."""
    sizes = {key: settings[key] for key in ("hidden_size", "num_layers", "dropout")}
    sizes["outputs"] = Target.of_settings(settings).outputs
    if settings["rnn"] == "tcn":  # which always reads both directions
        return TCNDecoder(n_features, **sizes)
    both = settings["bidirectional"]
    return RNNDecoder(n_features, cell=settings["rnn"], bidirectional=both, **sizes)


def cnn_decoder(_: int, settings: dict[str, Any]) -> CNNDecoder:
    """Build the CNN of a decoder's settings (see its schema), which reads images."""
    outputs = Target.of_settings(settings).outputs
    return CNNDecoder(settings["backbone"], settings["pretrained"], outputs)


def finetuned_decoder(_: int, settings: dict[str, Any]) -> CNNRNNDecoder:
    """Build a CNN and what reads its features, of the settings of both."""
    return cnn_rnn_decoder(cnn_decoder(_, settings), settings)


def cnn_rnn_decoder(cnn: CNNDecoder, settings: dict[str, Any]) -> CNNRNNDecoder:
    """Join a CNN and a new recurrent network of a decoder's settings (see its schema)."""
    return CNNRNNDecoder(cnn, rnn_decoder(cnn.n_features, settings))
