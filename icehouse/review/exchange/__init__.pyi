"""Labels that come from elsewhere or go there, and the history of one image."""

from ._export import export_labels
from ._history import History, Step, history
from ._import import Imported, import_labels

__all__ = ["History", "Imported", "Step", "export_labels", "history", "import_labels"]
