"""The end of a sweep: a tie names no winner, and the next command repeats the options that decide on the data."""

import pytest

from cluster.options.sweep_options import repeated
from cluster.views.sweep_tables import show_tuned
from configs import load_config
from tuning.optimizer import Tuned
from tuning.score import Difference
from tuning.sweep_verdict import SweepVerdict
from tuning.trial_view import TrialView


def tuned(**changes) -> Tuned:
    facts = {"study": "first", "kind": "direction", "trial": 1, "default_trial": 0, "values": {"direction.horizon": 1}}
    facts |= {"loss": 1.0, "default_loss": 1.1, "baseline": 1.2, "gain": Difference(mean=-0.1, se=0.01)}
    facts |= {"edge": Difference(mean=-0.2, se=0.01), "chosen": "winner", **changes}
    trials = [
        TrialView(
            number,
            "complete",
            {"direction.fit.epochs": 2 + number, "direction.network.window": 8},
            1.0,
            1.2,
            (),
            {},
            1.0,
            "",
        )
        for number in range(2)
    ]
    return Tuned(SweepVerdict(**facts), tuple(trials), "sqlite:///x", "report.html", load_config())


def test_the_next_command_repeats_the_options_of_the_sweep(capsys):
    options = repeated("smoke", "own.yaml", ["my prices/a.csv", "b.csv"], "A,B", ["run.seed=1", "tune.trials=3"])
    show_tuned(tuned(), [*options, "--store", "s"], False)
    out = capsys.readouterr().out
    assert (
        "train with it: fleetcast train --study first --preset smoke --config own.yaml --bars 'my prices/a.csv' b.csv "
        "--symbols A,B --set run.seed=1 --store s"
    ) in out
    assert "fit.epochs" in out and "network.window" not in out, "only what varied"
    assert repeated(None, None, [], None, []) == []


@pytest.mark.parametrize("tied", [0, 2])
def test_a_tie_names_no_winner(capsys, tied):
    show_tuned(tuned(tied=tied, chosen="default"), [], False)
    out = capsys.readouterr().out
    assert ("trial 1 1.00000, default" in out) != bool(tied)
    assert ("all 2 trials score the same" in out) == bool(tied)
    assert "no settings to train with" in out
