"""How far a test mouse is from the mice that a decoder was trained on, and what it does to it."""
