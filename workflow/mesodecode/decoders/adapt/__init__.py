"""Decoders adapted to a new mouse."""
