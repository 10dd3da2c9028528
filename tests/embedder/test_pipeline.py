"""Workers turn entries into outcomes: each input once, in bounded memory, errors kept."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from icehouse.embedder import (
    MAX_PIXELS,
    EmbedOptions,
    EncoderSpec,
    Entry,
    LocalFile,
    PreprocessSpec,
    one_torch_thread,
)
from icehouse.embedder._pipeline import (
    RESULTS_WAITING,
    Outcome,
    Pipeline,
    StageTimes,
    cores,
)
from icehouse.embedder._preprocess import preprocess
from icehouse.embedder._steady import STABLE_BATCH
from icehouse.embedder._views import Coverage
from icehouse.errors import EncoderError, ImageError, ImageErrorKind, UsageError
from icehouse.store import image_id

SPEC = EncoderSpec(
    family="test",
    architecture="tiles",
    weights_sha256="",
    preprocess=PreprocessSpec(size=(2, 2), resize_to=(2, 2), resize="squash"),
    precision="float32",
    normalise="none",
    dim=12,
)


class Tiles:
    """Mean colours of four tiles; counts what it is given."""

    spec = SPEC

    def __init__(self) -> None:
        self.prepared = 0
        self.batches: list[int] = []
        self._lock = threading.Lock()

    def preprocess(self, image: np.ndarray) -> np.ndarray:
        with self._lock:
            self.prepared += 1
        return preprocess(image, self.spec.preprocess)

    def encode(self, batch: np.ndarray) -> np.ndarray:
        with self._lock:
            self.batches.append(len(batch))
        return batch.reshape(len(batch), 12).astype(np.float32)


class Breaking(Tiles):
    """Fails at its third batch, as a GPU without memory does."""

    def encode(self, batch: np.ndarray) -> np.ndarray:
        vectors = super().encode(batch)
        if len(self.batches) == 3:
            raise RuntimeError("out of memory")
        return vectors


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures of 4x4, all different. Read only."""
    root = tmp_path_factory.mktemp("tiny")
    random = np.random.default_rng(5)
    for number in range(60):
        pixels = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{number:02d}.png")
    return root


def entries_of(folder: Path) -> list[Entry]:
    return [
        Entry(path.name, LocalFile(path), labels=("x",), split="val")
        for path in sorted(folder.iterdir())
    ]


def pipeline_of(
    encoder: Tiles,
    entries: list[Entry],
    *,
    done: frozenset[bytes] = frozenset(),
    batch_size: int = 4,
    workers: int | None = 2,
    max_pixels: int = MAX_PIXELS,
) -> Pipeline:
    return Pipeline(
        encoder,
        entries,
        "/source",
        Coverage(dict.fromkeys(done, 1)),
        batch_size=batch_size,
        workers=workers,
        max_pixels=max_pixels,
    )


def keys(outcomes: list[Outcome]) -> list[str]:
    return [row.key for outcome in outcomes for row in outcome.rows]


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    """After each test no worker is left."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=30)
        assert not thread.is_alive()


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("batch_size", [1, 7, 100])
def test_every_input_comes_out_once_with_its_own_vector(
    folder: Path, workers: int, batch_size: int
) -> None:
    encoder = Tiles()
    pipeline = pipeline_of(encoder, entries_of(folder), workers=workers, batch_size=batch_size)
    outcomes = list(pipeline.outcomes())
    assert sorted(keys(outcomes)) == sorted(path.name for path in folder.iterdir())
    assert max(encoder.batches) <= batch_size
    for outcome in outcomes:
        assert outcome.vectors is not None
        for row, vector in zip(outcome.rows, outcome.vectors, strict=True):
            pixels = np.array(Image.open(folder / row.key))
            expected = preprocess(pixels, SPEC.preprocess).reshape(12)
            np.testing.assert_array_equal(vector, expected)


@pytest.mark.parametrize(("batch_size", "smallest"), [(1, 1), (7, 7), (40, STABLE_BATCH)])
def test_short_batches_are_filled_up_because_few_rows_round_otherwise(
    folder: Path, batch_size: int, smallest: int
) -> None:
    encoder = Tiles()
    outcomes = pipeline_of(encoder, entries_of(folder)[:43], workers=1, batch_size=batch_size)
    assert len(keys(list(outcomes.outcomes()))) == 43
    assert min(encoder.batches) == smallest
    assert outcomes.encoding.images == 43


def test_one_worker_keeps_the_order(folder: Path) -> None:
    outcomes = list(pipeline_of(Tiles(), entries_of(folder), workers=1).outcomes())
    assert keys(outcomes) == sorted(path.name for path in folder.iterdir())


def test_a_row_says_what_was_read(folder: Path) -> None:
    path = folder / "07.png"
    [outcome] = pipeline_of(
        Tiles(), [Entry("k", LocalFile(path), 1, 2, ("x", "y"), "val", "{}")]
    ).outcomes()
    [row] = outcome.rows
    assert row.image_id == image_id(path.read_bytes())
    assert (row.width, row.height, row.format) == (4, 4, "PNG")
    # Of the file as it was read, not as it was when it was listed.
    assert (row.bytes, row.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
    assert (row.labels, row.split, row.extra, row.source) == (("x", "y"), "val", "{}", "/source")
    assert (row.error, row.gone) == (None, False)


def test_no_entries_are_no_outcomes() -> None:
    assert list(pipeline_of(Tiles(), []).outcomes()) == []


def test_what_has_a_vector_is_not_encoded_again(folder: Path) -> None:
    entries = entries_of(folder)[:6]
    done = frozenset(image_id(entry.origin.read().data) for entry in entries[:4])
    encoder = Tiles()
    outcomes = list(pipeline_of(encoder, entries, done=done).outcomes())
    assert sorted(keys(outcomes)) == [entry.key for entry in entries]
    assert encoder.prepared == 2
    without = [outcome for outcome in outcomes if outcome.vectors is None]
    assert sorted(keys(without)) == [entry.key for entry in entries[:4]]
    assert all(outcome.failed is None for outcome in without)


@pytest.mark.parametrize("workers", [1, 4])
def test_copies_are_encoded_once(folder: Path, workers: int) -> None:
    one, two = entries_of(folder)[:2]
    copies = [replace(one, key=f"copy {n}") for n in range(20)]
    encoder = Tiles()
    outcomes = list(pipeline_of(encoder, [one, two, *copies], workers=workers).outcomes())
    assert encoder.prepared == 2
    assert len(keys(outcomes)) == 22
    encoded = [row for outcome in outcomes if outcome.vectors is not None for row in outcome.rows]
    assert len({row.image_id for row in encoded}) == len(encoded) == 2


@pytest.fixture
def spoilt(folder: Path, tmp_path: Path) -> list[Entry]:
    """One input of every kind of error, among good ones."""
    data = (folder / "00.png").read_bytes()
    (tmp_path / "truncated").write_bytes(data[: len(data) - 30])
    (tmp_path / "empty").touch()
    (tmp_path / "not-an-image").write_text("hello")
    (tmp_path / "not-a-file").symlink_to(os.devnull)
    Image.new("RGB", (50, 50)).save(tmp_path / "too-large", "PNG")
    Image.new("F", (4, 4)).save(tmp_path / "unsupported", "TIFF")
    bad = [Entry(path.name, LocalFile(path)) for path in sorted(tmp_path.iterdir())]
    return [*entries_of(folder)[:5], *bad, Entry("unreadable", LocalFile(tmp_path / "nowhere"))]


def test_every_kind_of_error_is_a_row_of_its_own(spoilt: list[Entry]) -> None:
    outcomes = list(pipeline_of(Tiles(), spoilt, max_pixels=2499).outcomes())
    rows = [row for outcome in outcomes for row in outcome.rows]
    errors = {row.key: row for row in rows if row.error is not None}
    assert set(errors) == {
        "empty", "not-a-file", "not-an-image", "too-large", "truncated", "unreadable",
        "unsupported",
    }  # fmt: skip
    for key, row in errors.items():
        assert row.error == key
        assert row.error_detail
        assert row.image_id is None
    assert len(rows) == len(spoilt)


def test_an_error_names_the_image_where_there_were_bytes(spoilt: list[Entry]) -> None:
    outcomes = pipeline_of(Tiles(), spoilt, max_pixels=2499).outcomes()
    failed = {o.rows[0].key: o.failed for o in outcomes if o.rows[0].error is not None}
    known = {entry.key: entry for entry in spoilt}
    for key in ("truncated", "not-an-image", "too-large", "unsupported"):
        assert failed[key] == image_id(known[key].origin.read().data)
    for key in ("empty", "not-a-file", "unreadable"):
        assert failed[key] is None


class Choosy(Tiles):
    """Finds some pictures too large for it, as preprocessing may."""

    def preprocess(self, image: np.ndarray) -> np.ndarray:
        if image[0, 0, 0] > 128:
            raise ImageError(ImageErrorKind.TOO_LARGE, "for me")
        return super().preprocess(image)


def test_an_error_of_preprocessing_is_a_row(folder: Path) -> None:
    outcomes = list(pipeline_of(Choosy(), entries_of(folder)).outcomes())
    errors = Counter(row.error for outcome in outcomes for row in outcome.rows)
    large = sum(np.asarray(Image.open(path))[0, 0, 0] > 128 for path in folder.iterdir())
    assert errors == {None: 60 - large, "too-large": large}


def test_what_an_encoder_raises_comes_after_the_rest(folder: Path) -> None:
    encoder = Breaking()
    outcomes = pipeline_of(encoder, entries_of(folder), workers=1).outcomes()
    kept: list[Outcome] = []
    with pytest.raises(RuntimeError, match="out of memory"):
        kept.extend(outcomes)  # what came before the error stays in the list
    assert keys(kept) == [f"{number:02d}.png" for number in range(8)]


def test_after_an_error_other_workers_finish_their_batch_and_no_more(folder: Path) -> None:
    encoder = Breaking()
    pipeline = pipeline_of(encoder, entries_of(folder) * 50, workers=4, batch_size=1)
    outcomes = pipeline.outcomes()
    kept: list[Outcome] = []
    with pytest.raises(RuntimeError, match="out of memory"):
        kept.extend(outcomes)  # what came before the error stays in the list
    encoded = [outcome for outcome in kept if outcome.vectors is not None]
    assert len(encoded) == len(encoder.batches) - 1
    assert len(keys(kept)) < 500  # of three thousand


class Lingering:
    """What takes a while to be taken down, as requests of an engine do."""

    def __init__(self, gone: list[str]) -> None:
        self._gone = gone

    def __del__(self) -> None:
        time.sleep(0.2)
        self._gone.append("gone")


class Keeping(Tiles):
    """Keeps something for each thread that encodes."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: list[str] = []
        self._own = threading.local()

    def encode(self, batch: np.ndarray) -> np.ndarray:
        if not hasattr(self._own, "kept"):
            self._own.kept = Lingering(self.gone)
            self.batches.append(0)
        return super().encode(batch)


def test_a_run_is_over_when_all_that_its_threads_kept_is_taken_down(folder: Path) -> None:
    encoder = Keeping()
    list(pipeline_of(encoder, entries_of(folder)).outcomes())
    assert len(encoder.gone) == encoder.batches.count(0) > 0


class Narrow(Tiles):
    """Has room for some images at once."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def encode(self, batch: np.ndarray) -> np.ndarray:
        if len(batch) > self.room:
            raise MemoryError("CUDA out of memory")
        return super().encode(batch)


@pytest.mark.parametrize("room", [1, 3, 8, 20])
def test_a_batch_that_does_not_fit_is_halved_from_then_on(folder: Path, room: int) -> None:
    pipeline = pipeline_of(Narrow(room), entries_of(folder), workers=1, batch_size=32)
    outcomes = list(pipeline.outcomes())
    wide = list(pipeline_of(Tiles(), entries_of(folder), workers=1).outcomes())
    assert keys(outcomes) == keys(wide)
    np.testing.assert_array_equal(
        np.concatenate([outcome.vectors for outcome in outcomes]),
        np.concatenate([outcome.vectors for outcome in wide]),
    )
    assert room / 2 < pipeline.batch_size <= room


def test_an_image_that_does_not_fit_alone_is_an_error(folder: Path) -> None:
    with pytest.raises(EncoderError, match="there is no memory for even one image: CUDA out"):
        list(pipeline_of(Narrow(0), entries_of(folder)).outcomes())


class Wrong(Tiles):
    """Has a mistake in its preprocessing."""

    def preprocess(self, image: np.ndarray) -> np.ndarray:
        raise KeyError("mean")


def test_a_mistake_in_preprocessing_is_not_taken_for_a_bad_image(folder: Path) -> None:
    with pytest.raises(KeyError, match="mean"):
        list(pipeline_of(Wrong(), entries_of(folder)).outcomes())


def settled(count: Callable[[], int], bound: int) -> int:
    """Wait until a count reaches its bound, give it time to go past it, and return it."""
    for _ in range(3000):
        if count() >= bound:
            break
        time.sleep(0.01)
    time.sleep(0.3)
    return count()


@pytest.mark.parametrize(("workers", "batch_size"), [(1, 3), (2, 4), (3, 1)])
def test_workers_do_not_run_ahead_of_a_slow_consumer(
    folder: Path, workers: int, batch_size: int
) -> None:
    encoder = Tiles()
    pipeline = pipeline_of(encoder, entries_of(folder), workers=workers, batch_size=batch_size)
    outcomes = pipeline.outcomes()
    ahead = (RESULTS_WAITING + workers) * batch_size
    for taken in range(1, 4):
        next(outcomes)
        bound = taken * batch_size + ahead
        assert settled(lambda: encoder.prepared, bound) == bound
    assert len(keys(list(outcomes))) == 60 - 3 * batch_size


def test_errors_do_not_run_ahead_of_a_slow_consumer(tmp_path: Path) -> None:
    opened: list[str] = []

    class Watched(type(tmp_path)):  # type: ignore[misc]
        """A path that notes when it is opened."""

        def __fspath__(self) -> str:
            opened.append("x")
            return super().__fspath__()

    entries = [Entry(f"{n}", LocalFile(Watched(tmp_path / "nowhere"))) for n in range(200)]
    outcomes = pipeline_of(Tiles(), entries).outcomes()
    next(outcomes)
    bound = 1 + RESULTS_WAITING + 2
    assert settled(lambda: len(opened), bound) == bound
    assert len(list(outcomes)) == 199


def test_stop_lets_workers_finish_and_no_more(folder: Path) -> None:
    encoder = Tiles()
    pipeline = pipeline_of(encoder, entries_of(folder), batch_size=2)
    outcomes = pipeline.outcomes()
    kept = [next(outcomes)]
    pipeline.stop()
    kept += list(outcomes)
    assert len(keys(kept)) == encoder.prepared < 60


def test_closing_ends_the_workers_whatever_was_taken(folder: Path) -> None:
    encoder = Tiles()
    pipeline = pipeline_of(encoder, entries_of(folder), batch_size=1, workers=3)
    outcomes = pipeline.outcomes()
    next(outcomes)
    assert settled(lambda: encoder.prepared, 1 + RESULTS_WAITING + 3) < 60
    pipeline.close()  # the workers wait to hand over what nobody takes
    assert encoder.prepared < 60
    pipeline.close()


def test_closing_what_never_ran_does_nothing() -> None:
    pipeline_of(Tiles(), []).close()


def test_time_is_counted_for_each_image_once(folder: Path) -> None:
    entries = entries_of(folder)
    pipeline = pipeline_of(Tiles(), [*entries, *entries])
    list(pipeline.outcomes())
    assert pipeline.decoding.images == pipeline.encoding.images == 60
    assert pipeline.decoding.seconds > 0
    assert pipeline.encoding.seconds >= 0


def test_times_of_all_workers_are_summed() -> None:
    times = StageTimes()
    threads = [threading.Thread(target=lambda: [times.add(0.5, 2) for _ in range(500)])
               for _ in range(4)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (times.seconds, times.images) == (1000.0, 4000)


def test_on_a_cpu_there_is_one_worker_a_core() -> None:
    pipeline = pipeline_of(Tiles(), [], workers=None)
    assert (pipeline.on_gpu, pipeline.workers) == (False, cores())
    assert cores() >= 1


def test_threads_of_torch_come_back_after_success_and_after_an_error() -> None:

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_torch_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
        with pytest.raises(RuntimeError, match="in between"), one_torch_thread():
            raise RuntimeError("in between")
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("settings", [{"batch_size": 0}, {"workers": -1}, {"max_pixels": 0}])
def test_settings_under_which_nothing_would_be_done_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(settings))} is 1 or more, got"):
        EmbedOptions(**settings)
