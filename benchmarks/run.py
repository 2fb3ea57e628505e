"""Measure what benchmarks/README.md states and print it as a table.

Usage: python benchmarks/run.py [--shared FOLDER] [--only NAME ...]

Every row runs in processes of its own, in a throw-away project with this project's
configuration. The rows on cats and dogs need pictures and weights: a folder with
data/cats_vs_dogs and weights/mobilenet_v2_imagenet_no_top.weights.h5.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pandas as pd

from graft.pipeline_registry import JUDGING

ROOT = Path(__file__).parents[1]
Row = tuple[str, str, str, bool]
MEASUREMENTS: dict[str, Callable[[Path, Path], Iterator[Row]]] = {}


def measurement(function: Callable[[Path, Path], Iterator[Row]]) -> Callable:
    """Add a function that yields rows: what, measured, bar, reached."""
    MEASUREMENTS[function.__name__] = function
    return function


@contextmanager
def throw_away_project() -> Iterator[Path]:
    """A project with this project's configuration, which shows all candidates, and no data."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        shutil.copytree(ROOT / "conf", project / "conf")
        evaluation = project / "conf/base/parameters_evaluation.yml"
        text = evaluation.read_text()
        evaluation.write_text(text.replace("candidates: false", "candidates: true"))
        shutil.copy(ROOT / "pyproject.toml", project)
        shutil.copy(ROOT / ".telemetry", project)
        (project / "src").mkdir()
        yield project


def end_decoders() -> None:
    """Let the server that decoders are copied from end: what they took counts as the children's."""
    # Nothing public waits for it.
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


def run_kedro(project: Path, *arguments: str) -> float:
    """Seconds that a Kedro command takes, start of Python included."""
    kedro = Path(sys.executable).with_name("kedro")
    started = time.perf_counter()
    subprocess.run([kedro, *arguments], cwd=project, check=True, capture_output=True)
    return time.perf_counter() - started


def read_figure(project: Path, dataset: str, model: str) -> dict[str, float]:
    """Test accuracy of a model in the last run: ``value``, ``low``, ``high``."""
    metrics = json.loads((project / f"data/08_reporting/{dataset}/metrics.json").read_text())
    return metrics[model]["test"]["accuracy"]


def read_accuracy(project: Path, dataset: str, model: str = "frozen") -> float:
    """Test accuracy of a model in the last run, without its interval."""
    return read_figure(project, dataset, model)["value"]


def read_chosen(project: Path, dataset: str) -> str:
    """The model that dev chose in the last run."""
    path = project / f"data/08_reporting/{dataset}/comparison.json"
    return str(json.loads(path.read_text())["chosen"])


@measurement
def digits(project: Path, shared: Path) -> Iterator[Row]:
    """The base environment and the few-shot comparison on it."""
    seconds = run_kedro(project, "run")
    yield "digits: `kedro run`", f"{seconds:.0f} s", "≤ 60 s", seconds <= 60
    accuracy = read_accuracy(project, "digits")
    yield "digits: test accuracy, frozen", f"{accuracy:.3f}", "≥ 0.97", accuracy >= 0.97
    seconds = run_kedro(project, "run", "--pipelines=few_shot")
    summary = pd.read_csv(project / "data/08_reporting/digits/few_shot_summary.csv")
    for row in summary.to_dict("records"):
        difference, is_bar = row["difference"], row["labels_per_class"] == 5
        yield (
            f"digits: {row['labels_per_class']:.0f} labels a class, frozen / from scratch",
            f"{row['frozen']:.3f} / {row['from_scratch']:.3f} ({100 * difference:+.1f} points)",
            "≥ +3 points" if is_bar else "",
            difference >= 0.03 or not is_bar,
        )


@measurement
def cats_vs_dogs(project: Path, shared: Path) -> Iterator[Row]:
    """Transfer from ImageNet to 1,200 cats and dogs, nothing cached."""
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    parameters = f"source={shared / 'data/cats_vs_dogs'},weights={weights}"
    seconds = run_kedro(project, "run", "--env=cats_vs_dogs", "--params", parameters)
    yield "cats_vs_dogs: `kedro run`, cold", f"{seconds:.0f} s", "≤ 180 s", seconds <= 180
    accuracy = read_accuracy(project, "cats_vs_dogs")
    yield "cats_vs_dogs: test accuracy, frozen", f"{accuracy:.3f}", "≥ 0.97", accuracy >= 0.97
    chosen = read_accuracy(project, "cats_vs_dogs", read_chosen(project, "cats_vs_dogs"))
    yield (
        "cats_vs_dogs: test accuracy, what dev chose",
        f"{chosen:.3f}",
        "≥ frozen - 0.005",
        chosen >= accuracy - 0.005,
    )


@measurement
def caltech101(project: Path, shared: Path) -> Iterator[Row]:
    """Transfer from ImageNet to twelve classes of Caltech 101."""
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    source = shared / "data/caltech101/101_ObjectCategories"
    run_kedro(project, "run", "--env=caltech101", "--params", f"source={source},weights={weights}")
    chosen = read_chosen(project, "caltech101")
    for model, told in (("frozen", "frozen"), (chosen, "what dev chose")):
        accuracy = read_accuracy(project, "caltech101", model)
        is_bar = told != "frozen"
        yield (
            f"caltech101: test accuracy, {told}",
            f"{accuracy:.3f}",
            "≥ 0.97" if is_bar else "",
            accuracy >= 0.97 or not is_bar,
        )


@measurement
def fine_tuning(project: Path, shared: Path) -> Iterator[Row]:
    """Epochs on stored activations against epochs in the whole graph, and the tutorials' way."""
    for block, found in run_script("fine_tuning.py", "tail", "--shared", str(shared)).items():
        is_bar = block == "block_16"
        yield (
            f"fine-tuning from {block}: whole graph / stored, s an epoch (loss on dev)",
            f"{found['whole']:.1f} / {found['stored']:.1f} = {found['ratio']:.1f} "
            f"({found['dev_loss_whole']:.4f} / {found['dev_loss_stored']:.4f})",
            "≥ 6" if is_bar else "",
            found["ratio"] >= 6 or not is_bar,
        )
    found = run_script("fine_tuning.py", "tutorial", "--shared", str(shared))
    yield (
        "25 + 50 epochs: tutorials' way / `kedro run`",
        f"{found['tutorial']:.0f} / {found['graft']:.0f} s = {found['ratio']:.1f}",
        "≥ 10",
        found["ratio"] >= 10,
    )


@measurement
def extraction(project: Path, shared: Path) -> Iterator[Row]:
    """Feature extraction end to end against the bare network in the same process."""
    found = run_script("extraction.py", "--shared", str(shared))
    yield (
        "extraction on ONNX Runtime: pictures/s / `model.predict`'s",
        f"{found['extraction']:.0f} / {found['predict']:.0f} = {found['ratio']:.2f}",
        "≥ 1.8",
        found["ratio"] >= 1.8,
    )
    yield (
        "– with the conversion of 640 pictures' first run / of a bare session's pictures/s",
        f"{found['ratio_first']:.2f} / {found['share_of_limit']:.2f}",
        "",
        True,
    )
    yield (
        "extraction on Keras: pictures/s / `model.predict`'s",
        f"{found['keras']:.0f} / {found['predict']:.0f} = {found['ratio_keras']:.2f}",
        "≥ 0.9",
        found["ratio_keras"] >= 0.9,
    )


@measurement
def memory(project: Path, shared: Path) -> Iterator[Row]:
    """Peak memory while the number of pictures doubles."""
    for stage in ("decoding", "extraction"):
        small, large = (
            run_script("memory.py", stage, str(count))["peak_mb"] for count in (1000, 2000)
        )
        yield (
            f"{stage}: peak memory, 1,000 / 2,000 pictures",
            f"{small:.0f} / {large:.0f} MB ({100 * (large / small - 1):+.1f} %)",
            "± 10 %",
            abs(large / small - 1) <= 0.1,
        )


@measurement
def indexing(project: Path, shared: Path) -> Iterator[Row]:
    """Checking every JPEG whole, against Pillow that only decodes it, in the same run."""
    found = run_script("indexing.py", str(shared / "data/cats_vs_dogs"))
    rate, ratio = found["indexing"], found["ratio"]
    yield (
        "indexing: pictures/s / Pillow's with the same workers",
        f"{rate:.0f} / {found['pillow']:.0f} = {ratio:.2f}",
        "≥ 400/s or ≥ 0.8",
        rate >= 400 or ratio >= 0.8,
    )


@measurement
def clustering(project: Path, shared: Path) -> Iterator[Row]:
    """Clusters and splits of a million synthetic rows."""
    found = run_script("clustering.py")
    reached = found["total_s"] <= 90 and found["peak_gib"] <= 3
    yield (
        "1,000,000 rows: clustering and splitting",
        f"{found['total_s']:.0f} s, of which clustering {found['clustering_s']:.0f} s; "
        f"{found['peak_gib']:.1f} GiB",
        "≤ 90 s, ≤ 3 GiB",
        reached,
    )


@measurement
def scaling(project: Path, shared: Path) -> Iterator[Row]:
    """What must grow no faster than the pictures: four times as many, four times the work."""
    found = run_script("scaling.py")
    for name, what, quantity, unit in (
        ("rename", "renamed pictures, told by the plan", "seconds", "s"),
        ("look_alikes", "look-alikes of one kind: clustering and splitting", "seconds", "s"),
        ("look_alikes", "look-alikes of one kind: peak memory", "peak_mb", "MB"),
        ("dev_loss", "dev loss of 1,000 classes: memory", "peak_mb", "MB"),
        ("archive", "`.tar.gz` of pictures of 50 kB, loaded by four nodes", "seconds", "s"),
    ):
        (few, one), (many, other) = (
            (int(count), result["now"][quantity]) for count, result in found[name].items()
        )
        growth = other / one
        yield (
            f"{few:,} / {many:,} {what}",
            f"{one:.2g} / {other:.2g} {unit} (×{growth:.1f})",
            "≤ ×8",  # of pairs it would be ×16
            growth <= 8,
        )
    left = [result["now"]["handles_left"] for result in found["archive"].values()]
    yield "handles of archives left open after a run", str(max(left)), "0", not max(left)


@measurement
def hostile(project: Path, shared: Path) -> Iterator[Row]:
    """Twenty thousand mutated pictures of eleven formats."""
    found = run_script("hostile.py")
    all_told = found["usable"] + found["quarantined"] == found["files"]
    bad = found["crashed"] + found["too_slow"] + found["without_a_reason"]
    yield (
        f"{found['files']:,.0f} mutated pictures",
        f"{found['usable']:,.0f} usable, {found['quarantined']:,.0f} quarantined; crashes, hangs "
        f"and missing reasons {bad:.0f}; {found['seconds']:.0f} s",
        "0, all told",
        bad == 0 and all_told,
    )


@measurement
def gtsrb(project: Path, shared: Path) -> Iterator[Row]:
    """Tracks on one side, every class in every split, and what a random split would show."""
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    folder = shared / "data/gtsrb/Final_Training/Images"
    run_kedro(project, "run", "--env=gtsrb", "--params", f"source={folder},weights={weights}")
    splits = pd.read_parquet(project / "data/03_primary/gtsrb/splits.parquet")
    torn = int(splits.groupby("group")["split"].nunique().gt(1).sum())
    fewest = int(splits.groupby("split")["label"].nunique().min())
    yield (
        f"gtsrb: {splits['group'].nunique()} tracks, on two sides / classes in each split",
        f"{torn} / {fewest}",
        "0 / 43",
        torn == 0 and fewest == 43,
    )
    found = json.loads((project / "data/08_reporting/gtsrb/random_split.json").read_text())[
        "measured"
    ]
    yield (
        "gtsrb: accuracy, random split / split by track, same features",
        f"{found['random']['value']:.3f} / {found['together']['value']:.3f}",
        "shown",
        found["difference"] > 0,
    )


@measurement
def shuffling(project: Path, shared: Path) -> Iterator[Row]:
    """A head whose rows lie class by class and do not fit into memory, against ridge."""
    weights = shared / "weights/mobilenet_v2_imagenet_no_top.weights.h5"
    folder = shared / "data/gtsrb/Final_Training/Images"
    stages = "--pipelines=ingestion,splitting,decoding,feature_extraction"
    run_kedro(
        project, "run", "--env=gtsrb", stages, "--params", f"source={folder},weights={weights}"
    )
    found = run_script("shuffling.py", str(project))
    one, many, neighbours, ridge = (
        found["accuracy"][name] for name in ("one", "many", "neighbours", "ridge")
    )
    yield (
        "gtsrb, five folds: head from one pool / ten / pools of neighbours / ridge",
        f"{one:.3f} / {many:.3f} / {neighbours:.3f} / {ridge:.3f}",
        "ten ≥ ridge − 1 point, ten = one",
        many >= ridge - 0.01 and many == one,
    )


@measurement
def resume(project: Path, shared: Path) -> Iterator[Row]:
    """Trainings that are killed and run again, against undisturbed ones."""
    for name, found in run_script("resume.py").items():
        yield (
            f"resume of a {name}: killed (inside a write) / resumed / bit-identical",
            f"{found['kills']} ({found['inside_a_write']}) / {found['resumed']} / "
            f"{found['identical']}",
            "all",
            found["kills"] == found["resumed"] == found["identical"],
        )


@measurement
def evaluation(project: Path, shared: Path) -> Iterator[Row]:
    """All that judges the classifiers, on about 1,000 predictions of the digits."""
    run_kedro(
        project, "run", "--params", "splitting.train=0.44,splitting.dev=0.28,splitting.test=0.28"
    )
    reporting = project / "data/08_reporting/digits"
    manifest = json.loads((reporting / "manifest.json").read_text())
    stages = [stage for stage in JUDGING if stage != "explanation"]
    seconds = sum(manifest["seconds"][stage] for stage in stages)
    metrics = manifest["metrics"]["frozen"]
    yield (
        f"evaluation of {metrics['dev']['n'] + metrics['test']['n']:,} predictions, "
        "without Grad-CAM / with it",
        f"{seconds:.0f} / {seconds + manifest['seconds']['explanation']:.0f} s",
        "≤ 30 s",
        seconds <= 30,
    )
    size = (reporting / "report.html").stat().st_size / 1e6
    yield "the report", f"{size:.1f} MB", "≤ 5 MB", size <= 5


@measurement
def caching(project: Path, shared: Path) -> Iterator[Row]:
    """Runs with nothing to do, with ten new pictures, with another parameter of the head."""
    found = run_script("caching.py", "--shared", str(shared))
    for name in ("digits", "cats_vs_dogs"):
        seconds, imported = found[name]["seconds"], found[name]["tensorflow"]
        yield (
            f"{name}: `kedro run` with nothing to do",
            f"{seconds:.1f} s, TensorFlow {'' if imported else 'not '}imported",
            "≤ 4 s, not imported",
            seconds <= 4 and not imported,
        )
    seconds, cold = found["ten_new"]["seconds"], found["ten_new"]["cold"]
    yield (
        "cats_vs_dogs: ten new pictures among 1,200, up to the new report",
        f"{seconds:.0f} s (everything: {cold:.0f} s)",
        "≤ 15 s",
        seconds <= 15,
    )
    draws = run_script("warm_start.py", "--shared", str(shared))
    full, warm = draws["full"], draws["warm"]
    yield (
        f"– full run / with `warm_start=true`, mean of {draws['draws']} draws",
        f"{full['seconds']:.0f} / {warm['seconds']:.0f} s "
        f"({full['cpu_seconds']:.0f} / {warm['cpu_seconds']:.0f} s of processors)",
        "≤ 25 s",
        warm["seconds"] <= 25,
    )
    yield (
        "– log loss of the champion on dev, full / warm",
        f"{full['log_loss']:.4f} / {warm['log_loss']:.4f}",
        "+ 0.01",
        warm["log_loss"] <= full["log_loss"] + 0.01,
    )
    kept = found["head"]["pixels_and_features_kept"]
    yield (
        "cats_vs_dogs: another parameter of the head",
        f"{found['head']['seconds']:.0f} s, pixels and features {'kept' if kept else 'made again'}",
        "kept",
        kept,
    )


@measurement
def faults(project: Path, shared: Path) -> Iterator[Row]:
    """Kills, full disks, sources and files that change: what does not come out right."""
    found = run_script("faults.py")
    runs, saves, disk = found["runs"], found["saves"], found["disk"]
    yield (
        f"{runs['kills']} kills of a whole run at random moments, then a run",
        f"{runs['wrong']} wrong",
        "0",
        not runs["wrong"],
    )
    presses = found["interrupts"]
    yield (
        f"{presses['pressed']} times Ctrl-C at a random moment of a run in a terminal",
        f"{presses['ignored']} ignored, {presses['left_over']} left a process; ended after "
        f"{presses['slowest_s']:.1f} s at most, with {presses['most_work_s']:.1f} s of work",
        "0",
        not presses["ignored"] and not presses["left_over"],
    )
    yield (
        f"two clean runs: files of {runs['files']} with another SHA-256",
        f"{runs['two_runs_differ']}",
        "0",
        not runs["two_runs_differ"],
    )
    yield (
        f"{saves['kills']} kills inside the save of {saves['kinds']} kinds of output",
        f"{saves['wrong']} wrong",
        "0",
        not saves["wrong"],
    )
    if disk is None:
        yield "disk full", "not measured: mounting a small disk needs root", "0 wrong", False
    else:
        yield (
            f"{disk['disks']} disks that get full, then room and a run",
            f"{disk['failed']} full, {disk['told']} told in one line; {disk['wrong']} wrong",
            "0 wrong",
            not disk["wrong"] and disk["told"] == disk["failed"] > 0,
        )
    source = found["source"]
    yield (
        f"{source['changes']} whole runs whose pictures change meanwhile, then a run",
        f"{source['wrong']} wrong",
        "0",
        not source["wrong"],
    )
    yield (
        f"{found['random']['steps']} random changes of code, parameters, pictures and files",
        "all as a full rebuild" if found["random"]["right"] else "WRONG",
        "0 wrong",
        found["random"]["right"],
    )


@measurement
def command_line(project: Path, shared: Path) -> Iterator[Row]:
    """Commands that must not import TensorFlow."""
    for command in (["registry", "list"], ["run", "--pipelines=ingestion"]):
        seconds = run_kedro(project, *command)
        trace = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "kedro", *command],
            cwd=project,
            check=True,
            capture_output=True,
            text=True,
        ).stderr
        imported = any(line.endswith("| tensorflow") for line in trace.splitlines())
        yield (
            f"`kedro {' '.join(command)}`",
            f"{seconds:.1f} s, TensorFlow {'' if imported else 'not '}imported",
            "not imported",
            not imported,
        )


def run_script(name: str, *arguments: str) -> dict[str, Any]:
    """Run another file of this folder, which prints its result as JSON in its last line."""
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name(name), *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Measure and print; exit with 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared")
    parser.add_argument("--only", nargs="+", choices=MEASUREMENTS, default=list(MEASUREMENTS))
    options = parser.parse_args()
    print("| what | measured | bar | reached |\n|---|---|---|---|", flush=True)
    all_reached = True
    for name in options.only:
        with throw_away_project() as project:
            for what, measured, bar, reached in MEASUREMENTS[name](
                project, options.shared.resolve()
            ):
                answer = ("yes" if reached else "NO") if bar else ""
                print(f"| {what} | {measured} | {bar} | {answer} |", flush=True)
                all_reached &= reached
    sys.exit(not all_reached)


if __name__ == "__main__":
    main()
