"""Digests of code: they change with what a function does, and with nothing else."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graft import fingerprints
from graft.fingerprints import fingerprint_code, hash_parts, list_libraries, list_modules

CODE = {
    "__init__": "",
    "entry": "from toy.helper import HALF\ndef run(x):\n    return HALF * x\n",
    "helper": "import numpy as np\nHALF = 0.5\n",
    "other": "import pandas\n",
}


@pytest.fixture
def fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """Digest of ``toy.entry.run`` after some modules of the package were written anew."""
    folder = tmp_path / "toy"
    folder.mkdir()
    monkeypatch.syspath_prepend(tmp_path)

    def write(**changed: str) -> str:
        for name, text in {**CODE, **changed}.items():
            path = folder / f"{name.replace('.', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        for name, function in vars(fingerprints).items():
            # What a text says is kept (conftest.py).
            if hasattr(function, "cache_clear") and function is not fingerprints.describe_text:
                monkeypatch.setattr(fingerprints, name, function.__wrapped__)
        return fingerprint_code(importlib.import_module("toy.entry").run)

    yield write
    for name in [name for name in sys.modules if name.startswith("toy")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    "changed",
    [
        {"helper": "import numpy as np\nHALF = 0.25\n"},
        {"entry": "from toy.helper import HALF\ndef run(x):\n    return HALF + x\n"},
        {"helper": "import scipy\nHALF = 0.5\n"},
    ],
    ids=["a helper", "the function", "a library"],
)
def test_code_that_may_decide_the_result_counts(
    changed: dict[str, str], fingerprint: Callable[..., str]
) -> None:
    assert fingerprint() != fingerprint(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"other": "import pandas\nx = 1\n"},
        {"helper": '"""Words."""\n# more\nimport numpy as np\n\nHALF = (0.5)\n'},
        {"entry": CODE["entry"].replace("    return", '    """Half."""\n    return')},
    ],
    ids=["a module that is not imported", "a comment", "a docstring"],
)
def test_what_cannot_decide_the_result_does_not_count(
    changed: dict[str, str], fingerprint: Callable[..., str]
) -> None:
    assert fingerprint() == fingerprint(**changed)


RETURN = "\ndef run(x):\n    return HALF * x\n"
WAYS = {
    "relative, of a name": "from .helper import HALF" + RETURN,
    "relative, of everything": "from .helper import *" + RETURN,
    "relative, of a module": "from . import helper as h\nHALF = h.HALF" + RETURN,
    "a module from its package": "from toy import helper as h\nHALF = h.HALF" + RETURN,
    "plain": "import toy.helper\nHALF = toy.helper.HALF" + RETURN,
    "in a function": "def run(x):\n    from .helper import HALF\n    return HALF * x\n",
    "where it may fail": (
        "try:\n    from .helper import HALF\nexcept ImportError:\n    HALF = 1" + RETURN
    ),
    "import_module": "import importlib\nHALF = importlib.import_module('toy.helper').HALF" + RETURN,
    "import_module, relative to the package": (
        "from importlib import import_module as get\n"
        "HALF = get('.helper', __package__).HALF" + RETURN
    ),
    "import_module, relative to a literal": (
        "import importlib.util as u, importlib as i\n"
        "HALF = i.import_module(name='.helper', package='toy').HALF" + RETURN
    ),
    "__import__": "HALF = __import__('toy.helper').helper.HALF" + RETURN,
    "through the package": "from toy.inner import HALF" + RETURN,
}  # fmt: skip


@pytest.mark.parametrize("entry", WAYS.values(), ids=WAYS)
def test_every_way_to_import_that_stands_in_the_text_is_followed(
    entry: str, fingerprint: Callable[..., str]
) -> None:
    modules = {"entry": entry, "inner.__init__": "from ..helper import HALF\n"}
    assert fingerprint(**modules) != fingerprint(**modules, helper="HALF = 0.1\n")


def test_the_package_around_a_module_counts_for_importing_it_runs_it(
    fingerprint: Callable[..., str],
) -> None:
    entry = "from toy.inner.deep import HALF" + RETURN
    modules = {"entry": entry, "inner.__init__": "", "inner.deep": "HALF = 0.5\n"}
    for name in ("__init__", "inner.__init__"):
        assert fingerprint(**modules) != fingerprint(**modules | {name: "import os\nos.nice(0)\n"})


def test_a_module_beside_the_package_that_is_of_no_library_counts(
    fingerprint: Callable[..., str], tmp_path: Path
) -> None:
    beside = tmp_path / "toy_rates.py"
    beside.write_text("HALF = 0.5\n")
    entry = "from toy_rates import HALF\nfrom graft.errors import GraftError" + RETURN
    before = fingerprint(entry=entry)
    assert {"toy_rates", "graft.errors"} <= set(list_modules("toy.entry"))
    beside.write_text("HALF = 0.1\n")
    assert fingerprint(entry=entry) != before


def test_what_cannot_be_followed_is_passed_over(fingerprint: Callable[..., str]) -> None:
    entry = (
        "import importlib\n"
        "def run(x, name='toy.helper'):\n"
        "    importlib.import_module(name)\n"
        "    importlib.import_module('....far')\n"
        "    from .... import farther\n"
        "    import not_installed_anywhere\n"
    )
    assert fingerprint(entry=entry) == fingerprint(entry=entry, helper="HALF = 0.1\n")


def test_the_version_of_a_library_counts(
    fingerprint: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fingerprint()
    monkeypatch.setattr(fingerprints, "version", lambda library: f"{library} 99")
    assert fingerprint() != before


def test_listing_modules_of_the_models_does_not_import_tensorflow() -> None:
    code = (
        "import sys; from graft.fingerprints import list_libraries;"
        "print(*list_libraries('graft.models.inference')); assert 'keras' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(Path(fingerprints.__file__).parents[1])},
    )  # fmt: skip
    assert set(done.stdout.split()) >= {"keras", "numpy", "tensorflow"}


def test_pixels_are_made_by_few_modules() -> None:
    # The whole stage would be a wider net: a change of its log would decode every picture anew.
    assert list_modules("graft.images.decoding") == (
        "graft.compute.streams", "graft.errors", "graft.images.colours", "graft.images.crops",
        "graft.images.decoding", "graft.images.deep_pictures",
    )  # fmt: skip
    # HEIC pictures have a decoder of their own, where it is installed.
    assert set(list_libraries("graft.images.decoding")) - {"pillow-heif"} == {"numpy", "pillow"}


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", "bc"), ("ab", "c")), ((1,), ("1",)), ((1,), (1.0,)), (("",), ()), ((None,), ("None",))],
)
def test_no_two_lists_of_values_have_one_digest(one: tuple, other: tuple) -> None:
    assert hash_parts(*one) != hash_parts(*other)
