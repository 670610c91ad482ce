"""Decoders: inputs, networks, training, prediction."""
