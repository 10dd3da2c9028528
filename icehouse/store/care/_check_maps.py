"""``fsck`` of maps: they are derived, so nothing that is wrong with one is damage."""

from __future__ import annotations

from icehouse.errors import StoreCorrupt
from icehouse.store._files import Files
from icehouse.store._map_files import MapFiles
from icehouse.store.care._findings import Finding, found


def check_maps(files: Files) -> list[Finding]:
    """Read all maps of a store and name those that are damaged."""
    findings = []
    for encoder in files.folders("maps"):
        maps = MapFiles(files, encoder)
        for name in maps.names():
            try:
                maps.read(name)
            except StoreCorrupt as error:
                findings.append(found("map", f"{maps.folder}/{name}.parquet", error))
    return findings
