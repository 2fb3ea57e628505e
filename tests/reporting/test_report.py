"""The report: one page that needs nothing else, safe against any name, honest about its figures."""

from __future__ import annotations

import base64
import dataclasses
import html
import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from graft.analysis.error_breakdown import compare_with_baseline, name_largest, read_error_breakdown
from graft.analysis.metrics import METRICS
from graft.reporting.embedding import embed_thumbnail
from graft.reporting.report import METRIC_TITLES, ReportContent, render_page, render_report
from helpers.pages import Page

SCRIPT = "<script>alert('1')</script>"
FIGURES = ["confusion_matrix", "confusion_matrix_log2", "learning_curves"]


def encode_png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "png")
    return buffer.getvalue()


PNG = encode_png(np.zeros((2, 2, 3), dtype=np.uint8))


def make_content(**changes):
    figures = {name: {"value": 0.9, "low": 0.8123, "high": 0.9567} for name in METRICS}
    splits = ["train"] * 1200 + ["dev"] * 20 + ["test"] * 20
    content = ReportContent(
        metrics={
            "test": {"n": 1020, "clusters": 1020, **figures},
            "dev": {"n": 20, "clusters": 20, **figures},
        },
        class_metrics=pd.DataFrame(
            {"class": ["cat", "dog"], "precision": 0.5, "recall": 0.25, "f1": 1 / 3, "support": 10}
        ),
        splits=pd.DataFrame({"label": ["cat", "cat", "cat", "dog"] * 310, "split": splits}),
        split_check={"pairs": 12, "leaking": 0, "set_aside": [], "moved": []},
        split_summary=pd.DataFrame(
            {"label": ["cat", "dog"], "split": ["train", "dev"], "deviation": [0.1, -1.27]}
        ),
        random_split={"clusters": 0, "together": 0, "measured": None},
        wrong_count=31,
        quarantined=pd.DataFrame({"image_id": ["bad.png"], "reason": ["empty file (0 bytes)"]}),
        file_count=1241,
        backbone="MobileNetV2 with the weights 'imagenet'",
        image_size=160,
        confidence=0.95,
        check={"pictures": 16, "largest_difference": 1.2e-7},
        figures=dict.fromkeys(
            [
                "confusion_matrix",
                "confusion_matrix_log2",
                "frozen.training_curves",
                "fine_tuned.training_curves",
            ],
            PNG,
        ),
        titles={
            "frozen": "Frozen backbone with a trained head",
            "fine_tuned": "Fine-tuned: the last blocks were trained too",
        },
    )
    return dataclasses.replace(content, **changes)


def read_page(**changes):
    return Page(render_report(make_content(**changes)))


FOUND = {
    "n": 1020, "clusters": 1020, "only_first": 1, "only_second": 9, "p_value": 0.0213,
    "same": False, "verdict": "better", "smallest": 0.012,
    "log_loss_verdict": "no evidence of a difference",
    "accuracy": {"value": 8 / 1020, "low": 0.001, "high": 0.016},
    "log_loss": {"value": -0.01, "low": -0.03, "high": 0.01},
}  # fmt: skip
COST = {"megabytes": 9.2, "parameters": 2_257_984, "multiply_adds": 300_500_000}


def make_comparison(test=None, **changes):
    """A frozen and a fine-tuned model, which the details are about."""
    metrics = make_content().metrics
    figures = ["confusion_matrix", "confusion_matrix_log2", "frozen.training_curves",
               "fine_tuned.training_curves", "augmented_pictures"]  # fmt: skip
    models = {"frozen": metrics, "fine_tuned": metrics}
    compared = {
        "confidence": 0.95,
        "chosen": "fine_tuned",
        "models": {name: {"dev": metrics["dev"], "test": None, "cost": COST} for name in models},
        "pairs": [
            {"first": "frozen", "second": "fine_tuned", "dev": FOUND | changes, "test": test}
        ],
    }
    return {
        "model": "fine_tuned",
        "models": models,
        "sections": {"comparison": compared},
        "figures": dict.fromkeys(figures, PNG),
    }


def make_error_breakdown(label="cat", train_pictures=1200):
    """An error_breakdown with one step that is shown."""
    errors = {
        split: {"n": 1000, "clusters": 1000, "value": value, "low": value / 2, "high": 2 * value}
        for split, value in {"train": 0.01, "dev": 0.08, "test": 0.09}.items()
    }
    readings = read_error_breakdown(errors, None)
    model = {
        "errors": errors, "readings": readings, "headline": name_largest(readings),
        "baseline": compare_with_baseline(
            np.repeat([label, "other"], [250, 750]), np.repeat([label, "other"], [340, 660]),
            label, np.arange(1000), 0.95,
        ),
    }  # fmt: skip
    error_breakdown = {
        "confidence": 0.95, "chosen": "frozen", "human_error": None,
        "train_pictures": train_pictures, "chance": 0.5,
        "majority": {"label": label, "errors": dict.fromkeys(errors, 0.25)},
        "models": {"frozen": model},
    }  # fmt: skip
    return {"sections": {"error_breakdown": error_breakdown}}


VARIANTS = {
    "as usual": {},
    "nothing wrong": {"wrong_count": 0},
    "nothing quarantined": {"quarantined": pd.DataFrame({"image_id": [], "reason": []})},
    "much quarantined": {
        "quarantined": pd.DataFrame(
            {"image_id": [f"bad {n}.png" for n in range(50)], "reason": "empty file"}
        )
    },
    "small pictures": {"image_size": 8},
    "fine-tuned": make_comparison(),
    "error_breakdown": make_error_breakdown(),
}


@pytest.fixture(scope="module", params=VARIANTS.values(), ids=VARIANTS)
def page(request):
    return read_page(**request.param)


def test_every_element_is_closed(page):
    # The parser checks each end against its start.
    assert page.open == []


def test_the_page_refers_to_nothing_outside_itself(page):
    for tag, attributes in page.elements:
        for name in ("src", "href", "action", "data", "srcset", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:image/")), (tag, name)
    assert page.find("script") == page.find("link") == page.find("iframe") == []


def test_every_anchor_leads_somewhere(page):
    places = {attributes.get("id") for _, attributes in page.elements}
    for link in page.find("a"):
        assert link["href"].removeprefix("#") in places


def test_what_pictures_without_a_label_added_is_told_where_somebody_learnt_from_them(page):
    ways = [
        {"way": "teacher", "accuracy": 0.75, "log_loss": 0.4, "is_chosen": False},
        {"way": "balanced_student", "accuracy": 0.9, "log_loss": 0.3, "is_chosen": True},
    ]
    verdict = {
        "verdict": "gained", "sentence": "They helped: 90 %.", "measured": 40,
        "measured_on": "dev", "ways": ways,
    }  # fmt: skip
    told = render_page(
        "unlabelled.html",
        content=SimpleNamespace(sections={"champion": {"unlabelled": [verdict]}}),
    )
    assert told.startswith('<h2 id="unlabelled">')
    assert "<b>They helped: 90 %.</b>" in told
    assert "<td>balanced student</td><td>0.900</td><td>0.300</td><td>kept</td>" in told
    assert not [
        attributes for _, attributes in page.elements if attributes.get("id") == "unlabelled"
    ]


def test_every_picture_has_a_text_in_its_place(page):
    texts = [picture["alt"] for picture in page.find("img")]
    assert all(texts)
    assert len(set(texts)) == len(texts)


def test_every_picture_can_be_decoded(page):
    for picture in page.find("img"):
        content = base64.b64decode(picture["src"].partition(",")[2], validate=True)
        Image.open(io.BytesIO(content)).load()


def test_the_page_says_what_it_is():
    page = read_page()
    assert page.find("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in page.find("meta")
    assert "Graft report: 90.0 % on 1,020 test pictures" in page.text


def test_the_style_sheet_fetches_nothing():
    style = render_report(make_content()).partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_the_figures_stand_there_with_their_counts_and_intervals():
    text = read_page().text
    assert "test (1,020 pictures)" in text
    assert "dev (20 pictures)" in text
    assert text.count("0.900 (0.812 – 0.957)") == 2 * len(METRICS)
    assert "95 % interval 81.2 % to 95.7 %" in text


def test_every_metric_has_a_title():
    assert set(METRIC_TITLES) == set(METRICS)
    text = read_page().text
    assert all(title in text for title in METRIC_TITLES.values())


def test_every_class_has_its_row():
    text = read_page().text
    assert "cat 0.500 0.250 0.333 10" in text
    assert "dog 0.500 0.250 0.333 10" in text


def test_without_wrong_pictures_the_page_does_not_boast():
    page = read_page(wrong_count=0)
    assert "It was never wrong; with so many pictures that does not prove" in page.text


def test_one_mistake_is_told_in_the_singular():
    assert "It was wrong once; this is the picture." in read_page(wrong_count=1).text


def test_the_questions_of_a_reader_come_before_the_figures():
    text = read_page(**make_error_breakdown()).text
    assert text.index("Is it better than no classifier at all?") < text.index("Accuracy")


def test_quarantined_files_are_listed_with_their_reasons():
    text = read_page().text
    assert "1,241, of which 1 quarantined" in text
    assert "bad.png empty file (0 bytes)" in text


def test_of_many_quarantined_files_the_first_20_are_listed():
    text = read_page(**VARIANTS["much quarantined"]).text
    assert "the first 20 of 50" in text
    assert "bad 19.png" in text
    assert "bad 20.png" not in text


def test_without_quarantined_files_there_is_no_list_of_them():
    assert "Quarantined pictures" not in read_page(**VARIANTS["nothing quarantined"]).text


@pytest.mark.parametrize("name", [SCRIPT, '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}", "a & b"])
def test_names_are_text_and_nothing_else(name):
    page = read_page(
        class_metrics=pd.DataFrame(
            {"class": [name], "precision": 1.0, "recall": 1.0, "f1": 1.0, "support": 1}
        ),
        splits=pd.DataFrame({"label": [name] * 3, "split": ["train", "dev", "test"]}),
        quarantined=pd.DataFrame({"image_id": [name], "reason": [name]}),
        backbone=name,
    )
    assert page.find("script") == []
    assert len(page.find("img")) == 4
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert page.text.count(" ".join(name.split())) >= 4


def test_names_are_escaped_in_the_source():
    source = render_report(make_content(backbone=SCRIPT))
    assert SCRIPT not in source
    assert html.escape("<script>") in source


@pytest.mark.parametrize(
    ("shape", "kind"),
    [((8, 8, 3), "png"), ((160, 160, 3), "png"), ((161, 161, 3), "jpeg"), ((20, 300, 3), "jpeg")],
)
def test_a_thumbnail_is_small_and_never_larger_than_the_picture(shape, kind):
    address = embed_thumbnail(np.zeros(shape, dtype=np.uint8))
    start, content = address.split(",")
    assert start == f"data:image/{kind};base64"
    size = Image.open(io.BytesIO(base64.b64decode(content))).size
    assert max(size) == min(160, max(shape))


def test_a_small_thumbnail_keeps_its_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    content = base64.b64decode(embed_thumbnail(pixels).partition(",")[2])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels)


def make_random_split(low, high):
    measured = {
        "together": {"value": 0.54, "low": low, "high": high},
        "random": {"value": 0.84, "low": 0.82, "high": 0.86},
        "difference": 0.3, "draws": 5, "train": 774, "test": 258,
    }  # fmt: skip
    return {"clusters": 258, "together": 1290, "measured": measured}


def test_the_page_says_how_much_a_random_split_would_flatter():
    text = read_page(random_split=make_random_split(0.44, 0.64)).text
    assert "1,290 pictures in 258 clusters kept together" in text
    assert "A random split would have flattered by 30.0 percentage points" in text


def test_where_the_intervals_meet_the_page_claims_no_flattery():
    text = read_page(random_split=make_random_split(0.44, 0.83)).text
    assert "no evidence that a random split would have flattered" in text


def test_the_page_tells_the_largest_deviation_of_a_class():
    text = read_page().text
    assert "within 1.3 percentage points of what was asked for (dog in dev)" in text
    assert "Of 12 pairs of pictures that belong together, none stands on two sides" in text


def test_pictures_that_were_set_aside_are_counted():
    check = {"pairs": 1, "leaking": 0, "set_aside": ["new.png"], "moved": []}
    assert "1 new pictures were left out" in read_page(split_check=check).text


def test_a_difference_that_is_real_is_told():
    text = read_page(**make_comparison()).text
    assert "The fine-tuned classifier is better than the frozen one" in text
    assert "9 are right with the fine-tuned one alone and 1 with the frozen one alone" in text
    assert "accuracy +0.8 points, 95 % interval +0.1 to +1.6" in text
    assert "exact McNemar test, p = 0.021" in text
    assert "Log loss -0.010 (-0.030 to +0.010): no evidence of a difference" in text
    assert "Fine-tuned: the last blocks were trained too" in text


def test_a_difference_that_is_chance_is_told_with_what_could_be_seen():
    text = read_page(**make_comparison(verdict="no evidence of a difference")).text
    assert "No evidence of a difference between the fine-tuned and the frozen classifier" in text
    assert "would show a difference of 1.2 points four times of five" in text
    assert "is better than" not in text
    few = make_comparison(verdict="no evidence of a difference", smallest=None)
    assert "So few pictures could not show any difference" in read_page(**few).text


def test_models_that_are_right_on_the_same_pictures_are_told():
    found = {"only_first": 0, "only_second": 0, "verdict": "no evidence of a difference"}
    text = read_page(**make_comparison(**found)).text
    assert "both are right on the same of the 1,020 pictures of dev" in text


def test_a_model_that_answers_as_the_other_does_is_not_compared():
    text = read_page(**make_comparison(same=True)).text
    assert "gives the same answers as the" in text
    assert "McNemar" not in text


def test_of_test_nothing_is_told_of_models_that_were_not_chosen_unless_it_was_asked_for():
    text = read_page(**make_comparison()).text
    assert "On test only the chosen model is shown" in text
    assert "evaluation.show_all_candidates=true" in text
    assert "Accuracy on test" not in text
    given = make_comparison(test=FOUND | {"verdict": "worse"})
    for model in given["sections"]["comparison"]["models"].values():
        model["test"] = make_content().metrics["test"]
    text = read_page(**given).text
    assert "On test, which has no say: accuracy +0.8 points (+0.1 to +1.6)" in text
    assert "Accuracy on test 0.900 (0.812 – 0.957) 0.900 (0.812 – 0.957)" in text
    assert "each is counted as a look" in text
    # The advice stays that of dev.
    assert "The fine-tuned classifier is better than the frozen one" in text


def test_a_comparison_over_clusters_counts_them():
    text = read_page(**make_comparison(clusters=34)).text
    assert "exact McNemar test of 34 clusters" in text


def test_the_cost_of_each_model_stands_beside_its_figures():
    text = read_page(**make_comparison()).text
    assert "File (MB) 9.2 9.2" in text
    assert "Weights 2,257,984 2,257,984" in text
    assert "Multiply-adds a picture (millions) 300.5 300.5" in text


def test_without_fine_tuning_nothing_is_said_about_it():
    assert "fine-tun" not in read_page().text.lower()


def test_the_ladder_names_the_largest_step_and_what_helps():
    text = read_page(**make_error_breakdown()).text
    assert "The largest step is variance, +7.0 points" in text
    assert "more pictures to train on" in text
    assert "Frozen 1.0 (0.5 – 2.0) 8.0 (4.0 – 16.0) 9.0 (4.5 – 18.0)" in text
    assert "1,000 drawn at random of 1,200" in text
    assert "drawn at random" not in read_page(**make_error_breakdown(train_pictures=1000)).text


def test_a_class_name_in_the_ladder_is_text_and_nothing_else():
    page = read_page(**make_error_breakdown(label=SCRIPT))
    assert page.find("script") == []
    assert SCRIPT in page.text


def test_of_a_thousand_classes_the_worst_are_listed():
    f1 = np.linspace(1, 0, 1000)
    classes = pd.DataFrame(
        {"class": [f"class {n}" for n in range(1000)], "precision": f1, "recall": f1, "f1": f1,
         "support": 1}
    )  # fmt: skip
    text = read_page(class_metrics=classes).text
    assert "the 60 classes with the lowest F1 of 1,000; all are in class_metrics.csv" in text
    assert text.index("class 999 ") < text.index("class 940 ")
    assert "class 939 " not in text
