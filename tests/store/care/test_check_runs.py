"""fsck knows runs, a repair puts damaged ones aside, and nothing of an image is in them."""

from __future__ import annotations

from pathlib import Path

from icehouse.heads import fit_head, list_runs
from icehouse.store import Store, forget, fsck, plan_forget


def runs_of(store: Store) -> list[Path]:
    return sorted((store.path / "runs" / "shapes").iterdir())


def test_runs_belong_into_a_store(damaged: Store) -> None:
    fit_head(damaged, "logistic")
    assert len(runs_of(damaged)) == 2
    report = fsck(damaged.path)
    assert report.sound
    assert "foreign-file" not in {each.kind for each in report.findings}
    (damaged.path / "runs" / "shapes" / "mine.json").write_text("{}")
    assert "foreign-file" in {each.kind for each in fsck(damaged.path).findings}


def test_a_damaged_run_is_put_aside_and_the_others_stay(damaged: Store) -> None:
    fit_head(damaged, "logistic")
    first, second = runs_of(damaged)
    first.write_bytes(first.read_bytes().replace(b'"seconds": ', b'"seconds": 1'))
    [finding] = [each for each in fsck(damaged.path).findings if each.severity == "damage"]
    assert (finding.kind, finding.where) == ("run", f"runs/shapes/{first.name}")
    assert finding.what == "damaged: it is not what its seal says"
    report = fsck(damaged.path, repair=True)
    assert report.sound
    assert runs_of(damaged) == [second]
    assert (damaged.path / "lost+found" / finding.where).exists()
    found = list_runs(damaged)
    assert (len(found.runs), found.damaged) == (1, ())


def test_a_run_under_the_name_of_another_is_damage(damaged: Store) -> None:
    [run] = runs_of(damaged)
    run.rename(run.with_name("20200101T000000.000000Z-0123456789abcdef.json"))
    [finding] = [each for each in fsck(damaged.path).findings if each.severity == "damage"]
    assert finding.what == "it is another run than its name says"


def test_a_forgotten_image_is_in_no_run_and_the_runs_stay(damaged: Store) -> None:
    fit_head(damaged, "knn")
    image = damaged.find_image("disc/05.png").image_id
    before = {path: path.read_bytes() for path in runs_of(damaged)}
    forget(damaged, plan_forget(damaged, ["disc/05.png"]))
    fsck(damaged.path, repair=True)
    assert {path: path.read_bytes() for path in runs_of(damaged)} == before
    for data in before.values():
        assert image not in data
        assert image.hex().encode() not in data
        assert b"disc/05.png" not in data
