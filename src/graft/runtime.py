"""The backend's first import: what must be set before it, and its noise held back.

TensorFlow takes seconds to import, so whoever needs it imports it where it is used; which module
is the first is not known. ``import graft`` prepares that moment and imports no backend itself.
"""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

# TensorFlow, JAX and Keras read these once, when they are first imported or take a device; what the
# user has set stays. A limit of memory cannot be set once a device is taken, and the first stage
# that loads a network takes it: so a GPU's memory is taken as it is needed, from the beginning.
# ONNX Runtime (from 1.32 on Linux too) would otherwise note an identifier of this machine in the
# home folder and report to its makers. On a processor TensorFlow gives the memory of every result
# back to the system, which fills it with zeros when it is asked for again: where batches come from
# Python, that took half of a training step (`python benchmarks/training_step.py`). Its allocator
# for GPUs keeps it.
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "ORT_DISABLE_TELEMETRY": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_CPU_ALLOCATOR_USE_BFC": "true",
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}
# These only where JAX is the backend, for TensorFlow reads the first one too. What JAX compiled is
# kept for later runs; on a GPU operations whose result depends on the order of threads are left.
JAX_ENVIRONMENT = {
    "XLA_FLAGS": "--xla_gpu_deterministic_ops=true",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_COMPILATION_CACHE_DIR": str(
        Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graft" / "jax"
    ),
}
_NOISY = {"keras", "tensorflow"}


def prepare_backend() -> None:
    """Set what the first import of the backend or Keras reads, and let it be a quiet one."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if os.environ["KERAS_BACKEND"] == "jax":
        for name, value in JAX_ENVIRONMENT.items():
            os.environ.setdefault(name, value)
    sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder(MetaPathFinder):
    """Finds TensorFlow and Keras as ever, and executes them with their notes held back.

    Whoever only asks whether there is a TensorFlow imports nothing, and changes nothing. With JAX
    TensorFlow comes later than Keras, where it is installed: Keras looks for it as it saves.
    """

    def __init__(self) -> None:
        self._awaited = set(_NOISY)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in self._awaited else None
        if spec is not None and spec.loader is not None:
            loader, execute = spec.loader, spec.loader.exec_module

            def execute_quietly(module: ModuleType) -> None:
                self._awaited.discard(fullname)
                with _notes_held_back(), _left_by_the_collector():
                    execute(module)

            # For the type checker: a method is replaced, for this loader alone.
            loader.exec_module = execute_quietly  # type: ignore[method-assign]
        return spec


@contextmanager
def _left_by_the_collector() -> Iterator[None]:
    """Let the garbage collector leave alone what is made in the block, then and later.

    Hundreds of thousands of TensorFlow's objects live as long as the process. To look through
    them took half a second of every ``clear_session``, and a tenth of a short run in all.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


@contextmanager
def _notes_held_back() -> Iterator[None]:
    """Hold back what is written to standard error; show it only if the block fails.

    TensorFlow's C++ core writes its notes to file descriptor 2 while it is imported, whatever
    ``TF_CPP_MIN_LOG_LEVEL`` says.
    """
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
        except BaseException:
            notes.seek(0)
            os.write(stderr, notes.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
