"""Captions of classes: given one by one, read from a file, or made of the names of classes.

Several captions of one class are averaged later, which is what Radford et al. (2021, "Learning
transferable visual models from natural language supervision") call an ensemble of prompts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from icehouse.errors import UsageError

Prompts = Mapping[str, tuple[str, ...]]
"""Captions by class; every class has one at least."""

TEMPLATES = ("a photo of a {}.",)
"""What is put around the names of a task's classes, where nothing else is said."""
HOLE = "{}"
AS_IT_STANDS = (HOLE,)


def parse_captions(said: Sequence[str]) -> Prompts:
    """Read captions as they are typed: ``field=a photo of a field``, or a caption alone.

    A caption alone is a class of its own, called as the caption. A class that is said several
    times has several captions.

    Raises
    ------
    UsageError
        One is empty, or is said twice; fewer than two classes.

    Examples
    --------
    >>> parse_captions(["sea=the sea", "sea=waves", "land"])
    {'sea': ('the sea', 'waves'), 'land': ('land',)}
    """
    pairs = []
    for text in said:
        name, equals, caption = text.partition("=")
        pairs.append((name, caption) if equals else (text, text))
    return _checked(pairs, "--captions")


def read_prompts(path: str | Path) -> Prompts:
    """Read a file of captions.

    Parameters
    ----------
    path : str or Path
        Lines of a class, a tab or an equals sign, and a caption; or a JSON object with a caption,
        or a list of them, for each class.

    Raises
    ------
    UsageError
        It cannot be read, is empty or something else; otherwise as :func:`parse_captions`.
    """
    text = _read(path)
    if text.startswith("{"):
        return _checked(_json_pairs(text, path), str(path))
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        parts = re.split(r"\t" if "\t" in line else r"=>?", line, maxsplit=1)
        if len(parts) != 2:
            raise UsageError(
                f"line {number} of {path} is no class with a caption: {line.strip()!r}. "
                "Put a tab or an equals sign between the two"
            )
        pairs.append((parts[0], parts[1]))
    return _checked(pairs, str(path))


def read_templates(path: str | Path) -> list[str]:
    """Read a file with a template on each line.

    Raises
    ------
    UsageError
        It cannot be read, or is empty.
    """
    return [line.strip() for line in _read(path).splitlines() if line.strip()]


def class_prompts(classes: Iterable[str]) -> Prompts:
    """Let the names of classes be their captions, with spaces for the underscores of folders."""
    return _checked([(name, name.replace("_", " ")) for name in classes], "the task's classes")


def fill_templates(prompts: Prompts, templates: Sequence[str]) -> Prompts:
    """Put every template around every caption.

    Raises
    ------
    UsageError
        A template has no place for the caption, or is given twice.

    Examples
    --------
    >>> fill_templates({"sea": ("sea",), "land": ("land",)}, ["a photo of the {}.", "a {}"])
    {'sea': ('a photo of the sea.', 'a sea'), 'land': ('a photo of the land.', 'a land')}
    """
    for number, template in enumerate(templates):
        if HOLE not in template:
            raise UsageError(
                f"template {template!r} has no {HOLE} where the name of a class could stand; "
                f"give one like {TEMPLATES[0]!r}"
            )
        if template in templates[:number]:
            raise UsageError(f"template {template!r} is given twice; leave one out")
    return {
        name: tuple(t.replace(HOLE, caption) for caption in captions for t in templates)
        for name, captions in prompts.items()
    }


def _checked(pairs: Iterable[tuple[str, str]], where: str) -> Prompts:
    prompts: dict[str, tuple[str, ...]] = {}
    said: dict[str, str] = {}
    for name, caption in ((name.strip(), caption.strip()) for name, caption in pairs):
        if not name or not caption:
            raise UsageError(
                f"a class without a caption, or a caption without a class, in {where}: "
                f"{name!r} = {caption!r}"
            )
        same = " ".join(caption.casefold().split())  # as tokenizers see it
        if said.get(same) == name:
            raise UsageError(f"class {name!r} has the caption {caption!r} twice in {where}")
        if same in said:
            raise UsageError(
                f"classes {said[same]!r} and {name!r} have the same caption in {where}, "
                f"{caption!r}: no image could be told to be one or the other"
            )
        said[same] = name
        prompts[name] = (*prompts.get(name, ()), caption)
    if len(prompts) < 2:
        have = f"one class only, {next(iter(prompts))!r}" if prompts else "no captions"
        raise UsageError(f"{where}: {have}; images are compared with two classes or more")
    return prompts


def _json_pairs(text: str, path: str | Path) -> list[tuple[str, str]]:
    def object_of(members: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        return members  # as pairs, since a class that is said twice would hide the first

    try:
        members = json.loads(text, object_pairs_hook=object_of)
    except ValueError as error:
        raise UsageError(f"{path} begins as a JSON object and is none: {error}") from error
    pairs = []
    for name, captions in members:
        listed = [captions] if isinstance(captions, str) else captions
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise UsageError(
                f"class {name!r} in {path} has no list of captions; "
                'write {"field": ["a photo of a field", "farmland"], …}'
            )
        pairs += [(name, caption) for caption in listed or [""]]
    return pairs


def _read(path: str | Path) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8-sig").strip("\n\r ")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as text: {error}") from error
    if not text:
        raise UsageError(f"{path} is empty; write a caption or template on each line")
    return text
