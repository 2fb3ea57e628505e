"""How a network is trained: the parameters that every stage that trains one shares."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from graft.parameters import StageParameters

SCHEDULES = ("constant", "cosine", "step", "reduce_on_plateau")
CALLBACKS = ("csv_logger", "model_checkpoint", "tensorboard")
_DOTTED_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


class TrainingParameters(StageParameters):
    """Optimizer, schedule, stopping, weights and callbacks of a training.

    Attributes:
        stage: Name of the stage, for messages: ``head_training``.
        optimizer: ``adam``, ``adamw``, ``sgd`` (momentum 0.9) or ``rmsprop``.
        learning_rate: The highest of the schedule.
        schedule: ``constant``; ``cosine`` (to 0 at the last epoch); ``step`` (times
            ``reduce_factor`` after every ``reduce_after`` epochs); ``reduce_on_plateau`` (times
            ``reduce_factor`` after ``reduce_after`` epochs without a lower loss on dev); or the
            dotted path of a function of epoch (from 0) and learning rate.
        warmup_share: Share of all steps in which the rate rises from 0.
        reduce_factor: See ``schedule``.
        reduce_after: See ``schedule``.
        batch_size: Pictures a step.
        epochs: At most so many.
        patience: Stop after so many epochs without a lower loss on dev; the best epoch stays. A
            training of fewer epochs does not stop early, and its best epoch stays as well.
        weight_decay: With ``adamw`` apart from the loss (Loshchilov and Hutter 2019), otherwise
            factor of the L2 penalty; on kernels alone, not on biases and scales.
        clip_norm: Longest allowed gradient, all weights together; null for any.
        loss: ``sparse_categorical_crossentropy`` (labels), ``categorical_crossentropy`` (labels
            as one-hot vectors) or ``binary_crossentropy`` (two classes).
        label_smoothing: Share of the target that is spread over all classes.
        class_weights: ``none``, ``balanced`` (∝ 1/n) or ``sqrt`` (∝ n^-0.5).
        sample_weights: A column of ``splits`` with the weight of each picture, or null:
            ``weight`` is what the table of labels says in its ``weight_column``.
        precision: ``float32``, ``mixed_bfloat16`` or ``auto`` (the latter on devices that
            compute faster with it).
        callbacks: What watches the training, in this order: mappings with ``class``
            (``csv_logger``, ``model_checkpoint``, ``tensorboard``, or a dotted path) and the
            arguments of that class.
        seed: Of the order of the batches and of what is random in the network.
    """

    stage: ClassVar[str] = "training"

    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: PositiveFloat = Field(allow_inf_nan=False)
    schedule: str = "constant"
    warmup_share: float = Field(default=0, ge=0, lt=1)
    reduce_factor: float = Field(default=0.1, gt=0, lt=1)
    reduce_after: PositiveInt = 10
    batch_size: PositiveInt
    epochs: PositiveInt
    patience: PositiveInt
    weight_decay: float = Field(default=0, ge=0, allow_inf_nan=False)
    clip_norm: PositiveFloat | None = None
    loss: Literal[
        "sparse_categorical_crossentropy", "categorical_crossentropy", "binary_crossentropy"
    ] = "sparse_categorical_crossentropy"
    label_smoothing: float = Field(default=0, ge=0, lt=1)
    class_weights: Literal["none", "balanced", "sqrt"] = "none"
    sample_weights: str | None = None
    precision: Literal["float32", "mixed_bfloat16", "auto"] = "float32"
    callbacks: tuple[dict[str, Any], ...] = ()
    seed: int = Field(ge=0)

    @property
    def uses_tensorboard(self) -> bool:
        """Whether a callback writes for TensorBoard."""
        return any(callback["class"] == "tensorboard" for callback in self.callbacks)

    def list_code(self) -> list[str]:
        names = [self.schedule, *(str(callback["class"]) for callback in self.callbacks)]
        return [name for name in names if name not in (*SCHEDULES, *CALLBACKS)]

    @field_validator("schedule")
    @classmethod
    def _check_schedule(cls, schedule: str) -> str:
        if schedule not in SCHEDULES and not _DOTTED_PATH.fullmatch(schedule):
            raise ValueError(
                f"allowed are {', '.join(SCHEDULES)} or the dotted path of a function of epoch "
                "and learning rate, such as my_package.schedules.halve"
            )
        return schedule

    @field_validator("callbacks")
    @classmethod
    def _check_callbacks(cls, callbacks: tuple[dict[str, Any], ...]) -> tuple[dict[str, Any], ...]:
        for callback in callbacks:
            name = callback.get("class")
            if name not in CALLBACKS and not _DOTTED_PATH.fullmatch(str(name or "")):
                raise ValueError(
                    f"each needs 'class': {', '.join(CALLBACKS)} or the dotted path of a "
                    "Keras callback, such as my_package.callbacks.Alarm"
                )
        return callbacks

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if self.warmup_share and self.schedule not in ("constant", "cosine", "step"):
            raise ValueError(
                "warmup_share goes with the schedules constant, cosine and step; the others set "
                f"the learning rate by epoch themselves; got warmup_share {self.warmup_share} "
                f"with schedule '{self.schedule}'"
            )
        return self


class HeadTrainingParameters(TrainingParameters):
    """How the head is trained; what goes for every training is described in the base class.

    Attributes:
        dropout: Share of features dropped in training.
        hidden_units: Units of a dense layer before the last one; 0 for none.
        outputs: Outputs of the dense layer: ``auto`` (1 with the loss ``binary_crossentropy``,
            otherwise one a class) or their number. The classifier gives one probability a
            class in either case.
    """

    stage: ClassVar[str] = "head_training"

    dropout: float = Field(ge=0, lt=1)
    hidden_units: NonNegativeInt = 0
    outputs: Literal["auto"] | int = "auto"

    def count_outputs(self, class_count: int) -> int:
        """Outputs of the dense layer for so many classes."""
        if self.outputs != "auto":
            return self.outputs
        return 1 if self.loss == "binary_crossentropy" else class_count
