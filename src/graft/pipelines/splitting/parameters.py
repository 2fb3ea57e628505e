"""Parameters of the splitting stage."""

from typing import Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from graft.parameters.base import StageParameters


class SplittingParameters(StageParameters):
    """Shares of the pictures of every class.

    Attributes:
        train: Share to learn from, where pictures are few.
        dev: Share to choose by: epochs, thresholds, the better model.
        test: Share that is looked at once, for the final figures.
        few: ``train``, ``dev`` and ``test`` hold up to so many pictures.
        many: From so many pictures on, dev and test take ``held_out_of_many`` each; between
            ``few`` and ``many`` their shares fall on a log-log line.
        held_out_of_many: Share of dev and of test among many pictures.
        target_source: Source of the pictures that the model is meant for. Then dev and test are
            drawn from it alone; None if all pictures are.
        train_dev: Share of train that is held out where ``target_source`` is set: it tells
            overfitting from a difference between the sources.
        folds: Parts of all pictures but test, for cross-validation.
        near_duplicate_radius: Largest Hamming distance of the hashes of look-alikes, in bits;
            None if look-alikes may stand on two sides.
        given: What becomes of splits that the pictures were given (folders ``train`` and ``val``,
            a column of a table): ``keep`` them and deal what is missing from train, or ``redraw``
            all.
        given_leaks: What becomes of pictures of given train or dev that belong together with ones
            of a later side (dev, test): ``drop`` them, ``keep`` them, or ``refuse`` the run.
        seed: Another seed draws other pictures.
    """

    train: float = Field(gt=0, lt=1)
    dev: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    few: PositiveInt
    many: PositiveInt
    held_out_of_many: float = Field(gt=0, lt=0.5)
    target_source: str | None
    train_dev: float = Field(gt=0, lt=1)
    folds: int = Field(ge=2, le=100)
    near_duplicate_radius: int | None = Field(ge=0, le=8)
    given: Literal["keep", "redraw"] = "keep"
    given_leaks: Literal["drop", "keep", "refuse"] = "drop"
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _make_sense_together(self) -> Self:
        total = self.train + self.dev + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(
                "train, dev and test must sum to 1, such as 0.6, 0.2 and 0.2; "
                f"got {self.train} + {self.dev} + {self.test} = {total:.6g}"
            )
        if self.many <= self.few:
            raise ValueError(
                f"many must be more than few; got many = {self.many:,}, few = {self.few:,}"
            )
        return self

    @property
    def split_rule(self) -> dict[str, Any]:
        """What the draw of splits depends on; a change of it draws all of them anew."""
        return self.model_dump(exclude={"folds", "near_duplicate_radius", "given", "given_leaks"})

    @property
    def fold_rule(self) -> dict[str, Any]:
        """What the draw of folds depends on."""
        return {**self.split_rule, "folds": self.folds}
