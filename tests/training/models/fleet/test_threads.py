"""Limits of threads hold whether TensorFlow is imported before they are set or after."""

import os
import subprocess
import sys

import pytest

CODE = """
import os, sys
{before}
from training.models.fleet.threads import use_threads
use_threads({threads})
import tensorflow as tf
one = tf.ones((400, 400))
for _ in range(20):
    one = one @ one / 400.0
names = [open(f"/proc/self/task/{{number}}/comm").read().strip() for number in os.listdir("/proc/self/task")]
print(names.count("tf_Compute"), len(names))
"""


def counted(before: str, threads: int) -> list[int]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TF_NUM_")}
    code = CODE.format(before=before, threads=threads)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    return [int(number) for number in done.stdout.split()]


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
def test_tensorflow_has_the_threads_that_were_set_before_and_after_its_import():
    (between, one), (also_between, seven) = counted("", 1), counted("import tensorflow", 7)
    assert between == also_between == 1, "operations run one after the other"
    assert seven == one + 6, "a thread is that of the caller"


def test_setting_threads_does_not_import_tensorflow():
    code = "import sys; from training.models.fleet.threads import use_threads; use_threads(2); print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"tensorflow", "keras", "numpy"} & set(names)
