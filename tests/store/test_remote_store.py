"""A store at a URL holds what a store in a folder holds, whoever is killed or writes beside it."""

from __future__ import annotations

import io
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icehouse.cli import main
from icehouse.embedder import embed, list_source
from icehouse.errors import StoreUnreadable, StoreUnwritable, UsageError
from icehouse.heads import choose_task, fit_head
from icehouse.store import (
    CatalogRow,
    FeatureShards,
    Store,
    files_at,
    forget,
    fsck,
    ids_from_bytes,
    image_id,
    plan_forget,
)
from icehouse.store._remote_files import RemoteFiles

Bucket = tuple[str, Any]
Dump = Callable[[Store], dict[str, Any]]


@pytest.fixture
def remote(bucket: Bucket, tmp_path: Path) -> str:
    """A URL on S3 at which nothing is yet."""
    return f"{bucket[0]}/{tmp_path.name}/photos.icehouse"


@pytest.fixture
def unlabelled(pictures: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "unlabelled"
    folder.mkdir()
    for number, path in enumerate(sorted(pictures.rglob("*.png"))[::4]):
        (folder / f"{number}.png").write_bytes(path.read_bytes())
    return folder


def said(*words: str, code: int = 0) -> list[Any]:
    """Run the command line, and return what it says in JSON; after an error, its message."""
    out, err = io.StringIO(), io.StringIO()
    ended: Any = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["icehouse", *words, "--json"])
        try:
            main()
        except SystemExit as end:
            ended = end.code or 0
    assert ended == code, err.getvalue()
    assert "Mammoth" not in out.getvalue() + err.getvalue()
    return [json.loads(line) for line in out.getvalue().splitlines()] or [err.getvalue()]


def timeless(record: Any) -> Any:
    """Return a record without what differs from run to run or from place to place."""
    if isinstance(record, dict):
        dropped = ("seconds", "fitted_at", "speed", "path", "findings", "left", "repairs")
        dropped += ("id", "when")
        return {k: timeless(v) for k, v in record.items() if k not in dropped}
    return [timeless(each) for each in record] if isinstance(record, list) else record


def year(store: str, labels: str | None, pictures: Path) -> Iterator[tuple[str, Any]]:
    """Do all that one does with a store, and yield what each verb says."""
    at = ["--store", store, *(["--labels", labels] if labels else [])]
    query = str(pictures / "disc" / "03.png")
    for words in (
        ["embed", str(pictures), "--encoder", "descriptor", "--dataset", "shapes"],
        ["embed", str(pictures), "--encoder", "descriptor", "--dataset", "shapes"],
        ["fit-head", "--head", "logistic", "--folds", "3"],
        ["fit-head", "--head", "knn"],
        ["runs"],
        ["flag", "--head", "logistic", "--min-probability", "0.9"],
        ["predict", "--dataset", "shapes", "--head", "logistic"],
        ["neighbours", query],
        ["info"],
        ["fsck"],
        ["forget", "--image", "disc/03.png", "--yes"],
        ["fsck", "--repair"],
        ["info"],
    ):
        yield words[0], timeless(said(*words, *at))


def what_heads_know(held: dict[str, Any]) -> dict[str, Any]:
    """Return a dump of a store without when and how fast its heads were fitted."""
    return {name: value[1:] if name.startswith("heads/") else value for name, value in held.items()}


@pytest.mark.parametrize(("kind", "database"), [("memory", "sqlite"), ("s3", "postgres")])
def test_a_year_at_a_url_is_a_year_in_a_folder(
    kind: str, database: str, pictures: Path, tmp_path: Path, logical: Dump,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    local = str(tmp_path / "photos.icehouse")
    remote, labels = f"memory://{tmp_path.name}", f"sqlite:///{tmp_path}/labels.sqlite"
    if kind == "s3":
        remote = request.getfixturevalue("remote")
    if database == "postgres":
        labels = request.getfixturevalue("postgres")
    pairs = zip(year(local, None, pictures), year(remote, labels, pictures), strict=True)
    for (verb, here), (_, there) in pairs:
        assert here == there, verb
    here, there = Store.open(local), Store.open(remote, labels)
    assert what_heads_know(logical(there)) == what_heads_know(logical(here))
    written = there.files.walk()
    assert len(written) == len(here.files.walk()) - 1  # labels.sqlite
    for name in written:
        assert b"Mammoth" not in there.files.read(name)
    kinds = [finding.kind for finding in fsck(remote, labels=labels).findings]
    assert kinds == [finding.kind for finding in fsck(local).findings]
    assert kinds == ["labels-of-unknown-images"]  # of the one that was forgotten


def test_a_store_without_a_database_takes_images_and_refuses_labels(
    remote: str, unlabelled: Path, pictures: Path
) -> None:
    at = ["--store", remote]
    [refused] = said("embed", str(pictures), "-e", "descriptor", *at, code=2)
    assert f"the labels of {remote} need a database" in refused
    assert "--labels or ICEHOUSE_LABELS" in refused
    assert files_at(remote).walk() == []
    said("embed", str(unlabelled), "-e", "descriptor", *at)
    said("embed", str(pictures), "--no-labels", *at)
    [held] = said("info", *at)
    assert [each["images"] for each in held["datasets"]] == [40, 10]
    assert len(said("neighbours", "disc/03.png", *at)) == 5
    [report] = said("fsck", *at)
    kinds = [finding["kind"] for finding in report["findings"]]
    assert "label-log-unknown" in kinds
    assert {finding["severity"] for finding in report["findings"]} == {"information"}
    for verb in ("fit-head", "flag"):
        [refused] = said(verb, *at, code=2)
        assert "need a database" in refused
    said("forget", "--image", "disc/03.png", "--yes", *at)
    [held] = said("info", *at)
    assert [each["images"] for each in held["datasets"]] == [39, 10]


def test_nothing_is_forgotten_where_heads_know_more_than_was_said(
    remote: str, pictures: Path, tmp_path: Path
) -> None:
    labels = f"sqlite:///{tmp_path}/labels.sqlite"
    store = Store.create(remote, labels)
    embed(store, list_source(pictures), "descriptor", dataset="shapes")
    fit_head(store, "knn")
    with pytest.raises(UsageError, match="need a database"):
        plan_forget(Store.open(remote), ["disc/03.png"])
    with pytest.raises(UsageError, match="need a database"):
        choose_task(Store.open(remote))
    other = Store.open(remote, f"sqlite:///{tmp_path}/another.sqlite")
    removed = plan_forget(other, ["disc/03.png"]).removed
    assert "heads/shapes/knn/head.json" in removed  # it may hold its vector: nobody can say
    forget(store, plan_forget(store, ["disc/03.png"]))
    assert not store.files.folders("heads/shapes")


DIES = """
import os, sys
from icehouse.embedder import EmbedOptions, embed, list_source, open_encoder
from icehouse.store import Store
from icehouse.store._remote_files import RemoteFiles

class Dying(RemoteFiles):
    "Files whose process dies before a certain commit."

    def __init__(self, url, step):
        super().__init__(url)
        self.left = step

    def commit(self, name, data):
        self.left -= 1
        if self.left < 0:
            os._exit(9)
        return super().commit(name, data)

place, pictures, labels = sys.argv[1:]
open_encoder("descriptor")
for step in range(20):
    url = f"{place}/{step}"
    child = os.fork()
    if not child:
        Store.create(url)
        store = Store(url, Dying(url, step), f"{labels}-{step}.sqlite")
        embed(store, list_source(pictures), "descriptor", dataset="shapes",
              options=EmbedOptions(batch_size=8, workers=1))
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
print(step)
"""


def test_a_run_that_is_killed_before_any_commit_is_resumed(
    remote: str, pictures: Path, tmp_path: Path, python: Callable[..., Any], logical: Dump,
    embedded: Store,
) -> None:  # fmt: skip
    labels = f"sqlite:///{tmp_path}/labels"
    done = python(DIES, remote, pictures, labels)
    assert done.returncode == 0, done.stderr
    whole, steps = logical(embedded), int(done.stdout.splitlines()[-1])
    assert steps >= 4
    for step in range(steps):
        store = Store.open_or_create(f"{remote}/{step}", f"{labels}-{step}.sqlite")
        embed(store, list_source(pictures), "descriptor", dataset="shapes")
        assert logical(store) == whole
    assert fsck(f"{remote}/{steps - 1}").sound


class Failing(RemoteFiles):
    """Files whose network fails at a certain call of some kinds, and ever after."""

    def __init__(self, url: str, methods: tuple[str, ...], after: int) -> None:
        super().__init__(url)
        self._methods, self._left = methods, after

    def _ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        if method in self._methods:
            self._left -= 1
            if self._left < 0:
                raise OSError("the line is cut")
        return super()._ask(method, *arguments, **options)


@pytest.fixture
def untidy(tmp_path: Path, pictures: Path) -> tuple[str, str]:
    """A store in memory with several shards, double and forgotten images; and its labels."""
    url, labels = f"memory://{tmp_path.name}", f"sqlite:///{tmp_path}/labels.sqlite"
    store = Store.create(url, labels)
    embed(store, list_source(pictures), "descriptor", dataset="shapes")
    features = store.features(store.encoder_ids()[0])
    matrix = features.load()
    for start in range(0, 30, 10):
        part = slice(start, start + 12)
        features.append(matrix.ids[part], matrix.vectors[part], "float16")
    store.catalog.append("shapes", [CatalogRow("stripes/04.png", gone=True)])
    forget(store, plan_forget(store, ["disc/09.png"]))
    return url, labels


def everything(url: str) -> dict[str, bytes]:
    files = files_at(url)
    return {name: files.read(name) for name in files.walk()}


def test_a_network_that_fails_is_no_damage(untidy: tuple[str, str]) -> None:
    url, labels = untidy
    before = everything(url)
    for after in range(12):
        files = Failing(url, ("cat_file",), after)
        with pytest.raises(StoreUnreadable, match="the line is cut"):
            fsck(url, repair=True, files=files, labels=labels)
        assert everything(url) == before
    for method in ("ls", "find"):
        with pytest.raises(StoreUnreadable, match="the line is cut"):
            fsck(url, repair=True, files=Failing(url, (method,), 0), labels=labels)
    assert everything(url) == before


def test_a_network_that_fails_while_parts_are_read_is_no_damage(remote: str) -> None:
    ids = ids_from_bytes(image_id(b"%d" % number) for number in range(2000))
    FeatureShards(files_at(remote), "e").append(ids, np.ones((2000, 512)), "float16")
    for after in range(2):
        files = Failing(remote, ("cat_file",), after)
        with pytest.raises(StoreUnreadable, match="the line is cut"):
            FeatureShards(files, "e").ids()
    assert len(FeatureShards(Failing(remote, ("cat_file",), 2), "e").ids()) == 2000


def test_a_repair_that_dies_at_any_change_loses_nothing(
    untidy: tuple[str, str], logical: Dump
) -> None:
    url, labels = untidy
    original = everything(url)
    before = logical(Store.open(url, labels))
    for step in itertools.count():
        copy = f"{url}-{step}"
        for name, data in original.items():
            files_at(copy).commit(name, data)
        files = Failing(copy, ("pipe_file", "rm_file", "cp_file"), step)
        try:
            fsck(copy, repair=True, files=files, labels=labels)
        except StoreUnwritable:
            assert logical(Store.open(copy, labels)) == before
            assert fsck(copy, repair=True, labels=labels).sound
            assert logical(Store.open(copy, labels)) == before
        else:
            break
    assert step > 8


CREW = """
import os, sys
from icehouse.embedder import EmbedOptions, embed, list_source, open_encoder
from icehouse.store import Store

url, pictures, labels, *datasets = sys.argv[1:]
open_encoder("descriptor")
begin = os.pipe()
crew = []
for dataset in datasets:
    crew.append(os.fork())
    if not crew[-1]:
        os.close(begin[1])
        os.read(begin[0], 1)
        embed(Store.open_or_create(url, labels), list_source(pictures), "descriptor",
              dataset=dataset, options=EmbedOptions(batch_size=4, workers=1))
        os._exit(0)
os.close(begin[1])
print([os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in crew])
"""


def test_several_writers_lose_nothing(
    remote: str, pictures: Path, postgres: str, python: Callable[..., Any], embedded: Store,
    logical: Dump,
) -> None:  # fmt: skip
    done = python(CREW, remote, pictures, postgres, "shapes", "shapes", "other")
    assert done.stdout == "[0, 0, 0]\n", done.stderr
    store = Store.open(remote, postgres)
    held, alone = logical(store), logical(embedded)
    for name in alone:
        assert held[name] == alone[name], name
    assert store.catalog.datasets() == ["other", "shapes"]
    assert len(store.catalog.rows("other")) == 40
    events = Counter(event.image_id for event in store.labels.events("shapes"))
    assert set(events.values()) == {1}
    report = fsck(remote, repair=True, labels=postgres)
    assert report.sound
    assert len(store.features(store.encoder_ids()[0]).shards()) == 1
    assert logical(store) == held
