"""The state of a training: the name of a training holds all that decides how it goes."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from graft.parameters.training import TrainingParameters
from graft.training.state import fingerprint_training
from helpers.caching import forget_code

RATES = {
    "a relative import": "from .rates import F\n\ndef halve(epoch, rate):\n    return rate * F\n",
    "a partial": (
        "from functools import partial\nfrom .rates import scale\n\nhalve = partial(scale)\n"
    ),
}


@pytest.mark.parametrize("text", RATES.values(), ids=RATES)
def test_code_that_the_users_module_imports_is_part_of_the_name(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "own_schedules"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "plan.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    settings = TrainingParameters(
        learning_rate=1e-3, batch_size=8, epochs=2, patience=2, seed=0,
        schedule="own_schedules.plan.halve",
    )  # fmt: skip
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])

    def name_with(factor: float) -> str:
        (package / "rates.py").write_text(
            f"F = {factor}\n\ndef scale(epoch, rate):\n    return rate * {factor}\n"
        )
        forget_code()
        return fingerprint_training(model, [], settings, [], "code")

    assert name_with(0.5) == name_with(0.5)
    assert name_with(0.5) != name_with(0.25)
