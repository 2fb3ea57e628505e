"""After any change of code, parameters, pictures and files, a run gives what a full one gives."""

from __future__ import annotations

import os
import shutil
import tempfile
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from helpers.caching import CODE, OUTPUTS, TinyProject

# Of the slow test; one short story is told in every run of the tests.
STEPS = int(os.environ.get("GRAFT_RANDOM_STEPS", "25"))
EXAMPLES = int(os.environ.get("GRAFT_RANDOM_EXAMPLES", "20"))
PICTURES = st.sampled_from(["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"])
_numbers = count()


class RandomChanges(RuleBasedStateMachine):
    """Each run after some changes is compared with a run from nothing beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.tiny = TinyProject(self.folder, f"random_{os.getpid()}_{next(_numbers)}")

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(name=st.sampled_from(["scale", "bias"]), value=st.integers(0, 3))
    def change_a_parameter(self, name: str, value: int) -> None:
        self.tiny.parameters[name] = value

    @rule(number=st.integers(0, 3))
    def change_a_helper(self, number: int) -> None:
        self.tiny.write_code("sums", CODE["sums"].replace("+ 0", f"+ {number}"))

    @rule(text=st.sampled_from(["{len(names)} {sum_}", "{sum_} {len(names)}", "{sum_}"]))
    def change_a_node(self, text: str) -> None:
        text = text.replace("{", "{{").replace("}", "}}")
        self.tiny.write_code("nodes", CODE["nodes"].replace("{{len(names)}} {{sum_}}", text))

    @rule(
        picture=PICTURES,
        content=st.binary(max_size=4),
        clock=st.sampled_from(["now", "as before", "future", "past"]),
    )
    def write_a_picture(self, picture: str, content: bytes, clock: str) -> None:
        path = self.tiny.pictures / picture
        facts = path.stat() if path.exists() else None
        path.write_bytes(content)
        if clock == "as before" and facts:
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        elif clock in ("future", "past"):
            os.utime(path, (4e9, 4e9) if clock == "future" else (1, 1))

    @rule(picture=PICTURES, content=st.binary(max_size=4))
    def change_a_picture_while_it_is_read(self, picture: str, content: bytes) -> None:
        """The run that reads it may give anything; the next ones must not."""
        path = self.tiny.pictures / picture

        def write(name: str) -> None:
            path.write_bytes(content)

        self.tiny.run(during=write)

    @rule(picture=PICTURES, other=PICTURES)
    def rename_a_picture(self, picture: str, other: str) -> None:
        if (self.tiny.pictures / picture).exists():
            (self.tiny.pictures / picture).rename(self.tiny.pictures / other)
        self._keep_one()

    @rule(picture=PICTURES)
    def remove_a_picture(self, picture: str) -> None:
        (self.tiny.pictures / picture).unlink(missing_ok=True)
        self._keep_one()

    @rule(name=st.sampled_from(OUTPUTS), how=st.sampled_from(["remove", "cut", "swap", "forget"]))
    def damage_an_output(self, name: str, how: str) -> None:
        path = self.tiny.file(name)
        if not path.exists():
            return
        facts, text = path.stat(), path.read_text()
        if how == "remove":
            path.unlink()
        elif how == "cut":
            path.write_text(text[:-1])
        elif how == "swap":
            path.write_text("7" * len(text))
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        else:
            path.with_name(f".{path.name}.receipt.json").unlink(missing_ok=True)

    @rule()
    def run_and_compare(self) -> None:
        self.tiny.run()
        full = f"full_{next(_numbers)}"
        self.tiny.run(data=full, force=True)
        assert self.tiny.read() == self.tiny.read(full)
        assert self.tiny.run() == []

    @rule(node=st.sampled_from(["count", "total", "report"]))
    def run_one_node(self, node: str) -> None:
        """A part of it, on whatever inputs there are."""
        if all(self.tiny.file(name).exists() for name in OUTPUTS):
            try:
                self.tiny.run(node_names=[node], force=True)
            except Exception as error:
                # A damaged input is refused, as it should be.
                assert "cut short or altered" in str(error)  # noqa: PT017

    def _keep_one(self) -> None:
        if not any(self.tiny.pictures.rglob("*.png")):
            (self.tiny.pictures / "cat" / "0.png").write_bytes(b"cat")


def _tell_stories(count: int, steps: int) -> None:
    run_state_machine_as_test(
        RandomChanges,
        settings=settings(
            max_examples=count,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_after_a_few_changes_a_run_gives_what_a_full_one_gives() -> None:
    _tell_stories(1, 12)


@pytest.mark.slow
def test_after_many_changes_a_run_gives_what_a_full_one_gives() -> None:
    _tell_stories(EXAMPLES, STEPS)
