"""Benchmarks, one command each. The figures are in RESULTS.md."""
