"""What is counted for Prometheus: load, refusals, and what drift is seen by."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from graft.classifier.answers import UNLIKE, Answer, Findings

_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_DISTANCES = tuple(step / 10 for step in range(1, 15))


class Measures:
    """Counters of one service, apart from those of any other in the process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "graft_requests", "Requests answered.", ["route", "status"], registry=self._registry
        )
        self.seconds = Histogram(
            "graft_request_seconds", "From the first byte of a request to its answer.",
            ["route"], registry=self._registry,
        )  # fmt: skip
        self.at_once = Gauge(
            "graft_requests_at_once", "Requests being worked on.", registry=self._registry
        )
        self._batches = Histogram(
            "graft_pictures_per_request", "Pictures that the network was asked about together.",
            buckets=(1, 2, 4, 8, 16, 32), registry=self._registry,
        )  # fmt: skip
        self._answers = Counter(
            "graft_answers", "Pictures by answer.", ["class_name"], registry=self._registry
        )
        self._silences = Counter(
            "graft_unanswered", "Pictures without an answer.", ["why"], registry=self._registry
        )
        self._confidence = Histogram(
            "graft_confidence", "Highest probability of a picture.",
            buckets=_SHARES, registry=self._registry,
        )  # fmt: skip
        self._distance = Histogram(
            "graft_distance", "From the pictures that were trained on.",
            buckets=_DISTANCES, registry=self._registry,
        )  # fmt: skip

    def count_unreadable(self) -> None:
        """Count a picture that could not be used."""
        self._silences.labels("unreadable").inc()

    def count(self, findings: Findings, answers: list[Answer]) -> None:
        """Count what was said of the pictures of a request."""
        self._batches.observe(len(answers))
        for answer, confidence in zip(answers, findings.probabilities.max(axis=1), strict=True):
            self._confidence.observe(float(confidence))
            if answer.name is not None:
                self._answers.labels(answer.name).inc()
            else:
                why = "unlike" if answer.reason.startswith(UNLIKE) else "not_sure"
                self._silences.labels(why).inc()
        for distance in findings.distances if findings.distances is not None else ():
            self._distance.observe(float(distance))

    def render(self) -> bytes:
        """All of it in Prometheus' text format."""
        return generate_latest(self._registry)
