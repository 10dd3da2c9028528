"""What Prometheus is told: requests, how long they took, batches, queues, errors and flags."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics:
    """Counters of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        here = self._registry
        by_route = ["method", "route"]
        self._requests = Counter(
            "icehouse_requests", "Answered.", [*by_route, "status"], registry=here
        )
        self._seconds = Histogram(
            "icehouse_request_seconds", "To the answer.", by_route, buckets=SECONDS, registry=here
        )
        self._errors = Counter("icehouse_errors", "By kind.", ["error"], registry=here)
        self._sizes = Histogram(
            "icehouse_batch_images", "At once.", ["encoder"], buckets=SIZES, registry=here
        )
        self._encoding = Histogram(
            "icehouse_batch_seconds", "Of one batch.", ["encoder"], buckets=SECONDS, registry=here
        )
        self._waiting = Gauge(
            "icehouse_waiting_images", "In the queue.", ["encoder"], registry=here
        )
        self._flags = Counter("icehouse_flags", "Of visitors.", ["task"], registry=here)
        self._swaps = Counter("icehouse_heads_replaced", "By a refit.", ["head"], registry=here)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def failed(self, error: str) -> None:
        """Count an error by its kind."""
        self._errors.labels(error).inc()

    def flagged(self, task: str) -> None:
        """Count a visitor's flag."""
        self._flags.labels(task).inc()

    def replaced(self, head: str) -> None:
        """Count a head that took the place of another."""
        self._swaps.labels(head).inc()

    def batches_of(self, encoder_id: str) -> Callable[[int, float], None]:
        """Return what counts the batches of an encoder."""
        sizes, seconds = self._sizes.labels(encoder_id), self._encoding.labels(encoder_id)

        def seen(size: int, took: float) -> None:
            sizes.observe(size)
            seconds.observe(took)

        return seen

    def watch(self, encoder_id: str, waiting: Callable[[], float]) -> None:
        """Ask for the length of a queue whenever somebody wants to know."""
        self._waiting.labels(encoder_id).set_function(waiting)

    def text(self) -> bytes:
        """Return all as Prometheus reads it."""
        return generate_latest(self._registry)
