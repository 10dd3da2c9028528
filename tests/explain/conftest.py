"""Pictures of which it is known what decides: a red disc in one corner, a colour, or a shape."""

import io
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import Image, ImageDraw

from icehouse.embedder import (
    Encoder,
    choose_encoder,
    embed,
    list_source,
    one_torch_thread,
    open_encoder,
    reopen_encoder,
)
from icehouse.explain import Explainer
from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.store import Store, parts_of

SIDE = 64
COUNT = 30
COLOURS = {"red": (220, 60, 60), "green": (40, 140, 50)}
CLASSES = {"corner": ("disc", "none"), "looks": ("green", "red", "square")}


def draw(task: str, name: str, number: int) -> Image.Image:
    """Draw one picture of a class of a task."""
    random = np.random.default_rng([len(task), sum(map(ord, name)), number])
    noise = random.integers(90, 140, (SIDE, SIDE, 1)).repeat(3, axis=2).astype(np.uint8)
    image = Image.fromarray(noise)
    pen = ImageDraw.Draw(image)
    if task == "corner":
        for left, top in ((36, 4), (4, 36), (36, 36)):  # of both classes
            x, y = left + int(random.integers(-2, 3)), top + int(random.integers(-2, 3))
            pen.rectangle([x, y, x + 20, y + 20], fill=tuple(random.integers(60, 180, 3).tolist()))
        if name == "disc":
            x, y = random.integers(2, 8, 2).tolist()
            pen.ellipse([x, y, x + 22, y + 22], fill=(230, 30, 30))
    else:
        x, y = random.integers(4, 24, 2).tolist()
        any_colour = tuple(random.integers(60, 220, 3).tolist())
        draw = pen.rectangle if name == "square" else pen.ellipse
        draw([x, y, x + 34, y + 34], fill=COLOURS.get(name, any_colour))
    return image


def png(task: str, name: str, number: int) -> bytes:
    """Return one picture of a class of a task as a file."""
    buffer = io.BytesIO()
    draw(task, name, number).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def scene() -> Callable[[str, str, int], bytes]:
    """What draws pictures that no head has seen: numbers from 1,000 on."""
    return png


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with tasks corner, of several heads and two encoders, and looks."""
    folder = tmp_path_factory.mktemp("scenes")
    store = Store.create(folder / "scenes.icehouse")
    with one_torch_thread():
        for task, names in CLASSES.items():
            for name in names:
                (folder / task / name).mkdir(parents=True)
                for number in range(COUNT):
                    draw(task, name, number).save(folder / task / name / f"{number:02d}.png")
            embed(store, list_source(folder / task), "tiny", dataset=task)
            fit_head(store, "logistic", options=FitOptions(task=task))
        embed(store, list_source(folder / "corner"), "descriptor", dataset="corner")
        fit_head(store, "mlp", {"hidden": 32}, FitOptions(task="corner", encoder="tiny"))
        forest = FitOptions(task="corner", encoder="descriptor")
        fit_head(store, "forest", {"n_estimators": 30}, forest)
        for name, of in (("same", ("logistic", "mlp")), ("both", ("logistic", "forest"))):
            fit_head(store, "ensemble", options=FitOptions(task="corner", name=name, of=of))
        stack = FitOptions(task="corner", name="stack", of=("logistic", "mlp"))
        fit_head(store, "ensemble", {"method": "stack"}, stack)
    return store


@pytest.fixture(scope="session")
def encoder(scenes: Store) -> Encoder:
    """The encoder tiny, on torch."""
    return reopen_encoder(scenes, choose_encoder(scenes, "tiny"), "torch")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small pictures by small batches: threads would wait for each other."""
    with one_torch_thread():
        yield


@pytest.fixture
def ask(scenes: Store, encoder: Encoder) -> Callable[..., Explainer]:
    """What makes an explainer of a head on tiny, which is opened once."""
    return lambda head, task="corner": Explainer(scenes, load_head(scenes, task, head), [encoder])


@pytest.fixture
def both(scenes: Store, encoder: Encoder) -> Explainer:
    """An explainer of a head on two encoders, tiny and descriptor."""
    stored = load_head(scenes, "corner", "both")
    open_now = {encoder.spec.encoder_id: encoder}
    other = open_encoder("descriptor")
    open_now[other.spec.encoder_id] = other
    return Explainer(scenes, stored, [open_now[i] for i in parts_of(stored.card.encoder_id)])
