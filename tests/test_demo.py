from pathlib import Path

from PIL import Image

from icehouse.demo import run, write_digits
from icehouse.store import Store


def test_the_demo_goes_from_digits_to_a_contact_sheet(tmp_path):
    shown = []
    sheet = run(tmp_path / "demo", lambda *things: shown.extend(things))
    with Image.open(sheet) as image:
        assert min(image.size) > 1000
    store = Store.open(tmp_path / "demo" / "digits.icehouse")
    assert len(store.features(store.encoder_ids()[0]).ids()) == 1797
    assert sorted(store.files.folders("heads/digits")) == [
        "forest", "knn", "logistic", "mlp", "xgboost",
    ]  # fmt: skip
    closing = shown[-1]
    assert str(sheet) in closing
    for line in closing.splitlines():
        if ".csv" in line or ".png" in line:
            assert Path(line.split()[0]).is_file()


def test_digits_are_written_once(tmp_path):
    folder = write_digits(tmp_path)
    files = sorted(folder.rglob("*.png"))
    assert len(files) == 1797
    before = [path.stat().st_mtime_ns for path in files]
    write_digits(tmp_path)
    assert [path.stat().st_mtime_ns for path in files] == before
