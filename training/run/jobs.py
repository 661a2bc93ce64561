"""The jobs of a run: which symbols are fitted together, with which settings, and what their results are called."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from configs.load import config_hash
from configs.schema import Config
from training.registry.provenance import code_hash, library_versions
from training.run.job import POOLED, Input, Job

FITTING_LIBRARIES = ("numpy", "scipy", "keras", "tensorflow", "arch", "scikit-learn", "TA-Lib")


def jobs_of(config: Config, kind: str, inputs: Sequence[Input], clean: set[str], data: list[object]) -> Iterator[Job]:
    """Yield a kind's jobs: of the symbols that share their settings, then of those with settings of their own."""
    groups = [(number, one) for number, one in enumerate(config.own) if one.kind == kind]
    apart = frozenset(symbol for _, one in groups for symbol in one.symbols)
    shared = _picked(inputs, lambda symbol: symbol not in apart)
    yield from _group_jobs(config.of(None), kind, [(one,) for one in shared], inputs, clean, data, None)
    for number, one in groups:
        blocks = _merged(_picked(inputs, frozenset(one.symbols).__contains__), config.run.block_symbols)
        yield from _group_jobs(config.of(one), kind, blocks, inputs, clean, data, number)


def _group_jobs(
    config: Config,
    kind: str,
    blocks: Sequence[tuple[Input, ...]],
    inputs: Sequence[Input],
    clean: set[str],
    data: list[object],
    own: int | None,
) -> Iterator[Job]:
    """Yield the jobs of symbols with equal settings, who have a pooled fit of all symbols with these settings.

    An output's name holds the hash of all that decides its numbers, its symbols included.
    """
    if not blocks:
        return
    section, run = config.section(kind), config.run
    sample = frozenset(sampled(clean, section.fit.pooled_symbols, run.seed))
    picked = _picked(inputs, sample.__contains__)
    identity = config_hash(
        [config.features, section, config.direction.label, run.seed, run.use_gpu, run.cpus_per_worker],
        [data, picked, library_versions(FITTING_LIBRARIES), code_hash("configs", "features", "training")],
    )
    folder = f"runs/{kind}-{identity}"
    needs = None
    if kind == "volatility" or section.strategy != "per_symbol":
        needs = f"{folder}/{POOLED}"
        yield Job(kind=kind, name=POOLED, output=needs, inputs=tuple(picked), own=own)
    group = "" if own is None else f"own-{own}-"
    for number, block in enumerate(blocks):
        output = f"{folder}/block-{config_hash(*block)}"
        yield Job(kind=kind, name=f"{group}block-{number:05d}", output=output, inputs=block, needs=needs, own=own)


def _picked(inputs: Iterable[Input], wanted: Callable[[str], bool]) -> list[Input]:
    return [(name, some) for name, symbols in inputs if (some := tuple(filter(wanted, symbols)))]


def _merged(inputs: Sequence[Input], most: int) -> list[tuple[Input, ...]]:
    """Return blocks of at most about so many symbols: those with settings of their own are few and lie scattered."""
    blocks: list[tuple[Input, ...]] = []
    for one in inputs:
        if blocks and sum(len(symbols) for _, symbols in (*blocks[-1], one)) <= most:
            blocks[-1] += (one,)
        else:
            blocks.append((one,))
    return blocks


def sampled(symbols: set[str], count: int, seed: int) -> list[str]:
    """Return ``count`` symbols chosen by a hash, so that one more symbol in the universe changes the sample little."""
    return sorted(symbols, key=lambda symbol: hashlib.sha256(f"{seed} {symbol}".encode()).digest())[:count]
