"""Heads that can be differentiated, as functions of torch: from features to logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from icehouse.explain._question import Question, ShuffledHead
from icehouse.heads import Head

Logits = Callable[[torch.Tensor], torch.Tensor]
DIFFERENTIABLE = ("logistic", "mlp")


def differentiable(head: Head) -> bool:
    """Whether a head has gradients: a logistic one, a network, or an ensemble of such."""
    if head.kind == "ensemble":
        members: Sequence[Any] = head.members_
        return all(differentiable(member.head) for member in members)
    return head.kind in DIFFERENTIABLE


def logit_of(question: Question) -> Logits:
    """Return the logit of the class that is asked about, as a function of features (n, D) to (n,).

    Of two classes the first has the negative logit of the second. An ensemble by vote has the mean
    of its members' logits, each divided by its temperature: the logarithms of what is averaged,
    which have a slope where probabilities are too near to 0 or 1 to have one.
    """
    raw = _logits(question.stored.head)
    two = len(question.stored.card.classes) == 2 and not question.stored.head.multi_label_

    def logit(features: torch.Tensor) -> torch.Tensor:
        found = raw(features)
        if two:
            return found[:, 0] * (1 if question.column else -1)
        return found[:, question.column]

    return logit


def _logits(head: Any) -> Logits:
    """Return logits of all classes, (n, n_classes), or of the second of two, (n, 1)."""
    if isinstance(head, ShuffledHead):
        return _shuffled(head)
    if head.kind == "ensemble":
        return _ensemble(head)
    arrays = {name: torch.from_numpy(a) for name, a in head.to_arrays().items()}
    return _linear(arrays) if head.kind == "logistic" else _network(arrays)


def _shuffled(head: ShuffledHead) -> Logits:
    inner, order = _logits(head.head), torch.from_numpy(head.order)
    sign, centre = torch.from_numpy(head.sign), torch.from_numpy(head.centre)

    def logits(features: torch.Tensor) -> torch.Tensor:
        own, turn = centre.to(features), sign.to(features)
        return inner(own + turn * (features[:, order.to(features.device)] - own))

    return logits


def _linear(learnt: Mapping[str, torch.Tensor]) -> Logits:
    def logits(features: torch.Tensor) -> torch.Tensor:
        a = {name: each.to(features) for name, each in learnt.items()}
        return (features - a["mean"]) / a["scale"] @ a["coef"].T + a["intercept"]

    return logits


def _network(learnt: Mapping[str, torch.Tensor]) -> Logits:
    def logits(features: torch.Tensor) -> torch.Tensor:
        a = {name: each.to(features) for name, each in learnt.items()}
        scaled = (features - a["mean"]) / a["scale"]
        hidden = torch.relu(scaled @ a["hidden.weight"] + a["hidden.bias"])
        return hidden @ a["output.weight"] + a["output.bias"]

    return logits


def _ensemble(head: Any) -> Logits:
    members = [(_logits(each.head), each) for each in head.members_]
    if head.method == "vote":

        def vote(features: torch.Tensor) -> torch.Tensor:
            said = [
                raw(features[:, each.columns]) / getattr(each.calibration, "temperature", 1.0)
                for raw, each in members
            ]
            return torch.stack(said).mean(dim=0)

        return vote
    stacker = _logits(head.stacker_)

    def stack(features: torch.Tensor) -> torch.Tensor:
        said = [raw(features[:, each.columns]) for raw, each in members]
        if not head.multi_label_:  # the stacker learns from logarithms of probabilities
            said = [torch.log_softmax(_both(each), dim=1) for each in said]
        return stacker(torch.cat(said, dim=1))

    return stack


def _both(logits: torch.Tensor) -> torch.Tensor:
    """Return a column for each class also where there is one for two."""
    return logits if logits.shape[1] > 1 else torch.cat([torch.zeros_like(logits), logits], dim=1)
