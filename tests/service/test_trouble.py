"""What fails is said at once, costs nobody else an answer, and is started anew."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icehouse.embedder import embed, list_source
from icehouse.errors import EncoderError, HeadCorrupt, NotAStore, UsageError
from icehouse.heads import FitOptions, fit_head
from icehouse.service import Service, ServiceOptions, StationOptions, Terms, make_service
from icehouse.service.inference._station import EncoderWork, Station
from icehouse.store import Store

Until = Callable[[Callable[[], object]], None]
PNG = {"Content-Type": "image/png"}


class Held(EncoderWork):
    """An encoder that can be held up, fail, and kill its threads; its opening can be held up."""

    def __init__(self, store: Store, encoder_id: str, options: StationOptions) -> None:
        super().__init__(store, encoder_id, options)
        self.run_door, self.renew_door = threading.Event(), threading.Event()
        self.run_door.set()
        self.renew_door.set()
        self.runs = 0
        self.kills = False
        self.fails: Exception | None = None

    @property
    def full(self) -> int:
        """What an idle thread asks for as it looks around: where it can be killed."""
        if self.kills:
            raise SystemExit
        return super().full

    def run(self, batch: list[Any]) -> Sequence[Any]:
        self.runs += 1
        self.run_door.wait(30)
        if self.fails is not None:
            raise self.fails
        return super().run(batch)

    def renew(self) -> None:
        self.renew_door.wait(30)
        super().renew()
        self.kills, self.fails = False, None


@pytest.fixture
def held(own: Service) -> Iterator[Held]:
    """The encoder of one's own service."""
    [encoder_id] = own.stations
    own.stations[encoder_id].close()
    options = StationOptions(limit=8)
    held = Held(own.store, encoder_id, options)
    own.stations[encoder_id] = Station(own.store, encoder_id, options, work=held)
    yield held
    held.run_door.set()
    held.renew_door.set()


def test_a_killed_encoder_thread_turns_health_red_at_once_and_comes_back(
    own: Service, held: Held, visit: Any, disc: bytes, until: Until
) -> None:
    client = visit(make_service(own))
    assert client.get("/readyz").status_code == 200  # and its canary is believed for a while
    held.renew_door.clear()
    held.kills = True
    [station] = own.stations.values()
    until(lambda: station._batcher._crew.living == 0)
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
    assert "has died" in str(ready.json()["encoders"])
    assert client.get("/healthz").status_code == 200
    said = client.post("/v1/predict", content=disc, headers=PNG)
    assert (said.status_code, said.json()["error"]) == (503, "ServiceDown")
    assert said.headers["retry-after"]
    held.renew_door.set()
    until(lambda: client.get("/readyz").status_code == 200)
    assert client.post("/v1/predict", content=disc, headers=PNG).status_code == 200


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (RuntimeError("CUDA error: device-side assert"), "ServiceDown"),
        (EncoderError("there is no memory for even one image"), "EncoderError"),
    ],
)
def test_an_encoder_that_fails_is_down_and_the_next_image_is_answered(
    own: Service, held: Held, visit: Any, disc: bytes, until: Until, failure: Exception, error: str
) -> None:
    client = visit(make_service(own))
    held.fails = failure
    said = client.post("/v1/predict", content=disc, headers=PNG)
    assert (said.status_code, said.json()["error"]) == (503, error)
    assert str(failure) not in said.text
    held.fails = None
    until(lambda: client.get("/readyz").status_code == 200)
    assert client.post("/v1/predict", content=disc, headers=PNG).status_code == 200


def test_an_encoder_that_gives_other_vectors_is_not_ready(
    own: Service, held: Held, visit: Any, until: Until
) -> None:
    encode = held.steady.encode

    def other(pixels: Any) -> Any:
        return encode(pixels)[:, ::-1]

    held.steady.encode = other  # type: ignore[method-assign]
    ready = visit(make_service(own)).get("/readyz")
    assert ready.status_code == 503
    assert "does not give the vectors" in str(ready.json()["encoders"])


def test_an_answer_that_takes_too_long_is_given_up(
    own: Service, held: Held, visit: Any, disc: bytes
) -> None:
    client = visit(make_service(own, terms=Terms(seconds=0.05)))
    held.run_door.clear()
    said = client.post("/v1/predict", content=disc, headers=PNG)
    assert (said.status_code, said.json()["error"]) == (503, "ServiceTimeout")
    assert "0.05 s" in said.json()["detail"]
    held.run_door.set()
    later = visit(make_service(own))
    assert later.post("/v1/predict", content=disc, headers=PNG).status_code == 200


def test_when_the_queue_is_full_others_are_told_when_to_come_again(
    own: Service, held: Held, visit: Any, disc: bytes, until: Until
) -> None:
    station = next(iter(own.stations.values()))
    app = make_service(own)
    held.run_door.clear()

    def work(_: int) -> Any:
        return visit(app).post("/v1/predict", content=disc, headers=PNG)

    with ThreadPoolExecutor(12) as crowd:
        asked = [crowd.submit(work, number) for number in range(12)]
        until(lambda: station.count() == 8 and sum(each.done() for each in asked) == 4)
        ready = visit(app).get("/readyz")
        held.run_door.set()
        answers = [each.result(60) for each in asked]
    assert ready.status_code == 200  # it works, and has all hands full
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(refused) == 4
    for answer in refused:
        assert (answer.status_code, answer.json()["error"]) == (429, "ServiceBusy")
        assert int(answer.headers["retry-after"]) >= 1


def test_what_nobody_waits_for_is_not_encoded(
    own: Service, held: Held, visit: Any, disc: bytes, until: Until
) -> None:
    client = visit(make_service(own, terms=Terms(seconds=0.05)))
    held.run_door.clear()
    for _ in range(4):
        client.post("/v1/predict", content=disc, headers=PNG)
    station = next(iter(own.stations.values()))
    until(lambda: station.count() <= held.steady.at_once)
    held.run_door.set()
    until(lambda: station.count() == 0)


# Heads.


def test_a_head_is_replaced_under_load_and_no_request_fails(
    own: Service, disc: bytes, visit: Any, until: Until
) -> None:
    app = make_service(own)
    seen: list[list[str]] = []
    wrong: list[str] = []
    end = threading.Event()

    def work() -> None:
        client, versions = visit(app), []
        while not end.is_set():
            said = client.post("/v1/predict", content=disc, headers=PNG)
            if said.status_code != 200:
                wrong.append(said.text)
            versions.append(said.json()["images"][0]["answers"][0]["version"])
        seen.append(versions)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    before = own.heads.find([])[0].version
    fit_head(own.store, "logistic", {"C": 0.01}, FitOptions(folds=3))
    until(lambda: own.heads.find([])[0].version != before)  # it is noticed without a word
    after = own.heads.find([])[0].version
    visit(app).post("/v1/predict", content=disc, headers=PNG)
    end.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    for versions in seen:
        assert sorted(versions, key=[before, after].index) == versions  # once, and not back
    assert {versions[-1] for versions in seen} <= {before, after}
    assert (
        'icehouse_heads_replaced_total{head="shapes/logistic"} 1.0'
        in visit(app).get("/metrics").text
    )


def test_a_damaged_head_does_not_take_the_place_of_a_good_one(
    own: Service, disc: bytes, visit: Any
) -> None:
    client = visit(make_service(own))
    folder = own.store.path / "heads" / "shapes" / "logistic"
    good = (folder / "head.json").read_bytes()
    (folder / "head.json").write_bytes(good[:-20])
    own.look()
    assert client.post("/v1/predict", content=disc, headers=PNG).status_code == 200
    for file in folder.iterdir():  # as forgetting removes a head that remembers an image
        file.unlink()
    own.look()
    said = client.post("/v1/predict", content=disc, headers=PNG)
    assert (said.status_code, said.json()["error"]) == (404, "LookupFailed")
    assert client.get("/readyz").json()["heads"] == {}


def test_heads_that_are_fitted_later_are_served_and_damaged_ones_are_not(
    reviewed: Store, disc: bytes, visit: Any
) -> None:
    fit_head(reviewed, "knn", options=FitOptions(folds=3))
    card = reviewed.path / "heads" / "shapes" / "knn" / "head.json"
    whole = card.read_bytes()
    card.write_bytes(b"{}")
    with pytest.raises(HeadCorrupt, match=r"head\.json"):
        Service(reviewed, ServiceOptions(heads=("shapes/knn",)))
    service = Service(reviewed, ServiceOptions(watch=1000))
    try:
        client = visit(make_service(service))
        assert list(client.get("/readyz").json()["heads"]) == ["shapes/logistic"]
        card.write_bytes(whole)
        fit_head(reviewed, "forest", options=FitOptions(folds=3))
        service.look()
        heads = ["shapes/logistic", "shapes/forest", "shapes/knn"]
        assert list(client.get("/readyz").json()["heads"]) == heads
        assert client.get("/v1/tasks").json()["default"] == "shapes/logistic"
        said = client.post("/v1/predict?head=knn", content=disc, headers=PNG)
        assert said.json()["images"][0]["answers"][0]["predicted"] == ["disc"]
    finally:
        service.close()


@pytest.mark.parametrize("wanted", ["logistic", "/logistic", "shapes/", ""])
def test_a_head_is_named_by_task_and_name(reviewed: Store, wanted: str) -> None:
    with pytest.raises(UsageError, match="a head is TASK/NAME, got"):
        Service(reviewed, ServiceOptions(heads=(wanted,)))


def test_a_store_that_vanishes_is_said_and_what_is_at_hand_is_answered(
    own: Service, disc: bytes, visit: Any
) -> None:
    client = visit(make_service(own))
    client.post("/v1/search", content=disc, headers=PNG)
    gone = own.store.path.with_name("elsewhere")
    own.store.path.rename(gone)
    with pytest.raises(NotAStore, match="there is no store"):
        own.look()
    assert client.post("/v1/predict", content=disc, headers=PNG).status_code == 200
    assert client.post("/v1/search", content=disc, headers=PNG).status_code == 200
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert "the store is not there" in str(ready.json()["encoders"])
    assert client.get("/healthz").status_code == 200
    assert not own.store.path.exists()  # nothing is written where it was
    gone.rename(own.store.path)
    own.look()
    assert client.post("/v1/predict", content=disc, headers=PNG).status_code == 200
    assert client.get("/readyz").status_code == 200


def test_heads_are_kept_where_the_store_vanishes_while_they_are_looked_at(own: Service) -> None:
    served = own.heads.find([])
    gone = own.store.path.with_name("elsewhere")
    own.store.path.rename(gone)
    with pytest.raises(NotAStore, match="there is no store"):
        own.heads.refresh(lambda _: None)
    assert own.heads.find([]) == served
    gone.rename(own.store.path)


def test_a_head_that_is_fitted_on_another_encoder_brings_it_along(
    own: Service, disc: bytes, pictures: Path, visit: Any
) -> None:
    client = visit(make_service(own))
    embed(own.store, list_source(pictures), "tiny", dataset="shapes")
    [tiny] = [each for each in own.store.encoder_ids() if each not in own.stations]
    shutil.rmtree(own.store.path / "heads" / "shapes" / "logistic")
    fit_head(own.store, "knn", options=FitOptions(encoder=tiny, name="logistic", folds=3))
    own.look()
    [image] = client.post("/v1/predict", content=disc, headers=PNG).json()["images"]
    assert image["answers"][0]["encoder_id"] == tiny
    assert set(client.get("/readyz").json()["encoders"]) == set(own.store.encoder_ids())


def test_vectors_that_cannot_be_stored_are_their_image_s_error(own: Service, held: Held) -> None:
    steady = held.steady

    class Loud:
        spec, preprocess = steady.encoder.spec, steady.encoder.preprocess

        def encode(self, batch: Any) -> Any:
            vectors = steady.encoder.encode(batch)
            vectors[batch.reshape(len(batch), -1).max(axis=1) == 0] = np.inf
            return vectors

    pixels = np.zeros((2, *held.spec.preprocess.size, 3), np.uint8)
    pixels[1] = 9
    held.steady = type(steady)(Loud())  # type: ignore[arg-type]
    bad, good = held.run([held.prepare(each) for each in pixels])
    assert "no vector" in str(bad)
    assert np.isfinite(good.vector).all()
