"""The manifests that ship are what Ray and our own schema accept."""

from pathlib import Path

import yaml

MANIFESTS = Path(__file__).parents[2] / "cluster" / "manifests"


def test_the_serve_config_fits_rays_schema_and_ours():
    from ray.serve.schema import ServeDeploySchema

    from cluster.service import is_loopback
    from serving import app

    given = yaml.safe_load((MANIFESTS / "serve.yaml").read_text())
    config = ServeDeploySchema.model_validate(given)
    (application,) = config.applications
    module, _, name = application.import_path.partition(":")
    assert module == app.__name__ and callable(getattr(app, name))
    arguments = app.Arguments.model_validate(application.args)
    assert arguments.config.replicas == 2
    assert is_loopback(config.http_options.host) or arguments.key_file, "it would listen without a key"
