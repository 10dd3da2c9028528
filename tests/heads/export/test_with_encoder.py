"""Encoder and head as one ONNX: pictures in, the probabilities that we would give out."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

from icehouse.embedder import decode, embed, encoder_to_onnx, list_source, open_encoder, similarity
from icehouse.embedder._encoder import EncoderRequest
from icehouse.errors import ExportError
from icehouse.heads import export_head, fit_head, load_head
from icehouse.store import FeatureMatrix, Store


def names_of(encoder: str, request: pytest.FixtureRequest) -> str:
    if encoder == "tiny":
        return encoder
    return f"{encoder}:local-dir:{request.getfixturevalue(f'{encoder}_folder')}"


@pytest.fixture
def seen(store: Store, pictures, request: pytest.FixtureRequest):
    """A function that embeds pictures and fits a head on them."""

    def seen(encoder: str, kind: str = "logistic", precision: str | None = "float32"):
        name = names_of(encoder, request)
        embed(store, list_source(pictures), EncoderRequest(name, precision), dataset="shapes")
        fit_head(store, kind)
        return name, load_head(store, "shapes", kind)

    return seen


def ours(name: str, stored, files):
    """Return pictures as an encoder wants them, their vectors and probabilities, in float32."""
    encoder = open_encoder(EncoderRequest(name, "float32"))
    pixels = np.stack([encoder.preprocess(decode(file.read_bytes())) for file in files])
    vectors = encoder.encode(pixels)
    matrix = FeatureMatrix(stored.card.encoder_id, np.empty(len(files), "V32"), vectors)
    rounded = FeatureMatrix(matrix.encoder_id, matrix.ids, vectors.astype(np.float16))
    return pixels, vectors, stored.predict_proba(rounded)


@pytest.mark.parametrize("kind", ["logistic", "forest"])
@pytest.mark.parametrize("encoder", ["tiny", "timm", "clip"])
def test_a_picture_gets_the_probabilities_that_it_gets_here(
    seen, store, pictures, encoder, kind, tmp_path
):
    name, stored = seen(encoder, kind)
    done = export_head(store, stored, str(tmp_path / "whole.onnx"), with_encoder=True)
    assert (done.inputs, done.pictures) == ("image", 8)
    assert done.picture_difference <= 1e-4
    session = onnxruntime.InferenceSession(str(tmp_path / "whole.onnx"))
    assert [each.name for each in session.get_outputs()] == ["probabilities", "features"]
    files = sorted(pictures.rglob("*.png"))[::8]
    pixels, vectors, expected = ours(name, stored, files)
    [image] = session.get_inputs()
    assert (image.type, image.shape[1:]) == ("tensor(uint8)", list(pixels.shape[1:]))
    for some in (slice(0, 5), slice(2, 3)):  # any number of pictures
        proba, features = session.run(None, {"image": pixels[some]})
        assert similarity(features, vectors[some]).min() > 0.99999
        np.testing.assert_allclose(features, vectors[some], atol=1e-4)
        np.testing.assert_allclose(proba, expected[some], atol=1e-4)


def test_an_encoder_that_runs_in_bfloat16_is_written_in_float32(seen, store, tmp_path):
    _, stored = seen("tiny", precision="bfloat16")
    done = export_head(store, stored, str(tmp_path / "whole.onnx"), with_encoder=True)
    assert done.picture_difference <= 1e-4
    assert "were computed in bfloat16, the file computes in float32" in done.notes[0]


def test_an_export_leaves_the_encoder_as_it_was(seen, store):
    _, stored = seen("tiny")
    one = encoder_to_onnx(store, stored.card.encoder_id)
    assert (one.vectors == encoder_to_onnx(store, stored.card.encoder_id).vectors).all()


def test_an_encoder_of_code_has_no_network_to_export(embedded, tmp_path):
    fit_head(embedded, "logistic")
    stored = load_head(embedded, "shapes", "logistic")
    with pytest.raises(ExportError, match=r"no network that could be exported, but code\. Export"):
        export_head(embedded, stored, str(tmp_path / "whole.onnx"), with_encoder=True)
    assert list(tmp_path.glob("*.onnx")) == []
    assert export_head(embedded, stored, str(tmp_path / "head.onnx")).checked == 40
