"""The command line: a mistake of the user is one line, a defect keeps its traceback."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys

import click
import pytest
from click.testing import CliRunner
from kedro.io import DatasetError
from kedro.validation.exceptions import ParameterValidationError

from graft.cli import OneLineErrors, cli, explain, print_what_can_be_printed
from graft.errors import GraftError


def raise_chain(*errors):
    """Raise the errors one after another, each because of the one before it."""
    cause = None
    for error in errors:
        try:
            raise error from cause
        except type(error) as raised:
            cause = raised
    return cause


MISTAKE = GraftError("no folder at 'x'; give one that exists")


def test_a_mistake_is_told_in_its_own_words():
    assert explain(MISTAKE) == "no folder at 'x'; give one that exists"


def test_a_mistake_is_found_behind_what_kedro_makes_of_it():
    error = raise_chain(MISTAKE, DatasetError("Failed while loading data"), RuntimeError("run"))
    assert explain(error) == str(MISTAKE)


@pytest.mark.parametrize("met", [MISTAKE, OSError(errno.ENOSPC, "No space left", "place")])
def test_a_defect_met_while_a_mistake_is_dealt_with_is_not_told_as_the_mistake(met):
    def tidy_up_badly():
        try:
            raise met
        except Exception:
            {}["a key that is not there"]

    with pytest.raises(KeyError) as raised:
        tidy_up_badly()
    assert explain(raised.value) is None
    assert isinstance(run(tidy_up_badly).exception, KeyError)


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "full"), (errno.EACCES, "no permission"),
     (errno.EROFS, "no permission")],
)  # fmt: skip
def test_a_full_disk_and_a_locked_folder_are_told_in_one_line(number, told):
    error = raise_chain(OSError(number, os.strerror(number), "place"), DatasetError("saving"))
    assert told in explain(error)
    assert explain(error).endswith(f"; got {os.strerror(number)} 'place'")


@pytest.mark.parametrize("error", [ValueError("x"), DatasetError("x"), KeyError("x")])
def test_a_defect_is_not_explained_away(error):
    assert explain(error) is None


def test_wrong_parameters_are_told_in_one_line():
    report = "Parameter validation failed:\n- Parameter 'splitting': Failed to make it: too large"
    message = explain(raise_chain(ParameterValidationError(report), RuntimeError("run")))
    assert message == "splitting: too large"


def test_a_report_of_parameters_in_another_form_is_told_in_one_line_too():
    assert explain(ParameterValidationError("something\n  else")) == "something else"


def run(callback):
    return CliRunner().invoke(OneLineErrors("run", callback=callback))


def test_a_mistake_ends_the_command_with_one_line_and_exit_code_1():
    def fail():
        raise MISTAKE

    result = run(fail)
    assert result.exit_code == 1
    assert result.output == f"Error: {MISTAKE}\n"


def test_a_defect_ends_the_command_with_its_traceback():
    def fail():
        raise ZeroDivisionError

    result = run(fail)
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_wrong_option_is_click_s_own_business():
    def fail():
        raise click.UsageError("no such option")

    assert run(fail).exit_code == 2


def test_a_command_without_mistakes_ends_well():
    assert run(lambda: click.echo("done")).output == "done\n"


def test_run_takes_all_that_kedro_s_run_takes():
    options = {option for parameter in cli.commands["run"].params for option in parameter.opts}
    assert {"--env", "--params", "--pipelines", "--only-missing-outputs"} <= options


def test_help_is_kedro_s():
    result = CliRunner().invoke(cli, ["run", "--help"])
    assert result.exit_code == 0
    assert "Run the pipeline" in result.output


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_an_output_without_arrows_gets_question_marks_and_no_traceback(monkeypatch, encoding):
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding=encoding, write_through=True)
    errors = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", errors)
    print_what_can_be_printed()
    handler = logging.StreamHandler(stream)
    handler.handle(logging.LogRecord("graft", logging.INFO, "", 0, "frozen → 犬 ×", (), None))
    assert written.getvalue().decode(encoding).startswith("frozen ? ? ")
    assert errors.getvalue() == ""
