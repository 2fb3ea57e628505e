"""The manifest says what a run was made of."""

from __future__ import annotations

import subprocess

from graft.caching.ledger import Ledger
from graft.caching.manifest import describe_run, find_commit
from graft.caching.plan import Plan


def test_a_checkout_has_a_commit_and_says_whether_it_was_changed(tmp_path):
    def git(*arguments):
        names = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True, capture_output=True)

    assert find_commit(tmp_path) is None
    git("init")
    (tmp_path / "file").write_text("x")
    git("add", "file")
    git("commit", "-m", "first")
    found = find_commit(tmp_path)
    assert len(found["commit"]) == 40
    assert found["dirty"] is False
    (tmp_path / "file").write_text("y")
    assert find_commit(tmp_path)["dirty"] is True
    installed = tmp_path / ".venv" / "site-packages"
    installed.mkdir(parents=True)
    (installed / "module.py").touch()
    assert find_commit(installed) is None


def test_parameters_versions_and_hashes_are_listed(tiny):
    tiny.run()
    catalog = tiny.make_catalog("data")
    plan = Plan(tiny.import_pipeline(), catalog, Ledger())
    told = describe_run(plan, catalog, None)
    assert told["parameters"] == {"bias": 1, "scale": 2}
    assert "pandas" in told["libraries"]
    assert set(told["outputs"]) == {"sizes", "sum", "names", "report"}
    assert len(told["data"]) == 64
    assert told["git"] is None
