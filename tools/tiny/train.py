"""Training the student: batches, augmentation, the loop, checkpoints.

Everything random comes from the seed and the number of the step, so that a run that was cut off
and goes on ends as one that was not.
"""

from __future__ import annotations

import csv
import json
import math
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lessons import Lesson
from torch.nn import functional as F  # noqa: N812

from icehouse.embedder import _torchvision_ops  # noqa: F401  (before timm imports torchvision)

# isort: split
import timm

SAVE_EVERY = 250
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


@dataclass(frozen=True)
class Cycle:
    """One rise and fall of the learning rate, at one size of images.

    Attributes
    ----------
    size : int
        Pixels of a side.
    steps : int
    peak_lr : float
        Reached after a share ``Settings.warmup`` of the steps; falls as a cosine to nothing.
    """

    size: int
    steps: int
    peak_lr: float


@dataclass(frozen=True)
class Settings:
    """Of the student and its training.

    Attributes
    ----------
    architecture, model_args
        What timm builds it from.
    dim, power
        Of the targets, see :func:`lessons.make_lesson`.
    views : int
        Of each image.
    cycles : tuple of Cycle
        The size of the last one is the one that is published.
    batch, weight_decay, warmup
        Of AdamW.
    shift : int
        Pixels that a view is moved by at most.
    seed : int
    workers : int
        Processes that share a batch.
    """

    architecture: str
    model_args: dict[str, Any]
    dim: int
    power: float
    views: int
    cycles: tuple[Cycle, ...]
    batch: int
    weight_decay: float
    warmup: float
    shift: int
    seed: int
    workers: int

    @classmethod
    def read(cls, path: Path) -> Settings:
        """Read them from JSON."""
        told = json.loads(path.read_text())
        return cls(**{**told, "cycles": tuple(Cycle(**cycle) for cycle in told["cycles"])})

    @property
    def steps(self) -> int:
        """Of all cycles."""
        return sum(cycle.steps for cycle in self.cycles)

    @property
    def size(self) -> int:
        """Pixels of a side that the network is made for in the end."""
        return self.cycles[-1].size

    def at(self, step: int) -> tuple[Cycle, int]:
        """Return the cycle that a step belongs to, and its number there."""
        for cycle in self.cycles:
            if step < cycle.steps:
                return cycle, step
            step -= cycle.steps
        raise IndexError(f"step {step + self.steps} of {self.steps}")


class Student(torch.nn.Module):
    """A network, and a linear map from its vectors to what the teacher says."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        network = timm.create_model(settings.architecture, num_classes=0, **settings.model_args)
        self.network = network.to(memory_format=torch.channels_last)
        self.map = torch.nn.Linear(network.num_features, settings.dim)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return what the teacher would say, of length one."""
        with torch.autocast("cpu", torch.bfloat16):
            vectors = self.network(images)
        return F.normalize(self.map(vectors.float()), dim=1)


def train(lesson: Path, settings: Settings, folder: Path) -> torch.nn.Module:
    """Train a student on a saved lesson, going on from the checkpoint if there is one.

    Processes of one thread each share the batches: on a CPU that is up to twice as fast as one
    process of as many threads. Writes ``checkpoint.pt`` and ``log.csv`` into the folder.
    """
    checkpoint = folder / "checkpoint.pt"
    if not checkpoint.exists() or _read(checkpoint)["done"] < settings.steps:
        with tempfile.TemporaryDirectory() as meeting:
            arguments = (Path(meeting) / "point", lesson, settings, folder)
            if settings.workers == 1:
                _work(0, *arguments)
            else:
                torch.multiprocessing.spawn(_work, arguments, settings.workers)
    student = Student(settings)
    student.load_state_dict(_read(checkpoint)["student"])
    return student.network.eval()


def _work(number: int, meeting: Path, lesson: Path, settings: Settings, folder: Path) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=meeting.as_uri(), rank=number, world_size=settings.workers
    )
    try:
        _learn(number, Lesson.open(lesson), settings, folder)
    finally:
        torch.distributed.destroy_process_group()


def _learn(number: int, lesson: Lesson, settings: Settings, folder: Path) -> None:
    torch.manual_seed(settings.seed)
    student = Student(settings).train()
    optimizer = _optimizer(student, settings)
    checkpoint = folder / "checkpoint.pt"
    done, log, losses = 0, [], []
    if checkpoint.exists():
        state = _read(checkpoint)
        student.load_state_dict(state["student"])
        optimizer.load_state_dict(state["optimizer"])
        done, log = state["done"], state["log"]
    shared = torch.nn.parallel.DistributedDataParallel(student)
    started = time.perf_counter()
    for step in range(done, settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, settings)
        rows = np.sort(batch_rows(step, len(lesson), settings)[number :: settings.workers])
        random = np.random.default_rng([settings.seed, 1, step, number])
        images = augmented(lesson.pixels[rows], lesson.turns[rows], settings.shift, random)
        images = resized(images, settings.at(step)[0].size)
        targets = torch.from_numpy(lesson.targets[rows])
        loss = 1 - (shared(normalised(images)) * targets).sum(1).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if number == 0 and ((step + 1) % SAVE_EVERY == 0 or step + 1 == settings.steps):
            speed = len(losses) * settings.batch / (time.perf_counter() - started)
            log.append([step + 1, float(np.mean(losses)), rate(step, settings), speed])
            print(f"step {step + 1}/{settings.steps}  loss {log[-1][1]:.4f}  {speed:.0f}/s")
            _save(checkpoint, student, optimizer, step + 1, log)
            losses, started = [], time.perf_counter()
    if number == 0:
        with (folder / "log.csv").open("w", newline="") as file:
            csv.writer(file).writerows([["step", "loss", "rate", "images_per_second"], *log])


def _optimizer(student: Student, settings: Settings) -> torch.optim.Optimizer:
    weights = [p for p in student.parameters() if p.ndim > 1]
    others = [p for p in student.parameters() if p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": settings.weight_decay}, {"params": others}]
    return torch.optim.AdamW(groups, weight_decay=0)


def _read(checkpoint: Path) -> dict[str, Any]:
    return dict(torch.load(checkpoint, weights_only=True))


def _save(
    path: Path, student: Student, optimizer: torch.optim.Optimizer, done: int, log: list[Any]
) -> None:
    state = {
        "student": student.state_dict(),
        "optimizer": optimizer.state_dict(),
        "done": done,
        "log": log,
    }
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def rate(step: int, settings: Settings) -> float:
    """Return the learning rate of a step."""
    cycle, step = settings.at(step)
    rise = max(1, round(settings.warmup * cycle.steps))
    if step < rise:
        return cycle.peak_lr * (step + 1) / rise
    fall = (step - rise) / max(1, cycle.steps - rise)
    return cycle.peak_lr * (1 + math.cos(math.pi * fall)) / 2


def batch_rows(step: int, rows: int, settings: Settings) -> npt.NDArray[np.int64]:
    """Return the rows of a step's batch; each epoch is an order of its own."""
    epoch, place = divmod(step, rows // settings.batch)
    start = place * settings.batch
    return _order(settings.seed, epoch, rows)[start : start + settings.batch]


@lru_cache(maxsize=1)
def _order(seed: int, epoch: int, rows: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(rows)


def augmented(
    pixels: npt.NDArray[np.uint8],
    turns: npt.NDArray[np.bool_],
    shift: int,
    random: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """Move and mirror views, and turn those that may be turned: (n, S, S, 3) to the same."""
    count, size = pixels.shape[:2]
    moved = np.arange(size) + random.integers(-shift, shift + 1, (2, count, 1))
    moved = np.abs(moved)  # reflected at the border
    moved = np.where(moved < size, moved, 2 * (size - 1) - moved)
    rows, columns = moved
    mirrored = random.random(count) < 0.5
    columns[mirrored] = columns[mirrored, ::-1]
    upturned = turns & (random.random(count) < 0.5)
    rows[upturned] = rows[upturned, ::-1]
    made = pixels[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    crossed = turns & (random.random(count) < 0.5)
    made[crossed] = made[crossed].transpose(0, 2, 1, 3)
    return made


def resized(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """Enlarge views as the embedder does: (n, S, S, 3) to (n, size, size, 3)."""
    if pixels.shape[1] == size:
        return pixels
    planes = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    planes = F.interpolate(planes, (size, size), mode="bicubic", antialias=True)
    return planes.permute(0, 2, 3, 1).numpy()


def normalised(pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
    """Return pixels as a network sees them: float32 (n, 3, S, S), channels last in memory."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    return ((images - mean) / std).contiguous(memory_format=torch.channels_last)
