"""What the routes work with: the model, who decodes, who asks the network, and in what order."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from starlette.requests import Request

from graft.classifier.answers import rank_classes
from graft.compute.streams import count_workers
from graft.serving.engine import Engine, Model
from graft.serving.measuring import Measures
from graft.serving.service_settings import ServiceSettings
from graft.serving.uploads import Decoders, Intake, Refusal


class Service:
    """What the routes work with.

    Args:
        engine: The model in use.
        settings: Limits.

    Attributes:
        at_once: Requests that are being worked on.
        is_ending: Whether the door is closed, and what was let in is finished.
    """

    def __init__(self, engine: Engine, settings: ServiceSettings) -> None:
        self.engine, self.settings = engine, settings
        self.measures = Measures()
        self.decoders = Decoders(settings)
        self.intake = Intake(settings)
        networks = settings.networks or count_workers()
        self._asking = ThreadPoolExecutor(networks, "network")
        self.at_once, self.is_ending = 0, False

    async def classify(self, pictures: Sequence[bytes], model: Model) -> list[dict[str, Any]]:
        """What is said of every picture; one that cannot be used has ``error`` and ``status``.

        Raises:
            Refusal: 503, if there was nobody to decode one.
        """
        decoded = await self._decode(pictures, model)
        said: list[dict[str, Any]] = []
        good = [pixels for pixels in decoded if not isinstance(pixels, Refusal)]
        answers = iter(await self.ask(np.stack(good), model) if good else [])
        for result in decoded:
            if isinstance(result, Refusal):
                self.measures.count_unreadable()
                said.append({"error": result.reason, "status": result.status})
            else:
                said.append(next(answers))
        return said

    async def explain(self, pictures: Sequence[bytes], model: Model) -> list[dict[str, Any]]:
        """What :meth:`~graft.serving.explaining.Explainer.explain` says of every picture.

        Nothing of it is counted: who asks has had the answers before.
        """
        loop = asyncio.get_running_loop()
        said: list[dict[str, Any]] = []
        for result in await self._decode(pictures, model):
            if isinstance(result, Refusal):
                said.append({"error": result.reason, "status": result.status})
            else:
                explain = model.explainer.explain
                said.append(await loop.run_in_executor(self._asking, explain, result))
        return said

    async def _decode(self, pictures: Sequence[bytes], model: Model) -> list[np.ndarray | Refusal]:
        exported = model.exported
        decoded = await asyncio.gather(*(self.decoders.decode(one, exported) for one in pictures))
        for one in decoded:
            if isinstance(one, Refusal) and one.retry_after is not None:
                raise one
        return decoded

    async def ask(self, pixels: np.ndarray, model: Model) -> list[dict[str, Any]]:
        """What the network says of pictures (n, H, W, channels), uint8."""
        loop = asyncio.get_running_loop()
        findings, answers = await loop.run_in_executor(self._asking, model.ask, pixels)
        self.measures.count(findings, answers)
        names = model.exported.class_names
        ranked = rank_classes(findings.probabilities, self.settings.top)
        said = []
        for row, (answer, classes) in enumerate(zip(answers, ranked, strict=True)):
            values = findings.probabilities[row]
            distance = None if findings.distances is None else float(findings.distances[row])
            said.append(
                {
                    "answer": answer.name,
                    "reason": answer.reason,
                    "distance": distance,
                    "classes": [
                        {"name": names[index], "probability": float(values[index])}
                        for index in classes
                    ],
                }
            )
        return said

    async def run(self, pixels: np.ndarray, model: Model) -> np.ndarray:
        """Calibrated probabilities (n, C) alone."""
        loop = asyncio.get_running_loop()
        findings, answers = await loop.run_in_executor(self._asking, model.ask, pixels)
        self.measures.count(findings, answers)
        return findings.probabilities

    def refuse_crowd(self) -> Refusal | None:
        """Why there is no room for another request; None if there is."""
        if self.at_once < self.settings.requests_at_once:
            return None
        return Refusal(429, f"{self.at_once} requests are being worked on", retry_after=1)

    @contextlib.contextmanager
    def work(self) -> Iterator[None]:
        """Count a request among those at once, from when it has come in.

        One that drips in takes nobody's place.

        Raises:
            Refusal: 429, if there are too many.
        """
        if refusal := self.refuse_crowd():
            raise refusal
        self.at_once += 1
        self.measures.at_once.set(self.at_once)
        try:
            yield
        finally:
            self.at_once -= 1
            self.measures.at_once.set(self.at_once)

    def refuse_stranger(self, request: Request, given: str | None = None) -> None:
        """Refuse who does not bring the token.

        Raises:
            Refusal: 401.
        """
        token = self.settings.token
        if token is None:
            return
        kind, _, brought = request.headers.get("authorization", "").partition(" ")
        offered = brought if kind.lower() == "bearer" else given or ""
        if not hmac.compare_digest(offered.encode(), token.encode()):
            raise Refusal(401, "this service needs a token: Authorization: Bearer TOKEN")

    def close(self) -> None:
        """End all processes and threads."""
        self.decoders.close()
        self._asking.shutdown(wait=True)
