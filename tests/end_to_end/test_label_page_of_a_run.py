"""``kedro label`` over what a whole run has made: its pictures, neighbours and heat maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from fastapi.testclient import TestClient

from graft.labelling import opening


@pytest.fixture
def open_client(run_kedro: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TestClient]:
    """Runs ``kedro label`` up to the moment at which it would serve; asks the page in its place."""

    def open_client(*arguments: str) -> TestClient:
        caught = []
        monkeypatch.setattr(opening, "open_page", lambda *given: caught.append(given))
        ended = run_kedro("--port=0", *arguments, command="label")
        assert ended.code == 0, ended.err
        ((app, listening, token),) = caught
        listening.close()
        return TestClient(app, base_url=f"http://127.0.0.1/{token}/")

    return open_client


def test_labels_of_a_run_are_judged_on_the_page_and_taken_by_the_next(
    finished_project: Path, open_client: Callable, run_kedro: Callable
) -> None:
    reporting = finished_project / "data/08_reporting/test"
    issues = pd.read_csv(reporting / "label_issues.csv", dtype="str")
    explained = pd.read_json(reporting / "explanation.json", typ="series")["pictures"]
    client = open_client("--env=test", "--issues", "--name=Ada")
    (question,) = client.post("show", json={"name": "Ada"}).json()["questions"]
    first = issues.iloc[0]
    assert question["name"] == first["image_id"]
    assert (question["label"], question["suggestion"]) == (first["label"], first["new_label"])
    row = question["row"]
    assert client.get(f"picture/large/{row}").headers["content-type"] == "image/jpeg"
    nearest = client.post(f"beside/{row}").json()["nearest"]
    assert len(nearest) == 6
    assert row not in [one["row"] for one in nearest]
    assert sorted((one["similarity"] for one in nearest), reverse=True) == [
        one["similarity"] for one in nearest
    ]
    index = pd.read_parquet(finished_project / "data/02_intermediate/test/image_index.parquet")
    place = index["image_id"].tolist().index(explained[0]["image_id"])
    beside = client.post(f"beside/{place}").json()
    assert beside["heat_class"] == explained[0]["predicted"]
    assert 0 <= min(map(min, beside["heat"])) < max(map(max, beside["heat"])) <= 1

    said = [{"row": row, "action": "relabel", "new_label": first["new_label"]}]
    assert client.post("answer", json={"name": "Ada", "answers": said}).status_code == 200
    said[0] |= {"action": "keep", "new_label": ""}
    assert client.post("answer", json={"name": "Bob", "answers": said}).status_code == 200
    told = run_kedro("--env=test", "--issues", "--port=99999", command="label").err
    assert "99999 is not in the range" in told
    plan = run_kedro("--env=test", "--plan").out
    assert "ingestion           stale  label_review changed" in plan
    assert (
        "Disagreed    1 answered differently"
        in run_kedro("--env=test", "--pipelines=ingestion").out
    )
    # And who opens the page again is told so in the terminal.
    ended = run_kedro("--env=test", "--issues", "--port=0", "--name=Eve", command="label")
    assert f"'{first['image_id']}': Ada says {first['new_label']}; Bob says keep" in ended.out
