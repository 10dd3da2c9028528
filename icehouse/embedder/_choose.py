"""Which of the store's encoders is meant."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from icehouse.embedder import _canary
from icehouse.embedder._encoder import THUMBNAIL, Encoder, EncoderRequest
from icehouse.embedder._engine import open_on
from icehouse.embedder._spec import PictureOptions
from icehouse.errors import LookupFailed, WeightsError
from icehouse.store import Store


def find_request(store: Store, request: EncoderRequest) -> str | None:
    """Return the encoder_id that a request came to be before, without loading anything.

    The answer holds only while the local files that the encoder is made of are unchanged by
    size and time, and for as long as nothing is to be encoded: an encoder that is opened is
    fingerprinted anew.
    """
    for encoder_id, card in store.encoder_cards().items():
        asked, spec = card["request"], card["spec"]
        if (
            asked["name"] == request.name
            and request.precision in (None, spec["precision"])
            and request.stored_as == spec["stored_as"]
            and asked["stamps"] == _stamps(request)
            and replace(request_of(card).pictures, statistics=None) == request.pictures
        ):
            return encoder_id
    return None


def request_of(card: dict[str, Any]) -> EncoderRequest:
    """Return the request that opens an encoder of a store again, as it was resolved then."""
    asked, spec = card["request"], card["spec"]
    pictures = _pictures(card)
    if pictures.normalise == "dataset":
        mean, std = (tuple(spec["preprocess"][name]) for name in ("mean", "std"))
        pictures = replace(pictures, statistics=(mean, std))
    return EncoderRequest(asked["name"], spec["precision"], asked["stored_as"], pictures)


def usual_encoders(store: Store) -> dict[str, dict[str, Any]]:
    """Return the cards of the encoders that are meant where none is named, by encoder_id.

    They are all but thumbnails, which are there to find duplicates by; these only where there is
    nothing else.
    """
    cards = store.encoder_cards()
    usual = {i: card for i, card in cards.items() if card["request"]["name"] != THUMBNAIL}
    return usual or cards


def choose_encoder(store: Store, text: str | None = None) -> str:
    """Return the encoder_id that a text names: a name, an encoder_id or the start of one.

    Parameters
    ----------
    store : Store
    text : str, optional
        None: the only one but for thumbnails. Of several with one name, the one without options
        is meant.

    Raises
    ------
    LookupFailed
        None, or more than one, is meant.
    """
    cards = usual_encoders(store) if text is None else store.encoder_cards()
    name = EncoderRequest(text).name if text else None
    found = [
        encoder_id
        for encoder_id, card in cards.items()
        if text is None or card["request"]["name"] == name or encoder_id.startswith(text)
    ]
    plain = [i for i in found if spoken(cards[i]) == name]
    if len(found) == 1 or len(plain) == 1:
        return (plain or found)[0]
    if not cards:
        raise LookupFailed("the store has no features yet. Make some with: icehouse embed")
    have = "; ".join(f"{i} ({spoken(card)})" for i, card in cards.items())
    if not found:
        raise LookupFailed(f"the store has no encoder {text!r}; it has: {have}")
    raise LookupFailed(f"the store has several encoders; choose one with --encoder: {have}")


def spoken(card: dict[str, Any]) -> str:
    """Return what was asked for, with the options that made it another encoder."""
    pictures, usual = _pictures(card), PictureOptions()
    options = [
        f"--{option.name} {','.join(said) if isinstance(said, tuple) else said}"
        for option in fields(PictureOptions)
        if option.name != "statistics"
        and (said := getattr(pictures, option.name)) != getattr(usual, option.name)
    ]
    return " ".join([str(card["request"]["name"]), *options])


def reopen_encoder(store: Store, encoder_id: str, engine: str = "auto", images: int = 0) -> Encoder:
    """Load an encoder of the store again, and check its canary.

    Parameters
    ----------
    store : Store
    encoder_id : str
    engine : {"auto", "torch", "openvino"}
        "auto" takes OpenVINO where an earlier run found it to be faster, or where there is so much
        to encode that it is worth finding out.
    images : int
        How many there are to encode.

    Raises
    ------
    WeightsError
        Its weights are not what they were.
    CanaryError
        It computes something else than before.
    """
    card: dict[str, Any] = store.features(encoder_id).card
    request = request_of(card)
    if request.local_path is not None and not request.local_path.exists():
        raise WeightsError(
            f"encoder {encoder_id} was loaded from {request.local_path}, which is gone. If it has "
            "moved, tell the store where to: embed any of its datasets again with --encoder and "
            "the new path; nothing is encoded twice"
        )
    encoder = open_on(request, engine, images).encoder
    if encoder.spec.encoder_id != encoder_id:
        raise WeightsError(
            f"{request.name} is no longer the encoder {encoder_id}: it is now "
            f"{encoder.spec.encoder_id}. Its weights or settings were replaced; bring back the "
            f"old ones, or embed again"
        )
    _canary.check_canary(store, encoder)
    return encoder


def _pictures(card: dict[str, Any]) -> PictureOptions:
    said = card["request"].get("pictures", {})
    return PictureOptions(**{**said, "adjust": tuple(said.get("adjust", ()))})


def _stamps(request: EncoderRequest) -> list[list[Any]] | None:
    try:
        return request.stamps()
    except OSError:  # moved away: what is stored can still be used
        return None
