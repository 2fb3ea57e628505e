"""Labels and a teacher's answers are learnt together: every picture with its shares of classes."""

from __future__ import annotations

import numpy as np
import pytest

from graft.parameters.fine_tuning import FineTuningParameters
from graft.training.soft_labels import Pictures, join_pictures
from helpers.fine_tuning import OFF

SETTINGS = FineTuningParameters(
    activation_cache=False, activation_dtype="float32", activation_batch_size=8, augmentation=OFF,
    batch_size=4, seed=0,
)  # fmt: skip
# Pictures of one colour, which is their number; those without a label begin at 100.
KNOWN, THOUGHT = (
    np.broadcast_to((start + np.arange(12, dtype=np.uint8))[:, None, None, None], (12, 4, 4, 3))
    for start in (0, 100)
)


def join(answers: np.ndarray | None = None, **changes: object):
    answers = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]) if answers is None else answers
    labelled = Pictures(KNOWN.__getitem__, np.array([7]), np.array([[0.0, 1.0]]))
    thought = Pictures(THOUGHT.__getitem__, np.array([3, 5, 11]), answers)
    return join_pictures(labelled, thought, 4, SETTINGS.model_copy(update=changes))


@pytest.mark.parametrize("seed", [None, 0])
def test_every_picture_comes_with_its_own_shares(seed: int | None) -> None:
    random = None if seed is None else np.random.default_rng(seed)
    pools = list(join(repeats=2).draw(random))
    shown = np.concatenate([inputs[:, 0, 0, 0] for inputs, _, _ in pools])
    shares = np.concatenate([labels for _, labels, _ in pools])
    expected = {7: [0.0, 1.0], 103: [0.9, 0.1], 105: [0.2, 0.8], 111: [0.4, 0.6]}
    assert sorted(shown) == sorted([*expected] * 2)
    np.testing.assert_allclose(shares, [expected[number] for number in shown], rtol=1e-6)


@pytest.mark.parametrize("known", [1, 3, 6])
def test_answers_weigh_no_more_than_labels_each_or_together(known: int) -> None:
    labelled = Pictures(KNOWN.__getitem__, np.arange(known), np.tile([0.0, 1.0], (known, 1)))
    thought = Pictures(THOUGHT.__getitem__, np.arange(3), np.full((3, 2), 0.5))
    ((inputs, _, weights),) = join_pictures(labelled, thought, 4, SETTINGS).draw()
    is_known = inputs[:, 0, 0, 0] < 100
    assert weights[~is_known].max() <= weights[is_known].min()
    assert weights[~is_known].sum() == pytest.approx(weights[is_known].sum() * min(1, 3 / known))
    assert weights.mean() == pytest.approx(1)


def test_other_answers_are_another_source() -> None:
    assert join().fingerprint() == join().fingerprint()
    assert join().fingerprint() != join(np.full((3, 2), 0.5)).fingerprint()
