"""The champion: chosen on dev, described by what is known of it, test looked at and counted."""

from __future__ import annotations

import json
import re
import textwrap
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from graft.analysis.familiarity import unpack_familiarity
from graft.analysis.metrics import METRICS
from graft.datasets import AtomicDataset
from graft.parameters.base import BackboneParameters
from graft.parameters.forward import AUTO
from graft.parameters.remembering import FamiliarityParameters
from graft.pipelines.candidates import draw_train
from graft.pipelines.champion import create_pipeline
from graft.pipelines.champion.facts import add_evaluation, count_evaluations, hash_data, simplify
from graft.pipelines.champion.nodes import (
    count_test_evaluations,
    describe_champion,
    measure_familiarity,
    pack_champion,
)
from graft.pipelines.champion.parameters import ChampionParameters
from graft.reporting.model_card import render_model_card
from graft.reporting.report import render_page
from helpers.classifiers import build_steep_head, build_undecided, look_up_classifier

CLASSES = ["dark", "light"]
BACKBONE = BackboneParameters(name="small_cnn", weights="/far/away/w.npz", image_size=8, seed=0)
DECODING = {"image_size": 8, "colour": "rgb", "max_pixels": 10_000, "workers": None}
STAGES = ["splitting", "head_training", "fine_tuning", "from_scratch"]
TITLES = {"frozen": "Frozen", "fine_tuned": "Fine-tuned", "from_scratch": "From scratch"}
CALIBRATION = {"temperature": 1.5, "threshold": None}
LABELS = {
    "parts": [{"sentence": "About 9 of 80 look wrong."}, {"sentence": "Train cannot be judged."}]
}
BASELINE = {"verdict": "better", "sentence": "Always saying “dark_” is right for 50.0 % of test."}
PARAMETERS = ChampionParameters(name="lamps", intended_use=None)
FAMILIARITY = FamiliarityParameters(
    pictures=8, neighbours=1, refused_share=0.25, batch_size=4, seed=0
)


def make_predictions(splits: pd.DataFrame, light: float = 0.6, model: str = "frozen"):
    table = splits.loc[splits["split"].isin(["dev", "test"]), ["image_id", "split", "label"]]
    table = table.assign(model=model, predicted="light")
    return table.assign(probability_dark=1 - light, probability_light=light)


def make_metrics(dev_loss: dict[str, float]) -> dict:
    def figures(loss: float) -> dict:
        values = {name: loss if name == "log_loss" else 0.75 for name in METRICS}
        return {name: {"value": v, "low": v / 2, "high": v * 1.2} for name, v in values.items()}

    return {
        model: {"dev": {"n": 4, **figures(loss)}, "test": {"n": 4, **figures(0.1)}}
        for model, loss in dev_loss.items()
    }


def make_class_metrics(models: list[str]) -> pd.DataFrame:
    rows = [(m, s, c, 0.5, 1 / 3, 0.4, 2) for m in models for s in ("dev", "test") for c in CLASSES]
    names = ["model", "split", "class", "precision", "recall", "f1", "support"]
    return pd.DataFrame(rows, columns=names)


def make_error_breakdown(**changes) -> dict:
    models = ("frozen", "fine_tuned", "from_scratch")
    return {"models": {model: {"baseline": BASELINE | changes} for model in models}}


def describe(splits, model="fine_tuned", looks=None, **changes) -> dict:
    metrics = make_metrics({"frozen": 0.5, "fine_tuned": 0.25, "from_scratch": 0.7})
    given = {
        "chosen_predictions": make_predictions(splits, model=model),
        "metrics": metrics,
        "class_metrics": make_class_metrics(list(metrics)),
        "splits": splits,
        "class_names": CLASSES,
        "calibration": CALIBRATION,
        "label_issues_counts": LABELS,
        "error_breakdown": make_error_breakdown(),
        "test_evaluations": looks or add_evaluation(None, make_predictions(splits), splits),
        "backbone": BACKBONE,
        "decoding": DECODING,
        "parameters": PARAMETERS,
        "titles": TITLES,
        "on_backbone": ["frozen", "fine_tuned"],
    }
    return describe_champion(**{**given, **changes})


def pack(facts, classifier=None, **origins):
    chosen = classifier or build_undecided((8, 8, 3), 2)
    stages: dict = {name: {"rate": 1.0} for name in STAGES}
    return pack_champion(
        facts, chosen, {}, backbone=BACKBONE, decoding=DECODING, **stages, **origins
    )


def test_the_facts_are_those_of_the_model_that_was_chosen_on_dev(splits) -> None:
    facts = describe(splits)
    assert facts["model"] == "fine_tuned"
    assert [(row["model"], row["log_loss"]["value"], row["chosen"]) for row in facts["models"]] == [
        ("fine_tuned", 0.25, True), ("frozen", 0.5, False), ("from_scratch", 0.7, False)
    ]  # fmt: skip
    assert facts["metrics"]["dev"]["log_loss"]["value"] == 0.25
    assert [row["class"] for row in facts["class_metrics"]] == CLASSES
    assert facts["temperature"] == 1.5
    assert facts["data"]["splits"] == {"train": 10, "dev": 4, "test": 4}
    assert json.loads(json.dumps(facts)) == facts


def test_no_place_on_this_machine_is_told(splits) -> None:
    champion = pack(describe(splits))
    assert "/far/away" not in json.dumps(champion.facts) + champion.card
    assert champion.facts["parameters"]["backbone"]["weights"] == "w.npz"


@pytest.mark.parametrize("model", ["frozen", "fine_tuned", "from_scratch"])
def test_the_classifier_in_it_is_the_one_that_was_chosen(splits, model) -> None:
    mine = build_undecided((8, 8, 3), 2)
    champion = pack(describe(splits, model), mine)
    assert champion.model is mine
    assert champion.facts["model"] == model
    assert champion.card.splitlines()[2].startswith(TITLES[model])
    assert ("| Backbone | none |" in champion.card) == (model == "from_scratch")


def test_its_facts_hold_all_that_is_needed_to_use_it(splits) -> None:
    facts = pack(describe(splits)).facts
    assert {"image_size", "colour", "max_pixels", "preprocessing", "temperature", "threshold"} <= {
        *facts
    }
    assert set(facts["versions"]) >= {"graft", "python", "keras", "tensorflow"}
    assert facts["data"]["sha256"] == hash_data(splits)
    assert facts["parameters"]["from_scratch"] == {"rate": 1}


def test_the_hash_of_the_data_changes_with_any_picture_label_and_side_but_not_with_order(
    splits,
) -> None:
    whole = hash_data(splits)
    assert hash_data(splits.sample(frac=1, random_state=0)) == whole
    assert hash_data(splits.assign(image_id="other name")) == whole
    for column, value in (("sha256", "0" * 64), ("label", "dim"), ("split", "dev")):
        other = splits.copy()
        other.loc[0, column] = value
        assert hash_data(other) != whole


def test_a_look_is_counted_once_for_each_model_and_never_forgotten(splits) -> None:
    first = add_evaluation(None, make_predictions(splits, 0.6), splits)
    assert count_evaluations(first, splits) == {"now": 1, "all": 1}
    assert add_evaluation(first, make_predictions(splits, 0.6), splits) == first
    second = add_evaluation(first, make_predictions(splits, 0.7), splits)
    assert count_evaluations(second, splits) == {"now": 2, "all": 2}
    # Going back to a previous model shows nothing that was not seen.
    assert add_evaluation(second, make_predictions(splits, 0.6), splits) == second


def test_what_is_shown_of_test_is_counted_and_nothing_else(splits) -> None:
    predictions = pd.concat(
        [make_predictions(splits), make_predictions(splits, 0.7, "fine_tuned")], ignore_index=True
    )
    metrics = make_metrics({"frozen": 0.5, "fine_tuned": 0.25})
    both = count_test_evaluations(predictions, metrics, splits, None)
    assert [look["model"] for look in both] == ["frozen", "fine_tuned"]
    del metrics["frozen"]["test"]
    one = count_test_evaluations(predictions, metrics, splits, None)
    assert [look["model"] for look in one] == ["fine_tuned"]
    assert one[0] == both[1]
    # Showing the other one later adds its look, and no second one of the first.
    every = make_metrics(dict.fromkeys(metrics, 1))
    assert count_test_evaluations(predictions, every, splits, one) == [both[1], both[0]]


def test_looks_at_a_former_test_split_count_apart(splits) -> None:
    first = add_evaluation(None, make_predictions(splits), splits)
    changed = splits[splits["image_id"] != "17.png"]
    second = add_evaluation(first, make_predictions(changed), changed)
    assert count_evaluations(second, changed) == {"now": 1, "all": 2}


def test_renaming_pictures_and_looking_at_dev_is_no_look(splits) -> None:
    first = add_evaluation(None, make_predictions(splits), splits)
    renamed = splits.assign(image_id=[f"x{99 - n}.png" for n in range(len(splits))])
    assert add_evaluation(first, make_predictions(renamed), renamed) == first
    predictions = make_predictions(splits)
    predictions.loc[predictions["split"] == "dev", "probability_dark"] = 0.123
    assert add_evaluation(first, predictions, splits) == first


def test_the_stage_made_twice_is_the_same_and_reads_its_former_looks(
    splits, features, tmp_path
) -> None:
    looks = AtomicDataset(
        filepath=tmp_path / "looks.json", dataset={"type": "json.JSONDataset"}
    )  # fmt: skip
    metrics = make_metrics({"frozen": 0.5})
    given = {
        "chosen_predictions": make_predictions(splits), "predictions": make_predictions(splits),
        "metrics": metrics, "splits": splits, "error_breakdown": make_error_breakdown(),
        "class_metrics": make_class_metrics(["frozen"]), "class_names": CLASSES,
        "calibration": CALIBRATION, "label_issues_counts": LABELS,
        "params:backbone": BACKBONE, "params:decoding": DECODING,
        "params:champion": PARAMETERS, "chosen_classifier": build_undecided((8, 8, 3), 2),
        **{f"params:{name}": {} for name in STAGES}, "params:familiarity": FAMILIARITY,
        "features": features, "images": np.zeros((len(splits), 8, 8, 3), np.uint8),
        "fine_tuned_recipe": {"recipe": "all"}, "params:forward": AUTO, "forward_exports": None,
    }  # fmt: skip
    made = []
    for _ in range(2):
        previous = looks.load() if looks.exists() else None
        entries = {name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()}
        entries |= {"previous_test_evaluations": MemoryDataset(previous), "test_evaluations": looks}
        result = SequentialRunner().run(create_pipeline(), DataCatalog(entries))
        made.append(result["champion"].load())
    assert made[0].facts == made[1].facts
    assert made[0].card == made[1].card
    assert len(looks.load()) == 1


def test_the_five_lines_of_the_card_run(splits, tmp_path, monkeypatch) -> None:
    from PIL import Image

    champion = pack(describe(splits, class_names=["<b>", "l|ght_"], class_metrics=pd.DataFrame(
        columns=["model", "split", "class", "precision", "recall", "f1", "support"]
    )))  # fmt: skip
    dataset = AtomicDataset(
        filepath=tmp_path / "data/06_models/lamps/champion",
        dataset={"type": "graft.datasets.ChampionDataset"},
    )
    dataset.save(champion)
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(tmp_path / "picture.jpg")
    (code,) = re.findall(r"```python\n(.*?)```", champion.card, re.DOTALL)
    lines = [line for line in code.splitlines() if line]
    assert len(lines) == 5
    monkeypatch.chdir(tmp_path)
    printed = []
    exec(textwrap.dedent(code), {"print": lambda *values: printed.append(values)})
    ((answers, probabilities),) = printed
    assert answers == ["<b>"]
    assert list(probabilities) == ["<b>", "l|ght_"]


def test_the_card_says_what_it_must(splits) -> None:
    facts = describe(splits)
    card = render_model_card(facts, {"keras": "3.0"})
    for heading in ("How to use it", "Intended use", "What it is", "Data", "Figures", "Limits"):
        assert f"\n## {heading}" in card
    assert "log loss on dev 0.2500" in card
    assert "0.750 (0.375 – 0.900)" in card
    assert facts["data"]["sha256"] in card
    assert "Test was looked at once." in card
    assert "\n\nAbout 9 of 80 look wrong.\n\nTrain cannot be judged.\n" in card
    assert "fewer than 30 pictures of test" in card


def test_the_card_says_whether_pictures_without_a_label_helped(splits) -> None:
    verdict = {"sentence": "Pictures without a label helped: 90.0 % of dev."}
    card = render_model_card({**describe(splits), "unlabelled": [verdict]}, {})
    assert "\n\nPictures without a label helped: 90.0 % of dev.\n" in card
    assert "without a label" not in render_model_card(describe(splits), {})
    rows = [line for line in card.splitlines() if line.startswith("|")]
    # Every row of a table has as many cells as its head.
    assert {line.count("|") for line in rows if line.startswith("| light")} == {7}
    assert {line.count("|") for line in rows if line.startswith("| Accuracy")} == {4}


def test_no_better_than_one_class_always_stands_in_the_card(splits) -> None:
    warning = "**It is not shown to be better than saying one class always.**"
    card = render_model_card(describe(splits), {})
    assert "Always saying “dark\\_” is right for 50.0 % of test." in card
    assert warning not in card
    for verdict in ("no evidence of a difference", "worse"):
        card = render_model_card(
            describe(splits, error_breakdown=make_error_breakdown(verdict=verdict)), {}
        )
        assert card.index(warning) < card.index("Always saying") < card.index("## How to use it")


def test_names_cannot_break_the_card_or_the_page(splits) -> None:
    evil = ["<script>x</script>", "a|b\n# c `d`"]
    facts = describe(
        splits,
        class_names=evil,
        class_metrics=make_class_metrics(["fine_tuned"]).assign(**{"class": evil * 2}),
        parameters=ChampionParameters(name="<i>", intended_use=None),
    )
    card = render_model_card(facts, {})
    assert "<script>" not in card
    assert "| a\\|b \\# c \\`d\\` |" in card
    assert "<i>" not in render_section(facts)


def test_many_looks_are_warned_of_in_card_and_report(splits) -> None:
    looks = None
    for light in (0.6, 0.7, 0.8):
        looks = add_evaluation(looks, make_predictions(splits, light), splits)
    facts = describe(splits, looks=looks)
    assert "looked at 3 times" in render_model_card(facts, {})
    page = render_section(facts)
    assert "<b>3 times</b>" in page
    assert "Choose by dev" in page


def render_section(facts: dict) -> str:
    content = SimpleNamespace(sections={"champion": facts}, figures={})
    return render_page("champion.html", content=content)


WARM = {"champion": "0123", "steps": 1, "sentence": "the first since all was trained anew, from c."}


def test_a_warm_start_is_said_in_the_facts_the_card_and_the_section(splits) -> None:
    facts = describe(splits)
    champion = pack(facts, fine_tuned_recipe={"recipe": "all"}, warm_start=WARM)
    assert champion.facts["warm_start"] == WARM
    assert champion.facts["recipe"] == {"recipe": "all"}
    assert f"| Warm start | {WARM['sentence']} |" in champion.card
    assert f"a <b>warm start</b>, {WARM['sentence']}" in render_section(
        {**facts, "warm_start": WARM}
    )
    anew = pack(facts)
    assert anew.facts["warm_start"] is None
    assert "arm start" not in anew.card + render_section({**facts, "warm_start": None})


def test_the_section_tells_what_was_chosen_and_where_it_lies(splits) -> None:
    page = render_section(describe(splits))
    assert 'id="champion"' in page
    assert "Of 3 models the <b>fine-tuned</b> one was chosen" in page
    assert "data/06_models/lamps/champion" in page
    assert "0.2500 (0.1250 – 0.3000)" in page
    empty = render_page("champion.html", content=SimpleNamespace(sections={}, figures={}))
    assert "run the pipeline" in empty


def test_of_a_thousand_classes_the_card_lists_the_worst(splits) -> None:
    names = [f"class {number:04d}" for number in range(1000)]
    table = pd.DataFrame(
        {"model": "frozen", "split": "test", "class": names, "precision": 0.5, "recall": 0.5,
         "f1": np.linspace(1, 0, 1000), "support": 3}
    )  # fmt: skip
    card = render_model_card(describe(splits, "frozen", class_names=names, class_metrics=table), {})
    assert "the 50 that do worst" in card
    assert "| class 0999 |" in card
    assert "| class 0000 |" not in card


def test_parameters_are_written_the_same_whether_kedro_validated_them_or_not() -> None:
    assert simplify(BACKBONE) == simplify(BACKBONE.model_dump())
    assert simplify({"a": 1.0, "b": [{"c": 2.0}], "d": 0.5, "e": True}) == {
        "a": 1, "b": [{"c": 2}], "d": 0.5, "e": True
    }  # fmt: skip


def test_keras_alone_can_use_the_file(splits, tmp_path) -> None:
    dataset = AtomicDataset(
        filepath=tmp_path / "champion", dataset={"type": "graft.datasets.ChampionDataset"}
    )
    dataset.save(pack(describe(splits)))
    model = keras.models.load_model(tmp_path / "champion" / "classifier.keras")
    np.testing.assert_allclose(model.predict(np.zeros((1, 8, 8, 3), np.uint8), verbose=0), 0.5)


def test_what_train_looked_like_is_remembered_and_the_share_refused(
    splits, features, monkeypatch
) -> None:
    classifier, images = look_up_classifier(features, build_steep_head(features))
    known = measure_familiarity(classifier, features, images, splits, FAMILIARITY)
    found = unpack_familiarity(known)
    assert found.reference.shape == (8, 4)
    vectors = features.read(splits["image_id"])
    dev = (splits["split"] == "dev").to_numpy()
    train = draw_train(splits, FAMILIARITY.pictures, FAMILIARITY.seed)
    of_dev = found.measure(vectors[dev])
    # The features know nothing of train, so it counts too: of 12, beyond the 10th are 2.
    of_train = found.measure_among(splits["cluster"].to_numpy()[train])
    assert (np.r_[of_dev, of_train] > found.threshold).sum() == 2
    # From the pixels, where the stored features are another network's, dev counts alone.
    monkeypatch.setattr(type(features), "read", lambda self, ids: np.zeros((len(ids), 4)))
    again = measure_familiarity(classifier, features, images, splits, FAMILIARITY)
    np.testing.assert_array_equal(again["reference"], known["reference"])
    assert again["threshold"] == pytest.approx(of_dev.max(), abs=1e-3)


def test_it_can_be_turned_off(splits, features) -> None:
    classifier, images = look_up_classifier(features, build_steep_head(features))
    off = FAMILIARITY.model_copy(update={"pictures": 0})
    assert measure_familiarity(classifier, features, images, splits, off) == {}


def test_a_network_without_weights_has_no_features(splits, features) -> None:
    images = np.zeros((len(splits), 8, 8, 3), np.uint8)
    undecided = build_undecided((8, 8, 3), 2)
    assert measure_familiarity(undecided, features, images, splits, FAMILIARITY) == {}
