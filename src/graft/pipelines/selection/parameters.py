"""Parameters of the selection stage."""

from pydantic import PositiveInt

from graft.parameters.base import StageParameters


class SelectionParameters(StageParameters):
    """How the chosen classifier is proved.

    Attributes:
        checked_pictures: Pictures of dev that go through the saved classifier, to prove that it
            gives what was measured.
    """

    checked_pictures: PositiveInt
