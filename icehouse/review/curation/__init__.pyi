"""Curation: what a dataset holds that is odd, what is typical of it, and what it lacks."""

from ._gaps import GapOptions, find_gaps
from ._outliers import OutlierOptions, find_outliers, local_outlier_factor
from ._records import (
    ClassPictures,
    Gap,
    GapReport,
    Member,
    Outlier,
    OutlierReport,
    Picture,
    TypicalReport,
)
from ._typical import TypicalOptions, find_typical
from ._write import write_gaps, write_outliers, write_typical

__all__ = [
    "ClassPictures",
    "Gap",
    "GapOptions",
    "GapReport",
    "Member",
    "Outlier",
    "OutlierOptions",
    "OutlierReport",
    "Picture",
    "TypicalOptions",
    "TypicalReport",
    "find_gaps",
    "find_outliers",
    "find_typical",
    "local_outlier_factor",
    "write_gaps",
    "write_outliers",
    "write_typical",
]
