"""Parameters of the exploration stage."""

from pydantic import Field, PositiveFloat, PositiveInt

from graft.parameters.base import StageParameters


class ShortcutParameters(StageParameters):
    """How it is tested whether trivial properties name the class.

    Attributes:
        folds: Of the cross-validation; classes of fewer clusters are left out.
        confidence: Probability that the intervals of all properties hold together.
        matters: Share of the way from chance to certainty from which on a property is warned
            of: 0.2 is 60 % right with two classes.
    """

    folds: int = Field(ge=2)
    confidence: float = Field(gt=0, lt=1)
    matters: float = Field(ge=0, le=1)


class OutlierParameters(StageParameters):
    """What counts as an outlier.

    Attributes:
        threshold: Modified z-score beyond which a picture is one. Iglewicz and Hoaglin take
            3.5 for normal values; properties of photographs have longer tails.
        pictures: So many are shown, at most; the table has all.
    """

    threshold: PositiveFloat
    pictures: PositiveInt


class ContactSheetParameters(StageParameters):
    """How contact sheets look.

    Attributes:
        classes: Sheets, at most; the largest classes have one.
        pictures: Pictures a sheet, at most.
        side: Of a picture, in pixels.
    """

    classes: PositiveInt
    pictures: PositiveInt
    side: int = Field(ge=8, le=512)


class ExplorationParameters(StageParameters):
    """What is looked at.

    Attributes:
        sample: Pictures behind the plots, the profile and the test for shortcuts, at most.
        imbalance: A warning is given if the largest class has so many times the pictures of
            the smallest.
        shortcuts: How it is tested whether trivial properties name the class.
        outliers: What counts as an outlier.
        contact_sheet: How contact sheets look.
        max_pixels: Larger pictures are not opened.
        seed: Of samples, folds and trees.
    """

    sample: int = Field(ge=100)
    imbalance: float = Field(ge=1)
    shortcuts: ShortcutParameters
    outliers: OutlierParameters
    contact_sheet: ContactSheetParameters
    max_pixels: PositiveInt
    seed: int = Field(ge=0)
