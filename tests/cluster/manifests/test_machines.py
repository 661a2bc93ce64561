"""Files for ``ray up``: valid by Ray's own schema and rules, closed to the internet, with all that nodes need."""

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


def test_the_preset_decides_on_the_workers(cluster):
    _, preset, found = cluster
    types = found["available_node_types"]
    assert {name: (one["min_workers"], one["max_workers"]) for name, one in types.items()} == {
        "head": (0, 0),
        "train": (2, 2),
    }
    train = types["train"]
    assert types["head"]["resources"] == {"CPU": 0}
    assert train["resources"] == ({"CPU": 8, "GPU": 1} if preset == "gpu" else {"CPU": 8})
    if preset == "gpu":
        assert "and-cuda" in train["worker_setup_commands"][-1]
        assert train["worker_setup_commands"][:-1] == found["setup_commands"]
    else:
        assert "worker_setup_commands" not in train


def test_nodes_are_closed_to_the_internet(cluster):
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


def test_copied_files_exist_and_are_those_of_the_project(cluster):
    mounts = {remote: local for remote, local in cluster[2]["file_mounts"].items() if local[0] != "~"}
    assert all(
        (ROOT / local).exists() and remote == f"/home/ubuntu/fleetcast/{local}" for remote, local in mounts.items()
    )
    assert {"pyproject.toml", "cluster", "configs"} <= set(mounts.values())


@pytest.mark.parametrize(
    ("settings", "aws", "gcp"),
    [
        ((), ("m6i.large", "m6i.2xlarge"), ("n2-standard-2", "n2-standard-8")),
        (
            ("deploy.node_cpus=5", "deploy.head_cpus=3"),
            ("m6i.xlarge", "m6i.2xlarge"),
            ("n2-standard-4", "n2-standard-8"),
        ),
        (("run.use_gpu=true",), ("m6i.large", "g6.2xlarge"), ("n2-standard-2", "g2-standard-8")),
        (
            ("run.use_gpu=true", "deploy.node_cpus=40", "deploy.node_gpus=4"),
            ("m6i.large", "g6.12xlarge"),
            ("n2-standard-2", "g2-standard-48"),
        ),
    ],
)
def test_machines_are_the_smallest_that_are_large_enough(settings, aws, gcp, documents):
    given = [part for setting in settings for part in ("--set", setting)]
    for cloud, field, machines in (("aws", "InstanceType", aws), ("gcp", "machineType", gcp)):
        types = documents(f"ray-up-{cloud}", *given)[None]["available_node_types"]
        assert tuple(types[kind]["node_config"][field] for kind in ("head", "train")) == machines


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ray-up-aws", "--set", "deploy.cloud.image=null"), "needs deploy.cloud.image"),
        (
            ("ray-up-gcp", "--set", "run.use_gpu=true", "--set", "deploy.node_gpus=3"),
            "no machine is known with 8 processors and 3 GPUs.* 16 with 1, 48 with 4",
        ),
        (("ray-up-aws", "--set", "deploy.node_cpus=200"), "with 200 processors and 0 GPUs.* at most 96 without GPUs"),
    ],
)
def test_a_machine_that_is_not_known_is_an_error(arguments, says, text):
    with pytest.raises(AssertionError, match=says):
        text(*arguments)
