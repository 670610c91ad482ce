#!/usr/bin/env bash
# Of the seed of a torch generator on the CPU the upper 32 bits count for nothing.
#
# One would guess: `manual_seed` takes whole numbers of 64 bits and says so in its errors, so two seeds that
#   differ give two streams of random numbers; a seed made of a hash, or of mouse and session as
#   mouse * 2**32 + session, is a good one.
# What happens: seeds that differ by a multiple of 2**32 give the same numbers: all "mice" of such a scheme have
#   one noise. `initial_seed()` tells the whole number back. `numpy.random.default_rng` takes all bits into
#   account. (A GPU's generator, another algorithm, was not run.)
# Version: torch 2.13.0 (CPU). Source: run here (a Mersenne twister is seeded by 32 bits).
# Why it matters: simulated mice, bootstraps and augmentations that are seeded by mouse and session repeat each
#   other without a word, and agreement between "independent" seeds is exact.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.0
"$folder/env/bin/python" - <<'PYTHON'
import numpy as np
import torch

print("torch", torch.__version__)


def drawn(seed):
    generator = torch.Generator().manual_seed(seed)
    assert generator.initial_seed() == seed
    return torch.randn(4, generator=generator)


mice = [drawn(mouse * 2**32 + 7) for mouse in range(3)]
print("session 7 of three mice:", *mice, sep="\n  ")
assert all(torch.equal(mice[0], mouse) for mouse in mice)
assert not torch.equal(drawn(7), drawn(8))
others = [np.random.default_rng(mouse * 2**32 + 7).normal(size=4) for mouse in range(3)]
assert not np.array_equal(others[0], others[1])
PYTHON
echo "as described"
