"""The kernels are loaded without a word where they are in the cache."""

import subprocess
import sys

import gridopt as go

SCRIPT = """
import logging, gridopt
logging.basicConfig(level=logging.INFO)
from gridopt.solvers.warm import _teller
assert gridopt.compile() > 0
print("loaded")
if len(__import__("sys").argv) > 1:
    import numba
    from numba.core import event
    with event.install_listener("numba:compile", _teller()):
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
