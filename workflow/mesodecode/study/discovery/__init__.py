"""A first config for a folder of recordings."""
