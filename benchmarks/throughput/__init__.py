"""Throughput and latency of every engine, measured in turn, answers checked before speed is shown."""
