"""A Ray cluster: one that is started for a run, or one that is joined and left as it was."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from icehouse.embedder._hub import reachable
from icehouse.embedder._steady import GPU_WORKERS
from icehouse.embedder._threads import cores
from icehouse.errors import MissingExtra, UsageError

CPUS_EACH = 8
# Read by Ray while it is imported and connected. What matters of its messages is said by us: a
# worker's death costs a chunk, and its lines would come between the JSON lines on stdout.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
}


@dataclass(frozen=True)
class Shape:
    """How many workers a cluster holds, and what each has of its node."""

    workers: int
    cpus: int
    gpus: int


def require_ray() -> None:
    """Raise MissingExtra where Ray is not installed."""
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("pandas") is None:
        raise MissingExtra("ray", "ray")


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Start a cluster on this machine, or join one; a session that is there already is used.

    Parameters
    ----------
    address : str or None
        None: a cluster of this run's own, that ends with it. Else "auto" or host:port.

    Raises
    ------
    UsageError
        None answers there, or none can be started here.
    """
    with _quiet():
        import ray

        found = ray.is_initialized()
        if not found:
            _connect(address)
    try:
        yield
    finally:
        if not found:
            ray.shutdown()


def shape(threads: int | None = None) -> Shape:
    """Share a cluster out: a worker for each GPU, or for some cores where there is none.

    Parameters
    ----------
    threads : int or None
        Of each worker on a CPU. None: 8, or as many cores as the smallest node has.
    """
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    with_gpu = [node for node in nodes if node.get("GPU", 0) >= 1]
    if with_gpu:
        cpus = min(int(node.get("CPU", 0) // node["GPU"]) for node in with_gpu)
        return Shape(sum(int(node["GPU"]) for node in with_gpu), min(cpus, GPU_WORKERS), 1)
    counts = [int(node["CPU"]) for node in nodes if node.get("CPU", 0) >= 1]
    if not counts:
        raise UsageError("the Ray cluster has neither CPUs nor GPUs; add a node that has")
    cpus = min(threads or CPUS_EACH, *counts)
    return Shape(sum(count // cpus for count in counts), cpus, 0)


def _connect(address: str | None) -> None:
    import ray

    if address is not None and address.startswith("ray://"):
        raise UsageError(
            f"{address} leads into a cluster from outside, and Ray Data works only within. "
            "Run icehouse on a machine of the cluster, with --address auto"
        )
    # Ray itself would try again for minutes.
    if address not in (None, "auto") and not reachable(f"ray://{address}"):
        raise UsageError(f"no Ray cluster answers at {address}; see ray start --head")
    own = {"num_cpus": cores(), "include_dashboard": False} if address is None else {}
    try:
        ray.init(
            address=address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **own
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        ray.shutdown()  # of what was started until then
        raise UsageError(f"no Ray cluster at {address or 'this machine'}: {error}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in _QUIET}
    os.environ.update(_QUIET)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
