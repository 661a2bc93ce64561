"""Train on a cluster and print its progress as JSON lines, each of which is answered by an empty line on stdin.

Arguments: a configuration file, a store, an address, and ``occupied`` if the processor of place-2 is in use until the
step with the first running job is answered. Nodes have a resource ``place-…``, their name.
"""

import json
import sys
from dataclasses import asdict

import ray

from cluster.session import connect
from cluster.views.console import stdout_reserved_for_json
from configs.load import load_config
from training.trainer import Callbacks, ModelTrainer


class Occupant:
    """Work of another driver."""


def places() -> dict[str, str]:
    """Return the name of each living node by its id."""
    return {
        node["NodeID"]: next(name for name in node["Resources"] if name.startswith("place-"))
        for node in ray.nodes()
        if node["Alive"]
    }


def main(settings: str, store: str, address: str, *occupied: str) -> None:
    trainer, out = ModelTrainer(load_config("smoke", settings), store), sys.stdout
    with stdout_reserved_for_json(), connect(address):
        known, occupant = places(), None
        if occupied:
            occupant = ray.remote(num_cpus=1, resources={"place-2": 1})(Occupant).remote()
            ray.get(occupant.__ray_ready__.remote())

        def progress(now) -> None:
            nonlocal occupant
            known.update(places())
            facts = asdict(now)
            for field in ("nodes", "done_on"):
                facts[field] = {known[node]: count for node, count in facts[field].items()}
            print(json.dumps(facts), file=out, flush=True)
            sys.stdin.readline()
            if now.running and occupant is not None:
                ray.kill(occupant)
                occupant = None

        [kind] = trainer.run(trainer.prepare(), callbacks=Callbacks(progress=progress)).results
        print(json.dumps({"failed": kind.failed, "symbols": len(kind.per_symbol)}), file=out, flush=True)


main(*sys.argv[1:])
