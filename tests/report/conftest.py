from dataclasses import replace

import pytest

from icehouse.heads import Comparison, Contender, FitOptions, Metrics, fit_head, load_head
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


@pytest.fixture
def contenders() -> Comparison:
    """Three contenders of invented numbers, one of a name that is hard to show."""
    metrics = Metrics(48, 0.9, 0.99, 0.9, 0.88, 0.87, 0.96, 0.3, 0.05)
    best = Contender(
        encoder="clip:ViT-B-32/laion2b_s34b_b79k",
        encoder_id="clip-0",
        head="xgboost",
        metrics=metrics,
        train=0.99,
        val=0.91,
        low=0.85,
        high=0.94,
        spread=0.012,
        fit_seconds=12.25,
        predict_rate=1234.4,
        encode_rate=56.7,
        dim=512,
        bytes_per_image=1024,
        p=None,
        like_best=True,
    )
    near = replace(
        best,
        head="logistic",
        metrics=replace(metrics, top1=0.88, f1=0.85),
        low=0.83,
        high=0.92,
        fit_seconds=0.5,
        predict_rate=99_999.9,
        p=0.31,
    )
    far = replace(
        near,
        encoder="odd|name",
        head="knn",
        metrics=replace(metrics, top1=0.6, ece=0.01),
        low=0.55,
        high=0.65,
        fit_seconds=0.7,
        predict_rate=100_000.2,
        p=1e-5,
        like_best=False,
    )
    notes = ("[red] is no colour",)
    return Comparison("shapes", "single", "test", 60, 48, 3, [best, near, far], {}, notes)


@pytest.fixture
def few_classes(contenders: Comparison) -> Comparison:
    """The same without a top-5."""
    rows = [
        replace(each, metrics=replace(each.metrics, top5=None)) for each in contenders.contenders
    ]
    return replace(contenders, contenders=rows)
