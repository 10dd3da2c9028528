"""``fsck`` between catalog and features: every row has its vector, every vector its row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from icehouse.store._ids import ID_DTYPE, IdArray, positions
from icehouse.store.care._findings import Finding, count, found


def check_links(images: Mapping[str, IdArray], vectors: Mapping[str, IdArray]) -> list[Finding]:
    """Compare the images of datasets with the vectors of encoders.

    An encoder covers a dataset if it has the vector of any of its images. Where others of them
    lack, ``embed`` is not finished: it may have been killed, or a shard was put aside. An image
    that no encoder has a vector of is damage: ``embed`` commits vectors before rows, so
    it once had one.

    Parameters
    ----------
    images : mapping from dataset to array of V32, shape (n,)
        Unique.
    vectors : mapping from encoder_id to array of V32, shape (n,)
        Unique.
    """
    findings = []
    for dataset, ids in images.items():
        has = {encoder: positions(ids, known) >= 0 for encoder, known in vectors.items()}
        lost = ~np.any([np.zeros(len(ids), np.bool_), *has.values()], axis=0)
        if lost.any():
            what = f"{_some(ids, lost)} of {len(ids):,} have lost their vectors"
            findings.append(found("vectors-missing", f"catalog/{dataset}", what))
        for encoder, there in has.items():
            lacking = ~there & ~lost
            if there.any() and lacking.any():
                what = (
                    f"{_some(ids, lacking)} of {len(ids):,} of dataset {dataset!r} have no vector"
                )
                findings.append(found("unfinished", f"features/{encoder}", what))
    placed = np.unique(np.concatenate([np.empty(0, ID_DTYPE), *images.values()]))
    for encoder, known in vectors.items():
        alone = int((positions(known, placed) < 0).sum())
        if alone:
            what = f"{count(alone, 'vector')} of {len(known):,} are of images in no dataset now"
            findings.append(found("vectors-without-row", f"features/{encoder}", what))
    return findings


def _some(ids: IdArray, which: npt.NDArray[np.bool_]) -> str:
    number = int(which.sum())
    return f"{count(number, 'image')} (first: {ids[which][0].tobytes().hex()[:12]})"
