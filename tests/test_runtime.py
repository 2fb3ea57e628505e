"""The first import of TensorFlow: quiet unless it fails, wherever it happens, and not before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from graft.runtime import ENVIRONMENT, JAX_ENVIRONMENT
from helpers.exports import make_network

LIBRARIES = ("keras", "tensorflow")
# A library that is as loud as TensorFlow, on the file descriptor itself.
LOUD = "import os\nos.write(2, b'a note of {name}\\n')\n"


def run(code: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, libraries of some folders before those installed."""
    places = [*map(str, folders), os.environ["PYTHONPATH"]]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places)}
    for name in ENVIRONMENT | JAX_ENVIRONMENT:
        environment.pop(name, None)
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    """A folder of a Keras that imports a TensorFlow, both loud."""
    for name in LIBRARIES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(LOUD.format(name=name))
    with (tmp_path / "keras/__init__.py").open("a") as file:
        file.write("import tensorflow\n")
    return tmp_path


# Of a whole run, which imports both, tests/end_to_end/test_whole_run.py says the same.
@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_the_real_one_is_imported_without_a_note(library: str) -> None:
    done = run(f"import graft, {library}; print({library}.__spec__.loader is not None)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_loud_one_is_held_back_and_nothing_after_it(library: str, fakes: Path) -> None:
    done = run(f"import graft, os, {library}; os.write(2, b'mine')", fakes)
    assert (done.returncode, done.stderr) == (0, "mine")


def test_the_one_and_then_the_other(fakes: Path) -> None:
    # With JAX as its backend Keras looks for TensorFlow long after it was imported itself.
    for libraries in ("tensorflow, keras", "keras, tensorflow"):
        assert run(f"import graft, {libraries}", fakes).stderr == ""


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_import_that_fails_shows_its_notes(library: str, fakes: Path) -> None:
    with (fakes / "tensorflow/__init__.py").open("a") as file:
        file.write("raise ImportError('no such processor')\n")
    done = run(f"import graft, {library}", fakes)
    assert done.returncode == 1
    assert done.stderr.startswith("a note of ")
    assert "a note of tensorflow\nTraceback" in done.stderr
    assert done.stderr.endswith("ImportError: no such processor\n")


def test_a_library_that_is_not_there_is_missing_as_ever(tmp_path: Path) -> None:
    done = run(f"import graft, sys; sys.path[:] = [{str(tmp_path)!r}]; import keras")
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'keras'\n")


def test_to_ask_for_it_is_not_to_import_it_and_costs_no_quiet(fakes: Path) -> None:
    code = (
        "import graft, importlib.util, sys\n"
        "assert importlib.util.find_spec('keras').origin.startswith({!r})\n"
        "assert 'keras' not in sys.modules\n"
        "import keras"
    )
    done = run(code.format(str(fakes)), fakes)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_package_and_its_models_import_no_tensorflow() -> None:
    done = run("import graft, graft.models, graft.datasets, sys; print(*sys.modules)")
    assert not {*LIBRARIES} & {*done.stdout.split()}


@pytest.mark.parametrize("name", ENVIRONMENT)
def test_what_must_be_set_before_the_import_is_set_and_what_the_user_sets_stays(name: str) -> None:
    show = f"import graft, os; print(os.environ['{name}'])"
    assert run(show).stdout == f"{ENVIRONMENT[name]}\n"
    assert run(f"import os; os.environ['{name}'] = 'mine'; {show}").stdout == "mine\n"


def test_what_is_for_jax_alone_is_set_only_where_it_is_the_backend() -> None:
    show = f"import graft, os; print([os.environ.get(name) for name in {list(JAX_ENVIRONMENT)}])"
    assert run(show).stdout == f"{[None] * len(JAX_ENVIRONMENT)}\n"
    with_jax = f"import os; os.environ['KERAS_BACKEND'] = 'jax'; {show}"
    assert run(with_jax).stdout == f"{list(JAX_ENVIRONMENT.values())}\n"


def test_what_was_imported_is_not_looked_through_for_garbage_again(fakes: Path) -> None:
    code = (
        "import gc, graft\n"
        "before = gc.get_freeze_count()\n"
        "import tensorflow\n"
        "print(before, gc.get_freeze_count() > 0, gc.isenabled())"
    )
    assert run(code, fakes).stdout == "0 True True\n"


def test_onnx_runtime_notes_and_reports_nothing(tmp_path: Path) -> None:
    network = tmp_path / "model.onnx"
    network.write_bytes(make_network(np.eye(3)))
    home = tmp_path / "home"
    home.mkdir()
    code = f"""
import os
os.environ |= {{"HOME": {str(home)!r}, "XDG_CACHE_HOME": {str(home)!r}}}
import graft, onnxruntime
onnxruntime.InferenceSession({str(network)!r}, providers=["CPUExecutionProvider"])
print("ran")
"""
    assert run(code).stdout == "ran\n"
    assert list(home.rglob("*")) == []
