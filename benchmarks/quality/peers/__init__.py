"""Other partitioners behind one call; they run in child processes alone: a crash there ends one run only."""

from __future__ import annotations

from benchmarks.quality.peers.part import Part, parts_of
from benchmarks.quality.peers.peer import PEERS, Attempt, Peer, is_installed

__all__ = ["PEERS", "Attempt", "Part", "Peer", "is_installed", "parts_of"]
