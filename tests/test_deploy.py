"""The files of deploy/: linted, closed by default, and naming only what there is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import promql_parser
import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from graft.classifier.answers import NOT_SURE, UNLIKE, Answer, Findings
from graft.serving.app import create_app
from graft.serving.engine import Engine
from graft.serving.measuring import Measures
from graft.serving.service_settings import ServiceSettings
from helpers.exports import make_export, write_export
from helpers.packaging import DEPLOY, read_dockerfile

BIN = Path(sys.executable).parent
DOCKERFILES = sorted(DEPLOY.glob("*.Dockerfile"))
COMPOSE = yaml.safe_load((DEPLOY / "compose.yml").read_text())
BOARD = json.loads((DEPLOY / "grafana/board.json").read_text())
ALERTS = yaml.safe_load((DEPLOY / "alerts.yml").read_text())


def lint(*command: str | Path) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_hadolint_finds_nothing(file: Path) -> None:
    lint("hadolint", file)


def test_the_compose_file_follows_the_specification() -> None:
    lint("check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yml")


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_an_image_runs_as_nobody_and_takes_along_nothing_that_builds(file: Path) -> None:
    *_, last = re.split(r"^FROM ", file.read_text(), flags=re.MULTILINE)
    assert re.findall(r"^USER (\d+):(\d+)$", last, re.MULTILINE) == [("10001", "10001")]
    assert "pip install" not in last
    assert re.findall(r"^COPY (.*)$", last, re.MULTILINE) == ["--from=build /opt/graft /opt/graft"]


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.stem)
def test_what_is_copied_into_an_image_is_sent_to_the_builder(file: Path) -> None:
    sent = file.with_name(f"{file.name}.dockerignore").read_text().splitlines()
    assert sent[0] == "*"
    (copied,) = re.findall(r"^COPY (?!--from)(.*) \./$", file.read_text(), re.MULTILINE)
    folders = re.findall(r"^COPY (\w+) \w+$", file.read_text(), re.MULTILINE)
    named = {*copied.split(), *folders}
    assert {line.removeprefix("!") for line in sent if line.startswith("!")} == named
    for name in named:
        assert name.startswith("dist/") or (DEPLOY.parent / name).exists(), name


def test_the_service_has_no_tensorflow_and_a_health_check() -> None:
    text = (DEPLOY / "service.Dockerfile").read_text()
    assert re.findall(r"\[(\w+)\]\"", text) == ["serve"]
    assert read_dockerfile("service")["HEALTHCHECK"][0] == "python"


def test_the_service_is_closed_but_for_its_port_on_this_machine() -> None:
    service = COMPOSE["services"]["service"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(volume.endswith(":ro") for volume in service["volumes"])
    for one in COMPOSE["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in one["ports"])


def test_what_compose_names_is_there() -> None:
    build = COMPOSE["services"]["service"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    mounted = [
        volume.partition(":")[0]
        for one in COMPOSE["services"].values()
        for volume in one["volumes"]
        if volume.startswith("./")
    ]
    assert len(mounted) == 5
    assert [name for name in mounted if not (DEPLOY / name).is_file()] == []


def test_prometheus_may_call_the_service_by_its_name() -> None:
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())["scrape_configs"]
    (target,) = scraped[0]["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    service = COMPOSE["services"][host]
    assert host in service["environment"]["GRAFT_HOSTS"].split(",")
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"EXPOSE {port}\n" in (DEPLOY / "service.Dockerfile").read_text()


def list_queries() -> dict[str, str]:
    """PromQL of the board and of the alerts, by what it is for."""
    drawn = {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "5m")
        for panel in BOARD["panels"]
        for target in panel["targets"]
    }
    return drawn | {rule["alert"]: rule["expr"] for rule in ALERTS["groups"][0]["rules"]}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """Labels of every sample in /metrics, by its name, after answers of every kind."""
    folder = write_export(tmp_path_factory.mktemp("x") / "onnx", make_export(["dark", "red"]))
    settings = ServiceSettings.check(hosts=("testserver",), decoders=1, threads=1)
    with TestClient(create_app(Engine(folder, 1), settings)) as client:
        client.post("/predict", files={"pictures": b"no picture"})
        texts = [client.get("/metrics").text]
    measures = Measures()
    answers = [Answer("red"), Answer(None, f"{UNLIKE}: far"), Answer(None, f"{NOT_SURE}: 0.5")]
    measures.count(Findings(np.full((3, 2), 0.5), np.ones(3)), answers)
    texts.append(measures.render().decode())
    found: dict[str, list[dict[str, str]]] = {"up": [{"job": "graft"}]}
    for family in (one for text in texts for one in text_string_to_metric_families(text)):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def list_selectors(query: str) -> Iterator[tuple[str, str]]:
    """Names of metrics in PromQL, each with what stands in braces behind it."""
    yield from re.findall(r"\b(graft_\w+|up)\b(?:\{([^}]*)\})?", query)


@pytest.mark.parametrize("name", list_queries())
def test_the_board_and_the_alerts_ask_for_what_the_service_counts(name: str, samples) -> None:
    query = list_queries()[name]
    promql_parser.parse(query)
    selectors = list(list_selectors(query))
    assert selectors
    for metric, matchers in selectors:
        assert metric in samples
        for label, sign, value in re.findall(r'(\w+)(=~?)"([^"]*)"', matchers):
            values = {labels[label] for labels in samples[metric]}
            # A status comes when it is due; a route or a reason has a name of its own.
            assert sign == "=~" or label == "status" or value in values
        for label in re.findall(r"by \((\w+)\)", query):
            assert any(label in labels for labels in samples[selectors[0][0]])


def test_the_board_shows_all_that_is_counted(samples) -> None:
    asked = {metric for query in list_queries().values() for metric, _ in list_selectors(query)}
    counted = {
        re.sub(r"_(bucket|sum|count|total|created)$", "", name)
        for name in samples
        if name.startswith("graft_")
    }
    shown = {re.sub(r"_(bucket|sum|count|total)$", "", name) for name in asked}
    assert counted - shown == set()


def test_the_panels_of_the_board_do_not_overlap() -> None:
    cells = [
        (x, y)
        for panel in BOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    sources = yaml.safe_load((DEPLOY / "grafana/datasource.yml").read_text())["datasources"]
    assert {panel["datasource"]["uid"] for panel in BOARD["panels"]} == {sources[0]["uid"]}
