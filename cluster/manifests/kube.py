"""KubeRay's objects and the Kubernetes objects that they need.

Fields are those of KubeRay 1.7: its ``RayCronJob`` (alpha, feature gate ``RayCronJob``) has a ``timeZone`` but no
policy for overlapping runs, so deadlines prevent them.
"""

from __future__ import annotations

import shlex
from typing import Any

from cluster.jobs.remote_command import remote_command
from cluster.manifests.clusters import serving_cluster, training_cluster
from cluster.manifests.pods import AGENT_PORT, LOCKED, PORTS, labels, pod, resources
from cluster.manifests.schedule import smallest_gap_h
from cluster.manifests.serve_config import drain_s, pod_config
from cluster.manifests.sizes import serving_nodes
from cluster.manifests.target import CONFIG_FILE, Target
from cluster.manifests.text import yaml_text
from configs.errors import ConfigError
from configs.load import flat_overrides

_API = "ray.io/v1"
_TTL_S = 3600


def ray_cluster(target: Target) -> list[dict[str, Any]]:
    """Return a cluster for ``fleetcast submit``."""
    name = target.config.deploy.name
    return [_object(target, "RayCluster", name, training_cluster(target, name)), _firewall(target, name)]


def ray_job(target: Target) -> list[dict[str, Any]]:
    """Return one training run, which creates its cluster and removes it at the end."""
    name = target.named("train")
    return [
        *_settings(target, name),
        _object(target, "RayJob", name, _training(target, name)),
        _firewall(target, name),
    ]


def ray_cron_job(target: Target) -> list[dict[str, Any]]:
    """Return the scheduled training run.

    Raises
    ------
    ConfigError
        A run could still be in progress when the next one begins.
    """
    name, deploy = target.named("retrain"), target.config.deploy
    longest, gap = (deploy.retries + 1) * deploy.deadline_hours, smallest_gap_h(deploy.schedule)
    if longest >= gap:
        raise ConfigError(
            f"{deploy.retries + 1} attempts of deploy.deadline_hours={deploy.deadline_hours:g} take {longest:g} hours, "
            f"and deploy.schedule={deploy.schedule!r} begins a run {gap:g} hours after another. Lower the deadline or "
            "deploy.retries, or train less often."
        )
    spec = {
        "schedule": deploy.schedule,
        "timeZone": deploy.time_zone,
        "suspend": False,
        "jobTemplate": _training(target, name),
    }
    return [*_settings(target, name), _object(target, "RayCronJob", name, spec), _firewall(target, name)]


def ray_service(target: Target) -> list[dict[str, Any]]:
    """Return the service: a change of pods makes a new cluster, a change of the Serve config is applied in place."""
    name = target.named("serve")
    spec = {
        "serveConfigV2": yaml_text(pod_config(target)),
        "upgradeStrategy": {"type": "NewCluster"},
        "rayClusterDeletionDelaySeconds": drain_s(target.config.serve),
        "excludeHeadPodFromServeSvc": True,
        "rayClusterConfig": serving_cluster(target, name),
    }
    return [
        _object(target, "RayService", name, spec),
        *_disruptions(target, name),
        _firewall(target, name, {"ports": [_port(PORTS["serve"])]}),
    ]


def _training(target: Target, name: str) -> dict[str, Any]:
    """Return the run. A retry, on a new cluster too, continues from the blocks in the store."""
    deploy = target.config.deploy
    submitter = {
        "name": "submitter",
        "image": target.the_image(),
        "resources": resources("500m", "1Gi"),
        "securityContext": LOCKED,
    }
    return {
        "entrypoint": shlex.join(_entry_point(target)),
        "submissionMode": "K8sJobMode",
        "backoffLimit": deploy.retries,
        "activeDeadlineSeconds": int(deploy.deadline_hours * 3600),
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": _TTL_S,
        "metadata": {"fleetcast": "train"},
        "submitterPodTemplate": pod(target, name, submitter, restartPolicy="Never"),
        "rayClusterSpec": training_cluster(target, name, _config_map(name) if target.settings() else None),
    }


def _entry_point(target: Target) -> list[str]:
    """Return the command, checked like a submission; two shells read it, so it needs no quotes."""
    overrides = [part for text in flat_overrides(target.settings()) for part in ("--set", text)]
    remote_command("train", ["--preset", target.preset, "--store", target.the_store(shared=True), *overrides])
    settings = ["--config", CONFIG_FILE] if target.settings() else []
    return ["python", "-m", "cluster.cli", "train", "--preset", target.preset, *settings, "--address", "auto"]


def _settings(target: Target, name: str) -> list[dict[str, Any]]:
    """Return a ConfigMap with the run's settings, if they differ from the preset."""
    settings = target.settings()
    if not settings:
        return []
    metadata = {"name": _config_map(name), "namespace": target.namespace, "labels": labels(name)}
    data = {CONFIG_FILE.rpartition("/")[2]: yaml_text(settings)}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}]


def _config_map(name: str) -> str:
    return f"{name}-config"


def _disruptions(target: Target, name: str) -> list[dict[str, Any]]:
    """Allow one voluntary disruption at a time; a single node gets no budget, since it could never be moved."""
    nodes = serving_nodes(target.config).min_nodes
    if nodes < 2:
        return []
    spec = {
        "minAvailable": nodes - 1,
        "selector": {"matchLabels": {**labels(name), "ray.io/node-type": "worker"}},
    }
    return [_object(target, "PodDisruptionBudget", name, spec, "policy/v1")]


def _firewall(target: Target, name: str, *more: dict[str, Any]) -> dict[str, Any]:
    """Admit traffic to the pods from each other, from KubeRay's operator and, for metrics, from inside this cluster."""
    operator = {"podSelector": {"matchLabels": {"app.kubernetes.io/component": "kuberay-operator"}}}
    anywhere: dict[str, Any] = {"namespaceSelector": {}}
    control = [_port(number) for number in (PORTS["dashboard"], PORTS["serve"], AGENT_PORT)]
    spec = {
        "podSelector": {"matchLabels": labels(name)},
        "policyTypes": ["Ingress"],
        "ingress": [
            {"from": [{"podSelector": {"matchLabels": labels(name)}}]},
            {"from": [anywhere | operator], "ports": control},
            {"from": [anywhere], "ports": [_port(PORTS["metrics"])]},
            *more,
        ],
    }
    return _object(target, "NetworkPolicy", name, spec, "networking.k8s.io/v1")


def _port(number: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": number}


def _object(target: Target, kind: str, name: str, spec: dict[str, Any], api: str = _API) -> dict[str, Any]:
    metadata = {"name": name, "namespace": target.namespace, "labels": labels(name)}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}
