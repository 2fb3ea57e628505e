"""A value that several stages share is one value: parameters that say two are refused."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from graft.errors import GraftError
from graft.shared_values import COPIES, SharedValuesHook

CONF = Path(__file__).parents[1] / "conf"
FOLDER = Path("/somewhere/project")
VERDICTS = "data/01_raw/digits/label_review.csv"


def check(parameters=None, other=None, verdicts=VERDICTS):
    hook = SharedValuesHook()
    loader = {"globals": {"other": None}}
    given = {} if other is None else {"other": other}
    hook.after_context_created(
        SimpleNamespace(project_path=FOLDER, _runtime_params=given, config_loader=loader)
    )
    values = {copy: 4 for copies in COPIES.values() for copy in copies}
    values |= {"compare_runs.other": other, "label_issues.review_file": VERDICTS}
    values |= parameters or {}
    hook.after_catalog_created(
        {"label_review": {"filepath": str(FOLDER / verdicts)}},
        {f"params:{name}": value for name, value in values.items()},
    )


def test_one_value_everywhere_passes():
    check()
    check(other="yesterday")


@pytest.mark.parametrize("name", COPIES)
def test_every_copy_must_say_what_the_others_say(name):
    for copy in COPIES[name]:
        with pytest.raises(
            GraftError, match=rf"{copy}.* are one value; .*--params {name}=.*got .*5"
        ) as error:
            check({copy: 5})
        assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", COPIES)
def test_copies_that_agree_pass_wherever_they_were_set(name):
    check(dict.fromkeys(COPIES[name], 5))


def test_no_look_alikes_at_all_is_a_value_too():
    with pytest.raises(GraftError, match=r"near_duplicate_radius.*got None and 4"):
        check({"ingestion.near_duplicate_radius": None})


def test_the_run_to_compare_with_is_the_one_whose_files_are_read():
    with pytest.raises(GraftError, match=r"--params other=….*got b and a"):
        check({"compare_runs.other": "b"}, other="a")


def test_people_are_told_to_fill_the_file_that_is_read():
    check({"label_issues.review_file": str(FOLDER / VERDICTS)})
    with pytest.raises(GraftError, match=r"change both or none; got 'mine\.csv' beside '/some"):
        check({"label_issues.review_file": "mine.csv"})


def test_every_global_value_that_two_stages_copy_is_compared():
    """The list is whole: another value that is copied twice must be added to it, or is free."""
    copies: dict[str, set[str]] = {}
    for path in (CONF / "base").glob("parameters_*.yml"):
        stage = ""
        for line in path.read_text().splitlines():
            stage = found[1] if (found := re.match(r"(\w+):", line)) else stage
            if found := re.match(r"\s+(\w+): .*\{globals:(\w+)\}", line):
                copies.setdefault(found[2], set()).add(f"{stage}.{found[1]}")
    # Stages may draw by seeds of their own; the name of a set of pictures is text.
    shared = {name for name, places in copies.items() if len(places) > 1} - {"seed", "dataset"}
    assert {name: copies[name] for name in shared} == {
        name: set(places) for name, places in COPIES.items()
    }
