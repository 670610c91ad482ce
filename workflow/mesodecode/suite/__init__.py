"""The ground-truth benchmark."""
