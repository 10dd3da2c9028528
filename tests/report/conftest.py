import pytest

from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.review import Flag, FlagSettings, flag
from icehouse.store import Store


@pytest.fixture
def fitted(embedded: Store) -> Store:
    """The store ``embedded`` with a head logistic."""
    fit_head(embedded, "logistic", options=FitOptions(folds=5))
    return embedded


@pytest.fixture
def embedded_flags(fitted: Store) -> list[Flag]:
    """All images of the store ``fitted``, flagged."""
    stored = load_head(fitted, "shapes", "logistic")
    return flag(fitted, stored, FlagSettings(band=1.0)).flags
