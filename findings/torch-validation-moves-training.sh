#!/usr/bin/env bash
# Guess: going through a DataLoader without shuffle and without workers draws no random number, so that looking at validation
#   data between epochs leaves a seeded training as it is.
# Happens: each start of a DataLoader draws one number from the global generator (the seed its workers would have): the order
#   of the second epoch's training batches is another one, and dropout too. A loader with a generator= of its own draws
#   from that.
# Version: torch 2.13.0.
# Source: run here.
# Why it matters: validating every second epoch, or on a second set, gives another network from the same seed; a difference
#   of two runs is taken for one of the data.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
venv/bin/python - <<'EOF'
import torch
from torch.utils.data import DataLoader

print("torch", torch.__version__)


def epochs(validation):
    torch.manual_seed(0)
    training, orders = DataLoader(range(12), shuffle=True, num_workers=0), []
    for _ in range(2):
        orders.append([int(item) for item in training])
        list(validation)
    return orders


without = epochs([])
plain = epochs(DataLoader(range(4), shuffle=False, num_workers=0))
own = epochs(DataLoader(range(4), shuffle=False, num_workers=0, generator=torch.Generator()))
for name, orders in (("no validation", without), ("validation", plain), ("with its generator", own)):
    print(name, *orders)
assert plain[0] == without[0] and plain[1] != without[1] and own == without
EOF
