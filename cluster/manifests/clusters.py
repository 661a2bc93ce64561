"""The specification of a Ray cluster that all of KubeRay's objects contain.

Fields are those of KubeRay 1.7 (``RayClusterSpec``), the first release that has all of them.
"""

from __future__ import annotations

from typing import Any

from cluster.ingress import FAST_INGRESS
from cluster.manifests.pods import (
    LOCKED,
    container_ports,
    gpu_tolerations,
    pod,
    probe,
    ray_container,
    resources,
    volume,
)
from cluster.manifests.serve_config import drain_s
from cluster.manifests.sizes import Nodes, head_node, serving_nodes, training_nodes
from cluster.manifests.target import CONFIG_FOLDER, KEY_FOLDER, Target, ray_version
from serving.web.limits import Limits

_CONTROL = ("gcs-server", "dashboard", "metrics")


def training_cluster(target: Target, instance: str, config_map: str | None = None) -> dict[str, Any]:
    """Return a training cluster of fixed size; a ``config_map``, if given, is mounted on the head."""
    nodes = training_nodes(target.config)
    seen: dict[str, Any] = {}
    given: dict[str, Any] = {}
    if config_map is not None:
        made, mount = volume("config", CONFIG_FOLDER, {"configMap": {"name": config_map}})
        given, seen = {"volumes": [made]}, {"volumeMounts": [mount]}
    head = _head(target, instance, {}, _CONTROL, given, **seen)
    container = ray_container(target, "ray-worker", nodes, {}, ports=container_ports("metrics"))
    workers = pod(target, instance, container, **gpu_tolerations(nodes.gpus))
    return {**_common(target), "headGroupSpec": head, "workerGroupSpecs": [_group("train", nodes, workers)]}


def serving_cluster(target: Target, instance: str) -> dict[str, Any]:
    """Return a serving cluster, which grows with its replicas, drains leaving nodes and survives a lost head."""
    config = target.config
    nodes = serving_nodes(config)
    environment = Limits.of(config.serve).environment() | (FAST_INGRESS if config.serve.fast_ingress else {})
    seconds = drain_s(config.serve)
    drain = (
        f"timeout 20 ray drain-node --reason DRAIN_NODE_REASON_PREEMPTION --reason-message 'its pod ends' "
        f"--deadline-remaining-seconds {seconds}; sleep {seconds}"
    )
    keys, seen = volume("keys", KEY_FOLDER, {"secret": {"secretName": target.named("api-keys"), "defaultMode": 0o440}})
    container = ray_container(
        target,
        "ray-worker",
        nodes,
        environment,
        ports=container_ports("serve", "metrics"),
        readinessProbe=probe("/-/healthz", 8000, wait_s=10, failures=1),
        lifecycle={"preStop": {"exec": {"command": ["/bin/bash", "-c", drain]}}},
        **({} if target.insecure else {"volumeMounts": [seen]}),
    )
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app.kubernetes.io/instance": instance, "ray.io/node-type": "worker"}},
    }
    workers = pod(
        target,
        instance,
        container,
        terminationGracePeriodSeconds=seconds + 30,
        topologySpreadConstraints=[spread],
        **({} if target.insecure else {"volumes": [keys]}),
    )
    grows = nodes.max_nodes > nodes.min_nodes
    head = _head(target, instance, environment, (*_CONTROL, "serve"), {"automountServiceAccountToken": grows})
    return {
        **_common(target),
        **(_autoscaler() if grows else {}),
        **_fault_tolerance(target),
        "headGroupSpec": head,
        "workerGroupSpecs": [_group("serve", nodes, workers)],
    }


def _common(target: Target) -> dict[str, Any]:
    return {
        "rayVersion": ray_version(),
        "authOptions": {"mode": "token", "secretName": target.named("ray-token")},
    }


def _head(
    target: Target,
    instance: str,
    environment: dict[str, str],
    ports: tuple[str, ...],
    spec: dict[str, Any],
    **container: Any,
) -> dict[str, Any]:
    """Return the head: reachable inside the cluster only, and without processors for workers or replicas."""
    size = head_node(target.config)
    made = ray_container(target, "ray-head", size, environment, ports=container_ports(*ports), **container)
    return {
        "serviceType": "ClusterIP",
        "rayStartParams": {"num-cpus": str(size.work_cpus)},
        "template": pod(target, instance, made, **spec),
    }


def _group(name: str, nodes: Nodes, template: dict[str, Any]) -> dict[str, Any]:
    return {
        "groupName": name,
        "replicas": nodes.min_nodes,
        "minReplicas": nodes.min_nodes,
        "maxReplicas": nodes.max_nodes,
        "rayStartParams": {"num-cpus": str(nodes.work_cpus)},
        "template": template,
    }


def _autoscaler() -> dict[str, Any]:
    return {
        "enableInTreeAutoscaling": True,
        "autoscalerOptions": {
            "version": "v2",
            "upscalingMode": "Default",
            "idleTimeoutSeconds": 300,
            "resources": resources("500m", "1Gi"),
            "securityContext": LOCKED,
        },
    }


def _fault_tolerance(target: Target) -> dict[str, Any]:
    address = target.config.deploy.redis
    if address is None:
        return {}
    password = {"valueFrom": {"secretKeyRef": {"name": target.named("redis"), "key": "password"}}}
    return {"gcsFaultToleranceOptions": {"redisAddress": address, "redisPassword": password}}
