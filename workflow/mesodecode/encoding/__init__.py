"""Encoding models: what predicts the responses of neurons to images, and why a network does not."""
