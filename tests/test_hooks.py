"""Hooks: names are checked before a run; result and next steps fit into a terminal after it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from kedro.framework.project import configure_project
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from graft.analysis.metrics import METRICS
from graft.datasets import AtomicDataset
from graft.errors import GraftError
from graft.hooks import CommandCheckHook, RunSummaryHook, format_result, suggest_next
from graft.settings import CONFIG_LOADER_ARGS
from graft.text_values import TextKeepingConfigLoader

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"


@pytest.fixture(autouse=True)
def _configured_project():
    configure_project("graft")


@pytest.fixture(scope="module", params=["folder", "tar.gz", "zip"])
def conf(request, tmp_path_factory):
    """The configuration as it may lie: in the project, or as ``kedro package`` leaves it."""
    if request.param == "folder":
        return CONF
    path = tmp_path_factory.mktemp("dist") / "conf-graft"
    kind = {"tar.gz": "gztar", "zip": "zip"}[request.param]
    return Path(shutil.make_archive(str(path), kind, ROOT, "conf"))


def check(parameters=None, env=None, conf=CONF):
    loader = TextKeepingConfigLoader(str(conf), env=env, **CONFIG_LOADER_ARGS)
    context = SimpleNamespace(_runtime_params=parameters, env=env, config_loader=loader)
    CommandCheckHook().after_context_created(context)
    return loader


@pytest.mark.parametrize("parameters", [None, {}, {"seed": 3}, {"splitting": {"train": 0.5}}])
def test_known_parameters_pass(parameters):
    check(parameters)


@pytest.mark.parametrize("env", [None, "base", "cats_vs_dogs", "own_pictures"])
def test_known_environments_pass(env, conf):
    check(env=env, conf=conf)


def test_an_unknown_environment_is_refused_with_all_that_there_are(conf):
    with pytest.raises(GraftError, match=r"--env takes base, .*cats_vs_dogs.*; got 'dogs'$"):
        check(env="dogs", conf=conf)


@pytest.mark.parametrize(
    ("given", "meant"), [("head_trainin", "head_training"), ("spliting", "splitting")]
)
def test_a_misspelt_parameter_is_refused_with_a_hint(given, meant):
    with pytest.raises(GraftError, match=rf"did you mean '{meant}'\?.*got '{given}'$"):
        check({given: 1})


def test_a_parameter_like_no_other_is_refused_with_the_whole_list():
    with pytest.raises(GraftError, match=r"unknown parameter; --params takes .*splitting.*'qqq'$"):
        check({"qqq": 1})


def test_a_parameter_of_another_environment_says_which(conf):
    with pytest.raises(GraftError, match=r"with --env=.*own_pictures.*got --params 'source'$"):
        check({"source": "folder"}, conf=conf)


def test_a_parameter_is_known_in_its_own_environment(conf):
    check({"source": "folder"}, env="own_pictures", conf=conf)


def test_to_look_for_a_parameter_elsewhere_changes_nothing_for_the_context(conf):
    # Kedro keeps what `${globals:…}` means in one place for all loaders.
    loader = check(env="test", conf=conf)
    with pytest.raises(GraftError):
        check({"source": "folder"}, env="test", conf=conf)
    path = loader["catalog"]["image_index"]["filepath"]
    assert path == "data/02_intermediate/test/image_index.parquet"


@pytest.mark.parametrize("makes", [lambda path: None, lambda path: path.mkdir()])
def test_a_folder_that_holds_no_configuration_is_refused(makes, tmp_path):
    path = tmp_path / "conf"
    makes(path)
    with pytest.raises(GraftError, match=r"^no .*--conf-source takes .*; got '.*conf'$"):
        check(conf=path)


def make_metrics(**figures):
    figures = figures or {name: {"value": 0.98, "low": 0.961, "high": 0.991} for name in METRICS}
    return {"frozen": {"test": {"n": 12_360, **figures}, "dev": {"n": 5, **figures}}}


def make_baseline(verdict="better", **changes):
    accuracy = {"value": 0.1, "low": 0.08, "high": 0.12}
    gain = {"value": 0.88, "low": 0.86, "high": 0.9}
    return {"accuracy": accuracy, "gain": gain, "verdict": verdict} | changes


def test_the_result_has_a_line_a_metric_of_test_and_one_of_the_baseline():
    lines = format_result(make_metrics(), "frozen", make_baseline())
    assert lines[0] == ""
    assert "12,360 pictures of test" in lines[1]
    assert len(lines) == 3 + len(METRICS)
    assert lines[2].split() == ["accuracy", "0.980", "0.961", "–", "0.991"]
    assert lines[3] == "  of saying one class always     0.100   0.080 – 0.120"
    assert "balanced accuracy" in lines[4]
    assert "0.980   0.961 – 0.991" in lines[4]


@pytest.mark.parametrize(
    ("verdict", "begins"),
    [("no evidence of a difference", "NOT SHOWN TO BE BETTER than that"), ("worse", "WORSE than")],
)
def test_no_better_than_one_class_always_is_told_in_the_table(verdict, begins):
    gain = {"value": 0.004, "low": -0.02, "high": 0.028}
    *_, last = format_result(make_metrics(), "frozen", make_baseline(verdict, gain=gain))
    assert last.startswith(begins)
    assert last.endswith(": accuracy +0.4 points (-2.0 to +2.8)")
    assert len(last) <= 80


def test_of_models_that_were_not_chosen_no_figure_of_test_is_told():
    metrics = make_metrics()
    other = {"value": 0.123, "low": 0.1, "high": 0.2}
    metrics["frozen"] = {"dev": {"n": 5, **dict.fromkeys(METRICS, other)}}
    metrics["fine_tuned"] = make_metrics()["frozen"]
    lines = format_result(metrics, "fine_tuned", make_baseline())
    assert lines[-1] == "of the fine-tuned classifier, best on dev"
    assert "0.123" not in "".join(lines)


def test_on_request_the_accuracy_of_the_others_stands_below():
    metrics = make_metrics()
    metrics["fine_tuned"] = metrics["frozen"]
    lines = format_result(metrics, "fine_tuned", make_baseline())
    assert lines[3 + len(METRICS)] == "of the fine-tuned classifier, best on dev; accuracy of"
    assert lines[4 + len(METRICS) :] == [lines[2].replace("accuracy", "frozen  ")]


@pytest.mark.parametrize("value", [0.5, 12.345, 123.456])
def test_the_result_fits_into_80_columns(value):
    figure = {"value": value, "low": value, "high": value}
    lines = format_result(make_metrics(**dict.fromkeys(METRICS, figure)), "frozen", make_baseline())
    assert max(map(len, lines)) <= 80


def test_the_values_stand_in_one_column():
    _, head, *rows = format_result(make_metrics(), "frozen", make_baseline())
    places = {max(row.find("0.980"), row.find("0.100")) for row in rows}
    assert places == {head.index("value")}


def test_the_result_leaves_the_metrics_as_they_are():
    metrics = make_metrics()
    format_result(metrics, "frozen", make_baseline())
    assert metrics == make_metrics()


@pytest.mark.parametrize("env", [None, "cats_vs_dogs"])
def test_the_next_steps_fit_into_80_columns(env):
    lines = suggest_next({"report"}, env)
    assert lines[0] == "\nNext"
    assert all(len(line) <= 80 for line in lines)


def test_the_next_steps_keep_the_environment():
    text = "\n".join(suggest_next({"report"}, "cats_vs_dogs"))
    assert "viz run --env=cats_vs_dogs" in text
    assert "viz run --env" not in "\n".join(suggest_next({"report"}, None))


def test_the_next_steps_keep_the_parameters_of_the_run():
    typed = ["source=/my pics,seed=3", "image_size=32"]
    lines = suggest_next({"report"}, "own_pictures", typed)
    runs = [line for line in lines if " run " in line]
    assert len(runs) >= 1
    assert all("--params 'source=/my pics,seed=3' --params image_size=32" in run for run in runs)


def test_the_next_steps_hold_no_key_of_an_address():
    typed = ["source=https://me:secret@host/a.zip?sig=secret,seed=3"]
    lines = "".join(suggest_next({"report"}, "own_pictures", typed))
    assert "secret" not in lines
    assert "seed=3" in lines


@pytest.mark.parametrize(
    ("env", "typed", "is_told"),
    [(None, [], True), ("test", [], True), ("own_pictures", [], False),
     (None, ["source=x"], False), ("cats_vs_dogs", [], False)],
)  # fmt: skip
def test_who_uses_pictures_of_their_own_is_not_told_to(env, typed, is_told):
    assert ("source=FOLDER" in "".join(suggest_next({"report"}, env, typed))) == is_told


def test_without_kedro_viz_the_next_step_installs_it(monkeypatch):
    monkeypatch.setattr("graft.hooks.find_spec", lambda _: None)
    text = "\n".join(suggest_next({"report"}, None))
    assert "make viz" in text
    assert "kedro viz" not in text


def test_a_run_that_made_no_report_suggests_nothing():
    assert suggest_next({"features"}, None) == []


def test_the_command_is_shown_as_it_was_called(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    called = tmp_path / "venv" / "bin" / "kedro"
    called.parent.mkdir(parents=True)
    called.touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(called), "run"])
    assert any(
        line.strip().startswith("venv/bin/kedro run") for line in suggest_next({"report"}, None)
    )
    monkeypatch.setenv("PATH", str(called.parent))
    assert any(line.strip().startswith("kedro run") for line in suggest_next({"report"}, None))


@pytest.mark.parametrize(
    ("called", "command"),
    [
        ("/somewhere/bin/graft", "graft --conf-source=conf.zip"),
        (str(ROOT / "src/graft/__main__.py"), "python -m graft --conf-source=conf.zip"),
        ("/somewhere/kedro/__main__.py", "kedro run --conf-source=conf.zip"),
    ],
)
def test_the_next_commands_are_those_of_the_package_with_its_configuration(
    called, command, monkeypatch
):
    monkeypatch.setattr("sys.argv", [called])
    with click.Context(click.Command("run")) as context:
        context.params["conf_source"] = str(Path.cwd() / "conf.zip")
        text = "\n".join(suggest_next({"report"}, "test"))
    assert f"    {command} --pipelines=exploration --env=test" in text
    assert ("viz" in text) == command.startswith("kedro")


def tell_after_run(caplog, tmp_path, outputs, env=None):
    catalog = DataCatalog(
        {
            "metrics": MemoryDataset(make_metrics()),
            "comparison": MemoryDataset({"chosen": "frozen"}),
            "error_breakdown": MemoryDataset({"models": {"frozen": {"baseline": make_baseline()}}}),
            "report": AtomicDataset(
                filepath=tmp_path / "report.html", dataset="graft.datasets.HTMLDataset"
            ),
        }
    )
    nodes = [Node(lambda: None, None, name, name=f"make_{name}") for name in outputs]
    with caplog.at_level(logging.INFO):
        RunSummaryHook().after_pipeline_run({"env": env}, Pipeline(nodes), catalog)
    return caplog.text


def test_a_whole_run_tells_result_report_and_next_steps(caplog, tmp_path):
    text = tell_after_run(caplog, tmp_path, ["metrics", "comparison", "error_breakdown", "report"])
    assert "12,360 pictures of test" in text
    assert f"Report       {tmp_path / 'report.html'}" in text
    assert "Next" in text


def test_a_partial_run_tells_nothing(caplog, tmp_path):
    assert tell_after_run(caplog, tmp_path, ["features"]) == ""


@pytest.mark.parametrize(
    ("names", "env", "expected"),
    [
        (None, None, "Graft        from pictures to report (environment base)"),
        (["splitting", "ingestion"], "test", "ingestion, splitting (environment test)"),
    ],
)
def test_a_run_says_what_it_is_about(caplog, names, env, expected):
    nodes = [
        Node(lambda value: value, inputs="a", outputs="b", name="list", namespace="ingestion"),
        Node(
            lambda value: value,
            inputs="ingestion.b",
            outputs="c",
            name="deal",
            namespace="splitting",
        ),
    ]
    with caplog.at_level(logging.INFO):
        RunSummaryHook().before_pipeline_run({"pipeline_names": names, "env": env}, Pipeline(nodes))
    assert expected in caplog.text
