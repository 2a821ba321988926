"""Benchmarks: quality against peers, kernels, start-up, territory. See README.md beside this file."""
