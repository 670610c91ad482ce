"""Models in closed form: mean, mean of other repeats, and ridge regression on fixed features."""

from typing import Any

import numpy as np
from sklearn.linear_model import RidgeCV

from mesodecode.encoding.explainable import image_means, screened
from mesodecode.encoding.folds import Split
from mesodecode.encoding.gabor import gabor_pyramid
from mesodecode.encoding.responses import Responses

ALPHAS = np.logspace(-6, 6, 25)  # penalties, in units of the features' mean variance x images


def fit_predict(data: Responses, split: Split, settings: dict[str, Any]) -> np.ndarray:
    """Fit a model of encoding/linear.yaml and predict the test presentations (P, N)."""
    covariates = data.covariates if settings["covariates"] else None
    if settings["model"] == "mean":
        response, added = without_covariates(data, split, covariates)
        return np.broadcast_to(response.mean(0) + added, (len(split.test), response.shape[1]))
    if settings["model"] == "image_mean":
        return other_repeats(data.response[split.test], data.image[split.test])
    seen = data.images[np.unique(data.image[split.fit])]
    images = (data.images - seen.mean()) / (seen.std() or 1.0)
    features = image_features(images, settings)
    return ridge(features, data, split, covariates, screen=settings["screen"])


def without_covariates(
    data: Responses, split: Split, covariates: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return fitted responses less the part of covariates (Q, N), and that part of tests (P, N).

    Slopes of covariates (P, C) by least squares on what differs between repeats of one image, so
    that no image can take their part. Without covariates the part is 0, of shape (1, 1).
    """
    rows = split.fit
    response = data.response[rows].astype(np.float64)
    if covariates is None:
        return response, np.zeros((1, 1))
    index = np.unique(data.image[rows], return_inverse=True)[1]
    mine = covariates[rows]
    within = mine - image_means(mine, index)[index]
    slopes, *_ = np.linalg.lstsq(within, response - image_means(response, index)[index])
    return response - mine @ slopes, covariates[split.test] @ slopes


def other_repeats(response: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Return for each presentation the mean response to the other ones of its image (P, N).

    NaN for an image that was shown once.
    """
    _, index, counts = np.unique(image, return_inverse=True, return_counts=True)
    n = counts[index][:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        return (image_means(response, index)[index] * n - response) / (n - 1)


def image_features(images: np.ndarray, settings: dict[str, Any]) -> np.ndarray:
    """Return features (I, F) of images (I, H, W): pixels, a Gabor pyramid, a backbone's maps."""
    if settings["features"] == "pixels":
        return images.reshape(len(images), -1)
    if settings["features"] == "gabor":
        return gabor_pyramid(images)
    import torch  # seconds that the other features do not need

    from mesodecode.encoding.networks import EncodingNetwork, cut_backbone

    torch.manual_seed(settings["seed"])
    backbone = cut_backbone(settings["backbone"], settings["convolutions"], settings["pretrained"])
    network = EncodingNetwork(
        backbone.eval(), torch.nn.Identity(), pool=settings["pool"], frozen=True
    )
    with torch.inference_mode():
        parts = torch.as_tensor(images, dtype=torch.float32)[:, None].split(64)
        return torch.cat([network.maps(part) for part in parts]).flatten(1).numpy()


def ridge(
    features: np.ndarray,
    data: Responses,
    split: Split,
    covariates: np.ndarray | None = None,
    *,
    screen: bool = False,
) -> np.ndarray:
    """Predict test presentations (P, N) by ridge regression on features (I, F) of images.

    1. The part of covariates (P, C) comes first (`without_covariates`).
    2. The mean response to each training image is regressed on its features, in closed form, with
       the penalty of each neuron that has the least leave-one-image-out error (RidgeCV); the
       largest leaves the mean response.
    3. `screen` gives that mean to neurons whose responses do not differ between training images
       (see `explainable.screened`).

    Repeats of an image have the same features: fitting their mean is fitting them all, where each
    image has equally many.
    """
    response, added = without_covariates(data, split, covariates)
    rows = split.fit
    shown, index = np.unique(data.image[rows], return_inverse=True)
    x = features[shown].astype(np.float64)
    mean = x.mean(0)
    scale = np.sqrt(((x - mean) ** 2).sum() / len(x)) or 1.0
    model = RidgeCV(alphas=ALPHAS * len(x), alpha_per_target=True)
    averages = image_means(response, index)
    model.fit((x - mean) / scale, averages)
    tested, back = np.unique(data.image[split.test], return_inverse=True)
    predicted = model.predict((features[tested] - mean) / scale)
    if screen:
        predicted = screened(predicted, response, data.image[rows], averages.mean(0))
    return predicted[back] + added
