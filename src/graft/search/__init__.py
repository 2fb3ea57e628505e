"""Searching parameters with Optuna: what is tried, how it is scored, what may be changed."""
