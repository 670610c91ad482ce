"""AUC, tests, calibration, reproduction, and their figures."""
