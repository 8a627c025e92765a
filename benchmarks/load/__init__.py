"""Latency against load: the four MLPerf scenarios, driven by the real LoadGen. Not MLPerf results."""
