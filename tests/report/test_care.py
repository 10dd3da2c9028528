import io

from rich.console import Console

from icehouse.report import forget_table, fsck_table
from icehouse.store import CatalogRow, fsck, plan_forget


def text(shown, width=80):
    console = Console(width=width, file=io.StringIO())
    for each in shown:
        console.print(each, soft_wrap=isinstance(each, str))
    return console.file.getvalue()


def test_a_sound_store_is_one_line(fitted):
    shown = text(fsck_table(fsck(fitted.path)))
    assert shown == f"{fitted.path} is sound: 40 images, 40 vectors\n"


def test_findings_repairs_and_what_is_left_are_shown_with_their_remedy(fitted):
    fitted.catalog.append("shapes", [CatalogRow("[red]odd[red]")])
    (fitted.path / "notes[1].txt").write_text("mine")
    shown = text(fsck_table(fsck(fitted.path)))
    assert "is damaged in 1 ways" not in shown
    assert "is damaged in 1 way; sound are 40 images" in shown
    assert shown.endswith(f"next: icehouse fsck --repair --store {fitted.path}\n")
    assert "'[red]odd[red]'" in shown
    assert "notes[1].txt" in shown
    assert "--repair retires them" in shown
    shown = text(fsck_table(fsck(fitted.path, repair=True)))
    assert "repaired: catalog/shapes: retired 1 row" in shown
    assert shown.index("found") < shown.index("repaired") < shown.index("left")
    assert "is sound" in shown


def test_what_repair_does_not_mend_is_not_sent_to_it(fitted):
    [shard] = fitted.path.glob("features/*/*.parquet")
    shard.unlink()
    shown = " ".join(text(fsck_table(fsck(fitted.path))).split())
    assert "40 images (first: " in shown
    assert "of 40 have lost their vectors icehouse embed the same source again" in shown
    assert "next:" not in shown


def test_what_is_to_be_forgotten_is_counted_and_named(fitted):
    shown = text(forget_table(plan_forget(fitted, ["disc/01.png"])))
    assert "images: 1 " in shown
    assert "shapes/disc/01.png" in shown
    assert "shapes/logistic: fit them again" in shown
    assert "icehouse fsck --repair" in shown
    shown = text(forget_table(plan_forget(fitted, dataset="shapes")))
    assert "and 28 more" in shown
