from rich.console import Console

from icehouse.heads import Trial, Tuned
from icehouse.report import trials_table


def test_the_best_is_on_top_and_the_settings_as_given_are_always_there(capsys):
    trials = [Trial({"lr": 0.0012345, "k": 3}, 0.9, 1.0)]
    trials += [Trial({"lr": 0.1, "k": n}, 0.5 - n / 100, 2.0) for n in range(12)]
    trials.append(Trial({"lr": 0.1, "k": 99}, None, 2.0, "failed"))
    table = trials_table(Tuned({}, tuple(trials), "log_loss", "tuning/a/b.jsonl", ""))
    Console(width=100).print(table)
    _, header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["trial", "log_loss", "lr", "k", "s"]
    assert rows[0].split() == ["12", "0.3900", "0.1", "11", "2.0"]
    assert rows[-1].split() == ["0", "(as", "given)", "0.9000", "0.00123", "3", "1.0"]
    assert len(rows) == 11
