"""Scoring stored texts on a Ray cluster: a pool of actors, each with its own copy of the network."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pyarrow as pa
from ray import cluster_resources
from ray.exceptions import RayError

from configs.errors import ClusterError, ModelError, last_line
from features.alternative.text.stored_scores import missing_texts, score_rows
from features.store.alternative import AlternativeLake
from training.models.encoder.open_scorer import open_scorer, scorer_name

_BLOCK = 512  # texts of one task; their scores are written together


def score_on_ray(
    lake: AlternativeLake, spec: str, texts: Iterable[str], now: datetime, *, actors: int, cpus_per_actor: int = 1
) -> int:
    """Score the texts that have no score yet, on the cluster that this process is connected to; return how many.

    Texts are sorted by length, so that a batch has little padding. Scores are written as tasks end: an interrupted run
    continues where it stopped, and a stored score is never replaced.

    Parameters
    ----------
    spec
        The scorer, as :func:`~training.models.encoder.open_scorer.open_scorer` takes it. Each actor opens it, so its
        files must be readable on all machines under the same path or URI.
    actors, cpus_per_actor
        Size of the pool, and the processors of each actor: its network uses as many threads.

    Raises
    ------
    ClusterError
        The cluster has fewer processors, or an actor failed; the message has its reason.
    ModelError, DataError, ConfigError
        The scorer cannot be opened here.
    """
    name = scorer_name(spec)
    wanted = sorted(missing_texts(lake, name, texts).items(), key=lambda item: (len(item[1]), item[0]))
    if not wanted:
        return 0
    available = cluster_resources().get("CPU", 0.0)  # type: ignore[no-untyped-call]
    if actors * cpus_per_actor > available:
        raise ClusterError(
            f"{actors} actors of {cpus_per_actor} processors were asked for; the cluster has {available:g} processors. "
            "Ask for fewer."
        )
    blocks = [wanted[start : start + _BLOCK] for start in range(0, len(wanted), _BLOCK)]
    try:
        _run(lake, spec, name, blocks, now, min(actors, len(blocks)), cpus_per_actor)
    except RayError as error:
        raise ClusterError(
            f"scoring with {name} failed on the cluster ({last_line(error)}). Scores so far are stored; run it again."
        ) from error
    return len(wanted)


def _run(
    lake: AlternativeLake,
    spec: str,
    name: str,
    blocks: list[list[tuple[str, str]]],
    now: datetime,
    actors: int,
    cpus_per_actor: int,
) -> None:
    from ray.data import ActorPoolStrategy, DataContext, from_arrow

    DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    tables = [pa.table({"digest": [one for one, _ in block], "text": [one for _, one in block]}) for block in blocks]
    scored = from_arrow(tables).map_batches(
        ScoringActor,
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(size=actors),
        num_cpus=cpus_per_actor,
        fn_constructor_args=(spec, name, cpus_per_actor),
    )
    batches: Any = scored.iter_batches(batch_size=None, batch_format="pyarrow")
    for batch in batches:
        if len(batch):
            lake.append("scores", score_rows(name, batch["digest"].to_pylist(), batch["tone"].to_numpy(), now))


class ScoringActor:
    """Scores tables with the columns ``digest`` and ``text``; one of a pool of Ray Data's actors."""

    def __init__(self, spec: str, name: str, threads: int) -> None:
        self._scorer = open_scorer(spec, threads)
        if self._scorer.name != name:
            raise ModelError(
                f"{spec!r} is {self._scorer.name} on a worker, but {name} where scoring was started; expected equal "
                "files. Copy the same files to all machines."
            )

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Return the columns ``digest`` and ``tone``."""
        return pa.table({"digest": batch["digest"], "tone": self._scorer.score(batch["text"].to_pylist()).tone})
