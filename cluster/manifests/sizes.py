"""Number and size of a cluster's nodes, from the configuration alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

from configs.errors import ConfigError
from configs.schema import Config


@dataclass(frozen=True, slots=True)
class Nodes:
    """``min_nodes`` to ``max_nodes`` nodes of one size; Ray gives ``work_cpus`` of their ``cpus`` to workers."""

    min_nodes: int
    max_nodes: int
    cpus: int
    work_cpus: int
    memory_gib: int
    gpus: int = 0


def head_node(config: Config) -> Nodes:
    """Return the head: it schedules and runs a job's driver, but no worker and no replica."""
    cpus = config.deploy.head_cpus
    return Nodes(1, 1, cpus, 0, _memory_gib(config, cpus))


def training_nodes(config: Config) -> Nodes:
    """Return the training nodes; their number is fixed, because a run uses the nodes that are there.

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
    per_node = gpus or workers
    count = deploy.nodes if run.workers is None else math.ceil(run.workers / per_node)
    return Nodes(count, count, deploy.node_cpus, deploy.node_cpus, _memory_gib(config, deploy.node_cpus), gpus)


def serving_nodes(config: Config) -> Nodes:
    """Return the serving nodes: small, so that a lost node costs few replicas; two or more for two or more replicas.

    One processor of each node is for its proxy and Ray itself.
    """
    serve = config.serve
    work_cpus = math.ceil(serve.cpus_per_replica)
    per_node = int(work_cpus // serve.cpus_per_replica)
    symbols = config.deploy.served_symbols or len(config.data.symbols) or 1
    shards = math.ceil(symbols / serve.shard_symbols)

    def needed(replicas: int) -> int:
        routers = math.ceil(replicas * serve.cpus_per_router / work_cpus) if shards > 1 else 0
        return math.ceil(replicas * shards / per_node) + routers

    min_nodes = max(needed(serve.replicas), min(2, serve.replicas))
    max_nodes = max(min_nodes, needed(serve.max_replicas or serve.replicas))
    return Nodes(min_nodes, max_nodes, work_cpus + 1, work_cpus, _memory_gib(config, work_cpus + 1))


def _memory_gib(config: Config, cpus: int) -> int:
    return math.ceil(cpus * config.deploy.gib_per_cpu)
