"""The jobs of a run: which symbols are fitted together, and the names of their results."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence

from configs.load import config_hash
from configs.schema import Config
from training.registry.provenance import code_hash, library_versions
from training.run.job import POOLED, TESTED, Input, Job
from training.tasks import task_of

FITTING_CODE = "training.run.worker"
FITTING_LIBRARIES = ("numpy", "scipy", "keras", "tensorflow", "arch", "scikit-learn", "TA-Lib")


def jobs_of(
    config: Config,
    kind: str,
    inputs: Sequence[Input],
    clean: Collection[str],
    data: list[object],
    fold: int | None = None,
    tested: object = None,
    *,
    bars: int = 0,
) -> Iterator[Job]:
    """Yield a kind's jobs: the pooled fits, if the strategy has them, then one block per input.

    With ``run.refit`` there are two pooled fits: the one that is tested, and one that repeats its choices on all rows.
    Those parts of them that take long with so many ``bars`` are jobs of their own: workers share what blocks wait for.

    An output's name contains a hash of everything that determines its content: ``data`` stands for all bars, so the
    names of staged files do not count. Of a ``fold``, ``data`` stands for the bars that its fit sees, and ``tested``
    for those of its test.
    """
    section, run = config.section(kind), config.run
    sample = frozenset(sampled(clean, section.fit.pooled_symbols, run.seed))
    picked = [(name, chosen) for name, symbols in inputs if (chosen := tuple(filter(sample.__contains__, symbols)))]
    identity = config_hash(
        [config.features, section, config.direction.label, run.seed, run.use_gpu, run.cpus_per_worker, run.refit],
        [data, [chosen for _, chosen in picked], library_versions(FITTING_LIBRARIES), code_hash(FITTING_CODE)],
    )
    folder = f"runs/{kind}-{identity}"
    needs, earlier, task = None, dict[str, str](), task_of(kind)
    if task.has_pooled_fit(config):
        for name in (TESTED, POOLED) if run.refit else (POOLED,):
            pooled = Job(kind=kind, name=name, output=f"{folder}/{name}", inputs=tuple(picked), needs=needs, fold=fold)
            made = {part: f"{pooled.output}-{part}" for part in task.slow_parts(config, bars)}
            for part, output in made.items():
                facts = {"name": f"{name}-{part}", "output": output, "part": part, "needs": earlier.get(part)}
                yield pooled.model_copy(update=facts)
            yield pooled.model_copy(update={"parts": tuple(made.values())})
            needs, earlier = pooled.output, made
    for number, block in enumerate(inputs):
        name, fitted = f"block-{number:05d}", f"{folder}/block-{config_hash(block[1])}"
        if fold is None:
            yield Job(kind=kind, name=name, output=fitted, inputs=(block,), needs=needs)
        else:
            output = f"{fitted}-{config_hash(tested)}"
            yield Job(kind=kind, name=name, output=output, inputs=(block,), needs=needs, fold=fold, fit=fitted)


def sampled(symbols: Collection[str], count: int, seed: int) -> list[str]:
    """Return ``count`` symbols chosen by hash: one more symbol in the universe replaces at most one of them."""
    return sorted(symbols, key=lambda symbol: hashlib.sha256(f"{seed} {symbol}".encode()).digest())[:count]
