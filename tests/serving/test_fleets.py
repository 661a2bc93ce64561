"""What is said when a strategy has no champion to go by."""

import pytest

from configs.errors import ModelError
from serving.fleets import missing_champions, require_kinds
from training.registry.manager import ModelManager


def test_a_kind_without_a_champion_says_what_to_do(store, tmp_path):
    models = ModelManager(store)
    require_kinds(models, {"direction", "volatility"}, {"volatility"}, "volatility_target")
    newest = models.versions("volatility")[-1]
    with pytest.raises(
        ModelError, match=rf"there is none: {newest} is not promoted.*models promote {newest} --kind vol"
    ):
        require_kinds(models, {"direction"}, {"volatility", "direction"}, "volatility_target")
    with pytest.raises(ModelError, match=r"there is none\. Train one .`fleetcast train --kinds volatility`"):
        require_kinds(ModelManager(tmp_path), {"direction"}, {"volatility"}, "volatility_target")


def test_each_kind_without_a_champion_is_a_sentence_with_the_reason(store, tmp_path):
    newest = ModelManager(store).versions("direction")[-1]
    assert missing_champions(ModelManager(store), {"direction", "volatility"}) == []
    (sentence,) = missing_champions(ModelManager(store), {"volatility"})
    assert sentence.startswith(f"direction is not forecast: it has no champion: {newest} is not promoted")
    assert sentence.endswith(f"Promote it (`fleetcast models promote {newest} --kind direction`).")
    (sentence,) = missing_champions(ModelManager(tmp_path), {"direction"})
    assert sentence.endswith("it has no champion. Train one (`fleetcast train --kinds volatility`).")
