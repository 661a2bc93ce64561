"""KubeRay's objects field by field, and all others by Kubernetes' own schema.

KubeRay's schemas are in no package registry. The fields below are from its Go types, its validation and its
published reference (docs.ray.io, "KubeRay CRD API reference", v1.7.1); a rendered field that is not here fails.
"""

import json
import re

import kubernetes_validate
import pytest

KUBERNETES = "1.34"
KINDS = {"ray-cluster": "RayCluster", "ray-job": "RayJob", "ray-cron-job": "RayCronJob", "ray-service": "RayService"}
NAMES = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
LONGEST_NAME = 41  # KubeRay appends a suffix and makes it the name of a Service


class Choice(tuple):
    """One of these values."""


class Pod:
    """A pod template, for Kubernetes' own schema."""


class Map:
    """A mapping of texts."""


AUTOSCALER = {
    "version": Choice(("v1", "v2")),
    "upscalingMode": Choice(("Default", "Aggressive", "Conservative")),
    "idleTimeoutSeconds": int,
    "resources": dict,
    "securityContext": dict,
}
GROUP = {
    "groupName": str,
    "replicas": int,
    "minReplicas": int,
    "maxReplicas": int,
    "rayStartParams": Map,
    "template": Pod,
}
CLUSTER = {
    "rayVersion": str,
    "authOptions": {"mode": Choice(("disabled", "token")), "secretName": str},
    "enableInTreeAutoscaling": bool,
    "autoscalerOptions": AUTOSCALER,
    "gcsFaultToleranceOptions": {"redisAddress": str, "redisPassword": {"valueFrom": dict}},
    "headGroupSpec": {
        "serviceType": Choice(("ClusterIP", "NodePort", "LoadBalancer")),
        "rayStartParams": Map,
        "template": Pod,
    },
    "workerGroupSpecs": [GROUP],
}
JOB = {
    "entrypoint": str,
    "submissionMode": Choice(("K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode")),
    "backoffLimit": int,
    "activeDeadlineSeconds": int,
    "shutdownAfterJobFinishes": bool,
    "ttlSecondsAfterFinished": int,
    "metadata": Map,
    "submitterPodTemplate": Pod,
    "rayClusterSpec": CLUSTER,
}
SPECS = {
    "RayCluster": CLUSTER,
    "RayJob": JOB,
    "RayCronJob": {"schedule": str, "timeZone": str, "suspend": bool, "jobTemplate": JOB},
    "RayService": {
        "serveConfigV2": str,
        "upgradeStrategy": {"type": Choice(("NewCluster", "None", "NewClusterWithIncrementalUpgrade"))},
        "rayClusterDeletionDelaySeconds": int,
        "excludeHeadPodFromServeSvc": bool,
        "rayClusterConfig": CLUSTER,
    },
}
REQUIRED = {"RayCronJob": ("schedule", "jobTemplate"), "RayService": ("rayClusterConfig",)}


def check(value, shape, path, pods):
    """Assert that a value has this shape; the pod templates in it are appended to ``pods``."""
    if shape is Pod:
        pods.append((path, value))
    elif shape is Map:
        assert all(isinstance(one, str) for pair in value.items() for one in pair), path
    elif isinstance(shape, Choice):
        assert value in shape, f"{path}: {value!r} is none of {shape}"
    elif isinstance(shape, dict):
        for key, inner in value.items():
            assert key in shape, f"{path}.{key} is no field of KubeRay 1.7"
            check(inner, shape[key], f"{path}.{key}", pods)
    elif isinstance(shape, list):
        for i, inner in enumerate(value):
            check(inner, shape[0], f"{path}[{i}]", pods)
    else:
        assert type(value) is shape, f"{path}: {value!r} is no {shape.__name__}"


def check_rules(spec):
    """Assert the rules of KubeRay's operator beyond the fields of a cluster."""
    assert tuple(map(int, spec["rayVersion"].split(".")[:2])) >= (2, 52), "token authentication"
    grows = spec.get("enableInTreeAutoscaling", False)
    for group in spec["workerGroupSpecs"]:
        assert 0 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
        assert grows or group["minReplicas"] == group["maxReplicas"]
        assert group["template"]["spec"].get("restartPolicy", "Never") == "Never"
    names = {one["name"] for one in spec["headGroupSpec"]["template"]["spec"]["containers"][0]["env"]}
    assert not names & {"RAY_REDIS_ADDRESS", "REDIS_PASSWORD", "REDIS_USERNAME", "RAY_enable_autoscaler_v2"}


SETTINGS = {
    "equities": (),
    "gpu": (
        *("--set", "deploy.service_account=fleet", "--set", "deploy.store_secret=s3"),
        *("--set", "run.seed=3", "--set", "serve.shard_symbols=100", "--set", "deploy.served_symbols=450"),
        *("--set", "deploy.schedule=30 22 * * mon,thu"),
    ),
    "demo": ("--insecure", "--set", "deploy.redis=null", "--set", "serve.fast_ingress=false"),
}


def clusters(found):
    """Yield the Ray clusters inside an object's specification."""
    for key, value in found.items():
        if key in ("rayClusterSpec", "rayClusterConfig"):
            yield value
        elif isinstance(value, dict):
            yield from clusters(value)


def containers(pods):
    return [one for _, pod in pods for one in pod["spec"]["containers"]]


@pytest.fixture(params=[(kind, preset) for kind in KINDS for preset in SETTINGS], ids=" ".join)
def rendered(request, documents):
    kind, preset = request.param
    found = documents(kind, "--preset", preset, *SETTINGS[preset])
    pods = []
    check(found[KINDS[kind]]["spec"], SPECS[KINDS[kind]], KINDS[kind], pods)
    return KINDS[kind], found, pods


def fits(resource):
    kubernetes_validate.validate(resource, KUBERNETES, strict=True)


def test_wrong_fields_are_found():
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [{"name": "x"}]}}
    fits(pod)
    for wrong in ({"restartpolicy": "Never"}, {"containers": [{"name": "x", "resources": {"limits": ["1"]}}]}):
        with pytest.raises(kubernetes_validate.ValidationError):
            fits(pod | {"spec": pod["spec"] | wrong})
    for wrong in ({"rayversion": "2.60.0"}, {"authOptions": {"mode": "tokens"}}, {"enableInTreeAutoscaling": "true"}):
        with pytest.raises(AssertionError):
            check(wrong, CLUSTER, "spec", [])


def test_objects_have_kuberays_fields_and_pods_fit_kubernetes_own_schema(rendered):
    kind, found, pods = rendered
    ours = found.pop(kind)
    assert ours["apiVersion"] == "ray.io/v1"
    assert set(REQUIRED.get(kind, ())) <= ours["spec"].keys()
    name = ours["metadata"]["name"]
    assert NAMES.fullmatch(name) and len(name) <= LONGEST_NAME
    for spec in [ours["spec"]] if kind == "RayCluster" else clusters(ours["spec"]):
        check_rules(spec)
    assert found.keys() >= {"NetworkPolicy"}
    for other in found.values():
        fits(other)
    assert len(pods) >= 2
    for _, pod in pods:
        resource = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "x", **pod["metadata"]},
            "spec": pod["spec"],
        }
        fits(resource)


def test_pods_are_locked_down_and_hold_no_secret(rendered):
    _, found, pods = rendered
    for path, pod in pods:
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] > 0, path
        assert "head" in path or not spec["automountServiceAccountToken"]
    for one in containers(pods):
        assert one["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert one["resources"]["requests"] == one["resources"]["limits"]
        for variable in one.get("env", ()):
            assert not {"TOKEN", "PASSWORD", "SECRET", "KEY"} & set(variable["name"].split("_"))
    for spec in clusters({"rayClusterSpec": found["RayCluster"]["spec"]} if "RayCluster" in found else found):
        assert spec["authOptions"]["mode"] == "token"
        head = spec["headGroupSpec"]
        assert head["serviceType"] == "ClusterIP" and head["rayStartParams"]["num-cpus"] == "0"
        mounted = head["template"]["spec"]["automountServiceAccountToken"]
        assert mounted == spec.get("enableInTreeAutoscaling", False), "only the autoscaler uses Kubernetes' API"
    selected = {json.dumps(found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"], sort_keys=True)}
    assert {json.dumps(pod["metadata"]["labels"], sort_keys=True) for _, pod in pods} == selected
