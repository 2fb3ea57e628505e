"""Selections: one that leaves nothing to run is told in one line, with what could be meant."""

from __future__ import annotations

import pytest

LEAVE_NOTHING = {
    "--tags=x": "--tags takes no name here, for there is none",
    "--nodes=ingestion.check_image": "--nodes takes ingestion.check_images, ",
    "--from-nodes=x": "--from-nodes takes … (",
    "--to-nodes=reporting.write_reports": "--to-nodes takes reporting.write_report, ",
    "--from-inputs=raw_image": "--from-inputs takes raw_images, ",
    "--to-outputs=metric": "--to-outputs takes metrics, ",
    "--namespaces=ingest": "--namespaces takes calibration, champion, ",
    "--pipelines=ingestion --to-outputs=metrics": "--to-outputs takes applied_verdicts, ",
    "--pipelines=verify --tags=never": "takes always; got --tags=never of --pipelines=verify",
    "--from-nodes=reporting.write_report --to-nodes=ingestion.check_images": (
        "no node is in all that is selected together"
    ),
}


@pytest.mark.parametrize(("arguments", "told"), LEAVE_NOTHING.items())
def test_a_selection_that_leaves_no_node_is_told_in_one_line(arguments, told, run_kedro) -> None:
    ended = run_kedro("--env=test", *arguments.split())
    assert ended.code == 1
    assert ended.error.startswith("Error: no node is left to run: ")
    assert told in ended.error
    assert arguments.split()[-1] in ended.error
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", ["Nope", "no_package.Nope"])
def test_a_runner_that_does_not_exist_is_told_in_one_line(name, run_kedro) -> None:
    assert (
        f"--runner takes SequentialRunner (the default), ThreadRunner or the dotted path of a "
        f"class; got '{name}'" in run_kedro("--env=test", f"--runner={name}").error
    )
