"""Deep SHAP through maxima: shares by hand and by all orders, pools as torch's, whole networks."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mesodecode.base.files import UserError
from mesodecode.explain import maxima, operations
from mesodecode.explain.deepshap import deep_shap

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("window", "reference", "shares"),
    [
        ([3, 2], [0, 0], [2, 1]),  # 2 is theirs alike, the third unit the first's
        ([1, 0], [0, 2], [0.5, -1.5]),  # 2 to 1: without the second the first is worth 1
        ([5, 1], [4, 3], [1, 0]),  # the second is never the largest
        ([1, 1, 1], [0, 0, 0], [1 / 3, 1 / 3, 1 / 3]),
        ([0, 1], [1, 0], [-0.5, 0.5]),  # the maximum stays, and each would have moved it
        ([2, 2], [2, 2], [0, 0]),
        ([4], [1], [3]),
    ],
)
def test_a_maximum_is_shared_as_among_players(window, reference, shares):
    found = maxima.shapley(*(torch.tensor([row]).double() for row in (window, reference)))
    np.testing.assert_allclose(found[0], shares, rtol=0, atol=1e-12)


numbers = st.lists(st.tuples(*[st.integers(-3, 3)] * 2), min_size=1, max_size=5)


@settings(deadline=None, max_examples=30)
@given(numbers)
def test_shares_are_the_mean_over_all_orders_in_which_numbers_come(pairs):
    window, reference = (np.array(row) for row in zip(*pairs, strict=True))
    expected, orders = np.zeros(len(pairs)), list(permutations(range(len(pairs))))
    for order in orders:
        now = reference.copy()
        for one in order:
            before, now[one] = now.max(), window[one]
            expected[one] += now.max() - before
    found = maxima.shapley(*(torch.tensor(row).double()[None] for row in (window, reference)))
    np.testing.assert_allclose(found[0], expected / len(orders), rtol=0, atol=1e-12)


def ruled(function, x):
    """Return what a function makes of windows and references x under the rules."""
    with operations.Rules(nn.Identity(), len(x)):
        return function(x)


POOLS = {
    "MaxPool1d": ((7,), nn.MaxPool1d(3, 2, 1)),
    "of one signal": ((), lambda x: torch.max_pool1d(x, 3)),
    "MaxPool2d": ((7, 9), nn.MaxPool2d(2)),
    "overlapping": ((7, 9), nn.MaxPool2d(3, 2, 1)),
    "unlike axes": ((7, 9), nn.MaxPool2d((2, 3), (3, 1), (1, 0))),
    "to the edge": ((7, 8), nn.MaxPool2d(3, 2, ceil_mode=True)),
    "apart": ((9, 9), nn.MaxPool2d(3, 1, 1, dilation=2)),
    "MaxPool3d": ((5, 4, 5), nn.MaxPool3d(2, ceil_mode=True)),
    "all": ((7, 9), nn.AdaptiveMaxPool2d(1)),
    "in parts": ((7, 9), nn.AdaptiveMaxPool2d((4, None))),
    "amax": ((7, 9), lambda x: x.amax((2, -1))),
    "kept": ((7, 9), lambda x: torch.amax(x, dim=(3, 1), keepdim=True)),
    "max": ((7, 9), lambda x: x.max(2)[0]),
    "max kept": ((7,), lambda x: torch.max(x, dim=2, keepdim=True).values),
}


@pytest.mark.parametrize("name", POOLS)
def test_maxima_are_torchs_and_so_are_multipliers_of_what_hardly_moves(name):
    axes, function = POOLS[name]
    torch.manual_seed(0)
    x = torch.randn(2, 3, *axes, dtype=torch.float64)
    x = torch.cat((x, x)).requires_grad_()  # references that are the windows: gradients
    found, expected = ruled(function, x), function(x)
    assert torch.equal(found, expected) and found.shape == expected.shape
    weights = torch.randn_like(found)
    by_rule, by_torch = (torch.autograd.grad((weights * y).sum(), x)[0] for y in (found, expected))
    np.testing.assert_allclose(by_rule, by_torch, rtol=0, atol=1e-12)


def test_places_of_maxima_are_given_too():
    x = torch.tensor([[1.0, 3, 2], [0, 1, 5]], requires_grad=True)
    assert ruled(lambda x: x.max(1).indices, x).tolist() == [1, 2]


def test_overlapping_pools_each_share_their_own_maximum():
    """Which DeepLIFT of shap and captum does not: a pixel in two pools gets the share of one."""
    window, reference = torch.tensor([[0, 0, 9, 3, 0, 0]]), torch.zeros(1, 6)
    x = torch.cat((window, reference)).double()[:, None].requires_grad_()
    pools = ruled(nn.MaxPool1d(4, 2), x)
    assert pools[0].tolist() == [[9, 9]]
    (multipliers,) = torch.autograd.grad(pools[0].sum(), x)
    # of each pool: 3 is of both alike, the other 6 of the larger
    np.testing.assert_allclose((multipliers * x)[0, 0].detach(), [0, 0, 15, 3, 0, 0], atol=1e-12)


class Pooled(nn.Module):
    """Convolution, ReLU, overlapping pools and a maximum over time, then a linear layer."""

    def __init__(self):
        super().__init__()
        self.convolution, self.pool = nn.Conv1d(3, 4, 2), nn.MaxPool1d(3, 1, 1)
        self.head = nn.Linear(8, 1)

    def forward(self, windows):
        seen = self.pool(torch.relu(self.convolution(windows.transpose(1, 2))))
        return self.head(torch.cat((seen[:, :, 0], seen.amax(2)), 1))


def test_a_network_of_maxima_adds_up_and_follows_what_is_used():
    torch.manual_seed(0)
    decoder = Pooled().double()
    with torch.no_grad():
        decoder.convolution.weight[:, 2] = 0  # the third signal is not used
    windows, background = (torch.randn(n, 5, 3, dtype=torch.float64) for n in (4, 6))
    values, base = deep_shap(decoder, windows, background, output="logit")
    with torch.no_grad():
        expected, usual = decoder(windows)[:, 0], decoder(background).mean().item()
    assert base == pytest.approx(usual, abs=1e-12)
    np.testing.assert_allclose(base + values.sum((1, 2)), expected, rtol=0, atol=1e-9)
    assert (values[:, :, 2] == 0).all() and (values[:, :, :2] != 0).any()


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: x - x.max(), "'max'"),  # over windows: one would change another
        (lambda x: x - x.amax(0), "'amax'"),
        (lambda x: nn.functional.max_pool1d(x, 2, return_indices=True)[0], "MaxPool1d|max_pool1d"),
        (lambda x: torch.max(x, 2 * x), "'max'"),
    ],
)
def test_other_maxima_are_refused_by_name(function, name):
    with pytest.raises(UserError, match=f"no rule for .*{name}"):
        ruled(function, torch.randn(4, 3, 6, requires_grad=True))
