"""Metrics and their uncertainty; NumPy, SciPy and scikit-learn only."""
