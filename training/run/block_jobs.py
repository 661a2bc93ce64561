"""The jobs of a run: which symbols are fitted together, with which settings, and what their results are called."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count

from configs.load import config_hash
from configs.schema import Config
from configs.space import Setting
from training.registry.provenance import code_hash, library_versions
from training.run.job import POOLED, Input, Job

FITTING_LIBRARIES = ("numpy", "scipy", "keras", "tensorflow", "arch", "scikit-learn", "TA-Lib")


def jobs_of(config: Config, kind: str, inputs: Sequence[Input], clean: set[str], data: list[object]) -> Iterator[Job]:
    """Yield a kind's jobs: of the symbols that share their settings, then of those with settings of their own.

    The latter are few and lie scattered, so that they are merged to blocks; each of their groups has a pooled fit with
    its settings. An output's name holds the hash of all that decides its content, its symbols included.
    """
    groups = [one for one in config.own if one.kind == kind]
    apart = frozenset(symbol for one in groups for symbol in one.symbols)
    shared = _picked(inputs, lambda symbol: symbol not in apart)
    split: list[tuple[dict[str, Setting], list[tuple[Input, ...]]]] = [({}, [(one,) for one in shared])]
    for one in groups:
        theirs = _picked(inputs, frozenset(one.symbols).__contains__)
        split.append((one.values, _merged(theirs, config.run.block_symbols)))
    numbers = count()
    for settings, blocks in split:
        if not blocks:
            continue
        fitted = config.with_values(settings)
        section, run = fitted.section(kind), fitted.run
        sample = frozenset(sampled(clean, section.fit.pooled_symbols, run.seed))
        picked = _picked(inputs, sample.__contains__)
        identity = config_hash(
            [fitted.features, section, fitted.direction.label, run.seed, run.use_gpu, run.cpus_per_worker],
            [data, picked, library_versions(FITTING_LIBRARIES), code_hash("configs", "features", "training")],
        )
        folder, own = f"runs/{kind}-{identity}", "own-" if settings else ""
        needs = None
        if kind == "volatility" or section.strategy != "per_symbol":
            needs = f"{folder}/{POOLED}"
            yield Job(kind=kind, name=POOLED, output=needs, inputs=tuple(picked), settings=settings)
        for block in blocks:
            output = f"{folder}/{own}block-{config_hash(*block)}"
            name = f"{own}block-{next(numbers):05d}"
            yield Job(kind=kind, name=name, output=output, inputs=block, needs=needs, settings=settings)


def _picked(inputs: Iterable[Input], wanted: Callable[[str], bool]) -> list[Input]:
    return [(name, some) for name, symbols in inputs if (some := tuple(filter(wanted, symbols)))]


def _merged(inputs: Sequence[Input], most: int) -> list[tuple[Input, ...]]:
    """Return blocks of at most so many symbols, but for inputs that hold more."""
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
