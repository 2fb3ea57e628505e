"""The package as others get it: a wheel, in an environment of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from helpers.killing import make_env

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
CONSTRAINTS = ROOT / "constraints.txt"


def run(command: list[str | Path], folder: Path, **environment: str) -> str:
    """What a command prints that must end well."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env=make_env() | environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def copy_checkout(folder: Path) -> Path:
    """What a wheel is built from, apart from this checkout, in which nothing is to be left."""
    folder.mkdir()
    for name in ("src", "conf"):
        shutil.copytree(
            ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE", ".telemetry"):
        shutil.copy(ROOT / name, folder)
    return folder


def build_wheel(folder: Path) -> Path:
    """Build the wheel, for which pip fetches setuptools."""
    checkout = copy_checkout(folder / "checkout")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", "."]
    run(pip, checkout, PYTHONPATH="")
    (wheel,) = (checkout / "dist").glob("graft-*.whl")
    return wheel


def install(wheel: Path, extra: str, folder: Path) -> Path:
    """Install the wheel with an extra into an environment of its own; its folder of commands."""
    run([sys.executable, "-m", "venv", folder], folder.parent, PYTHONPATH="")
    pip = [folder / "bin/python", "-m", "pip", "install", "--quiet", "-c", CONSTRAINTS]
    run([*pip, f"{wheel}[{extra}]"], folder.parent, PYTHONPATH="")
    return folder / "bin"


def read_dockerfile(name: str) -> dict[str, list[str]]:
    """The commands of an image: ``ENTRYPOINT``, ``CMD`` and that of ``HEALTHCHECK``."""
    text = (DEPLOY / f"{name}.Dockerfile").read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
            found[kind] = json.loads(rest[rest.index("[") :])
    return found
