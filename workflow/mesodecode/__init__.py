"""Decode behaviour from cortex-wide calcium imaging, across mice."""

__version__ = "0.1.0"
