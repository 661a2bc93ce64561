"""Pods of a Ray cluster: not root, requests equal to limits, no Kubernetes token, probes answered by Ray's agent."""

from __future__ import annotations

from typing import Any

from cluster.manifests.sizes import Nodes
from cluster.manifests.target import Target
from cluster.session import ENVIRONMENT

USER = 1000
"""The user id in the image."""
PORTS = {"gcs-server": 6379, "dashboard": 8265, "serve": 8000, "metrics": 8080}
AGENT_PORT = 52365
_GPU = "nvidia.com/gpu"

LOCKED: dict[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def labels(instance: str) -> dict[str, str]:
    """Return the labels that an object and its pods share; KubeRay sets ``app.kubernetes.io/name``."""
    return {"app.kubernetes.io/part-of": "fleetcast", "app.kubernetes.io/instance": instance}


def pod(target: Target, instance: str, container: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a pod template with this container; ``more`` are further fields of its spec."""
    account = target.config.deploy.service_account
    user = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "fsGroup": USER}
    spec = {
        **({"serviceAccountName": account} if account else {}),
        "automountServiceAccountToken": False,
        "securityContext": {**user, "seccompProfile": {"type": "RuntimeDefault"}},
        **more,
        "containers": [container],
    }
    return {"metadata": {"labels": labels(instance)}, "spec": spec}


def ray_container(target: Target, name: str, size: Nodes, environment: dict[str, str], **more: Any) -> dict[str, Any]:
    """Return the container of a Ray node; ``more`` replaces or adds fields."""
    values = {**ENVIRONMENT, "FLEETCAST_STORE": target.the_store(shared=True), **environment}
    secret = target.config.deploy.store_secret
    return {
        "name": name,
        "image": target.the_image(),
        "env": [{"name": key, "value": value} for key, value in values.items()],
        **({"envFrom": [{"secretRef": {"name": secret}}]} if secret else {}),
        "resources": resources(f"{size.cpus}", f"{size.memory_gib}Gi", size.gpus),
        "securityContext": LOCKED,
        "livenessProbe": probe("/api/healthz", AGENT_PORT, wait_s=30, failures=120),
        "readinessProbe": probe("/api/healthz", AGENT_PORT, wait_s=10, failures=10),
        **more,
    }


def resources(cpu: str, memory: str, gpus: int = 0) -> dict[str, Any]:
    """Return requests equal to limits: pods that use more than they request are evicted first."""
    both = {"cpu": cpu, "memory": memory, **({_GPU: str(gpus)} if gpus else {})}
    return {"requests": both, "limits": both}


def probe(path: str, port: int, *, wait_s: int, failures: int) -> dict[str, Any]:
    """Return an HTTP probe every five seconds; Ray answers these paths without a token."""
    return {
        "httpGet": {"path": path, "port": port},
        "initialDelaySeconds": wait_s,
        "periodSeconds": 5,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def gpu_tolerations(gpus: int) -> dict[str, Any]:
    """Return the toleration that admits pods to nodes reserved for GPUs."""
    return {"tolerations": [{"key": _GPU, "operator": "Exists", "effect": "NoSchedule"}]} if gpus else {}


def volume(name: str, folder: str, source: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a volume and its read-only mount in a container."""
    return {"name": name, **source}, {"name": name, "mountPath": folder, "readOnly": True}


def container_ports(*names: str) -> list[dict[str, Any]]:
    """Return the ports by KubeRay's names, from which it makes the head's Service."""
    return [{"name": name, "containerPort": PORTS[name]} for name in names]
