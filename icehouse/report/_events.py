"""Training curves as event files, which TensorBoard shows."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icehouse.errors import MissingExtra

if TYPE_CHECKING:
    from icehouse.heads import Curves, HeadCard


def event_writer() -> Any:
    """Return what writes event files; to be asked for before a head is fitted.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        import tensorboardX
    except ImportError:
        raise MissingExtra("tensorboardX", "tensorboard") from None
    return tensorboardX.SummaryWriter


def write_events(card: HeadCard, curves: Curves, folder: str | Path) -> str:
    """Write curves into ``folder/<task>/<head>/<time>``, a run of its own; return that folder."""
    fitted = datetime.datetime.fromisoformat(card.fitted_at)
    run = Path(folder) / card.task / card.name / fitted.strftime("%Y%m%d-%H%M%S")
    with event_writer()(str(run)) as writer:
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
