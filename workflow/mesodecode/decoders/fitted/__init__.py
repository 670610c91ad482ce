"""Decoders that are fitted in one step: a module a kind, by its name in `study/kinds.py`."""
