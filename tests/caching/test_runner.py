"""Threads: nodes that would disturb each other take turns, the others do not wait."""

from __future__ import annotations

import contextlib
import threading

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from graft.caching import runner
from graft.caching.runner import TurnTakingRunner, needs_its_turn
from graft.pipelines import decoding, evaluation, fine_tuning, head_training, ingestion, splitting


@pytest.mark.parametrize("stage", [fine_tuning, head_training, evaluation])
def test_stages_of_networks_and_figures_take_turns(stage) -> None:
    assert any(needs_its_turn(node) for node in stage.create_pipeline().nodes)


@pytest.mark.parametrize("stage", [ingestion, splitting, decoding])
def test_stages_of_pictures_and_tables_do_not(stage) -> None:
    assert not any(needs_its_turn(node) for node in stage.create_pipeline().nodes)


def make_pipeline(meet: threading.Barrier, most: list[int]) -> Pipeline:
    """Two nodes that meet if both are at work at the same time."""
    at_work = [0]

    def work() -> int:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        with contextlib.suppress(threading.BrokenBarrierError):
            meet.wait(0.3)
        at_work[0] -= 1
        return 1

    return Pipeline([Node(work, None, name, name=name) for name in ("a", "b")])


@pytest.mark.parametrize(("alone", "together"), [(True, 1), (False, 2)])
def test_one_at_a_time_only_where_it_must_be(alone, together, monkeypatch) -> None:
    monkeypatch.setattr(runner, "needs_its_turn", lambda _: alone)
    most = [0]
    pipeline = make_pipeline(threading.Barrier(2), most)
    TurnTakingRunner(max_workers=2).run(pipeline, DataCatalog({}))
    assert most == [together]


def test_a_node_that_fails_ends_the_run_and_blocks_no_other(monkeypatch) -> None:
    def fail() -> int:
        raise ValueError("no")

    monkeypatch.setattr(runner, "needs_its_turn", lambda _: True)
    nodes = [Node(fail, None, "a", name="a"), Node(lambda: 1, None, "b", name="b")]
    with pytest.raises(ValueError, match="no"):
        TurnTakingRunner().run(Pipeline(nodes), DataCatalog({}))
