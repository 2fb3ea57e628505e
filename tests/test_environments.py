"""What an environment says and nothing reads is refused with the name that may be meant."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from graft.configuration import check_environment, list_environments
from graft.errors import GraftError
from graft.settings import CONFIG_LOADER_ARGS
from graft.text_values import TextKeepingConfigLoader

CONF = Path(__file__).parents[1] / "conf"
PICTURES = "raw_images: {type: graft.datasets.DigitsDataset, metadata: {kedro-viz: {layer: raw}}}"


def load(conf, environment):
    return TextKeepingConfigLoader(str(conf), env=environment, **CONFIG_LOADER_ARGS)


@pytest.fixture
def check(tmp_path):
    """Function that checks an environment of these files."""

    def check(files, environment="mine"):
        conf = tmp_path / "conf"
        shutil.copytree(CONF, conf, dirs_exist_ok=True)
        for name, text in files.items():
            (conf / environment / name).parent.mkdir(parents=True, exist_ok=True)
            (conf / environment / name).write_text(text)
        check_environment(load(conf, environment), environment)

    return check


@pytest.mark.parametrize("environment", list_environments(load(CONF, "base")))
def test_every_environment_of_this_project_passes(environment):
    check_environment(load(CONF, environment), environment)


@pytest.mark.parametrize("kind", ["gztar", "zip"])
def test_so_they_do_as_an_archive(kind, tmp_path):
    path = shutil.make_archive(str(tmp_path / "conf-graft"), kind, CONF.parent, "conf")
    check_environment(load(path, "gtsrb"), "gtsrb")


@pytest.mark.parametrize(
    ("files", "meant", "got"),
    [
        ({"catalog.yml": PICTURES.replace("raw_images", "raw_image")}, "raw_images", "raw_image"),
        ({"parameters.yml": "spliting: {train: 0.7}"}, "splitting", "spliting"),
        ({"parameter_splitting.yml": "splitting: {}"}, "parameters_splitting.yml",
         "parameter_splitting.yml"),
        ({"global.yml": "image_size: 16"}, "globals.yml", "global.yml"),
        ({"globals.yaml": "image_size: 16"}, "globals.yml", "globals.yaml"),
        ({"globals.yml": "imagesize: 16"}, "image_size", "imagesize"),
    ],
)  # fmt: skip
def test_what_nothing_reads_is_refused_with_the_near_name(check, files, meant, got):
    with pytest.raises(GraftError, match=rf"did you mean '{meant}'\?.*got '{got}'$") as error:
        check(files)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["source: pics", "dataset: mine", "dataset: mine\nsource: pics"])
def test_pictures_that_no_layout_is_given_for_are_refused(check, text):
    with pytest.raises(GraftError, match="declare raw_images there, for example as conf/own_"):
        check({"globals.yml": text})


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"parameters.yml": "splitting: {train: 0.7, test: 0.1}", "credentials.yml": "me: {}"},
        {"catalog.yml": f"{PICTURES}\n_mine: x\nmetrics: {{type: json.JSONDataset}}",
         "globals.yml": "dataset: mine\n"},
        {"catalog_a.yml": PICTURES.replace("DigitsDataset", "D, filepath: '${globals:place}'"),
         "globals.yml": "place: x\ndataset: mine"},
        {"catalog.yml": "frozen.classifier: {type: x}", "parameters/deep/more.yml": "seed_: 1"[:0]},
        {"parameters/splitting.yml": "splitting: {folds: 3}"},
        {".hidden.yml": "spliting: 1", "notes.txt": "spliting"},
    ],
)  # fmt: skip
def test_what_is_read_passes(check, files):
    check(files)


def test_a_source_that_no_layout_reads_is_refused(check):
    with pytest.raises(GraftError, match=r"nothing reads this global value; .*got 'source'$"):
        check({"catalog.yml": PICTURES, "globals.yml": "dataset: mine\nsource: x\n"})


def test_the_command_refuses_a_typo_of_the_local_environment_too(
    project: Path, run_kedro: Callable
) -> None:
    (project / "conf/local").mkdir(exist_ok=True)
    (project / "conf/local/parameters.yml").write_text("spliting: {train: 0.7}\n")
    assert "did you mean 'splitting'?" in run_kedro("--pipelines=ingestion").error


def test_that_conf_local_is_not_read_beside_another_environment_is_told(
    project: Path, run_kedro: Callable
) -> None:
    (project / "conf/local").mkdir(exist_ok=True)
    (project / "conf/local/globals.yml").write_text("seed: 3\n")
    outcome = run_kedro("--env=test", "--pipelines=ingestion")
    assert outcome.code == 0, outcome.err
    told = "conf/local is not read with --env=test: what globals.yml say belongs into conf/test"
    assert told in outcome.out
