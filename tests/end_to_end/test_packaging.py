"""The packaged project: it runs where there is no project, with its configuration in an archive."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from graft import __main__ as command
from helpers.killing import make_env
from helpers.packaging import build_wheel, copy_checkout, install, read_dockerfile, run

ROOT = Path(__file__).parents[2]


def pack_conf(folder: Path) -> Path:
    """The archive that ``kedro package`` makes of the configuration."""
    path = folder / "conf-graft.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(ROOT / "conf", "conf")
    return path


def test_the_package_runs_in_an_empty_folder_with_its_configuration_in_an_archive(
    tmp_path: Path,
) -> None:
    here = tmp_path / "empty"
    here.mkdir()
    command = [sys.executable, "-m", "graft", "--env=test", "--pipelines=ingestion,splitting"]
    told = run([*command, f"--conf-source={pack_conf(tmp_path)}"], here)
    # Its own lines and no others: logging.yml is in the archive too.
    first, second, *_, last = told.splitlines()
    assert first.startswith("Graft        ")
    assert first.endswith(" (environment test)")
    assert second == "Plan         nothing is made yet: ingestion, splitting"
    assert last.startswith("Split        train 120 · dev 40 · test 40")
    assert (here / "data/03_primary/test/splits.parquet").is_file()
    assert [path.name for path in here.iterdir()] == ["data"]


def test_without_a_configuration_the_package_says_what_it_needs(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "graft"], cwd=tmp_path, capture_output=True, text=True,
        env=make_env(),
    )  # fmt: skip
    assert done.returncode == 1
    assert "Error: no configuration there; --conf-source takes a folder like conf" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_archive_is_told_in_one_line(run_kedro, project: Path) -> None:
    told = run_kedro("--env=test", "--conf-source=pyproject.toml").error
    assert "Error: no configuration there; --conf-source takes a folder like conf" in told


def test_where_what_trains_is_not_installed_the_package_says_how_to_install_it(monkeypatch) -> None:
    monkeypatch.setattr(command, "find_spec", {"kedro": None}.__getitem__)
    with pytest.raises(SystemExit, match=r"training needs the extra 'train'.*'graft\[train\]'"):
        command.main(["--env=test"])


@pytest.mark.slow
def test_kedro_package_makes_a_wheel_that_goes_from_pictures_to_report(tmp_path: Path) -> None:
    site, here = tmp_path / "site", tmp_path / "empty"
    here.mkdir()
    checkout = copy_checkout(tmp_path / "checkout")
    # pip fetches setuptools for the build.
    run([sys.executable, "-m", "kedro", "package"], checkout, PYTHONPATH="")
    wheel = next((checkout / "dist").glob("graft-*.whl"))
    run([sys.executable, "-m", "pip", "install", "--no-deps", "--target", site, wheel], tmp_path)
    command = [site / "bin/graft", "--env=test"]
    command += [f"--conf-source={checkout}/dist/conf-graft.tar.gz"]
    told = run(command, here, PYTHONPATH=str(site))
    report = here / "data/08_reporting/test/report.html"
    assert f"Report       {report.relative_to(here)}" in told
    assert "    graft --conf-source=" in told
    assert "WARNING" not in told
    assert report.stat().st_size > 100_000
    manifest = json.loads(report.with_name("manifest.json").read_text())
    assert manifest["git"] is None
    # Test is measured of the one that is best on dev.
    (measured,) = (one["test"] for one in manifest["metrics"].values() if "test" in one)
    assert measured["n"] == 40
    assert "nothing to do" in run(command, here, PYTHONPATH=str(site))
    assert os.listdir(here) == ["data"]


@pytest.mark.slow
def test_the_command_of_the_image_trains_and_exports_where_nothing_else_is(tmp_path: Path) -> None:
    here = tmp_path / "srv"
    here.mkdir()
    commands = install(build_wheel(tmp_path), "train,export", tmp_path / "environment")
    shutil.move(pack_conf(tmp_path), commands.parent)
    name, conf = read_dockerfile("pipeline")["ENTRYPOINT"]
    command = [commands / name, conf.replace("/opt/graft", str(commands.parent)), "--env=test"]
    assert "Champion     data/06_models/test/champion" in run(command, here, PYTHONPATH="")
    run([*command, "--pipelines=export", "--params=export.formats=[onnx]"], here, PYTHONPATH="")
    assert (here / "data/06_models/test/exported/onnx/model.onnx").is_file()
