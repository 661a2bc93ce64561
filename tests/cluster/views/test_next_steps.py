"""The last lines of a run say what `predict` will use."""

from cluster.views.next_steps import next_steps
from training.run.kind_result import KindResult


def test_a_version_that_was_not_promoted_is_named_with_what_predict_uses_instead():
    promoted = KindResult("volatility", {}, version="v2", champion="v2")
    assert next_steps([promoted], " --store s") == ["next: fleetcast predict --store s, fleetcast serve --store s"]
    left = KindResult("direction", {}, version="v2", champion="v1")
    first, second, *others = next_steps([left, promoted], " --store s")
    assert first == "direction was not promoted (the reasons are above)"
    assert second.endswith("go on with the former champion: direction v1")
    assert "forecasts of this run: fleetcast predict --alias latest --store s" in others
    assert any("fleetcast models promote v2 --kind direction --store s" in line for line in others)


def test_a_kind_without_a_champion_is_named_with_what_is_forecast_all_the_same():
    first = KindResult("direction", {}, version="v1")
    head = "without a champion of direction, fleetcast predict and serve"
    assert next_steps([first])[1] == f"{head} have nothing to use"
    assert next_steps([first], "", ["volatility"])[1] == f"{head} forecast volatility only"
    former = KindResult("volatility", {}, version="v2", champion="v1")
    assert [line for line in next_steps([first, former]) if line.startswith(head)] == [
        f"{head} forecast volatility only"
    ]
