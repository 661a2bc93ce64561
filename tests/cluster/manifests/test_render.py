"""``fleetcast manifests render``: the first line of a manifest renders it again, mistakes are one line."""

import shlex
from pathlib import Path

import pytest
import yaml

from cluster.manifests.render import MANIFESTS

FOLDER = Path(__file__).parents[3] / "cluster" / "manifests"


@pytest.mark.parametrize("kind", MANIFESTS)
def test_the_command_above_a_manifest_renders_it_again(kind, run, text):
    first = text(kind, "--set", "deploy.name=desk", "--set", "data.symbols=[BRK B]")
    command = shlex.split(first.splitlines()[1].removeprefix("#"))
    assert command[:4] == ["fleetcast", "manifests", "render", kind]
    assert run(*command[3:]) == first


def test_comments_above_a_cluster_say_how_to_reach_its_store_and_its_job_server(text):
    assert "--set deploy.store_secret=NAME" in text("ray-job") and "port-forward" not in text("ray-job")
    named = text("ray-cluster", "--set", "deploy.name=desk", "--set", "deploy.store_secret=keys")
    assert "create secret generic keys --from-env-file" in named and "--set deploy.store_secret=NAME" not in named
    assert "port-forward service/desk-head-svc 8265" in named
    assert "get secret desk-ray-token -o jsonpath='{.data.auth_token}'" in named
    assert "service account nodes" in text("ray-cluster", "--set", "deploy.service_account=nodes")


def test_the_serve_config_that_ships_is_what_is_rendered(run):
    shipped = (FOLDER / "serve.yaml").read_text()
    command = shlex.split(shipped.splitlines()[1].removeprefix("#"))
    assert run(*command[3:]) == shipped


def test_several_manifests_go_into_a_folder_and_those_of_kubernetes_also_into_one_text(text, tmp_path):
    assert text(*MANIFESTS, "--out", str(tmp_path / "new")) == ""
    assert {path.name for path in (tmp_path / "new").iterdir()} == {manifest.file for manifest in MANIFESTS.values()}
    assert yaml.safe_load((tmp_path / "new" / "serve.yaml").read_text()) == yaml.safe_load(text("serve"))
    kinds = [one["kind"] for one in yaml.safe_load_all(text())]
    assert [kind for kind in kinds if kind.startswith("Ray")] == ["RayCluster", "RayJob", "RayCronJob", "RayService"]
    with pytest.raises(AssertionError, match="do not fit one file"):
        text("serve", "ray-job")


def test_nothing_is_written_if_one_manifest_cannot_be_rendered(text, tmp_path):
    with pytest.raises(AssertionError, match=r"needs deploy\.cloud\.image"):
        text("ray-job", "ray-up-gcp", "--set", "deploy.cloud.image=null", "--out", str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(AssertionError, match="cannot be written"):
        text("ray-job", "--out", str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ray-jobs",), "is no kind of manifest. Choose from: ray-cluster"),
        (("ray-job", "--image", "x"), "Give --store"),
        (("ray-job", "--image", "x", "--store", "relative"), "is a path of this machine"),
        (("ray-job", "--store", "s3://bucket/x"), "pods need an image"),
        (("ray-job", "--image", "x", "--store", "s3://KEY:word@bucket/x"), "--store holds a secret"),
        (("ray-service", "--image", "x", "--store", "s3://KEY:word@bucket/x"), "holds a password"),
        (("containerfile", "--set", "deploy.redis=redis://:word@host"), "holds a password"),
        (("ray-job", "--image", "x", "--store", "s3://bucket/x", "--set", "data.bars=prices.csv"), "to this machine"),
        (("ray-job", "--image", "x", "--store", "s3://[bucket/x", "--preset", "nope"), "preset 'nope'"),
        (("serve", "--host", "0.0.0.0", "--store", "s3://bucket/x"), "fleetcast keys add"),
        (("ray-job", "--set", "deploy.name=PredictionService"), "deploy.name"),
        (("ray-job", "--preset", "nope"), "preset 'nope' does not exist"),
    ],
)
def test_a_mistake_is_one_line(arguments, says, run):
    with pytest.raises(AssertionError, match=says):
        run(*arguments)


def test_the_serve_config_takes_an_address_and_a_key_file(text):
    found = yaml.safe_load(text("serve", "--host", "0.0.0.0", "--port", "9000", "--api-key-file", "/keys"))
    assert (found["http_options"]["host"], found["http_options"]["port"]) == ("0.0.0.0", 9000)
    assert found["applications"][0]["args"]["key_file"] == "/keys"
