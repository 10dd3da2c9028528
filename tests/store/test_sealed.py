"""Sealed files: any changed byte shows."""

from __future__ import annotations

import json

import pytest

from icehouse.store import seal_of, sealed, unsealed

DAMAGED = r"seal|Expecting|Invalid|decode|Extra data|Unterminated"
VALUES = {"name": "Gänse", "numbers": [1, 0.1, None], "inside": {"b": 1, "a": 2}}


def test_what_was_sealed_comes_back():
    assert unsealed(sealed(VALUES)) == VALUES
    assert json.loads(sealed(VALUES))["seal"] == seal_of(VALUES)


def test_the_seal_does_not_depend_on_the_order_of_keys():
    assert seal_of({"a": 1, "b": 2}) == seal_of({"b": 2, "a": 1})


def test_every_changed_byte_is_seen():
    data = sealed(VALUES)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x01
        with pytest.raises(ValueError, match=DAMAGED):
            unsealed(bytes(changed))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"a": 1}', b"\xff", b'{"seal": null}'])
def test_what_has_no_seal_is_refused(data):
    with pytest.raises(ValueError, match=DAMAGED):
        unsealed(data)
