"""Metrics and their uncertainty, comparison, label issues: NumPy, SciPy, scikit-learn."""
