"""Names that are too long for their place."""

import pytest

from icehouse.report._names import ending, squeezed, without_codes


def at_most(length):
    return lambda text: len(text) <= length


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["n01-cat", "n02-dog"], ["cat", "dog"]),
        (["1. cat", "22_dog"], ["cat", "dog"]),
        (["n01-cat", "dog"], ["n01-cat", "dog"]),  # not all have one
        (["n01-cat", "n02-cat"], ["n01-cat", "n02-cat"]),  # the number is all that differs
        (["n01-", "n02-"], ["n01-", "n02-"]),
        (["2019", "2020"], ["2019", "2020"]),
        (["3d-model", "2d-model"], ["3d-model", "2d-model"]),
        ([], []),
    ],
)
def test_numbers_are_left_out_where_they_tell_nothing(names, shown):
    assert without_codes(names) == dict(zip(names, shown, strict=True))


@pytest.mark.parametrize("shorten", [squeezed, ending])
@pytest.mark.parametrize("length", [1, 2, 3, 7, 20, 21])
def test_what_is_shortened_is_as_long_as_fits(shorten, length):
    text = "a photograph of woods"
    assert len(text) == 21
    assert len(shorten(text, at_most(length))) == length
    assert ("…" in shorten(text, at_most(length))) == (length < 21)
    assert shorten(text, at_most(0)) == "…"


def test_both_ends_of_a_name_stay_and_the_end_of_a_path():
    assert squeezed("n02085620-Chihuahua", at_most(11)) == "n02…ihuahua"
    assert ending("a/b/c.png", at_most(6)) == "…c.png"
