"""What is said of a map, and what is refused."""

import io
import json
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image

from icehouse.embedder import Encoder, PreprocessSpec, embed, list_source, seen
from icehouse.errors import ImageError, UsageError
from icehouse.explain import (
    Explained,
    Explainer,
    ExplainOptions,
    Explanation,
    explain_dataset,
    explain_files,
    first_layer,
)
from icehouse.explain._scores import cells, likeness
from icehouse.explain._sight import look
from icehouse.heads import FitOptions, fit_head, load_head
from icehouse.report import explain_picture, explained_png, explained_sheet, first_layer_png


def as_png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("method", ["occlusion", "lime", "grad-cam"])
def test_the_order_of_the_map_is_better_than_a_random_one(ask, scene, method):
    said = ask("logistic").explain(scene("corner", "disc", 1001), "", ExplainOptions(method))
    scores = said.explanation.scores
    assert scores.deletion < scores.random_deletion - 0.2
    assert scores.insertion > scores.random_insertion + 0.05


def test_an_order_turned_around_is_worse(ask, scene):
    from icehouse.explain._question import Question
    from icehouse.explain._scores import scores_of

    explainer = ask("logistic")
    explained = explainer.explain(scene("corner", "disc", 1001))
    sight = look(explainer._encoders, scene("corner", "disc", 1001), "blur")
    scores = scores_of(sight, Question(explainer.stored, 0), -explained.map, 0)
    assert scores.deletion > scores.random_deletion + 0.03
    assert scores.insertion < scores.random_insertion - 0.2


@pytest.mark.parametrize("method", ["lime", "grad-cam"])
def test_a_head_with_shuffled_weights_has_another_map(ask, scene, method):
    options = ExplainOptions(method, scores=False, check=True)
    found = [
        ask("logistic").explain(scene("corner", "disc", n), "", options).explanation
        for n in (1001, 1002)
    ]
    assert all(each.passed for each in found)
    assert all(abs(each.randomised) < 0.5 for each in found)


@pytest.mark.parametrize("head", ["mlp", "stack"])
def test_weights_of_other_heads_can_be_shuffled(ask, scene, head):
    explainer = ask(head)
    options = ExplainOptions(scores=False, check=True)
    assert explainer.explain(scene("corner", "disc", 1001), "", options).explanation.passed


def test_shuffling_leaves_the_head_as_it_was(scenes):
    from icehouse.explain._question import Question

    stored = load_head(scenes, "corner", "stack")
    features = np.random.default_rng(0).normal(size=(6, stored.head.n_features_in_))
    before = stored.calibrated(features.astype(np.float32))
    other = Question(stored, 0).shuffled(np.random.default_rng(0))
    assert not np.allclose(other(features.astype(np.float32)), before[:, 0])
    assert np.array_equal(stored.calibrated(features.astype(np.float32)), before)


def test_a_map_that_asks_no_head_fails_the_check(scenes):
    from icehouse.explain._question import Question

    edges = np.random.default_rng(0).normal(size=(64, 64))
    question = Question(load_head(scenes, "corner", "logistic"), 0)
    assert likeness(lambda _: edges, question, 0) == (pytest.approx(1.0), False)
    assert likeness(lambda _: np.zeros((64, 64)), question, 0) == (1.0, False)
    signs = iter([1, 1, -1] * 4)  # of the head that is explained, and of ten others
    mean, changed = likeness(lambda _: edges * next(signs), question, 0)
    assert abs(mean) < 0.5
    assert not changed


def test_cells_are_means():
    values = np.arange(28.0 * 28).reshape(28, 28)
    assert cells(values).mean() == pytest.approx(values.mean())
    assert cells(values)[0] == values[:2, :2].mean()


def test_an_explanation_is_json(ask, scene):
    options = ExplainOptions(scores=True, check=True)
    said = ask("logistic").explain(scene("corner", "disc", 1001), "a.png", options).explanation
    assert json.loads(json.dumps(asdict(said)))["scores"]["deletion"] == said.scores.deletion
    assert said.unit == "change of probability"
    assert (said.task, said.head, said.name) == ("corner", "logistic", "a.png")


def test_bad_input_is_named(ask, scene):
    explainer = ask("logistic")
    with pytest.raises(UsageError, match=r"no method 'shap'; give one of: occlusion, lime,"):
        ExplainOptions("shap")
    with pytest.raises(UsageError, match=r"hidden by: blur, mean; got 'black'"):
        ExplainOptions(hide="black")
    with pytest.raises(UsageError, match=r"a seed is 0 or more"):
        ExplainOptions(seed=-1)
    with pytest.raises(UsageError, match=r"has no class 'ring'; it has: disc, none"):
        explainer.explain(scene("corner", "disc", 1001), "", ExplainOptions(shown="ring"))
    with pytest.raises(ImageError, match=r"not-an-image"):
        explainer.explain(b"no picture at all")
    with pytest.raises(UsageError, match=r"1x1 pixels has no parts to tell apart"):
        explainer.explain(as_png(np.zeros((1, 1, 3), np.uint8)))


def test_a_picture_of_one_colour_is_explained_by_nothing(ask):
    flat = as_png(np.full((20, 30, 3), 120, np.uint8))
    explained = ask("logistic").explain(flat, "", ExplainOptions(check=True))
    assert np.abs(explained.map).max() < 1e-3
    assert explained_png(explained)


def test_files_that_are_no_pictures_do_not_stop_the_others(ask, scene, tmp_path):
    (tmp_path / "a.png").write_bytes(scene("corner", "disc", 1001))
    (tmp_path / "b.png").write_text("text")
    paths = [tmp_path / name for name in ("b.png", "a.png", "c.png")]
    options = ExplainOptions(scores=False)
    wrong, right, gone = explain_files(ask("logistic"), paths, options)
    assert isinstance(right, Explained)
    assert isinstance(wrong, Explanation)
    assert "not-an-image" in wrong.error
    assert "unreadable" in gone.error
    with pytest.raises(UsageError, match=r"no class 'ring'"):
        next(explain_files(ask("logistic"), [], ExplainOptions(shown="ring")), None)


def test_a_dataset_is_explained_evenly(scenes, ask):
    options = ExplainOptions(scores=False)
    found = list(explain_dataset(scenes, ask("logistic"), "corner", options, 3))
    names = [each.explanation.name for each in found]
    assert names == ["disc/00.png", "none/00.png", "none/29.png"]
    with pytest.raises(UsageError, match=r"no images to explain|no dataset"):
        next(explain_dataset(scenes, ask("logistic"), "nothing", options))


def test_pictures_are_drawn(ask, scene):
    data = scene("corner", "disc", 1001)
    said, drawn = explain_picture(ask("logistic"), data, "a.png", ExplainOptions(scores=False))
    assert said.shown == "disc"
    with Image.open(io.BytesIO(drawn)) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB")).astype(int)
    top, left, side = 44, 416, 384
    overlay = pixels[top : top + side, left : left + side]
    warmth = overlay[..., 0] - overlay[..., 2]
    assert warmth[: side // 2, : side // 2].mean() > 20 + warmth[side // 2 :, side // 2 :].mean()
    explained = ask("logistic").explain(data, "", ExplainOptions(scores=False))
    sizes = []
    for several in ([explained], [explained] * 3):
        with Image.open(io.BytesIO(explained_sheet(several))) as sheet:
            sizes.append(sheet.size)
    assert sizes[1] == (2 * sizes[0][0], 2 * sizes[0][1])


def test_the_first_layer_is_drawn(ask, scene):
    layer = first_layer(ask("logistic"), scene("corner", "disc", 1001))
    count = len(layer.kernels)
    assert layer.kernels.shape[3] == 3
    assert layer.maps.shape[0] == count
    with Image.open(io.BytesIO(first_layer_png(layer))) as image:
        assert image.width > 100


def test_a_transformer_has_no_maps_for_grad_cam(store, scene, clip_folder, tmp_path):
    for name in ("disc", "none"):
        (tmp_path / "some" / name).mkdir(parents=True)
        for number in range(8):
            (tmp_path / "some" / name / f"{number}.png").write_bytes(scene("corner", name, number))
    embed(store, list_source(tmp_path / "some"), f"clip:local-dir:{clip_folder}")
    fit_head(store, "logistic", options=FitOptions())
    explainer = Explainer(store, load_head(store, "some", "logistic"))
    data = scene("corner", "disc", 1001)
    with pytest.raises(UsageError, match=r"grad-cam needs feature maps.*integrated-gradients"):
        explainer.explain(data, "", ExplainOptions("grad-cam"))
    found = explainer.explain(data, "", ExplainOptions("integrated-gradients", scores=False))
    assert found.map.shape == (32, 32)
    assert first_layer(explainer, data).kernels.shape[1:] == (8, 8, 3)


class Seen:
    """An encoder that keeps what it was shown."""

    def __init__(self, encoder: Encoder, spec: PreprocessSpec) -> None:
        self.spec = type("Spec", (), {"preprocess": spec, "stored_as": "float32"})
        self.shown = []
        self.preprocess = lambda image: np.resize(image, (*spec.size, 3)).astype(np.uint8)

    def encode(self, batch):
        self.shown.append(batch)
        return batch.reshape(len(batch), -1)[:, :4].astype(np.float32)


def test_another_encoder_hides_what_lies_in_the_same_place(encoder):
    squash = PreprocessSpec(size=(32, 32), resize_to=(32, 32), resize="squash")
    crop = PreprocessSpec(size=(64, 64), resize_to=(64, 64))
    first, second = Seen(encoder, crop), Seen(encoder, squash)
    random = np.random.default_rng(0).integers(0, 256, (64, 128, 3), np.uint8)
    sight = look([first, second], as_png(random), "mean")
    mask = np.zeros((1, 64, 64), bool)
    mask[:, :, 32:] = True  # the right half of the middle of the picture
    sight.vectors(mask)
    changed = (second.shown[0][0] != sight.views[1].pixels).any(axis=2).mean(axis=0)
    assert changed[:14].max() == 0  # of 32 columns the middle is 8 to 24
    assert changed[17:23].min() > 0.9
    assert changed[26:].max() == 0


@pytest.mark.parametrize("resize", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("shape", [(100, 200), (200, 100), (64, 64), (8, 600)])
def test_what_is_seen_is_what_preprocess_shows(shape, resize):
    from icehouse.embedder._preprocess import preprocess

    spec = PreprocessSpec(size=(64, 64), resize_to=(72, 72), resize=resize, fill=(0, 0, 0))
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]]
    ramps = [255 * (y + 0.5) / shape[0], 255 * (x + 0.5) / shape[1], np.full(shape, 255)]
    found = preprocess(np.stack(ramps, axis=2).round().astype(np.uint8), spec).astype(float)
    top, left, bottom, right = seen(shape, spec)
    inside = found[..., 2] == 255
    expected = top + (np.arange(64) + 0.5) * (bottom - top) / 64
    rows = np.broadcast_to(expected[:, None], (64, 64))[inside]
    assert found[..., 0][inside] / 255 == pytest.approx(rows, abs=0.02)
    expected = left + (np.arange(64) + 0.5) * (right - left) / 64
    columns = np.broadcast_to(expected, (64, 64))[inside]
    assert found[..., 1][inside] / 255 == pytest.approx(columns, abs=0.02)
