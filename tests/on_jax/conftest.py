"""Tests of the backend JAX: a process has one backend, so `make test` runs these by themselves."""

from __future__ import annotations

import os

# Set before the first test is collected; see the Makefile.
collect_ignore_glob = [] if os.environ.get("KERAS_BACKEND") == "jax" else ["test_*.py"]
