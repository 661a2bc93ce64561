"""A version's blocks stacked to one fleet forecast as each block did."""

import numpy as np
import pytest

from configs.errors import ModelError
from features.splits import resolve_split
from training.predictors import predictor_class
from training.predictors.input_bars import panel_of
from training.predictors.join import join
from training.registry.blocks import Block, write_block
from training.registry.manager import ModelManager
from training.tasks import task_of

BLOCKS = (("AAA", "BBB"), ("CCC",), ("DDD", "EEE", "FFF"))
EVERY = pytest.mark.parametrize(
    ("kind", "strategy"), [(k, s) for k in ("direction", "volatility") for s in ("per_symbol", "pooled", "finetuned")]
)


@pytest.fixture(scope="module")
def fitted(tiny_config, make_universe):
    """Return the maker of a panel and the predictors of its blocks, as the workers of one run fit them."""
    made = {}

    def make(kind, strategy):
        if (kind, strategy) not in made:
            config = tiny_config(f"{kind}.strategy={strategy}")
            bars = make_universe([symbol for block in BLOCKS for symbol in block])
            panel = panel_of(bars, bars, config, None, None)
            split = resolve_split(panel.dates, config.split, getattr(config, kind).horizon)
            examples = task_of(kind).examples(panel, split, config)
            pooled = predictor_class(kind)(config).fit_pooled(examples)
            parts = [predictor_class(kind)(config).fit_examples(examples.select(block), pooled) for block in BLOCKS]
            made[kind, strategy] = panel, parts
        return made[kind, strategy]

    return make


@EVERY
def test_a_joined_fleet_forecasts_as_its_blocks_did(fitted, kind, strategy):
    panel, parts = fitted(kind, strategy)
    whole = join(parts)
    assert whole.symbols == tuple(symbol for block in BLOCKS for symbol in block)
    found = whole.predict_panel(panel)
    for part in parts:
        theirs = part.predict_panel(panel.select(part.symbols))
        np.testing.assert_allclose(
            found.loc[list(part.symbols)].drop(columns="basis").to_numpy(np.float64),
            theirs.drop(columns="basis").to_numpy(np.float64),
            rtol=1e-5,
            atol=1e-9,
        )


@EVERY
def test_a_version_is_loaded_whole_or_in_part(fitted, kind, strategy, tmp_path):
    panel, parts = fitted(kind, strategy)
    manager = ModelManager(tmp_path)
    for i, part in enumerate(parts):
        write_block(manager.store, f"runs/x/{i}", Block(kind, part.symbols, part.to_arrays(), part.meta()))
    version = manager.publish(kind, [f"runs/x/{i}" for i in range(3)], {"config": {}, "data_hash": "x"}).version
    whole = manager.load_fleet(kind, version)
    assert sorted(whole.symbols) == sorted(panel.symbols)
    some = manager.load_fleet(kind, version, {"FFF", "BBB", "ZZZ"})
    assert sorted(some.symbols) == ["BBB", "FFF"]
    ours, theirs = (one.predict_panel(panel.select(("FFF", "BBB"))) for one in (some, join(parts)))
    np.testing.assert_allclose(
        ours.drop(columns="basis").to_numpy(np.float64),
        theirs.drop(columns="basis").to_numpy(np.float64),
        rtol=1e-5,
        atol=1e-9,
    )
    with pytest.raises(ModelError, match="holds none of the symbols"):
        manager.load_fleet(kind, version, {"ZZZ"})


@EVERY
def test_fleets_of_one_join_as_well(fitted, kind, strategy):
    panel, parts = fitted(kind, strategy)
    alone = [
        type(part).from_state(part.symbols, part.to_arrays(), part.meta(), (symbol,))
        for part in parts
        for symbol in part.symbols
    ]
    ours, theirs = (
        join(some).predict_panel(panel).drop(columns="basis").to_numpy(np.float64) for some in (alone, parts)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-9)


def test_fleets_of_one_join_though_a_part_of_their_own_arrays_is_equal(fitted):
    _, parts = fitted("direction", "per_symbol")
    states = [part.to_arrays() for part in parts]
    for state in states:
        state["logistic/ridge"] = np.ones_like(state["logistic/ridge"])
    alone = [
        type(part).from_state(part.symbols, state, part.meta(), (symbol,))
        for part, state in zip(parts, states, strict=True)
        for symbol in part.symbols
    ]
    assert join(alone).to_arrays()["logistic/ridge"].shape == (6,)


def test_what_fleets_of_one_share_is_kept_once(fitted):
    _, parts = fitted("direction", "pooled")
    alone = [type(p).from_state(p.symbols, p.to_arrays(), p.meta(), (name,)) for p in parts for name in p.symbols]
    assert {name: len(values) for name, values in join(alone).to_arrays().items()} == {
        name: len(values) for name, values in join(parts).to_arrays().items()
    }


def test_fleets_that_do_not_belong_together_are_refused(fitted):
    _, pooled = fitted("direction", "pooled")
    _, finetuned = fitted("direction", "finetuned")
    with pytest.raises(ModelError, match="different settings"):
        join([pooled[0], finetuned[1]])
    with pytest.raises(ModelError, match="a symbol twice"):
        join([pooled[0], pooled[0]])
    other = type(pooled[1]).from_state(
        pooled[1].symbols, pooled[1].to_arrays() | {"weights": pooled[1].to_arrays()["weights"] + 1}, pooled[1].meta()
    )
    with pytest.raises(ModelError, match="do not share 'weights'"):
        join([pooled[0], other])
