"""Training curves as a picture and as event files."""

from __future__ import annotations

import datetime
import io
import struct

import pytest
from PIL import Image
from tensorboardX.proto.event_pb2 import Event

from icehouse.errors import UsageError
from icehouse.heads import Curves
from icehouse.report import check_events, write_events
from icehouse.report._axes import steps_around, steps_of_shares
from icehouse.report._curves_picture import HELD, LINE, TRAINED, _apart, draw_curves

CURVES = Curves((0.9, 0.5, 0.4, 0.35), (0.95, 0.6, 0.55, 0.7), (0.5, 0.7, 0.8, 0.85), (0.5,) * 4)
ALONE = Curves((0.9,), (), (0.5,), ())


class Card:
    """What of a card event files need."""

    task, name, kind = "shapes", "mlp", "mlp"
    fitted_at = "2026-03-01T12:30:05+00:00"


def colours(png):
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return image, {f"#{r:02x}{g:02x}{b:02x}" for _, (r, g, b) in image.getcolors(2**24)}


def scalars(folder):
    """Read event files: records of a length, its checksum, an event, and the event's checksum."""
    found = []
    for path in sorted(folder.glob("events.out.tfevents.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            [length] = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            at += 12 + length + 4
            found += [(v.tag, event.step, v.simple_value) for v in event.summary.value]
    return found


def test_the_picture_has_a_line_for_each_side():
    image, drawn = colours(draw_curves(CURVES, "shapes: training of mlp"))
    assert {TRAINED, HELD} <= drawn
    assert image.width > 2 * image.height


def test_one_epoch_without_validation_is_a_point():
    _, drawn = colours(draw_curves(ALONE, "shapes"))
    assert TRAINED in drawn
    assert HELD not in drawn


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.5, 0.5), (0, 0), (0.9991, 0.9993), (1e-9, 2e-9), (0.3, 70)]
)
def test_ticks_are_few_and_round_and_go_around_all_values(low, high):
    ticks = steps_around(low, high)
    assert ticks[0] <= low + 1e-12
    assert ticks[-1] >= high - 1e-12
    assert 2 <= len(ticks) <= 8


def test_an_axis_of_shares_ends_at_one():
    assert steps_of_shares([0.88, 1.0, 0.9]) == pytest.approx([0.85, 0.9, 0.95, 1.0])
    assert steps_of_shares([1.0]) == pytest.approx([0.96, 0.98, 1.0])
    assert steps_of_shares([0.2, 0.93])[-1] == 1.0
    assert steps_of_shares([0.0])[0] == 0.0


@pytest.mark.parametrize("accuracy", [(1.0, 1.0), (0.97, 0.97), (0.0, 0.0)])
def test_an_accuracy_that_does_not_change_has_an_axis(accuracy):
    picture = draw_curves(Curves((0.9, 0.8), (0.9, 0.8), accuracy, accuracy), "shapes")
    assert {TRAINED, HELD} <= colours(picture)[1]


def test_names_of_curves_that_end_together_are_apart():
    assert _apart([100.0, 100.0]) == [100 - LINE / 2, 100 + LINE / 2]
    assert _apart([104.0, 100.0]) == [102 + LINE / 2, 102 - LINE / 2]
    assert _apart([10.0, 100.0]) == [10.0, 100.0]
    assert _apart([7.0]) == [7.0]


def test_event_files_hold_every_epoch_of_both_sides(tmp_path):
    run = tmp_path / "shapes" / "mlp" / "20260301-123005"
    assert write_events(Card(), CURVES, tmp_path) == str(run)
    found = scalars(run)
    assert len(found) == 16
    for tag, values in (
        ("loss/train", CURVES.train_loss),
        ("loss/validation", CURVES.val_loss),
        ("accuracy/train", CURVES.train_accuracy),
        ("accuracy/validation", CURVES.val_accuracy),
    ):
        said = [(step, value) for name, step, value in found if name == tag]
        assert said == [(i, pytest.approx(v)) for i, v in enumerate(values, 1)]


def test_another_fit_is_another_run(tmp_path):
    later = Card()
    later.fitted_at = (
        datetime.datetime.fromisoformat(Card.fitted_at) + datetime.timedelta(seconds=1)
    ).isoformat()
    assert write_events(Card(), ALONE, tmp_path) != write_events(later, ALONE, tmp_path)
    assert len(list((tmp_path / "shapes" / "mlp").iterdir())) == 2


def test_what_is_no_folder_is_refused_before_anything_is_fitted(tmp_path):
    check_events(tmp_path / "runs" / "today")
    assert not (tmp_path / "runs").exists()
    (tmp_path / "notes").write_text("mine")
    for inside in ("notes", "notes/today"):
        with pytest.raises(UsageError, match=r"go into a folder.*/notes is none: give another"):
            check_events(tmp_path / inside)
