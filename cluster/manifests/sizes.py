"""How many nodes of which size: decided by the configuration alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from configs.errors import ConfigError
from configs.schema import Config


@dataclass(frozen=True, slots=True)
class Nodes:
    """``least`` to ``most`` nodes of one size, of whose ``cpus`` Ray gives ``work`` to workers or replicas."""

    least: int
    most: int
    cpus: int
    work: int
    gib: int
    gpus: int = 0


def head_node(config: Config) -> Nodes:
    """Return the head: it schedules, and runs the driver of a job, but no worker and no replica."""
    cpus = config.deploy.head_cpus
    return Nodes(1, 1, cpus, 0, _gib(config, cpus))


def training_nodes(config: Config) -> Nodes:
    """Return the nodes that train. Training takes the nodes that are there, so their number does not change.

    Raises
    ------
    ConfigError
        A node is too small for a worker, or for its GPUs.
    """
    run, deploy = config.run, config.deploy
    gpus = deploy.node_gpus if run.use_gpu else 0
    workers = int(deploy.node_cpus // run.cpus_per_worker)
    if workers < max(gpus, 1):
        raise ConfigError(
            f"a node of deploy.node_cpus={deploy.node_cpus} holds {workers} workers of run.cpus_per_worker="
            f"{run.cpus_per_worker:g}; expected {max(gpus, 1)} or more. Give larger nodes or smaller workers."
        )
    held = gpus or workers
    count = deploy.nodes if run.workers is None else math.ceil(run.workers / held)
    return Nodes(count, count, deploy.node_cpus, deploy.node_cpus, _gib(config, deploy.node_cpus), gpus)


def serving_nodes(config: Config) -> Nodes:
    """Return the nodes that serve: small, so that a lost one costs few replicas, and two if there are two replicas.

    One processor of each is for its proxy and for Ray itself.
    """
    serve = config.serve
    work = math.ceil(serve.cpus_per_replica)
    held = int(work // serve.cpus_per_replica)
    shards = served_shards(config)

    def needed(replicas: int) -> int:
        routers = math.ceil(replicas * serve.cpus_per_router / work) if shards > 1 else 0
        return math.ceil(replicas * shards / held) + routers

    least = max(needed(serve.replicas), min(2, serve.replicas))
    most = max(least, needed(serve.max_replicas or serve.replicas))
    return Nodes(least, most, work + 1, work, _gib(config, work + 1))


def served_shards(config: Config) -> int:
    """Return into how many shards the symbols are divided that are to be served."""
    symbols = config.deploy.served_symbols or len(config.data.symbols) or 1
    return math.ceil(symbols / config.serve.shard_symbols)


def _gib(config: Config, cpus: int) -> int:
    return math.ceil(cpus * config.deploy.gib_per_cpu)
