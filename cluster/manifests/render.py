"""The kinds of manifests and their text, which begins with what must exist first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.manifests.bot_manifests import bot_deployment, bot_needs, bot_unit, unit_needs
from cluster.manifests.containerfile import containerfile
from cluster.manifests.kube import ray_cluster, ray_cron_job, ray_job, ray_service
from cluster.manifests.machines import ray_up_aws, ray_up_gcp
from cluster.manifests.serve_config import serve_config
from cluster.manifests.target import Target
from cluster.manifests.text import comment, yaml_text
from cluster.options.option_values import holds_secret
from configs.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Manifest:
    """A kind of manifest: its ``file`` name, how to ``build`` its values, and the ``needs`` printed above them."""

    file: str
    build: Callable[[Target], list[dict[str, Any]] | dict[str, Any] | str]
    needs: Callable[[Target], list[str]]
    kubernetes: bool = False


def render(name: str, target: Target, command: str) -> str:
    """Return a manifest's text.

    Parameters
    ----------
    name
        One of :data:`MANIFESTS`.
    target
        What to render it from.
    command
        The command that renders it again; the first line of the text.

    Raises
    ------
    ConfigError
        There is no such kind, the target lacks something that it needs, or it would contain a password.
    """
    manifest = MANIFESTS[_checked([name])[0]]
    built = manifest.build(target)
    head = comment(["Rendered; change the configuration, not this file:", f"  {command}", *manifest.needs(target)])
    text = head + (built if isinstance(built, str) else yaml_text(*(built if isinstance(built, list) else [built])))
    if holds_secret(text):
        raise ConfigError(
            "a URL of these manifests holds a password, and manifests are kept and shown. Leave it out; deploy."
            "store_secret names a Secret with the variables of the store (such as AWS_SECRET_ACCESS_KEY)."
        )
    return text


def written(names: Sequence[str], target: Target, command: Callable[[str], str], folder: str) -> list[Path]:
    """Write manifests into a folder and return their paths; nothing is written if one cannot be rendered."""
    texts = {MANIFESTS[name].file: render(name, target, command(name)) for name in _checked(names)}
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (Path(folder) / file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {folder!r} cannot be written: {error.strerror}. Give another folder.") from error
    return [Path(folder) / file for file in texts]


def together(names: Sequence[str], target: Target, command: Callable[[str], str]) -> str:
    """Return manifests as one text for ``kubectl apply -f -``; ``ConfigError`` if they cannot be combined."""
    if len(_checked(names)) > 1 and not all(MANIFESTS[name].kubernetes for name in names):
        raise ConfigError(f"{', '.join(names)} do not fit one file. Give a folder with --out.")
    return "---\n".join(render(name, target, command(name)) for name in names)


def _checked(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in MANIFESTS:
            raise ConfigError(f"{name!r} is no kind of manifest. Choose from: {', '.join(MANIFESTS)}.")
    return names


def _cluster_needs(target: Target) -> list[str]:
    return [
        f"It needs KubeRay 1.7 and, in namespace {target.namespace}, the token that every client of Ray needs:",
        f"  kubectl create namespace {target.namespace}",
        f'  {_make_secret(target)} {target.named("ray-token")} --from-literal=auth_token="$(openssl rand -hex 32)"',
        *_store_needs(target),
    ]


def _store_needs(target: Target) -> list[str]:
    deploy = target.config.deploy
    if deploy.store_secret:
        return [
            "The variables that give access to the store:",
            f"  {_make_secret(target)} {deploy.store_secret} --from-env-file=FILE (AWS_ACCESS_KEY_ID=..., and so on)",
        ]
    if deploy.service_account:
        return [f"Its pods are service account {deploy.service_account}, which must be allowed to use the store."]
    return [
        "Its pods have the access of their nodes to the store. If that is none, name a service account or a secret:",
        "  --set deploy.service_account=NAME or --set deploy.store_secret=NAME",
    ]


def _make_secret(target: Target) -> str:
    return f"kubectl -n {target.namespace} create secret generic"


def _submit_needs(target: Target) -> list[str]:
    namespace, token = target.namespace, target.named("ray-token")
    return [
        *_cluster_needs(target),
        "`fleetcast submit` reaches it through a tunnel, with its token:",
        f"  kubectl -n {namespace} port-forward service/{target.config.deploy.name}-head-svc 8265",
        "  export RAY_AUTH_MODE=token RAY_AUTH_TOKEN="
        f"$(kubectl -n {namespace} get secret {token} -o jsonpath='{{.data.auth_token}}' | base64 -d)",
    ]


def _cron_needs(target: Target) -> list[str]:
    return [*_cluster_needs(target), "RayCronJob is a feature gate of the operator: featureGates RayCronJob=true."]


def _service_needs(target: Target) -> list[str]:
    make = _make_secret(target)
    keys = [
        "The API keys of the clients:",
        "  fleetcast keys add NAME --api-key-file keys",
        f"  {make} {target.named('api-keys')} --from-file=keys=keys",
    ]
    redis = [
        f"Redis at {target.config.deploy.redis} (or --set deploy.redis=null), and its password:",
        f"  {make} {target.named('redis')} --from-literal=password=...",
    ]
    return [
        *_cluster_needs(target),
        *([] if target.insecure else keys),
        *(redis if target.config.deploy.redis else []),
        f"It answers at http://{target.named('serve')}-serve-svc.{target.namespace}:8000, inside the cluster only.",
    ]


def _machine_needs(libraries: str) -> Callable[[Target], list[str]]:
    return lambda target: [
        "Run it in a checkout of this project, with a new token for Ray:",
        "  RAY_AUTH_MODE=token uv run ray get-auth-token --generate",
        f"  uv run {libraries} ray up --yes FILE, and then: ray dashboard FILE (for `fleetcast submit`), ray down FILE",
        "Only the dashboard's tunnel leads to Ray: its ports are for the nodes, port 22 is for you.",
    ]


def _image_needs(target: Target) -> list[str]:
    return [
        "Build it in a checkout of this project:",
        "  docker build -f Containerfile -t fleetcast .",
        "  docker build -f Containerfile -t fleetcast-gpu --build-arg 'TENSORFLOW=tensorflow[and-cuda]' .",
    ]


def _serve_needs(target: Target) -> list[str]:
    return [
        "Run it on a cluster that has this project: `serve deploy FILE`. Every node must reach the store.",
        "To listen beyond loopback, render it with --host and --api-key-file: Serve itself does not check keys.",
    ]


MANIFESTS = {
    "ray-cluster": Manifest("ray-cluster.yaml", ray_cluster, _submit_needs, kubernetes=True),
    "ray-job": Manifest("ray-job.yaml", ray_job, _cluster_needs, kubernetes=True),
    "ray-cron-job": Manifest("ray-cron-job.yaml", ray_cron_job, _cron_needs, kubernetes=True),
    "ray-service": Manifest("ray-service.yaml", ray_service, _service_needs, kubernetes=True),
    "ray-up-aws": Manifest("ray-up-aws.yaml", ray_up_aws, _machine_needs("--with boto3")),
    "ray-up-gcp": Manifest("ray-up-gcp.yaml", ray_up_gcp, _machine_needs("--with google-api-python-client")),
    "containerfile": Manifest("Containerfile", containerfile, _image_needs),
    "serve": Manifest("serve.yaml", serve_config, _serve_needs),
    "bot": Manifest("bot.yaml", bot_deployment, lambda target: [*bot_needs(target), *_store_needs(target)]),
    "bot-unit": Manifest("fleetcast-bot.service", bot_unit, unit_needs),
}
"""Every kind of manifest, by the name that ``fleetcast manifests render`` takes."""
