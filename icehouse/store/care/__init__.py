"""Care of a store: prove that it is sound, mend it, make it compact, take images out of it."""

from icehouse.store.care._findings import Finding
from icehouse.store.care._forget import Oblivion, forget, plan_forget
from icehouse.store.care._fsck import FsckReport, fsck

__all__ = ["Finding", "FsckReport", "Oblivion", "forget", "fsck", "plan_forget"]
