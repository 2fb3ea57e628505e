"""What a classifier looked at, and what it was trained on that is near: for who asks for it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np

from graft.classifier.exported import HEAT_MAP, Exported
from graft.classifier.nearest import read_small_pictures


class Explainer:
    """Explains single pictures.

    Its files are read at once, for the folder may be another export's by the time that somebody
    asks; the heat map's network is made ready when it is first asked for.

    Args:
        exported: Beside whose network lies what explains it, or not.
        run: The network, from pictures (n, H, W, channels) uint8 to probabilities and features.
    """

    def __init__(self, exported: Exported, run: Callable[[np.ndarray], list[np.ndarray]]) -> None:
        self._exported, self._run = exported, run
        facts, folder = exported.facts, exported.folder
        self._heat_map = (folder / HEAT_MAP).read_bytes() if "heat_map" in facts else None
        self._count = facts.get("nearest_pictures", 0)
        self._small = read_small_pictures(folder) if self._count else None
        self._loading = Lock()

    @property
    def can_explain(self) -> bool:
        """Whether there is anything to show."""
        return self._heat_map is not None or self._small is not None

    def explain(self, pixels: np.ndarray) -> dict[str, Any]:
        """Explain one picture.

        Args:
            pixels: (H, W, channels), uint8.

        Returns:
            ``class_name``, the most probable one; ``heat``, how much speaks for it, as rows of
            numbers from 0 to 1 that cover the whole picture, or None; ``nearest``, pictures of
            train, the nearest first, with ``class_name``, ``distance`` and ``jpeg`` in base 64.
        """
        pictures = pixels[np.newaxis]
        outputs = self._run(pictures)
        likeliest = int(outputs[0][0].argmax())
        return {
            "class_name": self._exported.class_names[likeliest],
            "heat": self._measure_heat(pictures, likeliest),
            "nearest": self._find_nearest(outputs),
        }

    def _measure_heat(self, pictures: np.ndarray, class_: int) -> list[list[float]] | None:
        if self._heat_map is None:
            return None
        with self._loading:
            session = self._session
        (heat,) = session.run(None, {"pictures": pictures, "classes": np.array([class_])})
        rows: list[list[float]] = np.round(heat[0].astype(float), 3).tolist()
        return rows

    def _find_nearest(self, outputs: list[np.ndarray]) -> list[dict[str, Any]]:
        known = self._exported.familiarity
        if self._small is None or known is None or len(outputs) < 2:
            return []
        return [
            {
                "class_name": self._small.labels[row],
                "distance": distance,
                "jpeg": base64.b64encode(self._small.files[row]).decode(),
            }
            for row, distance in known.find_nearest(outputs[1][0], self._count)
        ]

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Answers go before explanations: these take one processor at most.
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(
            self._heat_map, options, providers=["CPUExecutionProvider"]
        )
