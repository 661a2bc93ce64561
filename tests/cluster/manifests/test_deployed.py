"""Manifests run on a real cluster: the entry point of the training run as a job, and the Serve config.

Both are sent to the head over HTTP with the cluster's token, as KubeRay's operator sends them.
"""

import os
import shutil
from contextlib import suppress

import httpx2
import pytest
import yaml
from waiting import BOUND_S, wait_until

from cluster.manifests.render import render
from cluster.manifests.target import Target
from cluster.ports import free_port, free_ports
from configs import load_config
from serving.client import FleetcastClient, ServerError
from serving.web.keys import add_key
from training import ModelManager

PORTS = ("HAPROXY_METRICS", "HAPROXY_STATS", "FALLBACK_PROXY_HTTP")  # fixed in a pod; other tests may use them

pytestmark = pytest.mark.slow


@pytest.fixture
def target(trained, tmp_path):
    """A target whose store is a copy of the smoke run's."""
    store = shutil.copytree(trained.store, tmp_path / "store")
    config = load_config("smoke", overrides=["serve.cpus_per_replica=0.5"])
    return Target(config, "smoke", f"file://{store}", "x", port=free_port(), key_file=str(tmp_path / "keys"))


def rendered(name, kind, target):
    return next(each for each in yaml.safe_load_all(render(name, target, "")) if each.get("kind") == kind)


def test_the_run_finds_its_store_and_the_service_answers_clients_with_a_key(ray_head, target, tmp_path):
    key = add_key(target.key_file, "tests")
    service = rendered("ray-service", "RayService", target)["spec"]["rayClusterConfig"]
    pod = service["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]
    environment = {variable["name"]: variable["value"] for variable in pod["env"]}
    environment |= {f"RAY_SERVE_{name}_PORT": str(port) for name, port in zip(PORTS, free_ports(3), strict=True)}
    entry_point = rendered("ray-job", "RayJob", target)["spec"]["entrypoint"]
    versions = ModelManager(target.store).versions("direction")

    with ray_head(tmp_path / "log", environment) as head, httpx2.Client(base_url=head, timeout=BOUND_S) as operator:
        operator.headers["Authorization"] = f"Bearer {os.environ['RAY_AUTH_TOKEN']}"

        def submitted():
            answer = operator.post("/api/jobs/", json={"entrypoint": entry_point})
            assert (
                answer.is_success or "No available agent" in answer.text
            )  # the agent starts a little later than the head
            return answer.is_success and answer.json()["submission_id"]

        job = wait_until(submitted)

        def deployed():  # an operator repeats it until the head accepts
            with suppress(httpx2.TransportError):
                answer = operator.put("/api/serve/applications/", json=rendered("serve", None, target))
                assert answer.is_success or answer.is_server_error, answer.text
                return answer.is_success

        wait_until(deployed)

        def application():
            return operator.get("/api/serve/applications/").json()["applications"]["fleetcast"]

        wait_until(lambda: application()["status"] not in ("NOT_STARTED", "DEPLOYING"))
        assert application()["status"] == "RUNNING", application()
        url = f"http://127.0.0.1:{target.port}"
        for path in ("/-/healthz", "/v1/health/ready"):
            assert httpx2.get(url + path, timeout=BOUND_S).status_code == 200
        with FleetcastClient(url, key=key) as client:
            [found] = client.predict(["AAPL"], types=["direction", "volatility"])
            assert found.error is None and found.direction.version in versions
        with FleetcastClient(url) as stranger, pytest.raises(ServerError, match="API key"):
            stranger.predict(["AAPL"])

        def run():
            return operator.get(f"/api/jobs/{job}").json()

        wait_until(lambda: run()["status"] not in ("PENDING", "RUNNING"))
        assert run()["status"] == "SUCCEEDED", run()
    assert ModelManager(target.store).versions("direction") == versions, "finished work is not repeated"
