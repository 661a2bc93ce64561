"""A command's process ends with its code and without finalizing the interpreter."""

import subprocess
import sys

import pytest

CODE = """
import atexit, os, sys, threading, time, types
from cluster.process_end import exit_without_finalizing

class Freed:
    def __del__(self, write=os.write):
        write(1, b"finalized ")

def command():
    atexit.register(print, "registered", end=" ")
    threading.Thread(target=lambda: time.sleep(0.2) or print("joined", end=" ")).start()
    print("worked", end=" ")
    {last}

sys.kept = Freed()
if {ray}:
    sys.modules["ray"] = types.ModuleType("ray")
exit_without_finalizing(command)
"""


def ended(last: str, ray: bool = True) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-c", CODE.format(last=last, ray=ray)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("last", "code"), [("sys.exit(0)", 0), ("sys.exit(3)", 3), ("sys.exit()", 0), ("raise SystemExit(130)", 130)]
)
def test_with_ray_all_that_is_registered_runs_and_nothing_is_finalized(last, code):
    assert ended(last) == (code, "worked joined registered ", "")


@pytest.mark.parametrize(
    ("last", "code", "message"),
    [
        ("sys.exit('no such file')", 1, "no such file"),
        ("raise OSError('disk')", 1, "OSError: disk"),
        ("raise KeyboardInterrupt", -2, "KeyboardInterrupt"),
    ],
)
def test_other_ends_are_python_s(last, code, message):
    found, out, err = ended(last)
    assert (found, out) == (code, "worked joined registered finalized ") and message in err


def test_a_process_without_ray_ends_as_always():
    assert ended("sys.exit(4)", ray=False) == (4, "worked joined registered finalized ", "")


def test_output_without_a_reader_is_reported_as_always():
    code = CODE.format(last="print('x' * 100_000); sys.exit(0)", ray=True)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert "BrokenPipeError" in process.stderr.read() and process.wait() != 0


def test_a_process_without_stdout_ends_with_its_code():
    command = [sys.executable, "-c", CODE.format(last="sys.exit(5)", ray=True)]
    done = subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (5, "")
