"""Manifests as the command line renders them."""

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
    """``run("ray-job", …)`` returns what the command prints; its error fails the test."""

    def render(*arguments):
        done = call("manifests", "render", *arguments)
        assert not done.code, done.err
        return done.out

    return render


@pytest.fixture
def text(run):
    """The same with a store, an image, and the settings of the clouds."""

    def render(*arguments):
        cloud = [f"deploy.{setting}" for kind in arguments for setting in CLOUDS.get(kind, ())]
        return run(*(part for setting in cloud for part in ("--set", setting)), *arguments, *WHERE)

    return render


@pytest.fixture
def documents(text):
    """The same, parsed: documents by ``kind``, which is None where they have none."""
    return lambda *arguments: {one.get("kind"): one for one in yaml.safe_load_all(text(*arguments))}
