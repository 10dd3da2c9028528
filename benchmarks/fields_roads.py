"""Claim: the settings of the hand-made fields-and-roads network are reached, and its two wrong
labels, fields/3.jpg and fields/5.jpg, are among the first five images that ``flag`` names."""

from __future__ import annotations

from _common import encoder, icehouse, real, show, workplace

OLD = {
    "hidden": 256,
    "lr": 0.003,
    "batch_size": 3,
    "epochs": 7,
    "schedule": "none",
    "weight_decay": 0,
    "early_stopping": "false",
}
WRONG = {"fields/3.jpg", "fields/5.jpg"}


def main() -> None:
    """Run it."""
    data = real()
    with workplace() as folder:
        store = folder / "store"
        icehouse("embed", data / "fields_roads", "--store", store, "--encoder", encoder(data))
        old = [word for name, value in OLD.items() for word in ("--set", f"{name}={value}")]
        mlp = icehouse(
            "fit-head", "--store", store, "--head", "mlp", "--split", "100/0/0", "--folds", 5, *old
        )
        logistic = icehouse("fit-head", "--store", store, "--head", "logistic", "--folds", 5)
        for head in ("forest", "xgboost", "knn"):
            icehouse("fit-head", "--store", store, "--head", head, "--folds", 5)
        flags = icehouse("flag", "--store", store, "--head", "logistic").results
        test = data / "fields_roads_test"
        answers = icehouse("predict", test, "--store", store, "--head", "logistic").results
    trained = mlp.results[0]["metrics"]["train"]["top1"]
    folded = logistic.results[0]["metrics"]["out-of-fold"]["top1"]
    first = [flag["key"] for flag in flags[:5]]
    right = sum(a["predicted"][0] == a["name"].rsplit("/", 2)[1] for a in answers)
    show(
        "fields_roads",
        ("what", "measured", "claim", "holds"),
        [
            ("mlp, old settings, accuracy in training", trained, ">= 0.987", trained >= 0.987),
            ("logistic, five folds", folded, ">= 0.95", folded >= 0.95),
            ("first five flags", ", ".join(first), "both wrong labels", set(first) >= WRONG),
            ("test images right", f"{right} of {len(answers)}", "", ""),
        ],
    )
    show(
        "test images",
        ("image", "answer", "p", "ambiguous because"),
        [
            (
                a["name"].rsplit("/", 2)[1] + "/" + a["name"].rsplit("/", 1)[1],
                a["predicted"][0],
                a["probabilities"][a["predicted"][0]],
                ", ".join(a["reasons"]),
            )
            for a in answers
        ],
    )


if __name__ == "__main__":
    main()
