"""Recipes of fine-tuning: how deep, how fast, how long; and how many of them a budget can try.

A recipe is a point that serves many sets; the race (:mod:`graft.training.race`) finds which one
serves this set. They are few on purpose: a free search by dev over a whole grid ended below the
frozen head on four small sets of ten. Measured over ten sets with MobileNetV2 (docs/training.md):
sets are near to what the backbone has seen (frozen head above 95 %; all layers at 1e-3 lose up to
7 points) or far (traffic signs: they gain over 50 points).

BatchNormalization stays in inference mode in all of them: trained on the statistics of small
batches, signs lost 57 points, and training its scale gained nothing anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from graft.parameters.fine_tuning import AugmentationParameters, FineTuningParameters


@dataclass(frozen=True)
class Recipe:
    """How a classifier whose head is trained is trained further.

    Attributes:
        name: What ``fine_tuning.recipe`` takes.
        depth: ``none`` (the head as it is), the number of last blocks, the share of all blocks,
            or ``all``.
        learning_rate: The peak; it rises over a tenth of the steps and falls to 0 as a cosine.
        epochs: At least so many.
        steps: At least so many, see :func:`count_repeats`.
        augmentation: Factor of the strengths in ``fine_tuning.augmentation``; with 0 the
            pictures stay as they are, and what the frozen blocks give is stored.
        layer_decay: Factor of the learning rate of a block against the block after it.
        label_smoothing: Share of the target that is spread over all classes.
    """

    name: str
    depth: str | int | float
    learning_rate: float = 1e-3
    epochs: int = 30
    steps: int = 500
    augmentation: float = 1.0
    layer_decay: float = 1.0
    label_smoothing: float = 0.1


# In the order in which a growing budget takes them in, unless the set is far (`order_deep`).
RECIPES = (
    Recipe("head", "none"),
    Recipe("last_block", 1, augmentation=0.0, label_smoothing=0.0),
    # Of 430 signs 1000 steps in place of 500 gained 3.4 points, in the mean of eight splits; that
    # labels are smoothed 4.5 more, on each of the eight.
    Recipe("all", "all", steps=1000),
    Recipe("all_gently", "all", learning_rate=1e-4),
    Recipe("half", 0.5),
    Recipe("all_long", "all", epochs=100, steps=1667),
)
NAMES = tuple(recipe.name for recipe in RECIPES)
# Up to these shares of its length a runner is trained before it is compared.
RUNGS = (0.2, 0.5, 1.0)
# A frozen head that is right so often leaves little to win; rests on ten sets, one of them just
# below. Such a set gets this share of the budget.
NEAR, NEAR_SHARE = 0.95, 0.2
# A head that is wrong more often than right is far from what the backbone knows. Rests on signs,
# with 0.18 to 0.46: there `all` of 500 steps was 19 to 30 points above `all_gently`.
FAR = 0.5
# Of train and dev, on which recipes are compared where dev has few clusters.
FOLDS = 3
# Multiply-adds that are a matter of seconds on any machine: no budget is worth the thought.
NEGLIGIBLE_WORK = 1e12
# Forward passes that a training step of a block costs: forward, gradient of inputs, of weights.
_STEP_PASSES = 3


def get_recipe(name: str) -> Recipe:
    """The recipe of that name."""
    return RECIPES[NAMES.index(name)]


def count_repeats(recipe: Recipe, pictures: int, batch_size: int) -> int:
    """How often a picture stands in an epoch: with few of them, so often that its steps fit.

    What a network needs are steps; the rule of BiT (Kolesnikov et al. 2020, "BiT-HyperRule") has
    500 for small sets too, and few labels gained 0.6 to 1.6 points by it. After every epoch dev is
    measured, which of few pictures costs more than the epoch: so an epoch gets longer, and there
    are not more of them. The number is the nearest whole one, :func:`count_epochs` does the rest.

    Examples:
        >>> [count_repeats(get_recipe("all"), count, batch_size=32) for count in (774, 300, 60, 20)]
        [1, 4, 18, 54]
    """
    rows = math.ceil(recipe.steps / recipe.epochs) * batch_size
    return max(1, round(rows / pictures))


def count_steps(recipe: Recipe, pictures: int, batch_size: int) -> int:
    """Steps of an epoch."""
    return math.ceil(pictures * count_repeats(recipe, pictures, batch_size) / batch_size)


def count_epochs(recipe: Recipe, pictures: int, batch_size: int) -> int:
    """Length of a training: its epochs, and a few more if its steps do not quite fit.

    Examples:
        >>> [count_epochs(get_recipe("all"), count, 32) for count in (2000, 774, 400, 60)]
        [30, 40, 30, 30]
    """
    return max(recipe.epochs, math.ceil(recipe.steps / count_steps(recipe, pictures, batch_size)))


def find_rung(epochs: int, share: float) -> int:
    """Epochs after which a runner of so many is compared, at a share of its length.

    Examples:
        >>> [find_rung(30, share) for share in RUNGS], find_rung(2, 0.2)
        ([6, 15, 30], 1)
    """
    return max(1, round(share * epochs))


def shorten(recipe: Recipe, share: float) -> Recipe:
    """A recipe of a share of the length, whose learning rate has fallen to 0 by then.

    Examples:
        >>> short = shorten(get_recipe("all"), 0.2)
        >>> short.epochs, short.steps
        (6, 200)
    """
    epochs, steps = find_rung(recipe.epochs, share), math.ceil(recipe.steps * share)
    return replace(recipe, epochs=epochs, steps=steps)


def find_unfreeze(recipe: Recipe, blocks: int) -> str | int:
    """The depth as ``fine_tuning.unfreeze`` takes it, for a backbone of so many blocks.

    Examples:
        >>> [find_unfreeze(recipe, 18) for recipe in RECIPES[:3]], find_unfreeze(RECIPES[4], 18)
        (['none', 1, 'all'], 9)
    """
    if isinstance(recipe.depth, float):
        return max(1, round(recipe.depth * blocks))
    return recipe.depth


def follow(
    recipe: Recipe, parameters: FineTuningParameters, pictures: int, blocks: int
) -> FineTuningParameters:
    """The parameters of a training by a recipe; what the recipe does not say stays as given.

    Args:
        recipe: What to follow.
        parameters: Batch size, optimizer, loss, weights of classes and the like.
        pictures: To train on.
        blocks: Of the backbone.
    """
    epochs = count_epochs(recipe, pictures, parameters.batch_size)
    changes = {
        # What is trained is named by what is done, not by how it was found.
        "recipe": "custom",
        "budget": FineTuningParameters.model_fields["budget"].default,
        "unfreeze": find_unfreeze(recipe, blocks),
        "learning_rate": recipe.learning_rate,
        "schedule": "cosine",
        "warmup_share": 0.1,
        "epochs": epochs,
        "repeats": count_repeats(recipe, pictures, parameters.batch_size),
        "patience": epochs,
        "keep": "accuracy",
        "layer_decay": recipe.layer_decay,
        "label_smoothing": recipe.label_smoothing,
        "augmentation": scale_augmentation(parameters.augmentation, recipe.augmentation),
        "views": 0,
        "activation_cache": parameters.activation_cache and not recipe.augmentation,
    }
    return parameters.model_copy(update=changes)


def scale_augmentation(
    augmentation: AugmentationParameters, strength: float
) -> AugmentationParameters:
    """Strengths times a factor; what a mirrored picture means does not depend on it, above 0."""
    scaled = {
        name: value * strength
        for name, value in augmentation.model_dump().items()
        if isinstance(value, float)
    }
    flip = augmentation.horizontal_flip if strength > 0 else False
    return augmentation.model_copy(update={**scaled, "horizontal_flip": flip})


@dataclass(frozen=True)
class Workload:
    """What decides the cost of a training.

    Attributes:
        pictures: To train on.
        dev: Pictures of dev, measured after every epoch.
        batch_size: Pictures a step.
        shares: Share of the backbone's multiply-adds in each block, from input to output.
        multiply_adds: Of the backbone, of one picture.
        is_cached: Whether what frozen blocks give may be stored.
    """

    pictures: int
    dev: int
    batch_size: int
    shares: tuple[float, ...]
    multiply_adds: int
    is_cached: bool = True

    def count_passes(self, recipe: Recipe, epochs: int | None = None) -> float:
        """Cost in passes: forward passes of the whole network over all pictures to train on.

        Args:
            recipe: What is trained.
            epochs: How far; None for its whole length.

        Examples:
            >>> load = Workload(900, 300, 32, (0.5, 0.4, 0.1), 10**6)
            >>> [round(load.count_passes(get_recipe(name)), 1) for name in NAMES[:3]]
            [0.0, 11.2, 116.7]
        """
        unfreeze = find_unfreeze(recipe, len(self.shares))
        if unfreeze == "none":
            return 0.0
        trained = 1.0 if unfreeze == "all" else sum(self.shares[-int(unfreeze) :])
        length = count_epochs(recipe, self.pictures, self.batch_size)
        epochs = length if epochs is None else epochs
        repeats = count_repeats(recipe, self.pictures, self.batch_size)
        dev = self.dev / self.pictures
        if self.is_cached and not recipe.augmentation:
            once, every = (1 + dev) * (1 - trained), trained * (_STEP_PASSES * repeats + dev)
        else:
            once, every = 0.0, (_STEP_PASSES * trained + (1 - trained)) * repeats + dev
        return once + epochs * every

    @property
    def is_negligible(self) -> bool:
        """Whether even a hundred passes are not worth measuring."""
        return 100 * self.pictures * self.multiply_adds < NEGLIGIBLE_WORK

    def count_steps(self, recipe: Recipe) -> int:
        """Steps of an epoch; none of the head as it is."""
        if recipe.depth == "none":
            return 0
        return count_steps(recipe, self.pictures, self.batch_size)

    def is_first(self, recipe: Recipe) -> bool:
        """Whether it is so cheap that it is run to its end before the others start."""
        return recipe.depth == "none" or (self.is_cached and not recipe.augmentation)


def find_allowance(budget: float, accuracy: float, pictures: int, batch_size: int) -> float:
    """Passes that the deep recipes may cost, given how good the cheap ones are.

    A pass of few pictures is worth less than one of many, since length is counted in steps: the
    budget is that of as many pictures as make the steps of the default recipe in its epochs.

    Args:
        budget: ``fine_tuning.budget``.
        accuracy: On dev, of the best cheap recipe.
        pictures: To train on.
        batch_size: Pictures a step.

    Examples:
        >>> find_allowance(125, 0.41, pictures=2000, batch_size=32)
        125.0
        >>> find_allowance(125, 0.41, pictures=60, batch_size=32)
        2250.0
        >>> find_allowance(125, 0.98, pictures=2000, batch_size=32)
        25.0
    """
    return budget * _scale(pictures, batch_size) * (NEAR_SHARE if accuracy >= NEAR else 1.0)


def _scale(pictures: int, batch_size: int) -> float:
    """Actual passes that a pass of the budget pays for: more than one of few pictures."""
    deep = get_recipe("all")
    epochs = count_epochs(deep, pictures, batch_size)
    return epochs * count_repeats(deep, pictures, batch_size) / deep.epochs


def order_deep(recipes: Sequence[Recipe], accuracy: float) -> list[Recipe]:
    """Recipes in the order in which they are wanted; far from the backbone what moves most first.

    Args:
        recipes: That may start, in their own order.
        accuracy: On dev, of the best cheap recipe.

    Examples:
        >>> [recipe.name for recipe in order_deep(RECIPES[2:], accuracy=0.41)]
        ['all', 'all_long', 'half', 'all_gently']
    """
    if accuracy >= FAR:
        return list(recipes)
    return sorted(recipes, key=lambda recipe: (-recipe.learning_rate, recipe.depth != "all"))


def estimate_race(costs: Sequence[float], rungs: Sequence[float] = RUNGS) -> float:
    """Passes that a race costs at most, of runners that cost so much each to their end.

    After every rung the better half goes on, one at least, and the dear ones may be the better.

    Examples:
        >>> estimate_race([100.0]), estimate_race([100.0, 100.0]), estimate_race([])
        (100.0, 120.0, 0.0)
    """
    left, done, total = sorted(costs, reverse=True), 0.0, 0.0
    for rung in rungs:
        total += (rung - done) * sum(left)
        left, done = left[: max(1, len(left) // 2)], rung
    return total


def admit(load: Workload, recipes: Sequence[Recipe], allowance: float) -> list[Recipe]:
    """The recipes that race: as many of the first ones as the passes allow; a small one always.

    Args:
        load: What a training costs.
        recipes: In the order in which they are wanted, of :func:`order_deep`.
        allowance: Passes, of :func:`find_allowance`.
    """
    field: list[Recipe] = []
    for recipe in recipes:
        costs = [load.count_passes(each) for each in (*field, recipe)]
        passes = estimate_race(costs)
        if passes > allowance and passes * load.pictures * load.multiply_adds > NEGLIGIBLE_WORK:
            break
        field.append(recipe)
    return field


def find_passes(
    seconds: float, load: Workload, recipes: Sequence[Recipe], pass_seconds: float
) -> float:
    """A budget in seconds as one in passes: what is left when the cheap recipes are done.

    Args:
        seconds: Of all recipes together.
        load: What a training costs.
        recipes: Who may start.
        pass_seconds: Seconds of a pass, measured.

    Returns:
        What ``fine_tuning.budget`` would be in passes, to one decimal; 0 if nothing is left.

    Examples:
        >>> load = Workload(900, 300, 32, (0.5, 0.4, 0.1), 10**6)
        >>> find_passes(300, load, RECIPES, pass_seconds=2.0)
        119.0
    """
    first = sum(load.count_passes(recipe) for recipe in recipes if load.is_first(recipe))
    left = (seconds / pass_seconds - first) / _scale(load.pictures, load.batch_size)
    return max(0.0, round(left, 1))


def find_seconds(
    passes: float, load: Workload, recipes: Sequence[Recipe], pass_seconds: float
) -> float:
    """The seconds of which :func:`find_passes` makes so many passes."""
    first = sum(load.count_passes(recipe) for recipe in recipes if load.is_first(recipe))
    return (passes * _scale(load.pictures, load.batch_size) + first) * pass_seconds


def find_budget(load: Workload, recipes: Sequence[Recipe], accuracy: float) -> int:
    """The least budget with which all of these would race, rounded up to ten passes."""
    passes = estimate_race([load.count_passes(recipe) for recipe in recipes])
    one = find_allowance(1.0, accuracy, load.pictures, load.batch_size)
    return 10 * math.ceil(passes / one / 10)
