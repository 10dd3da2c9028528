"""Maps lie where the answer comes from."""

import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit

from icehouse.errors import UsageError
from icehouse.explain import METHODS, Explainer, ExplainOptions
from icehouse.explain._gradients import grad_cam, integrated_gradients
from icehouse.explain._hooks import listening
from icehouse.explain._logits import logit_of
from icehouse.explain._occlusion import WINDOWS, spread, windows
from icehouse.explain._question import Question
from icehouse.explain._sight import look
from icehouse.heads import load_head, make_head
from icehouse.review import predict_files

CORNER = (slice(0, 32), slice(0, 32))  # a quarter of the picture, in which the disc is
BY_HIDING = ("occlusion", "lime", "black-and-white")
NO_SCORES = {"scores": False}


def mass(explained):
    """Share of what speaks for the class that lies in the corner."""
    positive = np.maximum(explained.map, 0)
    return positive[CORNER].sum() / positive.sum()


BY_GRADIENT = ("integrated-gradients", "grad-cam")
EACH = [("logistic", method) for method in METHODS] + [
    (head, method) for head in ("mlp", "same", "stack") for method in BY_GRADIENT
]


@pytest.mark.parametrize(("head", "method"), EACH)
def test_the_map_lies_on_the_corner_that_decides(ask, scene, head, method):
    options = ExplainOptions(method, **NO_SCORES)
    found = [ask(head).explain(scene("corner", "disc", n), "", options) for n in (1001, 1002)]
    assert all(each.explanation.predicted == ("disc",) for each in found)
    assert np.mean([mass(each) for each in found]) > (0.4 if method in BY_HIDING else 0.33)


@pytest.mark.parametrize("method", ["occlusion", "lime"])
def test_an_encoder_without_a_network_can_be_asked(scenes, scene, method):
    explainer = Explainer(scenes, load_head(scenes, "corner", "forest"))
    options = ExplainOptions(method, **NO_SCORES)
    found = explainer.explain(scene("corner", "disc", 1001), "", options)
    assert found.explanation.predicted == ("disc",)
    assert mass(found) > 0.33


def test_a_head_on_several_encoders_can_be_asked(both, scene):
    options = ExplainOptions(scores=False, check=True)
    found = both.explain(scene("corner", "disc", 1001), "", options)
    assert found.explanation.predicted == ("disc",)
    assert found.explanation.passed
    assert mass(found) > 0.4
    assert found.map.shape == (64, 64)


def test_without_colour_a_class_of_colour_goes_and_one_of_shape_stays(ask, scene):
    explainer = ask("logistic", "looks")
    options = ExplainOptions("black-and-white", **NO_SCORES)
    red = explainer.explain(scene("looks", "red", 1002), "", options)
    assert red.explanation.predicted == ("red",)
    assert red.explanation.hidden < 0.3 < 0.6 < red.explanation.probability
    assert np.ptp(red.without_colour, axis=2).max() == 0
    square = explainer.explain(scene("looks", "square", 1002), "", options).explanation
    assert square.predicted == ("square",)
    assert square.hidden > 0.7


def test_two_pictures_of_one_kind_give_the_same_twice(ask, scene):
    data = scene("corner", "disc", 1001)
    options = ExplainOptions("lime", check=True)
    first, again = (ask("logistic").explain(data, "", options) for _ in range(2))
    assert first.explanation == again.explanation
    assert np.array_equal(first.map, again.map)
    other = ask("logistic").explain(data, "", ExplainOptions("lime", seed=1, scores=False))
    assert not np.array_equal(first.map, other.map)


def test_the_head_is_asked_as_predict_asks_it(scenes, ask, scene, tmp_path):
    (tmp_path / "a.png").write_bytes(scene("corner", "disc", 1003))
    stored = load_head(scenes, "corner", "logistic")
    [predicted] = predict_files(scenes, stored, [tmp_path / "a.png"])
    said = ask("logistic").explain((tmp_path / "a.png").read_bytes()).explanation
    assert said.predicted == predicted.predicted
    assert said.image_id == predicted.image_id
    assert list(said.probabilities) == list(predicted.probabilities)
    assert said.probabilities == pytest.approx(predicted.probabilities, abs=0.02)


def test_what_speaks_for_one_of_two_classes_speaks_against_the_other(ask, scene):
    data = scene("corner", "disc", 1001)
    maps = [
        ask("logistic").explain(data, "", ExplainOptions(method, shown, **NO_SCORES)).map
        for method in ("occlusion", "grad-cam")
        for shown in ("disc", "none")
    ]
    assert maps[0] == pytest.approx(-maps[1], abs=1e-6)
    assert maps[2] == pytest.approx(-maps[3], abs=1e-4)


@pytest.fixture
def exact(scene):
    """The encoder tiny in float32, and what it sees of a picture."""
    from icehouse.embedder import EncoderRequest, open_encoder

    encoder = open_encoder(EncoderRequest("tiny", "float32"))
    return encoder, look([encoder], scene("corner", "disc", 1001), "blur")


@pytest.mark.parametrize("head", ["logistic", "mlp", "same", "stack"])
def test_logits_are_those_that_probabilities_come_of(scenes, exact, head):
    import torch

    stored = load_head(scenes, "corner", head)
    vectors = exact[0].encode(np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3), np.uint8))
    logits = [logit_of(Question(stored, c))(torch.from_numpy(vectors)).numpy() for c in (0, 1)]
    assert logits[0] == pytest.approx(-logits[1], rel=1e-6)
    proba = stored.head.predict_proba(vectors)
    if head in ("logistic", "mlp"):
        assert proba[:, 1] == pytest.approx(expit(logits[1]), abs=1e-5)
    assert np.array_equal(logits[1] > 0, proba[:, 1] > 0.5)


def test_integrated_gradients_add_up_to_what_the_logit_changes_by(scenes, exact):
    import torch

    encoder, sight = exact
    question = Question(load_head(scenes, "corner", "logistic"), 0)
    ends = np.stack([sight.views[0].pixels, sight.views[0].hidden])
    whole, hidden = logit_of(question)(torch.from_numpy(encoder.encode(ends))).tolist()
    assert abs(whole - hidden) > 5
    total = integrated_gradients(sight)(question).sum()
    assert total == pytest.approx(whole - hidden, rel=0.1)


class Means:
    """A network whose vector is the mean of its last maps."""

    def __init__(self):
        import torch

        torch.manual_seed(0)
        layers = torch.nn.Conv2d(3, 6, 3), torch.nn.ReLU(), torch.nn.Conv2d(6, 5, 3, 2)
        self.module = torch.nn.Sequential(*layers).requires_grad_(False)
        self.device = torch.device("cpu")

    def compute(self, pixels):
        return self.module(pixels.permute(0, 3, 1, 2).float() / 255).mean(dim=(2, 3))


def test_grad_cam_of_a_mean_and_a_linear_head_adds_up_to_the_logit(exact):
    import torch

    encoder, head = Means(), make_head("logistic")
    head.fit(np.random.default_rng(0).normal(size=(20, 5)), np.arange(20) % 2)
    stored = SimpleNamespace(head=head, card=SimpleNamespace(classes=("a", "b")))
    question = Question(stored, 1)
    sight = replace(exact[1], encoders=(encoder,))
    logit = logit_of(question)
    vector = encoder.compute(torch.from_numpy(sight.views[0].pixels[None]))
    constant = logit(torch.zeros(1, 5)).item()
    found = grad_cam(sight)(question)
    assert found.sum() == pytest.approx(logit(vector).item() - constant, rel=1e-3)
    assert np.ptp(found) > 0


@pytest.mark.parametrize("size", WINDOWS)
@pytest.mark.parametrize("shape", [(64, 64), (48, 80), (30, 30)])
def test_windows_are_alike_and_cover_the_picture(shape, size):
    hidden = windows(*shape, size)
    assert hidden.any(axis=0).all()
    assert hidden.mean(axis=(1, 2)) == pytest.approx(np.full(len(hidden), size**2), abs=0.02)
    flat = spread(np.full(len(hidden), 0.3), *shape, size)
    assert flat == pytest.approx(np.full(shape, 0.3))


@pytest.mark.parametrize("size", WINDOWS)
@pytest.mark.parametrize(("y", "x"), [(0, 0), (3, 30), (40, 63)])
def test_a_map_is_strong_where_hiding_changes_something(size, y, x):
    changes = windows(64, 64, size)[:, y, x].astype(float)  # one pixel matters, and nothing else
    found = spread(changes, 64, 64, size)
    assert found[y, x] > 0.6 * found.max()
    assert found[y, x] > 3 * found[63 - y, 63 - x]


def test_gradients_are_refused_with_the_methods_that_work(scenes, scene, both):
    data = scene("corner", "disc", 1001)
    forest = Explainer(scenes, load_head(scenes, "corner", "forest"))
    with pytest.raises(UsageError, match=r"the head has none.*occlusion, lime, black-and-white"):
        forest.explain(data, "", ExplainOptions("integrated-gradients"))
    with pytest.raises(UsageError, match=r"grad-cam needs gradients.*occlusion, lime"):
        both.explain(data, "", ExplainOptions("grad-cam"))
    with pytest.raises(UsageError, match=r"no network of torch that could be looked into"):
        forest.network()


def test_what_other_threads_encode_meanwhile_is_left_alone(encoder):
    import torch

    pixels = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), np.uint8)
    expected, found = encoder.encode(pixels), []
    modules, heard = list(encoder.module.modules()), []

    def broken(module, output):
        heard.append(module)
        return torch.zeros_like(output)

    with listening(modules, broken):
        other = threading.Thread(target=lambda: found.append(encoder.encode(pixels)))
        other.start()
        other.join()
        assert not heard
        assert not np.array_equal(encoder.encode(pixels), expected)
    assert np.array_equal(found[0], expected)
    assert np.array_equal(encoder.encode(pixels), expected)
