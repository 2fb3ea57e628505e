"""Configuration is resolved once a process, and whatever it is made of is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader

from graft.text_values import KnownConfigLoader

FILES = {
    "base/globals.yml": "dataset: digits\nseed: 1\n",
    "base/catalog.yml": "raw: {type: x, filepath: 'data/${globals:dataset}'}\n",
    "base/parameters.yml": "stage: {seed: '${globals:seed}', epochs: 3}\n",
    "env/parameters_stage.yml": "stage: {epochs: 5}\n",
    "other/globals.yml": "dataset: other\n",
}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        # No other test has a file like it.
        (tmp_path / name).write_text(f"{text}# {tmp_path}\n")
    return tmp_path


def open_loader(
    conf: Path, env: str = "env", kind: type[OmegaConfigLoader] = KnownConfigLoader, **given: object
) -> OmegaConfigLoader:
    merging = {"parameters": "soft", "globals": "soft"}
    return kind(
        str(conf),
        env=env,
        base_env="base",
        default_run_env="local",
        merge_strategy=merging,
        **given,
    )


@pytest.mark.parametrize("given", [{}, {"stage": {"epochs": 9}}])
def test_it_answers_as_kedros(conf: Path, given: dict) -> None:
    ours, kedros = (
        open_loader(conf, kind=kind, runtime_params=given)
        for kind in (KnownConfigLoader, OmegaConfigLoader)
    )
    for name in ("globals", "catalog", "parameters", "parameters"):
        assert ours[name] == kedros[name]


def test_the_same_files_are_resolved_once_whoever_asks(
    conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = []
    read = OmegaConfigLoader._read_raw_config
    monkeypatch.setattr(
        OmegaConfigLoader,
        "_read_raw_config",
        lambda self, key: resolved.append(key) or read(self, key),
    )
    for loader in (open_loader(conf), open_loader(conf)):
        for name in ("catalog", "parameters", "catalog", "parameters"):
            assert loader[name]
    assert resolved == ["globals", "catalog", "parameters"]


@pytest.mark.parametrize("name", ["base/parameters.yml", "env/parameters_stage.yml"])
def test_a_file_that_changed_is_read_anew(conf: Path, name: str) -> None:
    loader = open_loader(conf)
    assert loader["parameters"]["stage"] == {"seed": 1, "epochs": 5}
    (conf / name).write_text("stage: {seed: 8, epochs: 8}\n")
    assert 8 in loader["parameters"]["stage"].values()


def test_a_new_file_and_one_that_is_gone_are_noticed(conf: Path) -> None:
    loader = open_loader(conf)
    assert set(loader["parameters"]) == {"stage"}
    (conf / "env/parameters_more.yml").write_text("more: 1\n")
    assert loader["parameters"] == {"stage": {"seed": 1, "epochs": 5}, "more": 1}
    (conf / "env/parameters_stage.yml").unlink()
    assert loader["parameters"] == {"stage": {"seed": 1, "epochs": 3}, "more": 1}


def test_what_was_typed_counts(conf: Path) -> None:
    for epochs in (7, 8, 7):
        loader = open_loader(conf, runtime_params={"stage": {"epochs": epochs}})
        assert loader["parameters"]["stage"]["epochs"] == epochs


def test_what_was_typed_counts_in_the_catalog_where_that_names_it(conf: Path) -> None:
    (conf / "base/catalog.yml").write_text(
        "a: {type: x, filepath: '${runtime_params:dataset,none}'}\n"
        "b: {type: x, filepath: '${runtime_params:${globals:name},none}'}\n"
    )
    (conf / "base/globals.yml").write_text("name: other\nseed: 1\n")
    for typed in ("one", "two"):
        given = {"dataset": typed, "other": typed * 2}
        catalog = open_loader(conf, runtime_params=given)["catalog"]
        assert [catalog[name]["filepath"] for name in "ab"] == [typed, typed * 2]


def test_each_loader_fills_in_the_values_of_its_own_environment(conf: Path) -> None:
    first = open_loader(conf)
    second = open_loader(conf, env="other")
    assert first["catalog"]["raw"]["filepath"] == "data/digits"
    assert second["catalog"]["raw"]["filepath"] == "data/other"


def test_what_one_asker_changes_no_other_sees(conf: Path) -> None:
    open_loader(conf)["parameters"]["stage"]["epochs"] = 99
    assert open_loader(conf)["parameters"]["stage"]["epochs"] == 5


def test_credentials_follow_the_environment(conf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (conf / "env/credentials.yml").write_text("store: {key: '${oc.env:GRAFT_TEST_KEY}'}\n")
    loader = open_loader(conf)
    for key in ("one", "two"):
        monkeypatch.setenv("GRAFT_TEST_KEY", key)
        assert loader["credentials"] == {"store": {"key": key}}


def test_a_resolver_of_ones_own_is_asked_each_time(conf: Path) -> None:
    (conf / "env/parameters_stage.yml").write_text("stage: {epochs: '${count_up:}'}\n")
    answers = iter(range(100))
    loader = open_loader(conf, custom_resolvers={"count_up": lambda: next(answers)})
    first, second = (loader["parameters"]["stage"]["epochs"] for _ in range(2))
    assert first < second
