"""Names in YAML: as typed, without quotes; all else is what YAML takes it for."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from kedro.config import OmegaConfigLoader

from graft.settings import CONFIG_LOADER_ARGS
from graft.text_values import TextKeepingConfigLoader, quote_texts

ODD_NAMES = [
    "no", "yes", "On", "off", "true", "007", "1.10", "1e3", "12:30", "2024-11-25", "2024_11_25",
    "0x1F", ".5", "-1", ".inf", "it's", "日本", "🐈 7", "~user", "a b",
]  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("class_names: {{0: {0}, 1: x}}", {"class_names": {0: "{0}", 1: "x"}}),
        ("a:\n  include_classes: [🐈, {0}]  # 犬\n", {"a": {"include_classes": ["🐈", "{0}"]}}),
        ("exclude_files:\n- {0}\n- {0}\n", {"exclude_files": ["{0}", "{0}"]}),
        ("x: 007\nsource: {0}   # a folder\ny: no\n", {"x": 7, "source": "{0}", "y": False}),
        ("sources:\n  a: {{split: {0}}}", {"sources": {"a": {"split": "{0}"}}}),
    ],
)
def test_a_name_is_what_was_typed(form: str, expected: object, name: str) -> None:
    assert yaml.safe_load(quote_texts(form.format(name))) == _fill(expected, name)


def _fill(tree: object, name: str) -> object:
    if isinstance(tree, dict):
        return {key: _fill(value, name) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_fill(value, name) for value in tree]
    return name if tree == "{0}" else tree


@pytest.mark.parametrize(
    "text",
    [
        "positive_class: null", "positive_class: ~", "positive_class:", "positive_class: 'no'",
        'include_classes: ["no"]', "source: !!int 7", "epochs: 007", "split: {train: {a: 1}}",
        "source: [", "", "dataset: {type: x, shard_rows: 8192, labels: false}",
    ],
)  # fmt: skip
def test_what_is_no_bare_name_is_left_alone(text: str) -> None:
    assert quote_texts(text) == text


CONF = Path(__file__).parents[1] / "conf"


@pytest.mark.parametrize("path", sorted(CONF.glob("*/*.yml")), ids=lambda path: path.name)
def test_in_this_project_every_file_means_what_it_means_to_kedro(path: Path) -> None:
    text = path.read_text()
    assert yaml.load(quote_texts(text), yaml.CSafeLoader) == yaml.load(text, yaml.CSafeLoader)


def test_in_this_project_all_is_as_kedro_reads_it() -> None:
    ours, kedros = (
        kind(str(CONF), env="house_rooms", **CONFIG_LOADER_ARGS)
        for kind in (TextKeepingConfigLoader, OmegaConfigLoader)
    )
    for name in ("globals", "catalog", "parameters"):
        assert ours[name] == kedros[name]


def test_a_loader_reads_names_as_typed_and_fills_in_values(tmp_path) -> None:
    for folder, name, text in [
        ("base", "globals.yml", "source: 007\nseed: 42\ndataset: yes\n"),
        ("base", "catalog.yml", "raw: {type: x, filepath: '${globals:source}', class_names: [no]}"),
        ("base", "parameters.yml", "a: {positive_class: 1.10, seed: '${globals:seed}', b: no}"),
        ("env", "parameters.yml", "a: {positive_class: on, include_classes: [010]}"),
    ]:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text(text)
    loader = TextKeepingConfigLoader(
        str(tmp_path), env="env", base_env="base", default_run_env="env",
        merge_strategy={"parameters": "soft"},
    )  # fmt: skip
    assert loader["globals"] == {"source": "007", "seed": 42, "dataset": "yes"}
    assert loader["catalog"]["raw"] == {"type": "x", "filepath": "007", "class_names": ["no"]}
    assert loader["parameters"]["a"] == {
        "positive_class": "on", "seed": 42, "b": False, "include_classes": ["010"]
    }  # fmt: skip
