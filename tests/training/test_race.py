"""The race of recipes: dev decides, nothing is done twice, a kill at any moment changes nothing."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from graft.analysis.choosing import Outcome
from graft.errors import GraftError
from graft.models.backbones import build_backbone
from graft.models.blocks import find_blocks
from graft.models.freezing import CutClassifier
from graft.models.heads import build_head
from graft.parameters.fine_tuning import AugmentationParameters, FineTuningParameters
from graft.training import race as race_module
from graft.training.backup import TrainingBackup
from graft.training.race import Race, RaceResult, select_better, tabulate_curves, tabulate_race
from graft.training.tuning_recipes import Recipe, Workload
from graft.training.views import FreshViews, ViewPools
from graft.training.watching import Recorder

TRAIN, DEV = np.arange(40), np.arange(40, 80)
OFF = {"rotation": 0, "zoom": 0, "shift": 0, "shear": 0, "horizontal_flip": False,
       "fill_mode": "nearest", "brightness": 0, "contrast": 0}  # fmt: skip
PARAMETERS = FineTuningParameters(
    recipe="auto", activation_cache=False, activation_dtype="float32", activation_batch_size=8,
    augmentation=AugmentationParameters(**OFF), batch_size=8, seed=3,
)  # fmt: skip
RUNNERS = (
    Recipe("head", "none"),
    Recipe("last_block", 1, epochs=5, steps=0, learning_rate=1e-2),
    Recipe("all", "all", epochs=5, steps=0, learning_rate=1e-2),
)


class World:
    """Pictures of two kinds, and a network whose first block may be blind."""

    def __init__(self, labels: np.ndarray, *, blind: bool) -> None:
        self.labels, self.blind = labels, blind
        random = np.random.default_rng(0)
        self.pictures = random.integers(0, 60, (80, 8, 8, 3)).astype(np.uint8)
        bright = np.arange(80) % 2
        self.pictures[:, :4] += (180 * bright)[:, None, None, None].astype(np.uint8)

    def race(self, folder: Path, runners=RUNNERS, parameters=PARAMETERS, **options) -> Race:
        backbone = build_backbone("small_cnn", 8, "printed_letters", seed=0)
        if self.blind:
            first = next(layer for layer in backbone.layers if "conv" in layer.name)
            first.set_weights([0 * weights for weights in first.get_weights()])
        head = build_head(384, 2, dropout=0.2, weight_decay=0.0, seed=0)
        works = [block.multiply_adds for block in find_blocks(backbone)]
        shares = tuple(work / sum(works) for work in works)
        load = Workload(40, 40, 8, shares, sum(works), is_cached=False)
        clusters = options.pop("clusters", np.arange(40))
        backup = TrainingBackup(folder / "backup", seconds=0, **options)
        return Race(
            backbone, head, self.make_sources, load, parameters, clusters, backup, folder, runners
        )

    def make_sources(
        self, cut: CutClassifier, settings: FineTuningParameters
    ) -> tuple[ViewPools, ViewPools]:
        read = partial(np.take, self.pictures, axis=0)
        train, dev = (
            ViewPools(
                FreshViews(read, rows, None), self.labels[rows], np.ones(len(rows), np.float32)
            )
            for rows in (TRAIN, DEV)
        )
        return train, dev


@pytest.fixture(scope="module")
def far() -> World:
    """What the network sees says nothing until its first block is trained."""
    return World(np.arange(80) % 2, blind=True)


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of the epochs that are trained, from 0."""
    return note_epochs(monkeypatch)


def note_epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    trained: list[int] = []
    record = Recorder.on_epoch_end

    def note(recorder: Recorder, epoch: int, logs=None) -> None:
        record(recorder, epoch, logs)
        trained.append(epoch)

    monkeypatch.setattr(Recorder, "on_epoch_end", note)
    return trained


@pytest.fixture(scope="module")
def whole(far: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[RaceResult, list[int]]:
    """The race of all runners that nothing disturbs, and the epochs that were trained."""
    with pytest.MonkeyPatch.context() as patch:
        trained = note_epochs(patch)
        return far.race(tmp_path_factory.mktemp("whole")).run(), trained


def read_bytes(result: RaceResult) -> list[bytes]:
    frame = tabulate_race(result, Workload(40, 40, 8, (0.5, 0.5), 1))
    return [
        frame.to_csv().encode(),
        result.history.to_csv().encode(),
        *(weights.tobytes() for weights in result.cut.whole.get_weights()),
    ]


def test_the_deep_runner_wins_where_the_features_say_nothing(far, whole) -> None:
    result, epochs = whole
    assert result.recipe.name == "all"
    assert result.settings.unfreeze == "all"
    table = tabulate_race(result, Workload(40, 40, 8, (0.5, 0.5), 1))
    assert table["runner"].tolist()[:3] == ["head", "last_block", "all"]
    final = table[table["rung"] == 1].set_index("runner")
    assert final.loc["all", "dev_accuracy"] > 0.9
    assert final.loc["head", "dev_accuracy"] == 0.5
    assert final["kept"].to_dict() == {"head": False, "all": True}
    # After a fifth of its length one of two goes on.
    assert table[table["rung"] == 0.2]["kept"].tolist() == [False, True]
    # The weights are those of the winner, and of its best epoch.
    probabilities = result.cut.whole.predict(far.pictures[DEV], verbose=0)
    right = (probabilities.argmax(axis=1) == far.labels[DEV]).mean()
    assert right == final.loc["all", "dev_accuracy"] == result.history["dev_accuracy"].max()
    # Every epoch was trained once, of the loser no more than needed.
    assert epochs == [0, *range(5)]


def test_the_head_wins_where_nothing_can_be_learnt(tmp_path) -> None:
    labels = np.random.default_rng(1).permutation(np.arange(80) % 2)
    result = World(labels, blind=True).race(tmp_path, RUNNERS[::2]).run()
    assert result.recipe.name == "head"
    assert result.settings.unfreeze == "none"
    assert result.history.empty
    assert not any(layer.trainable_weights for layer in result.cut.trunk.layers)
    untouched = build_backbone("small_cnn", 8, "printed_letters", seed=0).get_weights()
    weights = result.cut.whole.get_weights()
    assert sum(np.array_equal(a, b) for a, b in zip(weights, untouched, strict=False)) > 5


def test_nothing_deep_starts_where_not_even_a_perfect_one_could_be_shown_better(
    far, tmp_path
) -> None:
    told = []
    runners = (Recipe("head", "none"), Recipe("all", "all", epochs=9, steps=0))
    # A single cluster shows nothing.
    race = far.race(tmp_path, runners, clusters=np.zeros(40))
    result = race.run(lambda field, accuracy: told.append((list(field), accuracy)))
    assert told == [([], 0.5)]
    assert result.recipe.name == "head"


class Killed(BaseException):
    """As by a signal: nothing catches it."""


@pytest.fixture(scope="module")
def undisturbed(whole) -> list[bytes]:
    return read_bytes(whole[0])


@pytest.mark.parametrize("moment", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_a_race_that_was_killed_ends_with_the_same_bytes_and_no_epoch_is_trained_twice(
    moment, far, tmp_path, monkeypatch, undisturbed
) -> None:
    trained = []
    record = Recorder.on_epoch_end

    def kill(recorder: Recorder, epoch: int, logs=None) -> None:
        record(recorder, epoch, logs)
        trained.append(epoch)
        if len(trained) == moment + 1:
            raise Killed

    monkeypatch.setattr(Recorder, "on_epoch_end", kill)
    with pytest.raises(Killed):
        far.race(tmp_path).run()
    assert read_bytes(far.race(tmp_path).run()) == undisturbed
    assert trained == [0, *range(5)]


@pytest.mark.slow
def test_a_race_that_was_killed_between_two_rungs_measures_none_again(
    far, tmp_path, monkeypatch, undisturbed
) -> None:
    measured = []
    predict = race_module.predict_source

    def kill(*given):
        measured.append(1)
        if len(measured) == 4:
            raise Killed
        return predict(*given)

    monkeypatch.setattr(race_module, "predict_source", kill)
    with pytest.raises(Killed):
        far.race(tmp_path).run()
    assert read_bytes(far.race(tmp_path).run()) == undisturbed
    # Head, last block and two rungs of all, of which the second was tried twice.
    assert len(measured) == 4 + 1


@pytest.mark.slow
def test_a_race_that_has_ended_is_not_run_again_unless_it_is_to_be_forgotten(
    far, tmp_path, epochs, undisturbed
) -> None:
    assert read_bytes(far.race(tmp_path).run()) == undisturbed
    assert len(epochs) == 6
    assert read_bytes(far.race(tmp_path).run()) == undisturbed
    assert len(epochs) == 6
    assert read_bytes(far.race(tmp_path, is_forgotten=True).run()) == undisturbed
    assert len(epochs) == 12


@pytest.mark.slow
def test_a_larger_field_trains_only_what_is_new(far, tmp_path, epochs) -> None:
    far.race(tmp_path, (RUNNERS[0], RUNNERS[2])).run()
    assert len(epochs) == 5
    far.race(tmp_path).run()
    assert len(epochs) == 6


def test_the_winner_alone_is_the_same_as_in_the_race(far, tmp_path, undisturbed) -> None:
    alone = far.race(tmp_path, RUNNERS[2:]).run()
    assert read_bytes(alone)[1:] == undisturbed[1:]
    assert len(alone.standings) == 1


def test_curves_tell_every_epoch_with_its_cost(whole) -> None:
    curves = tabulate_curves(whole[0], Workload(40, 40, 8, (0.6, 0.27, 0.13), 1, is_cached=False))
    assert curves["runner"].value_counts().to_dict() == {"last_block": 1, "all": 5, "head": 1}
    assert curves[curves["runner"] == "all"]["passes"].tolist() == [4, 8, 12, 16, 20]
    assert curves.groupby("runner")["is_best"].sum().eq(1).all()


def make_outcomes(*counts: int) -> list[Outcome]:
    return [Outcome(np.arange(100) < count, 1.0, 1.0) for count in counts]


@pytest.mark.parametrize(
    ("runners", "ended", "places"),
    [
        ((50, 60, 70, 80), (), [2, 3]),
        ((80, 60, 70), (), [0]),
        ((50,), (), [0]),
        ((), (90,), []),
        ((), (), []),
        # One picture more is no reason to leave the first; several are.
        ((80, 81), (), [0]),
        ((80, 84), (), [1]),
        ((79, 80, 50, 81), (), [1, 3]),
        ((50,), (90,), []),
        ((89,), (90,), [0]),
        ((88, 91), (90,), [1]),
    ],
)
def test_the_better_half_goes_on_unless_one_that_has_ended_is_shown_to_be_better(
    runners, ended, places
) -> None:
    found = select_better(make_outcomes(*runners), make_outcomes(*ended), np.arange(100))
    assert found == places


def test_of_runners_that_dev_cannot_tell_apart_the_preferred_one_goes_on() -> None:
    runners = make_outcomes(80, 81, 80)
    assert select_better(runners, [], np.arange(100)) == [0]
    assert select_better(runners, [], np.arange(100), preferred=[2, 1, 0]) == [2]


def test_a_runner_whose_loss_breaks_is_out_and_the_others_go_on(far, tmp_path, caplog) -> None:
    broken = Recipe("all", "all", epochs=5, steps=0, learning_rate=1e30)
    with caplog.at_level(logging.INFO):
        result = far.race(tmp_path, (RUNNERS[0], broken)).run()
    assert "all         its loss is no longer a number: it is out" in caplog.text
    assert result.recipe.name == "head"
    weights = result.cut.whole.get_weights()
    assert all(np.isfinite(array).all() for array in weights)
    with pytest.raises(GraftError, match="the loss is no longer a number"):
        far.race(tmp_path, (broken,)).run()
