"""The encoder by which duplicates are found; the contract that it shares is tested with others."""

from __future__ import annotations

import numpy as np
import pytest

from icehouse.embedder import EncoderRequest, PictureOptions, open_encoder
from icehouse.errors import UnknownEncoder, UsageError


def test_it_is_grey_levels_that_float16_holds_exactly(photos):
    encoder = open_encoder("thumbnail")
    pixels = np.stack([encoder.preprocess(photo) for photo in photos])
    vectors = encoder.encode(pixels)
    assert vectors.shape == (len(photos), 256)
    assert (vectors == vectors.round()).all()
    assert (vectors.astype(np.float16).astype(np.float32) == vectors).all()
    red = np.zeros((1, 16, 16, 3), np.uint8)
    red[..., 0] = 255
    assert (encoder.encode(red) == 76).all()


def test_a_picture_of_any_shape_is_squashed_and_not_cut():
    picture = np.zeros((40, 400, 3), np.uint8)
    picture[:, :100] = 200
    thumbnail = open_encoder("thumbnail")
    grey = thumbnail.encode(thumbnail.preprocess(picture)[None]).reshape(16, 16)
    assert (grey[:, :3] == 200).all()
    assert (grey[:, 5:] == 0).all()


def test_it_is_made_in_one_way():
    with pytest.raises(UnknownEncoder, match="takes nothing after it"):
        open_encoder("thumbnail:small")
    with pytest.raises(UsageError, match="float32, not bfloat16"):
        open_encoder(EncoderRequest("thumbnail", "bfloat16"))
    with pytest.raises(UsageError, match="made in one way"):
        open_encoder(EncoderRequest("thumbnail", pictures=PictureOptions(adjust=("grayscale",))))
