"""The principal plane: what scikit-learn says of unit vectors, with a sign that is settled."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from icehouse.maps import _pca
from icehouse.maps._pca import principal_plane
from icehouse.store import VectorRows, unit

from .conftest import clustered, ids


def rows_of(vectors):
    vectors = np.asarray(vectors)
    return VectorRows.of("some-1", ids(np.arange(len(vectors))), vectors)


def plane(vectors):
    return principal_plane(rows_of(vectors), np.arange(len(vectors)))


def scikit(vectors):
    """Return the same by scikit-learn, axes turned so that their largest weight is positive."""
    fitted = PCA(2).fit(unit(vectors).astype(float))
    axes = fitted.components_
    sign = np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])
    return fitted.transform(unit(vectors).astype(float)) * sign


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_it_is_the_pca_of_unit_vectors(dtype):
    vectors = (clustered(np.arange(90)) * np.linspace(0.1, 9, 90)[:, None]).astype(dtype)
    found = plane(vectors)
    assert found.dtype == np.float32
    assert found == pytest.approx(scikit(vectors), abs=1e-5)
    assert found.mean(axis=0) == pytest.approx(0, abs=1e-6)


def test_it_holds_where_all_vectors_are_much_alike():
    vectors = (100 + clustered(np.arange(90))).astype(np.float32)
    assert unit(vectors)[0] @ unit(vectors)[1] > 0.999
    assert plane(vectors) == pytest.approx(scikit(vectors), abs=3e-6)


def test_blocks_make_no_difference(monkeypatch):
    vectors = clustered(np.arange(90))
    whole = plane(vectors)
    monkeypatch.setattr(_pca, "BLOCK", 7)
    assert plane(vectors) == pytest.approx(whole, abs=1e-6)


def test_of_some_rows_it_is_theirs():
    vectors = clustered(np.arange(90))
    some = np.arange(0, 90, 2)
    assert principal_plane(rows_of(vectors), some).tolist() == plane(vectors[some]).tolist()


def test_in_one_dimension_there_is_one_axis():
    found = plane(np.array([[3.0], [-2.0], [5.0], [-7.0]], np.float32))
    assert found.tolist() == [[1, 0], [-1, 0], [1, 0], [-1, 0]]


@pytest.mark.parametrize("value", [0.0, 0.37])
def test_where_nothing_differs_all_is_zero(value):
    assert not plane(np.full((50, 16), value, np.float32)).any()


def test_two_vectors_differ_in_one_direction_only():
    found = plane(clustered([0, 1]))
    assert found[0, 0] == pytest.approx(-found[1, 0])
    assert not found[:, 1].any()
