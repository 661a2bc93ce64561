"""Only names that no other site can own are answered without a key."""

import pytest
from pydantic import ValidationError
from raw_http import ask

from configs.operation import ServeConfig
from serving.web.api import build_api
from serving.web.hosts import Hosts
from serving.web.keys import Keys, add_key
from serving.web.prediction_service import EngineService

LOOPBACK = ("127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:80", "[::1]", "[::1]:8000", "localhost.")
FOREIGN = ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example.")
ODD = ("", "a b", "127.0.0.1@evil.example", "[::1", "[evil.example]", "127.0.0.1:80:evil.example")


@pytest.mark.parametrize("bound", ["127.0.0.1", "localhost", "::1"])
def test_bound_to_loopback_only_loopback_is_answered(bound):
    hosts = Hosts(bound)
    assert all(map(hosts.allow, LOOPBACK))
    assert not any(map(hosts.allow, (*FOREIGN, *ODD, "10.0.0.1", "0.0.0.0", "server", "printer.local")))


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", None])
def test_bound_to_other_addresses_names_of_the_public_dns_are_not_answered(bound):
    hosts = Hosts(bound)
    assert all(map(hosts.allow, (*LOOPBACK, "10.0.0.1", "[fe80::1]:80", "server", "printer.local", "api.ns.svc.local")))
    assert not any(map(hosts.allow, (*FOREIGN, *ODD)))


def test_names_of_the_setting_are_answered():
    hosts = Hosts("127.0.0.1", ["Forecasts.example", "*"])
    assert hosts.allow("evil.example")
    hosts = Hosts("127.0.0.1", ["Forecasts.example"])
    assert hosts.allow("forecasts.example:443") and hosts.allow("localhost") and not hosts.allow("evil.example")


@pytest.mark.parametrize("host", ["http://forecasts.example", "forecasts.example:443", "a/b", "", "*.example"])
def test_a_setting_that_is_no_name_is_an_error(host):
    with pytest.raises(ValidationError, match="hosts"):
        ServeConfig(hosts=(host,))


def test_with_keys_every_name_is_answered_unless_the_setting_names_some():
    assert Hosts("0.0.0.0", has_keys=True).allow("forecasts.example")
    hosts = Hosts("0.0.0.0", ["forecasts.example"], has_keys=True)
    assert hosts.allow("forecasts.example") and hosts.allow("127.0.0.1") and not hosts.allow("evil.example")


def test_a_server_answers_its_own_names_on_every_path(engine, start_server, tmp_path):
    url = start_server(build_api(EngineService(engine, 512), ServeConfig(), host="127.0.0.1"))
    for path in ("/", "/docs", "/openapi.json", "/v1/symbols", "/v1/predictions/AAA", "/v1/health/live"):
        assert ask(url, path, "Host: evil.example")[0] == 421
        assert ask(url, path, "Host: localhost", "Host: evil.example")[0] in (400, 421)
        assert ask(url, path, "Host: localhost:8000")[0] == 200
    key = add_key(tmp_path / "keys", "desk")
    api = build_api(EngineService(engine, 512), ServeConfig(), host="127.0.0.1", keys=Keys(tmp_path / "keys"))
    url = start_server(api)
    assert ask(url, "/v1/symbols", "Host: forecasts.example", f"Authorization: Bearer {key}")[0] == 200
    assert ask(url, "/v1/symbols", "Host: forecasts.example")[0] == 401
