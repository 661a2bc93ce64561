"""What a training of many symbols takes on many workers, from what its parts were measured to take. Pure arithmetic."""

from __future__ import annotations

from dataclasses import dataclass

# Requests a second that S3 serves below one prefix: 3,500 that write (AWS, "Best practices design patterns: optimizing
# Amazon S3 performance").
STORE_WRITES_PER_S = 3_500.0
DRIVER_GIB = 16.0
_PROGRESS_PER_S = 2.0


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured seconds, bytes and requests.

    ``prepare_s`` and ``memory_mib`` are (fixed, per symbol) of the driver; ``publish_s`` and ``manifest_bytes`` (fixed,
    per block of each kind); ``start_s`` starts Ray and Train, ``worker_s`` one worker (imports, first tracing);
    ``pooled_s`` are the pooled jobs, which all others wait for, ``block_s`` a
    block's jobs of all ``kinds`` together; ``call_s`` is a call of the queue's actor and
    ``progress_s`` (fixed, per block) one look at how far it is.
    """

    prepare_s: tuple[float, float]
    memory_mib: tuple[float, float]
    publish_s: tuple[float, float]
    manifest_bytes: tuple[float, float]
    start_s: float
    worker_s: float
    pooled_s: tuple[float, ...]
    block_s: float
    block_symbols: int
    kinds: int
    writes_per_block: float
    calls_per_block: float
    call_s: float
    progress_s: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Wall seconds by stage, the share of the workers' time that is work, and what it costs."""

    prepare_s: float
    start_s: float
    pooled_s: float
    blocks_s: float
    publish_s: float
    utilisation: float
    usd: float

    @property
    def total_s(self) -> float:
        """Seconds in all."""
        return self.prepare_s + self.start_s + self.pooled_s + self.blocks_s + self.publish_s


def forecast(costs: Costs, symbols: int, workers: int, cores: float, usd_per_core_hour: float) -> Forecast:
    """Return what ``symbols`` take on ``workers`` of one core each, of which at most ``cores`` run at a time."""
    blocks = -(-symbols // costs.block_symbols)
    workers = min(workers, costs.kinds * blocks)  # at most one a job
    at_once = min(workers, cores)
    starting = costs.worker_s * workers / at_once
    work = max(blocks * costs.block_s / at_once, costs.block_s / costs.kinds)
    prepare, publish = _line(costs.prepare_s, symbols), _line(costs.publish_s, blocks)
    pooled = max(max(costs.pooled_s), sum(costs.pooled_s) / at_once)
    held = costs.start_s + starting + pooled + work
    busy = blocks * costs.block_s
    hours = (workers * held + prepare + publish) / 3600.0
    return Forecast(
        prepare_s=prepare,
        start_s=costs.start_s + starting,
        pooled_s=pooled,
        blocks_s=work,
        publish_s=publish,
        utilisation=busy / (at_once * held),
        usd=hours * usd_per_core_hour,
    )


def limits(costs: Costs, symbols: int) -> dict[str, float]:
    """Return how many workers each shared part can serve before it takes as long as the work itself.

    ``driver_memory`` is different: it is the share of :data:`DRIVER_GIB` that the driver needs.
    """
    blocks = -(-symbols // costs.block_symbols)
    work = blocks * costs.block_s
    serial = _line(costs.prepare_s, symbols) + _line(costs.publish_s, blocks)
    queue = costs.calls_per_block * costs.call_s / costs.block_s
    watched = min(_PROGRESS_PER_S * _line(costs.progress_s, blocks), 0.99)
    return {
        "driver_preparing_and_publishing": work / serial,
        "queue_actor": (1.0 - watched) / queue,
        "store_writes": STORE_WRITES_PER_S * costs.block_s / costs.writes_per_block,
        "jobs_to_share": float(costs.kinds * blocks),
        "driver_memory": _line(costs.memory_mib, symbols) / 1024.0 / DRIVER_GIB,
    }


def first_bottleneck(costs: Costs, symbols: int) -> str:
    """Return which part gives out first as workers are added; the driver's memory, if it does not suffice at all."""
    found = limits(costs, symbols)
    if found.pop("driver_memory") > 1.0:
        return "driver_memory"
    return min(found, key=lambda name: found[name])


def line(few: tuple[float, float], many: tuple[float, float]) -> tuple[float, float]:
    """Return (fixed, per unit) of the straight line through two (units, value), neither below zero."""
    slope = max((many[1] - few[1]) / (many[0] - few[0]), 0.0)
    return max(few[1] - slope * few[0], 0.0), slope


def _line(parts: tuple[float, float], units: float) -> float:
    return parts[0] + parts[1] * units
