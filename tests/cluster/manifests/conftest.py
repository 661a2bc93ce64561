"""Manifests as the command line writes them, read again."""

import pytest
import yaml

WHERE = ("--store", "s3://bucket/fleetcast", "--image", "registry.example/fleetcast:1")
CLOUDS = {
    "ray-up-aws": (
        "cloud.image=ami-0123",
        "cloud.region=eu-west-1",
        "cloud.security_group=sg-0123",
        "service_account=nodes",
    ),
    "ray-up-gcp": (
        "cloud.image=projects/p/global/images/i",
        "cloud.project=p",
        "cloud.zone=europe-west1-b",
        "cloud.subnetwork=regions/r/s",
    ),
}


@pytest.fixture
def run(call):
    """Return the command: ``run("ray-job", …)`` gives what it prints; a refusal fails with its line."""

    def render(*arguments):
        told = call("manifests", "render", *arguments)
        assert not told.code, told.err
        return told.out

    return render


@pytest.fixture
def text(run):
    """Return the same, with a store, an image, and what the clouds among the kinds need."""

    def render(*arguments):
        cloud = [f"deploy.{setting}" for kind in arguments for setting in CLOUDS.get(kind, ())]
        return run(*(part for setting in cloud for part in ("--set", setting)), *arguments, *WHERE)

    return render


@pytest.fixture
def documents(text):
    """Return the same as values, by their kind where they have one."""
    return lambda *arguments: {one.get("kind"): one for one in yaml.safe_load_all(text(*arguments))}
