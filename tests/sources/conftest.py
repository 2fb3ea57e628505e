"""What the tests of all layouts look at."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from graft.errors import GraftError
from graft.sources.source import ImageSource


@pytest.fixture(scope="session")
def get_facts() -> Callable[..., dict[str, str | None]]:
    """Function from a source and a column to that column by ``image_id``, None where missing."""

    def get_facts(source: ImageSource, column: str = "label") -> dict[str, str | None]:
        assert source.records["image_id"].is_unique
        facts = source.records.set_index("image_id")[column]
        return facts.astype(object).where(facts.notna(), None).to_dict()

    return get_facts


@pytest.fixture(scope="session")
def attempt() -> Callable[..., object]:
    """Function that calls another; gives back its result, or None after a one-line error."""

    def attempt(function: Callable[..., object], *arguments: object) -> object:
        try:
            return function(*arguments)
        except GraftError as error:
            message = str(error)
        assert len(message.splitlines()) == 1
        return None

    return attempt
