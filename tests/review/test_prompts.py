"""Captions as they are typed, and as they stand in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from icehouse.errors import UsageError
from icehouse.review import parse_captions, read_prompts, read_templates
from icehouse.review._prompts import class_prompts, fill_templates


def test_a_caption_alone_is_a_class_and_a_class_has_any_number_of_captions() -> None:
    said = ["sea = the sea", "a photo of land", "sea=waves", "sum=1+1=2"]
    assert parse_captions(said) == {
        "sea": ("the sea", "waves"),
        "a photo of land": ("a photo of land",),
        "sum": ("1+1=2",),
    }


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([], "no captions; images are compared with two classes"),
        (["sea"], "one class only, 'sea'"),
        (["sea=waves", "sea=water"], "one class only, 'sea'"),
        (["sea=", "land"], "a class without a caption"),
        (["=waves", "land"], "a caption without a class"),
        (["  ", "land"], "a class without a caption"),
        (["sea=waves", "sea=Waves ", "land"], "'sea' has the caption 'Waves' twice"),
        (["sea=big  waves", "lake=Big waves"], "'sea' and 'lake' have the same caption"),
    ],
    ids=lambda value: "; ".join(value) if isinstance(value, list) else "",
)
def test_captions_that_make_no_classes_are_refused(said: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_captions(said)


@pytest.mark.parametrize(
    "text",
    [
        "sea\tthe sea\nland\tland = earth\n\nsea\twaves\n",
        "\ufeffsea = the sea\r\nland=land = earth\r\nsea => waves\r\n",
        '{"sea": ["the sea", "waves"], "land": "land = earth"}',
        '\n{"sea": ["the sea"], "land": ["land = earth"], "sea": "waves"}\n',
    ],
    ids=["tabs", "equals signs", "json", "json twice"],
)
def test_a_file_of_captions_is_lines_or_json(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes(text.encode())
    assert read_prompts(file) == {"sea": ("the sea", "waves"), "land": ("land = earth",)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"sea=waves\n\nland", "line 3 of .* is no class with a caption: 'land'"),
        (b"sea=waves", "one class only"),
        (b"{}", "no captions"),
        (b'{"sea": ["waves"', "begins as a JSON object and is none"),
        (b'{"sea": {"a": "b"}, "land": "x"}', "'sea' in .* has no list of captions"),
        (b'{"sea": ["waves", 3], "land": "x"}', "'sea' in .* has no list of captions"),
        (b'{"sea": [], "land": "x"}', "a class without a caption"),
        (b'{"sea": ["x"], "sea": ["x"], "land": "y"}', "'sea' has the caption 'x' twice"),
        (b"\xff\xfe\x00", "cannot be read as text"),
    ],
)
def test_a_file_that_is_something_else_is_refused(
    tmp_path: Path, text: bytes, message: str
) -> None:
    file = tmp_path / "prompts.txt"
    file.write_bytes(text)
    with pytest.raises(UsageError, match=message):
        read_prompts(file)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.txt cannot be read"):
        read_templates(tmp_path / "none.txt")


def test_templates_are_put_around_every_caption(tmp_path: Path) -> None:
    file = tmp_path / "templates.txt"
    file.write_text("a photo of a {}.\n\n{} and {}, {x}\n")
    filled = fill_templates(class_prompts(["golden_dog", "cat"]), read_templates(file))
    assert filled["golden_dog"] == ("a photo of a golden dog.", "golden dog and golden dog, {x}")
    assert filled["cat"] == ("a photo of a cat.", "cat and cat, {x}")


@pytest.mark.parametrize(
    ("templates", "message"),
    [(["a photo"], "'a photo' has no {} where"), (["a {}", "a {}"], "'a {}' is given twice")],
)
def test_templates_without_a_place_or_given_twice_are_refused(
    templates: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        fill_templates({"sea": ("sea",), "land": ("land",)}, templates)


def test_classes_whose_names_come_to_one_caption_are_refused() -> None:
    with pytest.raises(UsageError, match="'big_dog' and 'Big dog' have the same caption"):
        class_prompts(["big_dog", "Big dog"])
