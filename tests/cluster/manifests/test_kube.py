"""KubeRay's objects: what follows from the configuration, and what they guarantee."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from ray.scripts.scripts import drain_node
from ray.serve.schema import ServeDeploySchema

from cluster.jobs.remote_command import parsed
from cluster.manifests.sizes import serving_nodes, training_nodes
from configs import ConfigError, load_config, preset_names
from serving import app

KINDS = {"ray-job": "RayJob", "ray-cron-job": "RayCronJob"}


@pytest.mark.parametrize("preset", preset_names())
@pytest.mark.parametrize("kind", ["ray-job", "ray-cron-job"])
def test_the_entry_point_is_a_train_command_with_the_same_configuration(kind, preset, documents, monkeypatch, tmp_path):
    wanted = ("run.seed=3", "split.test_end=2018-12-31", "data.symbols=[BRK B, 'A$B']", "volatility.members=[forest]")
    given = [part for setting in wanted for part in ("--set", setting)]
    found = documents(kind, "--preset", preset, *given)
    spec = found[KINDS[kind]]["spec"]
    spec = spec.get("jobTemplate", spec)
    assert spec["entrypoint"] == shlex.join(shlex.split(spec["entrypoint"])), "two shells read it"
    python, option, module, verb, *arguments = shlex.split(spec["entrypoint"])
    assert (python, option, module) == ("python", "-m", "cluster.cli")
    head = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    for variable in head["containers"][0]["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    values = parsed(verb, arguments)[1]
    assert values["store"] == "s3://bucket/fleetcast" and values["address"] == "auto"
    [seen], [made] = head["containers"][0]["volumeMounts"], head["volumes"]
    assert made["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"] and made["name"] == seen["name"]
    file = tmp_path / Path(values["config"]).name
    assert str(Path(values["config"]).parent) == seen["mountPath"]
    file.write_text(found["ConfigMap"]["data"][file.name])
    assert load_config(values["preset"], file) == load_config(preset, overrides=wanted)


def test_a_preset_alone_needs_no_config_map(documents):
    found = documents("ray-job", "--preset", "gpu", "--set", "serve.replicas=5")
    assert "ConfigMap" not in found and "--config" not in found["RayJob"]["spec"]["entrypoint"]


def test_a_lost_run_is_retried_and_never_overlaps_the_next(documents, text):
    spec = documents("ray-cron-job")["RayCronJob"]["spec"]
    job = spec["jobTemplate"]
    assert job["backoffLimit"] == 2 and job["shutdownAfterJobFinishes"]
    assert (job["backoffLimit"] + 1) * job["activeDeadlineSeconds"] < 7 * 24 * 3600
    daily = ("--set", "deploy.schedule=0 6 * * *")
    assert documents("ray-cron-job", *daily)["RayCronJob"]["spec"]["schedule"] == "0 6 * * *"
    for settings, says in (
        ((*daily, "--set", "deploy.deadline_hours=8"), "take 24 hours, and deploy.schedule='0 6 * * *'"),
        (("--set", "deploy.schedule=0 6 * * fri,sat", "--set", "deploy.retries=4"), "23 hours after another"),
        (("--set", "deploy.schedule=0 */5 * * *"), "is not understood"),
    ):
        with pytest.raises(AssertionError, match=re.escape(says)):
            text("ray-cron-job", *settings)


@pytest.mark.parametrize("preset", preset_names())
def test_the_service_runs_the_configuration(preset, documents):
    given = ("--set", "serve.timeout_s=20", "--set", "serve.requests_per_minute=60")
    spec = documents("ray-service", "--preset", preset, *given)["RayService"]["spec"]
    config = ServeDeploySchema.model_validate(yaml.safe_load(spec["serveConfigV2"]))
    [application] = config.applications
    arguments = app.Arguments.model_validate(application.args)
    module, _, name = application.import_path.partition(":")
    assert module == app.__name__ and callable(getattr(app, name))
    overrides = ["serve.timeout_s=20", "serve.requests_per_minute=60"]
    assert arguments.config == load_config(preset, overrides=overrides).serve
    assert arguments.store == "s3://bucket/fleetcast" and config.http_options.request_timeout_s == 25
    [worker] = spec["rayClusterConfig"]["workerGroupSpecs"][0]["template"]["spec"]["containers"]
    folder = worker["volumeMounts"][0]["mountPath"]
    assert arguments.key_file.startswith(f"{folder}/"), "it listens on all interfaces, so it requires a key"
    assert {one["name"]: one["containerPort"] for one in worker["ports"]}["serve"] == config.http_options.port


def test_serving_without_keys_needs_insecure(documents):
    spec = documents("ray-service", "--insecure")["RayService"]["spec"]
    assert yaml.safe_load(spec["serveConfigV2"])["applications"][0]["args"]["key_file"] is None
    assert "volumes" not in spec["rayClusterConfig"]["workerGroupSpecs"][0]["template"]["spec"]


def test_a_node_drains_before_it_ends_and_few_go_at_once(documents):
    found = documents("ray-service", "--set", "serve.timeout_s=20")
    pod = found["RayService"]["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["template"]["spec"]
    [container] = pod["containers"]
    drain = container["lifecycle"]["preStop"]["exec"]["command"][-1]
    command, wait = drain.split("; ")
    timeout, limit, ray, verb, *arguments = shlex.split(command)
    assert (timeout, ray, verb) == ("timeout", "ray", drain_node.name)
    given = drain_node.make_context(verb, arguments).params  # not in Ray's help: fails here if Ray changes it
    assert given["node_id"] is None and given["reason"] == "DRAIN_NODE_REASON_PREEMPTION"
    seconds = given["deadline_remaining_seconds"]
    assert wait == f"sleep {seconds}"
    assert 20 < seconds < pod["terminationGracePeriodSeconds"] - int(limit), "both fit, even where the head is away"
    assert found["PodDisruptionBudget"]["spec"]["minAvailable"] == 1, "of two"
    assert "PodDisruptionBudget" not in documents("ray-service", "--preset", "demo"), "one could never be moved"


def test_the_state_of_the_cluster_is_in_redis_unless_turned_off(documents):
    cluster = documents("ray-service")["RayService"]["spec"]["rayClusterConfig"]
    options = cluster["gcsFaultToleranceOptions"]
    assert options["redisPassword"]["valueFrom"]["secretKeyRef"] == {"name": "fleetcast-redis", "key": "password"}
    cluster = documents("ray-service", "--set", "deploy.redis=null")["RayService"]["spec"]["rayClusterConfig"]
    assert "gcsFaultToleranceOptions" not in cluster


def test_the_presets_decide_on_gpus(documents):
    for preset, gpus in (("gpu", "1"), ("equities", None)):
        [group] = documents("ray-cluster", "--preset", preset)["RayCluster"]["spec"]["workerGroupSpecs"]
        pod = group["template"]["spec"]
        assert pod["containers"][0]["resources"]["limits"].get("nvidia.com/gpu") == gpus
        assert ("tolerations" in pod) == (gpus is not None)
        assert group["rayStartParams"] == {"num-cpus": pod["containers"][0]["resources"]["limits"]["cpu"]}


@pytest.mark.parametrize(
    ("settings", "least", "most", "work"),
    [
        (("serve.replicas=1",), 1, 1, 1),
        (("serve.replicas=2", "serve.max_replicas=8"), 2, 8, 1),
        (("serve.replicas=2", "serve.cpus_per_replica=0.5", "serve.max_replicas=8"), 2, 4, 1),
        (("serve.replicas=3", "serve.cpus_per_replica=1.5"), 3, 3, 2),
        (("serve.replicas=2", "serve.shard_symbols=100", "deploy.served_symbols=450"), 11, 11, 1),  # a node of routers
        (("serve.replicas=20", "serve.shard_symbols=1", "data.symbols=[A, B]"), 42, 42, 1),
    ],
)
def test_nodes_hold_all_replicas(settings, least, most, work):
    nodes = serving_nodes(load_config("demo", overrides=settings))
    assert (nodes.min_nodes, nodes.max_nodes, nodes.work_cpus, nodes.cpus) == (least, most, work, work + 1)


@pytest.mark.parametrize(
    ("settings", "count", "gpus"),
    [
        ((), 2, 0),
        (("run.workers=17",), 3, 0),
        (("run.workers=5", "run.cpus_per_worker=4"), 3, 0),
        (("run.use_gpu=true", "run.workers=5"), 5, 1),
        (("run.use_gpu=true", "run.workers=5", "deploy.node_gpus=4"), 2, 4),
    ],
)
def test_nodes_hold_all_workers(settings, count, gpus):
    nodes = training_nodes(load_config("demo", overrides=settings))
    assert (nodes.min_nodes, nodes.max_nodes, nodes.gpus) == (count, count, gpus)


def test_a_node_that_holds_no_worker_is_refused():
    for settings in (("run.cpus_per_worker=9",), ("run.use_gpu=true", "run.cpus_per_worker=4", "deploy.node_gpus=4")):
        with pytest.raises(ConfigError, match=r"deploy\.node_cpus=8 holds"):
            training_nodes(load_config("demo", overrides=settings))
