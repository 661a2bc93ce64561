"""The predictor of a kind is found by listing the modules of one package."""

import subprocess
import sys

import pytest

from configs.errors import ModelError
from training.predictors import kinds, predictor_class
from training.predictors.bars_predictor import BarsPredictor
from training.tasks import catalog


@pytest.mark.parametrize("kind", catalog())
def test_each_kind_has_its_predictor(kind):
    found = predictor_class(kind)
    assert issubclass(found, BarsPredictor) and found.kind == kind


def test_a_predictor_is_added_in_one_file(tmp_path, monkeypatch):
    (tmp_path / "range_width.py").write_text("class Own:\n    kind = 'range_width'\n\n\nPREDICTOR = Own\n")
    with pytest.raises(ModelError, match=r"kind 'range_width' has no predictor\. Choose one of: direction, volatility"):
        predictor_class("range_width")
    monkeypatch.setattr(kinds, "__path__", [*kinds.__path__, str(tmp_path)])
    assert predictor_class("range_width").kind == "range_width"


def test_the_catalog_of_predictors_imports_none_of_them():
    code = "import sys, training.predictors; print([m for m in ('tensorflow', 'keras', 'ray') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
