import io

from rich.console import Console

from icehouse.heads import HeadExport
from icehouse.report import export_table


def text(table):
    console = Console(width=100, file=io.StringIO())
    console.print(table)
    return " ".join(console.file.getvalue().split())


def test_an_export_says_how_near_it_is_to_the_head():
    done = HeadExport(
        "out/[1].onnx", "shapes", "near", "knn", "tiny-0", "features", 12345, 40, 2.5e-8, 0, None,
        ("[it] holds vectors",),
    )  # fmt: skip
    shown = text(export_table(done))
    assert "file out/[1].onnx size 12,345 bytes head near (knn) of task shapes" in shown
    assert "largest difference 2.5e-08 on 40 stored features" in shown
    assert "drawn pictures" not in shown
    assert "note [it] holds vectors" in shown


def test_what_was_seen_of_the_encoder_is_said_too():
    done = HeadExport("w", "t", "h", "mlp", "tiny-0", "image", 1, 40, 1e-7, 8, 1.5e-6, ())
    assert "with the encoder 1.5e-06 on 8 drawn pictures" in text(export_table(done))
