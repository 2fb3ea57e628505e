"""Regular expressions that find labels and groups in file names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from graft.errors import GraftError


class FileNamePattern:
    """A regular expression for whole file names, without their folders.

    Args:
        pattern: The expression.
        needed: Named group that it must have.

    Raises:
        GraftError: If it is no regular expression, or has no such group.
    """

    def __init__(self, pattern: str, needed: str) -> None:
        self.pattern, self._needed = pattern, needed
        try:
            self._expression = re.compile(pattern)
        except (re.error, RecursionError, OverflowError, TypeError) as error:
            raise GraftError(
                f"the file name pattern is no regular expression: {error}; got {pattern!r}"
            ) from None
        if needed not in self._expression.groupindex:
            raise GraftError(
                f"the file name pattern needs a named group (?P<{needed}>…); got {pattern!r}"
            )

    def find(self, name: str) -> dict[str, str | None]:
        """Named groups found in a file's name; an empty group counts as none."""
        match = self._expression.fullmatch(PurePosixPath(name).name)
        return {key: value or None for key, value in match.groupdict().items()} if match else {}

    def refuse_unless_any(self, names: Iterable[str], path: str | os.PathLike[str]) -> None:
        """Refuse a pattern that finds its group in no name at all.

        Raises:
            GraftError: Shows the first name.
        """
        names = list(names)
        if not any(self.find(name).get(self._needed) for name in names):
            raise GraftError(
                f"no file name in '{path}' matches the pattern '{self.pattern}'; "
                f"the first file is {names[0]!r}"
            )
