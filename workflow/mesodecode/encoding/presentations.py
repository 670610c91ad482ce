"""What encoding networks are fed: presentations as a source of the training engine."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from mesodecode.decoders.inputs import Source
from mesodecode.encoding.explainable import image_means
from mesodecode.encoding.networks import Batch, EncodingNetwork
from mesodecode.encoding.responses import Responses


@dataclass(frozen=True)
class Scaler:
    """Means and SDs of the training set: of all pixels, of each neuron (N,) and covariate (C,)."""

    pixel: tuple[float, float]
    response: tuple[np.ndarray, np.ndarray]
    covariate: tuple[np.ndarray, np.ndarray]


def fit_scaler(data: Responses, rows: np.ndarray, standardise: bool = True) -> Scaler:
    """Take means and SDs of the presentations `rows`; responses as they are if not asked for.

    What does not vary is divided by 1.
    """

    def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sd = values.std(0)
        return values.mean(0), np.where(sd > 0, sd, 1.0)

    shown = data.images[np.unique(data.image[rows])]
    response = moments(data.response[rows].astype(np.float64))
    if not standardise:
        response = np.zeros_like(response[0]), np.ones_like(response[1])
    pixels = float(shown.mean()), float(shown.std()) or 1.0
    return Scaler(pixels, response, moments(data.covariates[rows]))


def averaged(data: Responses, rows: np.ndarray) -> Responses:
    """Return one presentation for each image of `rows`, with the mean of its repeats there."""
    shown, index = np.unique(data.image[rows], return_inverse=True)
    none = np.zeros(len(shown), np.int64)
    return replace(
        data,
        image=shown,
        response=image_means(data.response[rows], index).astype(np.float32),
        covariates=np.zeros((len(shown), data.covariates.shape[1])),
        session_of=none,
    )


class Presentations(Source):
    """Presentations with standardised responses; `centres` are the `rows` of `data`.

    `history`: how many presentations a network reads, the predicted one the last; those of before
    the session, and, with `shown`, of images that are not among these, are hidden. Images pass a
    network's backbone once a batch, and those of a frozen one once in all (`freeze`).
    """

    def __init__(
        self,
        data: Responses,
        rows: np.ndarray,
        scaler: Scaler,
        *,
        history: int = 1,
        shown: np.ndarray | None = None,
        covariates: bool = False,
        device: torch.device | str = "cpu",
    ) -> None:
        def tensor(values: np.ndarray) -> torch.Tensor:
            return torch.as_tensor(np.asarray(values, np.float32), device=device)

        mean, sd = scaler.response
        self.labels = tensor((data.response - mean) / sd)
        self.centres = torch.as_tensor(rows, device=device)
        self._images = tensor((data.images - scaler.pixel[0]) / scaler.pixel[1])[:, None]
        self._shown = self._images  # to the network: images, or maps of its frozen backbone
        values = (data.covariates - scaler.covariate[0]) / scaler.covariate[1]
        self._covariates = tensor(values if covariates else values[:, :0])
        before = np.arange(len(data.image))[:, None] + np.arange(1 - history, 1)
        there = before >= 0
        before = np.maximum(before, 0)
        there &= data.session_of[before] == data.session_of[:, None]
        image = data.image[before]
        if shown is not None:
            there[:, :-1] &= np.isin(image[:, :-1], shown)
        self._index = torch.as_tensor(np.where(there, image, len(data.images)), device=device)
        self._before = torch.as_tensor(before, device=device)
        self._there = torch.as_tensor(there, device=device)[..., None]

    def freeze(self, network: EncodingNetwork) -> None:
        """Show the maps of the frozen backbone of a network in place of the images."""
        if network.frozen:
            with torch.no_grad():
                self._shown = torch.cat([network.maps(p) for p in self._images.split(64)])

    def batch(self, centres: torch.Tensor) -> Batch:
        """Return what a network is shown for the presentations `centres` (N,)."""
        index = self._index[centres]
        needed, at = torch.unique(index, return_inverse=True)
        images = needed[needed < len(self._images)]  # the hidden one is the last
        covariates = self._covariates[self._before[centres]] * self._there[centres]
        return Batch(self._shown[images], at, covariates)

    @torch.inference_mode()
    def logits(self, model: nn.Module, at: torch.Tensor, batch_size: int = 4096) -> torch.Tensor:
        """Return the outputs (N, neurons) of a network in evaluation mode."""
        model.eval()
        needed = torch.unique(self._index[at])
        needed = needed[needed < len(self._images)]
        parts = self._shown[needed].split(64)
        maps = torch.cat([part if model.frozen else model.maps(part) for part in parts])
        place = torch.full((len(self._images) + 1,), len(needed), device=at.device)
        place[needed] = torch.arange(len(needed), device=at.device)
        outputs = []
        for part in at.split(batch_size):
            covariates = self._covariates[self._before[part]] * self._there[part]
            outputs.append(model.readout(maps, place[self._index[part]], covariates))
        return torch.cat(outputs)
