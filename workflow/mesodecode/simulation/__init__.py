"""Simulated mice, their movies and the truth about them."""
