"""Kill, interrupt, fill the disk, change pictures, code and files; count what goes wrong.

Usage: python benchmarks/faults.py [--kills N] [--presses N] [--saves N] [--steps N] [--changes N]
    [--only PART …]

Prints a line a trial to standard error and the result as JSON in its last line of standard
output. Root may mount the small file system on which the disk gets full; without it, this part
is left out and said so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pty
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from graft.compute.streams import RowStream  # noqa: E402
from graft.datasets import AtomicDataset  # noqa: E402
from graft.datasets.features import FeatureBlock  # noqa: E402
from graft.training.backup import Snapshot, TrainingBackup  # noqa: E402
from helpers.killing import hash_outputs, keep_memory, make_env, run_whole  # noqa: E402

RUN = ("run", "--env=test")
SMALL = (
    "backbone.name=small_cnn,weights=printed_letters,image_size=32,head_training.epochs=3,"
    "head_training.patience=3,fine_tuning.recipe=custom,fine_tuning.views=1,fine_tuning.epochs=2,fine_tuning.patience=2,"
    "evaluation.bootstrap_draws=50"
)
DISKS_KB = (100, 300, 600, 900, 1200)


def make_project(folder: Path) -> Path:
    """A project with this project's configuration and no data."""
    folder.mkdir(parents=True)
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copy(ROOT / "pyproject.toml", folder)
    shutil.copy(ROOT / ".telemetry", folder)
    (folder / "src").mkdir()
    return folder


def kill_runs(folder: Path, count: int) -> dict[str, Any]:
    """Kill runs at random moments; after each kill, the next whole run must end the same."""
    project = make_project(folder / "undisturbed")
    assert run_whole(project, *RUN).returncode == 0
    expected, wrong, killed = hash_outputs(project), 0, 0
    other = make_project(folder / "other")
    started = time.monotonic()
    assert run_whole(other, *RUN).returncode == 0
    seconds = time.monotonic() - started
    differing = sum(hash_outputs(other)[name] != expected[name] for name in expected)
    dice = random.Random(0)
    project = make_project(folder / "killed")
    while killed < count:
        started = time.monotonic()
        command = [sys.executable, "-m", "kedro", *RUN]
        with subprocess.Popen(
            command, cwd=project, env=make_env(), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            try:
                process.wait(dice.uniform(1.5, seconds))
                seconds = min(seconds, time.monotonic() - started)
            except subprocess.TimeoutExpired:
                process.kill()
                killed += 1
        done = run_whole(project, *RUN)
        right = done.returncode == 0 and hash_outputs(project) == expected
        wrong += not right
        print(f"{killed} killed: {'right' if right else 'WRONG'}", file=sys.stderr, flush=True)
        shutil.rmtree(project / "data")
    return {"kills": killed, "wrong": wrong, "files": len(expected), "two_runs_differ": differing}


def press_interrupts(folder: Path, count: int) -> dict[str, Any]:
    """Press Ctrl-C once at a random moment of a run in a terminal; it must end at once, and all.

    The moments are those of a run from nothing; what was finished before stays, as for a user.
    """
    project = make_project(folder / "interrupted")
    dice, pressed, ignored, left_over = random.Random(0), 0, 0, 0
    took, worked = [0.0], [0.0]
    seconds = 60.0
    while pressed < count:
        session, terminal = pty.fork()
        if session == 0:
            os.chdir(project)
            # As a shell does in a terminal.
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.execve(sys.executable, [sys.executable, "-m", "kedro", *RUN], make_env())
        started = time.monotonic()
        if _read_until(terminal, started + dice.uniform(0.5, seconds)) is not None:
            seconds = min(seconds, max(5.0, time.monotonic() - started))
            shutil.rmtree(project / "data", ignore_errors=True)
            os.waitpid(session, 0)
        else:
            started, before = time.monotonic(), _measure_work(session)
            os.write(terminal, b"\x03")
            last = _read_until(terminal, started + _SECONDS_TO_END)
            took.append(time.monotonic() - started)
            # The last child sees that its parent is gone a moment after the terminal does.
            while len(alive := _list_session(session)) and time.monotonic() - started < 60:
                time.sleep(0.1)
            for process in alive:
                os.kill(process, signal.SIGKILL)
            _, status, used = os.wait4(session, 0)
            code = os.waitstatus_to_exitcode(status)
            # On a busy machine this says better than the clock how much it still did.
            worked.append(used.ru_utime + used.ru_stime - before)
            # A run that went on to its end has ignored it too.
            has_ended = last is not None and code != 0
            pressed, ignored = pressed + 1, ignored + (not has_ended)
            left_over += bool(alive - {session})
            print(
                f"{pressed} pressed: {'ended' if has_ended else 'IGNORED'} after {took[-1]:.2f} s, "
                f"{worked[-1]:.2f} s of work, "
                f"exit code {code}, {len(alive - {session})} left: {last!r}",
                file=sys.stderr, flush=True,
            )  # fmt: skip
        os.close(terminal)
    return {
        "pressed": pressed, "ignored": ignored, "left_over": left_over,
        "slowest_s": round(max(took), 2), "most_work_s": round(max(worked), 2),
    }  # fmt: skip


_SECONDS_TO_END = 60.0


def _read_until(terminal: int, moment: float) -> bytes | None:
    """Read what a run prints until then; the end of it if it has ended, else None."""
    last = b""
    while (left := moment - time.monotonic()) > 0:
        if select.select([terminal], [], [], left)[0]:
            try:
                last = (last + os.read(terminal, 65536))[-200:]
            except OSError:  # Linux says so, instead of giving nothing
                return last
    return None


def _measure_work(process: int) -> float:
    """CPU seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _list_session(session: int) -> set[int]:
    """Processes of a session that are alive."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, number = stat.read_text().rpartition(")")[2].split()[:4]
            if state != "Z" and int(number) == session:
                found.add(int(stat.parent.name))
    return found


class AtomicKind:
    """A catalog entry of one kind; it is saved whole or not at all.

    Args:
        folder: Where it lies, alone.
        suffix: Of its file; none for a folder.
        definition: Of the wrapped dataset.
        make: Makes what is saved, from a number.
    """

    def __init__(
        self, folder: Path, suffix: str, definition: dict[str, Any], make: Callable[[int], Any]
    ) -> None:
        self.folder, self._make = folder, make
        self._dataset = AtomicDataset(filepath=folder / f"output{suffix}", dataset=definition)

    def prepare(self, value: int) -> Callable[[], None]:
        """Make what is to be saved; the save itself is called later."""
        data = self._make(value)
        return lambda: self._dataset.save(data)

    def is_whole(self) -> bool:
        """Whether the old or the new one is there, and can be read."""
        return self._dataset.exists() and self._dataset.load() is not None

    def is_tidy(self) -> bool:
        """Whether nothing but the output and its receipt is left."""
        return len(list(self.folder.iterdir())) == 2


class BackupKind:
    """The backup of a training."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self, value: int) -> Callable[[], None]:
        """Make what is to be saved; the save itself is called later."""
        arrays = {"weights": np.full(1_000_000, value, np.float32)}
        return lambda: self._save(Snapshot("a" * 64, {"value": value}, arrays))

    def _save(self, snapshot: Snapshot) -> None:
        backup = TrainingBackup(self.folder)
        with backup.hold():
            backup.save(snapshot)

    def is_whole(self) -> bool:
        """Whether an old or the new one is there, and can be read."""
        snapshot = TrainingBackup(self.folder).load_newest("a" * 64)
        return snapshot is not None and set(snapshot.arrays["weights"]) == {snapshot.facts["value"]}

    def is_tidy(self) -> bool:
        """Whether no draft is left: two backups and the lock."""
        return len(list(self.folder.iterdir())) <= 3


def _stream(value: int) -> RowStream:
    rows = ((row, np.full((64, 64, 3), value, np.uint8)) for row in range(200))
    return RowStream((200, 64, 64, 3), "uint8", rows, origins=["a" * 64] * 200)


def _blocks(value: int) -> list[FeatureBlock]:
    keys = pd.DataFrame({"image_id": [f"{n}" for n in range(500)], "image_sha256": "x", "view": 0})
    return [FeatureBlock(keys, np.full((500, 256), value, np.float32)) for _ in range(4)]


def _table(value: int) -> pd.DataFrame:
    return pd.DataFrame({"a": np.full(200_000, value), "b": "text"})


def _network(value: int) -> Any:
    import keras

    layers = [keras.Input((1000,)), keras.layers.Dense(500, kernel_initializer="ones")]
    return keras.Sequential([*layers, keras.layers.Rescaling(value)])


def _figure(value: int) -> Any:
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot(range(value * 1000))
    return figure


# Suffix, wrapped dataset and content of every kind of output.
KINDS: dict[str, tuple[str, dict[str, Any], Callable[[int], Any]]] = {
    "table (Parquet)": (".parquet", {"type": "pandas.ParquetDataset"}, _table),
    "table (CSV)": (
        ".csv", {"type": "pandas.CSVDataset", "save_args": {"index": False}}, _table
    ),
    "JSON": (".json", {"type": "json.JSONDataset"}, lambda value: [value] * 200_000),
    "text": (".txt", {"type": "text.TextDataset"}, lambda value: str(value) * 2_000_000),
    "rows with origins": (".npy", {"type": "graft.datasets.TracedArrayDataset"}, _stream),
    "weights": (
        ".npz", {"type": "graft.datasets.WeightsDataset"},
        lambda value: {"w": np.full(1_000_000, value, np.float32)},
    ),
    "page": (
        ".html", {"type": "graft.datasets.HTMLDataset"}, lambda value: str(value) * 2_000_000
    ),
    "figure": (".png", {"type": "graft.datasets.FigureDataset"}, _figure),
    "folder of figures": (
        "", {"type": "graft.datasets.FigureFolderDataset"},
        lambda value: {f"{n}.png": bytes([value]) * 1_000_000 for n in range(3)},
    ),
    "folder of features": (
        "", {"type": "graft.datasets.FeatureShardsDataset", "shard_rows": 500}, _blocks
    ),
    "network": (".keras", {"type": "graft.datasets.KerasModelDataset"}, _network),
}  # fmt: skip


def do_in_child(work: Callable[[Callable[[], None]], None], seconds: float | None = None) -> float:
    """Do something in a process of its own, and kill it so long after it says that it begins.

    Returns:
        Seconds from there to its end; infinite if it fails by itself.
    """
    ready, write = os.pipe()

    def begin() -> None:
        os.write(write, b".")

    if not (child := os.fork()):
        code = 1
        try:
            work(begin)
            code = 0
        finally:
            os._exit(code)
    os.close(write)
    os.read(ready, 1)
    os.close(ready)
    started = time.monotonic()
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    failed = os.waitstatus_to_exitcode(status) not in (0, -signal.SIGKILL)
    return float("inf") if failed else time.monotonic() - started


def kill_saves(folder: Path, count: int) -> dict[str, Any]:
    """Kill inside the save of each kind of output; what is there must be whole, old or new."""
    # TensorFlow is loaded once; every child makes its own session.
    import keras  # noqa: F401

    dice, wrong, trials = random.Random(0), 0, 0
    kinds: dict[str, AtomicKind | BackupKind] = {
        name: AtomicKind(folder / str(number), *facts)
        for number, (name, facts) in enumerate(KINDS.items())
    }
    kinds["backup of a training"] = BackupKind(folder / "backup")
    for name, kind in kinds.items():

        def save(begin: Callable[[], None], value: int = 1, kind: Any = kind) -> None:
            work = kind.prepare(value)
            begin()
            work()

        def check(begin: Callable[[], None], kind: Any = kind) -> None:
            begin()
            assert kind.is_whole()
            kind.prepare(1)()
            assert kind.is_whole()
            assert kind.is_tidy()

        seconds = min(do_in_child(save) for _ in range(2))
        assert seconds < float("inf"), f"{name} cannot even be saved undisturbed"
        before = wrong
        for _ in range(count):
            do_in_child(lambda begin: save(begin, 2), dice.uniform(0, 1.1 * seconds))
            wrong += do_in_child(check) == float("inf")
            trials += 1
        print(f"{name}: {wrong - before} wrong", file=sys.stderr, flush=True)
    return {"kills": trials, "wrong": wrong, "kinds": len(kinds)}


def fill_disk(folder: Path) -> dict[str, Any] | None:
    """Run on file systems that are too small, make room, run again."""
    expected = make_project(folder / "roomy")
    assert run_whole(expected, *RUN).returncode == 0
    hashes, told, failed, wrong = hash_outputs(expected), 0, 0, 0
    for size in DISKS_KB:
        project = make_project(folder / f"full-{size}")
        (project / "data").mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(project / "data")]
        if subprocess.run(mount, capture_output=True).returncode:
            return None
        try:
            full = run_whole(project, *RUN)
            failed += full.returncode != 0
            lines = [line for line in full.stderr.splitlines() if line.startswith("Error: ")]
            told += len(lines) == 1 and "Traceback" not in full.stderr
            subprocess.run(["mount", "-o", "remount,size=100m", str(project / "data")], check=True)
            again = run_whole(project, *RUN)
            wrong += again.returncode != 0 or hash_outputs(project) != hashes
        finally:
            subprocess.run(["umount", str(project / "data")], check=True)
        print(f"disk of {size} kB: {lines}; {wrong} wrong so far", file=sys.stderr, flush=True)
    return {"disks": len(DISKS_KB), "failed": failed, "told": told, "wrong": wrong}


def change_sources(folder: Path, count: int) -> dict[str, Any]:
    """Add, alter, rename or remove pictures while a whole run goes on; then run again."""
    dice, wrong, seconds = random.Random(0), 0, 12.0
    for trial in range(count):
        place = folder / f"source-{trial}"
        pictures = place / "pictures"
        draw_pictures(pictures)
        project, undisturbed = make_project(place / "project"), make_project(place / "undisturbed")
        given = ("run", "--env=own_pictures", "--params", f"source={pictures},{SMALL}")
        command = [sys.executable, "-m", "kedro", *given]
        started = time.monotonic()
        with subprocess.Popen(
            command, cwd=project, env=make_env(), stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            time.sleep(dice.uniform(1, seconds))
            change = dice.choice(CHANGES)
            change(pictures, dice)
            process.wait()
        seconds = max(4.0, time.monotonic() - started)
        keep_memory(project, undisturbed)
        codes = [run_whole(where, *given).returncode for where in (project, undisturbed)]
        right = codes == [0, 0] and hash_outputs(project) == hash_outputs(undisturbed)
        wrong += not right
        told = f"{change.__name__}: {'right' if right else 'WRONG'}"
        print(told, file=sys.stderr, flush=True)
        shutil.rmtree(place)
    return {"changes": count, "wrong": wrong}


def draw_pictures(folder: Path) -> None:
    """Forty pictures of two classes."""
    random_ = np.random.default_rng(0)
    for number in range(40):
        label = ("fern", "rose")[number % 2]
        pixels = random_.integers(0, 120, (24, 24, 3)).astype(np.uint8)
        pixels[..., number % 2] += 120
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / label / f"{number:02d}.png")


def add(folder: Path, dice: random.Random) -> None:
    """A new picture."""
    Image.new("RGB", (24, 24), (dice.randrange(256), 9, 77)).save(folder / "rose/new.png")


def alter(folder: Path, dice: random.Random) -> None:
    """Other content under a known name, with its size and time."""
    path = dice.choice(sorted(folder.rglob("*.png")))
    facts, content = path.stat(), bytearray(path.read_bytes())
    Image.new("RGB", (24, 24), (9, dice.randrange(256), 77)).save(path)
    path.write_bytes(path.read_bytes().ljust(len(content), b" "))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def remove(folder: Path, dice: random.Random) -> None:
    """One picture less."""
    dice.choice(sorted(folder.rglob("*.png"))).unlink()


def rename(folder: Path, dice: random.Random) -> None:
    """A picture under another label."""
    path = dice.choice(sorted(folder.glob("rose/*.png")))
    path.rename(folder / "fern" / f"was {path.name}")


CHANGES = (add, alter, remove, rename)


def change_at_random(steps: int) -> dict[str, Any]:
    """Hypothesis' state machine of tests/caching, for so many steps."""
    examples = max(1, steps // 50)
    environment = {"GRAFT_RANDOM_STEPS": "50", "GRAFT_RANDOM_EXAMPLES": str(examples)}
    tests = "tests/caching/test_random_changes.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "slow", tests],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True,
    )  # fmt: skip
    return {"steps": 50 * examples, "right": done.returncode == 0}


def main() -> None:
    """Do all and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--presses", type=int, default=60, help="runs ended by Ctrl-C")
    parser.add_argument("--saves", type=int, default=25, help="kills in a save, of each kind")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--changes", type=int, default=12, help="runs whose source changes")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {name: PARTS[name](Path(folder), options) for name in options.only}
    print(json.dumps(found))


PARTS: dict[str, Callable[[Path, argparse.Namespace], Any]] = {
    "saves": lambda folder, options: kill_saves(folder / "saves", options.saves),
    "disk": lambda folder, _: fill_disk(folder),
    "source": lambda folder, options: change_sources(folder, options.changes),
    "random": lambda _, options: change_at_random(options.steps),
    "interrupts": lambda folder, options: press_interrupts(folder / "presses", options.presses),
    "runs": lambda folder, options: kill_runs(folder, options.kills),
}


if __name__ == "__main__":
    main()
