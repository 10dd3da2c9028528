"""Listening to modules of a network while it computes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch

Hook = Callable[[torch.nn.Module, torch.Tensor], torch.Tensor | None]


@contextmanager
def listening(modules: Iterable[torch.nn.Module], hook: Hook) -> Iterator[None]:
    """Call a function with each output of modules, which may return another one in its place.

    Only for what this thread computes: others may encode with the same network meanwhile.
    """
    here = threading.get_ident()

    def forward(module: torch.nn.Module, _: object, output: object) -> torch.Tensor | None:
        if threading.get_ident() != here or not isinstance(output, torch.Tensor):
            return None
        return hook(module, output)

    hooks = [module.register_forward_hook(forward) for module in modules]
    try:
        yield
    finally:
        for each in hooks:
            each.remove()
