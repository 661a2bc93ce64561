"""What a retraining would do, by kind."""

import pytest

from configs.errors import ModelError
from serving.retraining.plan import plan_retraining


def test_a_kind_without_a_champion_is_in_the_plan_with_the_reason(journal, models, config):
    models.store.delete("models/direction/aliases.json")
    direction, volatility = plan_retraining(journal, models, config, "bot", force=True)
    assert not direction.due.is_due and volatility.due.is_due
    assert direction.due.reason.startswith("there is no champion whose settings say how. Promote a version")
    models.store.delete("models/volatility/aliases.json")
    with pytest.raises(ModelError, match=r"to train again\. Promote a version: fleetcast models promote"):
        plan_retraining(journal, models, config, "bot")
