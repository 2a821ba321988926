"""The kernels are loaded without a word where they are in the cache."""

import subprocess
import sys

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
