"""What every record says of where it was made: machine, versions, commit; and a kernel cache that cannot be stale."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

__all__ = ["ROOT", "peak_mb", "point_kernel_cache", "reset_peak", "setting", "version_of"]

ROOT = Path(__file__).resolve().parents[1]


def point_kernel_cache() -> None:
    """
    Let numba cache in a folder named after the kernel sources, here and in child processes.

    Numba's cache misses edits to callees in other files. Where the variable is set already it is left alone.
    """
    if os.environ.get("NUMBA_CACHE_DIR"):
        return
    state = hashlib.sha256()
    for path in sorted((ROOT / "gridopt" / "_kernels").rglob("*.py")):
        state.update(path.name.encode() + b"\0" + path.read_bytes())
    os.environ["NUMBA_CACHE_DIR"] = str(ROOT / ".numba_cache" / state.hexdigest()[:16])


def setting() -> dict[str, str]:
    """Columns that are the same for all rows of a session."""
    return {
        "machine": _processor(),
        "processors": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": version_of("numpy"),
        "numba": version_of("numba"),
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def peak_mb() -> float:
    """
    Most memory this process held, in MB (10**6 bytes); nan where the system does not tell.

    On Linux from VmHWM: what ``getrusage`` says there also counts the parent at the moment it started this process.
    """
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    except OSError:
        found = None
    if found:
        return int(found[1]) * 1024 / 1e6
    if sys.platform == "win32":
        return float("nan")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def reset_peak() -> bool:
    """Let `peak_mb` count from what the process holds now; False where the system cannot do that (Linux can)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def version_of(distribution: str) -> str:
    """Version of an installed distribution; empty where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    """Short hash of the commit, with ``+`` where the package differs from it; empty outside a checkout."""
    try:
        run = [
            subprocess.run(["git", *args], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
            for args in (["rev-parse", "--short", "HEAD"], ["status", "--porcelain", "--", "gridopt"])
        ]
    except (OSError, subprocess.CalledProcessError):
        return ""
    return run[0] + ("+" if run[1] else "")
