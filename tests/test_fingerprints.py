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
            (folder / f"{name}.py").write_text(text)
        for name, function in vars(fingerprints).items():
            if hasattr(function, "cache_clear"):
                monkeypatch.setattr(fingerprints, name, function.__wrapped__)
        return fingerprint_code(importlib.import_module("toy.entry").run)

    yield write
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy"]:
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


def test_an_import_inside_a_function_counts(fingerprint: Callable[..., str]) -> None:
    late = "def run(x):\n    from toy import helper\n    return helper.HALF * x\n"
    assert fingerprint(entry=late) != fingerprint(entry=late, helper="HALF = 0.1\n")


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
    assert done.stdout.split() == ["keras", "numpy", "tensorflow"]


def test_pixels_are_made_by_few_modules() -> None:
    # The whole stage would be a wider net: a change of its log would decode every picture anew.
    assert list_modules("graft.images.decoding") == (
        "graft.compute.streams", "graft.errors", "graft.images.colours", "graft.images.crops",
        "graft.images.decoding",
    )  # fmt: skip
    assert set(list_libraries("graft.images.decoding")) == {"numpy", "pillow"}


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", "bc"), ("ab", "c")), ((1,), ("1",)), ((1,), (1.0,)), (("",), ()), ((None,), ("None",))],
)
def test_no_two_lists_of_values_have_one_digest(one: tuple, other: tuple) -> None:
    assert hash_parts(*one) != hash_parts(*other)
