"""Packages import their public names on first use."""

import importlib
import subprocess
import sys

import pytest

PACKAGES = ("configs", "features", "serving", "training", "training.strategy", "training.validation", "tuning")


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_has_its_public_names_and_no_others(package):
    module = importlib.import_module(package)
    assert dir(module) == sorted(module.__all__)
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nosuch'"):
        _ = module.nosuch


def test_importing_packages_imports_no_library_of_theirs():
    heavy = "{'numpy', 'pandas', 'pydantic', 'tensorflow', 'ray'} & set(sys.modules)"
    code = f"import sys, {', '.join(PACKAGES)}; assert not {heavy}, {heavy}; from configs import DataError"
    subprocess.run([sys.executable, "-c", code], check=True)
