"""A head is fitted again as it was asked for, an ensemble after the heads that it is made of."""

from __future__ import annotations

from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.service.desk._refit import fit_again
from icehouse.store import Store

TASK = "shapes"


def test_an_ensemble_is_fitted_again_with_its_members(reviewed: Store) -> None:
    fit_head(reviewed, "knn", options=FitOptions(folds=3))
    card = fit_head(reviewed, "ensemble", {"method": "stack"}, FitOptions(of=("logistic", "knn")))
    [one, *_] = reviewed.labels.present(TASK)
    reviewed.labels.ensure_task(TASK, "single", ["ring"])
    reviewed.labels.record(TASK, [(one, ("ring",))], annotator="ann", origin="review")
    again = fit_again(reviewed, card)
    assert (again.name, again.members, again.settings["method"]) == (
        "ensemble",
        card.members,
        "stack",
    )
    for name in (*card.members, "ensemble"):
        assert "ring" in load_head(reviewed, TASK, name).card.classes
