"""Training curves: what a network said of itself after each epoch, kept beside its head."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np

from icehouse.errors import HeadCorrupt
from icehouse.heads._base import Head
from icehouse.heads._card import HeadCard
from icehouse.store import Store


@dataclass(frozen=True)
class Curves:
    """Loss and accuracy after each epoch.

    Attributes
    ----------
    train_loss, val_loss : tuple of float
        Nats, by the weights of the rows if they have any; label smoothing and mixup left out. Of
        rows trained on, 2,048 at most, and of rows held out of them. ``val_*`` is empty where
        nothing was held out.
    train_accuracy, val_accuracy : tuple of float
        Shares of right answers, by the same weights; in multi-label of labels.
    """

    train_loss: tuple[float, ...]
    val_loss: tuple[float, ...]
    train_accuracy: tuple[float, ...]
    val_accuracy: tuple[float, ...]

    @property
    def kept(self) -> int:
        """The epoch whose weights were kept, from 0: of the lowest val_loss, else the last."""
        return int(np.argmin(self.val_loss)) if self.val_loss else len(self.train_loss) - 1


def save_curves(store: Store, card: HeadCard, head: Head) -> Curves | None:
    """Keep the curves of a head that was saved, where it has any; earlier ones are removed."""
    curves: Curves | None = getattr(head, "curves_", None)
    before = [name for name in store.files.names(card.folder, "") if _is_of_curves(card, name)]
    if curves is not None:
        values = {"weights_sha256": card.weights_sha256, **asdict(curves)}
        data = json.dumps(values, indent=2).encode()
        name = f"{card.folder}/curves-{hashlib.sha256(data).hexdigest()[:16]}.json"
        store.files.commit(name, data)
        before = [other for other in before if other != name]
    store.files.remove(*before)
    return curves


def load_curves(store: Store, card: HeadCard) -> Curves | None:
    """Return the training curves of a head, or None where it has none.

    Raises
    ------
    HeadCorrupt
        Their file is damaged.
    """
    for name in store.files.names(card.folder, ".json"):
        if not _is_of_curves(card, name):
            continue
        try:
            data = store.files.read(name)
            if hashlib.sha256(data).hexdigest()[:16] not in name:
                raise ValueError("its checksum is not that of its name")
            values = json.loads(data)
            if values.pop("weights_sha256") == card.weights_sha256:
                return Curves(**{key: tuple(column) for key, column in values.items()})
        except (ValueError, KeyError, TypeError) as error:
            path = store.files.where(name)
            raise HeadCorrupt(f"{path} is damaged: {error}. Remove it, or fit again") from error
    return None


def _is_of_curves(card: HeadCard, name: str) -> bool:
    return name.startswith((f"{card.folder}/curves-", f"{card.folder}/curves.png"))
