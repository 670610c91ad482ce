"""What a trained decoder looks at: Deep SHAP and other attributions of its output to its input."""
