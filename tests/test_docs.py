"""The pages, and the site that `make docs` makes of them and of every public docstring."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import yaml

from graft.pipeline_registry import JUDGING, list_stages

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "graft"


PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md")]
PAGES += [page for pattern in ("docs/*.md", "*/README.md") for page in ROOT.glob(pattern)]


def list_headings(page: Path) -> set[str]:
    """What a link within a page may name: its headings, as GitHub spells them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target, heading in re.findall(r"\]\(([^()#\s]*)(?:#([^()\s]*))?\)", page.read_text()):
        if "://" in target:
            continue
        place = page.parent / target if target else page
        assert place.exists(), target
        assert not heading or heading in list_headings(place), f"{target}#{heading}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    # `strict` in mkdocs.yml makes an error of every warning: links that lead nowhere among them.
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return folder


def list_public() -> list[str]:
    """Dotted names of all modules, functions and classes with a docstring that are public."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if parts[-1] == "__main__":
            continue
        tree = ast.parse(path.read_text())
        for node in tree.body:
            is_named = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if is_named and not node.name.startswith("_") and ast.get_docstring(node):
                names.append(f"{module}.{node.name}")
    return names


@pytest.mark.slow
def test_every_public_docstring_is_in_the_site(site: Path) -> None:
    inventory = {
        line.split()[0] for line in _read_inventory(site / "objects.inv") if " py:" in line
    }
    assert [name for name in list_public() if name not in inventory] == []


def _read_inventory(path: Path) -> list[str]:

    data = path.read_bytes()
    head = data.index(b"zlib.\n") + len(b"zlib.\n")
    return zlib.decompress(data[head:]).decode().splitlines()


@pytest.mark.slow
def test_the_pages_of_the_repository_are_linked_with_each_other(site: Path) -> None:
    start = (site / "index.html").read_text()
    assert 'href="training.html"' in start
    assert 'src="docs/' not in start
    assert 'href="../' not in (site / "training.html").read_text()


@pytest.mark.slow
def test_nothing_in_the_site_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        assert "fonts.googleapis" not in text
        assert 'src="http' not in text
        assert '<link rel="stylesheet" href="http' not in text


def read_blocks(language: str) -> list[str]:
    """Code of one language in docs/deploy.md."""
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / "docs/deploy.md").read_text(), re.DOTALL)


def test_the_dags_of_airflow_and_argo_have_every_stage_in_order() -> None:
    stages = [stage for stage in list_stages() if stage not in ("from_scratch", *JUDGING)]
    wanted = [*stages, "evaluation"]  # which is all of JUDGING
    (airflow,) = read_blocks("python")
    assigned = [node for node in ast.parse(airflow).body if isinstance(node, ast.Assign)]
    assert ast.literal_eval(assigned[0].value) == wanted
    (argo,) = (yaml.safe_load(text) for text in read_blocks("yaml"))
    steps = argo["spec"]["workflowSpec"]["templates"][0]["steps"]
    told = [step["arguments"]["parameters"][0]["value"] for (step,) in steps]
    assert told == wanted


@pytest.mark.slow
def test_roles_in_docstrings_are_links(site: Path) -> None:
    pages = {page: page.read_text() for page in (site / "reference").rglob("*.html")}
    assert [str(page) for page, text in pages.items() if re.search(r":\w+:<code>", text)] == []
    assert ">graft.analysis.choosing</code></a>" in "".join(pages.values())
