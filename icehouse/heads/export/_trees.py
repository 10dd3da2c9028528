"""Trees as one operator of ONNX: sums or means of what their leaves say."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from icehouse.heads._base import AnyArray, Head
from icehouse.heads.export._graph import DOUBLE, FLOAT, ML, Graph
from icehouse.heads.export._logits import probabilities

RT_EPS = np.float32(1e-6)  # by that name in XGBoost


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees, one row each; the first of a tree is its root.

    Attributes
    ----------
    tree, feature : array of int, shape (n,)
    node : array of int, shape (n,)
        Number within its tree.
    split : array of float32, shape (n,)
    left, right : array of int, shape (n,)
        Numbers of nodes within the tree; -1 for a leaf.
    mode : str
        When a sample goes left: "BRANCH_LEQ", up to the split, or "BRANCH_LT", below it.
    missing_left : array of bool, shape (n,)
        Where a sample without a value goes.
    """

    tree: AnyArray
    node: AnyArray
    feature: AnyArray
    split: AnyArray
    left: AnyArray
    right: AnyArray
    mode: str
    missing_left: AnyArray


def forest(graph: Graph, features: str, head: Head) -> str:
    """The mean of the shares in the leaves."""
    learnt = head.to_arrays()
    roots, left, right = learnt["roots"], learnt["left"].astype(np.int64), learnt["right"]
    sizes = np.diff([*roots, len(left)])
    start, leaf = np.repeat(roots, sizes), left < 0
    trees = Trees(
        tree=np.repeat(np.arange(len(roots)), sizes),
        node=np.arange(len(left)) - start,
        feature=np.where(leaf, 0, learnt["feature"]),
        split=_rounded_down(learnt["split"]),
        left=np.where(leaf, -1, left - start),
        right=np.where(leaf, -1, right - start),
        mode="BRANCH_LEQ",
        missing_left=np.zeros(len(left), bool),
    )
    share = learnt["value"] * leaf[:, None]
    # A leaf that says nothing has to say so of one class at least.
    silent = leaf & ~share.any(axis=1)
    rows, targets = np.nonzero((share != 0) | (silent[:, None] & (np.arange(share.shape[1]) == 0)))
    leaves = rows, targets, share[rows, targets]
    votes = _ensemble(graph, features, trees, leaves, np.zeros(share.shape[1]))
    # Not each vote by itself: the sum of all has to be 1 where all say so.
    return graph.add("Div", votes, graph.constant(len(roots)))


def xgboost(graph: Graph, features: str, head: Head) -> str:
    """The sum of the leaves, as logits."""
    said = json.loads(head.booster_.save_raw("json"))["learner"]
    model, base = said["gradient_booster"]["model"], said["learner_model_param"]["base_score"]
    sizes = [len(tree["left_children"]) for tree in model["trees"]]

    def joined(name: str) -> AnyArray:
        return np.concatenate([np.array(tree[name]) for tree in model["trees"]])

    axes = head.to_arrays().get("axes")
    if axes is not None:  # summed in float64, as the head does
        seen = graph.add("MatMul", graph.cast(features, DOUBLE), graph.constant(axes, np.float64))
        features = graph.cast(seen, FLOAT)
    left, split = joined("left_children"), joined("split_conditions")
    trees = Trees(
        tree=np.repeat(np.arange(len(sizes)), sizes),
        node=np.concatenate([np.arange(size) for size in sizes]),
        feature=joined("split_indices"),
        split=split.astype(np.float32),
        left=left,
        right=joined("right_children"),
        mode="BRANCH_LT",
        missing_left=joined("default_left").astype(bool),
    )
    binary = said["objective"]["name"] == "binary:logistic"
    columns = max(model["tree_info"]) + 1
    score = np.broadcast_to(np.array(json.loads(base), np.float32), columns)
    if binary:  # XGBoost's own logit, which keeps off 0 and 1 and is of float32
        score = -np.log(1 / np.clip(score, RT_EPS, 1 - RT_EPS) - 1)
    rows = np.flatnonzero(left < 0)
    targets = np.repeat(model["tree_info"], sizes)[rows]
    logits = _ensemble(graph, features, trees, (rows, targets, split[rows]), score)
    return probabilities(graph, logits, columns, head, by_exp=True)


def _ensemble(
    graph: Graph,
    features: str,
    trees: Trees,
    leaves: tuple[AnyArray, AnyArray, AnyArray],
    base: AnyArray,
) -> str:
    """Add up what leaves say: rows of nodes, columns of the output and weights."""
    rows, targets, weights = leaves
    leaf = trees.left < 0
    return graph.add(
        "TreeEnsembleRegressor",
        features,
        domain=ML,
        attributes={
            "n_targets": len(base),
            "aggregate_function": "SUM",
            "base_values": _floats(base),
            "nodes_treeids": trees.tree.tolist(),
            "nodes_nodeids": trees.node.tolist(),
            "nodes_featureids": np.where(leaf, 0, trees.feature).tolist(),
            "nodes_modes": np.where(leaf, "LEAF", trees.mode).tolist(),
            "nodes_values": _floats(np.where(leaf, 0, trees.split)),
            "nodes_truenodeids": np.where(leaf, 0, trees.left).tolist(),
            "nodes_falsenodeids": np.where(leaf, 0, trees.right).tolist(),
            "nodes_missing_value_tracks_true": trees.missing_left.astype(np.int64).tolist(),
            "target_treeids": trees.tree[rows].tolist(),
            "target_nodeids": trees.node[rows].tolist(),
            "target_ids": targets.tolist(),
            "target_weights": _floats(weights),
        },
    )


def _rounded_down(split: AnyArray) -> AnyArray:
    """Return float32 splits that send every float32 to the side that the float64 ones do."""
    near = split.astype(np.float32)
    return np.where(near > split, np.nextafter(near, np.float32(-np.inf)), near)


def _floats(values: AnyArray) -> list[float]:
    return np.asarray(values, np.float32).tolist()
