"""The kernels are loaded without a word where they are in the cache."""

import subprocess
import sys

import pytest

import gridopt as go

SCRIPT = """
import logging, gridopt
logging.basicConfig(level=logging.INFO)
assert gridopt.compile() > 0
print("loaded")
if len(__import__("sys").argv) > 1:
    import numba
    from gridopt._kernels.compiling import when_compiling
    with when_compiling(lambda: logging.info("compiling the kernels")):
        numba.njit(lambda x: x + 1)(1)
"""


def run(*arguments):
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout == "loaded\n"
    return done.stderr


def test_only_compiling_is_told():
    go.compile()  # they are cached now
    assert run() == ""
    assert run("compile").count("compiling the kernels") == 1


ALONE = """
import sys, gridopt
from gridopt.solvers import warm
warm.HALVES = (lambda: __import__("numba").njit(lambda x: x + 1)(1), lambda: None)  # something is compiled
sys.executable = {executable!r}
assert gridopt.compile(processes=2) > 0
"""


@pytest.mark.parametrize("executable", [None, "", "/nowhere/python"])
def test_where_no_other_process_can_be_had_one_does(executable):
    subprocess.run([sys.executable, "-c", ALONE.format(executable=executable)], check=True)
