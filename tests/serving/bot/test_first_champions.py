"""A bot whose second kind of models gets its first champion while it runs."""

import pytest

from training.registry.manager import ModelManager

pytestmark = pytest.mark.slow

SETTINGS = {"strategy": {"name": "volatility_target"}, "direction": {"horizon": 3}}


def test_a_kind_that_is_promoted_later_counts_with_its_test_and_its_own_horizon(make_bot, grow, store):
    models = ModelManager(store)
    champion = models.aliases("direction").champion
    store.delete("models/direction/aliases.json")
    bot = make_bot(sections=SETTINGS)
    bot.run_scan()
    assert bot.services.scanner._record.config.direction.horizon == 3, "of the settings, without a model"
    grow(481)
    models.promote("direction", champion, "test")
    bot.run_scan()
    again = make_bot(sections=SETTINGS)
    for bars, one in ((482, again), (483, bot)):
        grow(bars)
        one.run_scan()
        record, tested = one.services.scanner._record, models.tested_rows("direction", champion, "AAA")
        assert record.config.direction.horizon == models.manifest("direction").config["direction"]["horizon"]
        assert len(record._rows["direction"]) == len(tested) + bars - 480
    store.delete("models/direction/aliases.json")
    grow(484)
    assert bot.run_scan() and len(record._rows["direction"]) == len(tested) + 3, "the strategy does not need it"
