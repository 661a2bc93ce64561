"""What `fleetcast serve` is given: mistakes start nothing, and the arguments of replicas are JSON."""

import json
import socket

import pytest

from configs.errors import ConfigError
from serving.client import ServerError


def test_mistakes_are_one_line_errors_and_start_nothing(call, trained_store, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments, says in (
            (("--store", str(tmp_path)), "Make one with `fleetcast train`"),
            (("--alias", "nosuch"), "'nosuch' is no version of"),
            (("--host", "0.0.0.0"), "fleetcast keys add"),
            (("--api-key-file", str(tmp_path / "none")), "cannot be read"),
            (("--port", port), f"cannot listen at 127.0.0.1:{port}"),
            (("--set", "serve.replicas=0"), "serve.replicas"),
        ):
            store = () if "--store" in arguments else ("--store", str(trained_store))
            done = call("serve", *store, *arguments)
            assert done.code == 2 and says in done.err.splitlines()[-1], done
            assert "Traceback" not in done.err


def test_the_arguments_are_json_that_a_serve_config_can_hold(trained_store):
    from serving.app import Arguments

    given = Arguments(store=str(trained_store), config={"replicas": 2})
    assert Arguments.model_validate(json.loads(given.model_dump_json())) == given
    with pytest.raises(ValueError, match="replica"):
        Arguments(store="x", config={"replica": 2})
    assert issubclass(ServerError, ConfigError.__mro__[1])
