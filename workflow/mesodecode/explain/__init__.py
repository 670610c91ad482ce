"""What a trained decoder looks at: Deep SHAP and other attributions of its output to its input."""


def __getattr__(name: str) -> object:
    """Return `deep_shap`, the room's one name for other programs, and import torch for it alone."""
    if name == "deep_shap":
        import importlib  # by its name: no stage enters by this door, or all here would be hashed

        return importlib.import_module("mesodecode.explain.deepshap").deep_shap
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
