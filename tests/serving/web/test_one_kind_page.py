"""The page of a server with a champion of one kind only, in a real browser."""

import pytest

from configs.operation import ServeConfig
from serving.web.api import build_api
from serving.web.prediction_service import EngineService

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("missing", ["direction", "volatility"])
def test_a_kind_that_is_not_served_is_one_line_and_no_error(missing, store, start_engine, start_server, browser):
    store.delete(f"models/{missing}/aliases.json")
    url = start_server(build_api(EngineService(start_engine(), 512), ServeConfig()))
    for path, place in (("", "verdicts"), ("/symbols/AAA", "models")):
        browser.open(url + path, "document.body.dataset.state")
        assert not browser.errors and browser.value("document.getElementById('problem').hidden")
        text = browser.value(f"document.getElementById('{place}').textContent")
        assert text.endswith(f"{missing}: no model is served, because none is champion")
    browser.open(url, "document.body.dataset.state")
    assert browser.value("document.querySelectorAll('#rows tr').length") == 5
    assert browser.value("document.querySelectorAll('#rows .chances.problem').length") == 0
