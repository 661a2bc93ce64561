"""Files for ``ray up``: valid by Ray's own schema and rules, closed to the world, with what the nodes need."""

import json
from pathlib import Path

import jsonschema
import pytest
import ray.autoscaler
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[3]
CLOUDS = ("aws", "gcp")


@pytest.fixture(params=[(cloud, preset) for cloud in CLOUDS for preset in ("equities", "gpu")], ids=" ".join)
def cluster(request, documents):
    cloud, preset = request.param
    return cloud, preset, documents(f"ray-up-{cloud}", "--preset", preset)[None]


def test_ray_accepts_it(cluster):
    _, _, found = cluster
    schema = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())
    jsonschema.validate(found, schema)
    validate_config(prepare_config(found))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found | {"max_worker": 1}, schema)


def test_the_preset_decides_which_workers_are_there(cluster):
    _, preset, found = cluster
    types = found["available_node_types"]
    there = {name: (one["min_workers"], one["max_workers"]) for name, one in types.items()}
    assert there == {"head": (0, 0), "cpu": (0, 2), "gpu": (0, 2)} | {"gpu" if preset == "gpu" else "cpu": (2, 2)}
    assert types["head"]["resources"] == {"CPU": 0} and types["gpu"]["resources"] == {"CPU": 8, "GPU": 1}
    assert "and-cuda" in types["gpu"]["worker_setup_commands"][-1]
    assert types["gpu"]["worker_setup_commands"][:-1] == found["setup_commands"]


def test_nodes_are_closed_to_the_world(cluster):
    cloud, _, found = cluster
    for node in (one["node_config"] for one in found["available_node_types"].values()):
        if cloud == "aws":
            assert node["SecurityGroupIds"] == ["sg-0123"] and node["MetadataOptions"]["HttpTokens"] == "required"
        else:
            assert [one["subnetwork"] for one in node["networkInterfaces"]] == ["regions/r/s"]
    start = found["head_start_ray_commands"][-1]
    assert "--dashboard-host=127.0.0.1" in start and "0.0.0.0" not in json.dumps(found)
    assert any("RAY_AUTH_MODE=token" in command for command in found["setup_commands"])
    assert found["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"


def test_what_is_sent_exists_and_is_the_project_alone(cluster):
    mounts = {remote: local for remote, local in cluster[2]["file_mounts"].items() if local[0] != "~"}
    assert all(
        (ROOT / local).exists() and remote == f"/home/ubuntu/fleetcast/{local}" for remote, local in mounts.items()
    )
    assert {"pyproject.toml", "cluster", "configs"} <= set(mounts.values())


@pytest.mark.parametrize(
    ("settings", "machines"),
    [
        ((), ("m6i.large", "m6i.2xlarge", "g6.2xlarge")),
        (("deploy.node_cpus=5", "deploy.head_cpus=4"), ("m6i.xlarge", "m6i.2xlarge", "g6.2xlarge")),
        (("deploy.node_cpus=48", "deploy.node_gpus=4"), ("m6i.large", "m6i.12xlarge", "g6.12xlarge")),
    ],
)
def test_machines_are_the_smallest_that_are_large_enough(settings, machines, documents):
    given = [part for setting in settings for part in ("--set", setting)]
    types = documents("ray-up-aws", *given)[None]["available_node_types"]
    assert tuple(types[kind]["node_config"]["InstanceType"] for kind in ("head", "cpu", "gpu")) == machines


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ray-up-aws", "--set", "deploy.cloud.image=null"), "needs deploy.cloud.image"),
        (("ray-up-gcp", "--set", "deploy.node_gpus=3"), "no machine of gcp is known with 8 processors and 3 GPUs"),
        (("ray-up-aws", "--set", "deploy.node_cpus=200"), "more than 96"),
    ],
)
def test_what_cannot_be_rented_is_told(arguments, says, text):
    with pytest.raises(AssertionError, match=says):
        text(*arguments)
