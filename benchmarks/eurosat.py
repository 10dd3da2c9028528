"""Claim: EuroSAT is frozen once. Five heads learn from it, logistic reaches 0.935 on the test
split; embedding it again takes at most 3 % of the first run, and renamed files cost nothing."""

from __future__ import annotations

from _common import encoder, icehouse, real, show, workplace

HEADS = ("mlp", "logistic", "forest", "xgboost", "knn")
NUMBERS = ("top1", "top5", "precision", "recall", "f1", "auc_roc", "log_loss", "ece")


def main() -> None:
    """Run it."""
    data = real()
    with workplace() as folder:
        header, *lines = (data / "eurosat.csv").read_text().splitlines()
        for line in lines:
            path = folder / _path(line)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes((data / _path(line)).read_bytes())
        manifest = folder / "eurosat.csv"
        manifest.write_text("\n".join([header, *lines]))
        embed = ("embed", manifest, "--store", folder / "store", "--encoder", encoder(data))
        first, again = icehouse(*embed), icehouse(*embed)
        for line in lines:
            (folder / _path(line)).rename(folder / _path(_renamed(line)))
        manifest.write_text("\n".join([header, *map(_renamed, lines)]))
        renamed = icehouse(*embed)
        cards = [
            icehouse("fit-head", "--store", folder / "store", "--head", head).results[0]
            for head in HEADS
        ]
    show(
        "embed",
        ("run", "encoded", "reused", "seconds", "of the first", "images/s", "limit"),
        [
            (
                name,
                run.results[0]["encoded"],
                run.results[0]["reused"],
                run.seconds,
                f"{run.seconds / first.seconds:.1%}",
                (run.results[0]["speed"] or {}).get("achieved", ""),
                (run.results[0]["speed"] or {}).get("limit", ""),
            )
            for name, run in (("first", first), ("again", again), ("renamed", renamed))
        ],
    )
    show(
        "heads on the test split",
        ("head", *NUMBERS, "fit s"),
        [(c["name"], *(c["metrics"]["test"][n] for n in NUMBERS), c["seconds"]) for c in cards],
    )


def _path(line: str) -> str:
    return line.partition(",")[0]


def _renamed(line: str) -> str:
    folder, _, rest = line.rpartition("/")
    return f"{folder}/renamed-{rest}"


if __name__ == "__main__":
    main()
