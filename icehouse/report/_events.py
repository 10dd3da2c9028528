"""Training curves as event files, which TensorBoard shows."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icehouse.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from icehouse.heads import Curves, HeadCard


def check_events(folder: str | Path) -> None:
    """Refuse what no event files can be written to, before a head is fitted.

    Raises
    ------
    MissingExtra
        What writes them is not installed.
    UsageError
        It, or what it would be in, is no folder that can be written to.
    """
    _writer()
    here = Path(folder)
    there = next(place for place in (here, *here.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UsageError(
            f"event files go into a folder that can be written to, and {there} is none: give "
            "another one with --tensorboard"
        )


def write_events(card: HeadCard, curves: Curves, folder: str | Path) -> str:
    """Write curves into ``folder/<task>/<head>/<time>``, a run of its own; return that folder."""
    fitted = datetime.datetime.fromisoformat(card.fitted_at)
    run = Path(folder) / card.task / card.name / fitted.strftime("%Y%m%d-%H%M%S")
    with _writer()(str(run)) as writer:
        for epoch, values in enumerate(zip(curves.train_loss, curves.train_accuracy, strict=True)):
            _add(writer, "train", values, epoch, fitted)
        for epoch, values in enumerate(zip(curves.val_loss, curves.val_accuracy, strict=True)):
            _add(writer, "validation", values, epoch, fitted)
    return str(run)


def _add(
    writer: Any, side: str, values: tuple[float, float], epoch: int, at: datetime.datetime
) -> None:
    for name, value in zip(("loss", "accuracy"), values, strict=True):
        writer.add_scalar(f"{name}/{side}", value, epoch + 1, walltime=at.timestamp())


def _writer() -> Any:
    try:
        import tensorboardX
    except ImportError:
        raise MissingExtra("tensorboardX", "tensorboard") from None
    return tensorboardX.SummaryWriter
