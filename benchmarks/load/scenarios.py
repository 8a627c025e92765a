"""MLPerf's four scenarios, and what one run of LoadGen is asked."""

from __future__ import annotations

from dataclasses import dataclass

SINGLE_STREAM = "single-stream"
"""One image at a time, the next when the last is answered."""
MULTI_STREAM = "multi-stream"
"""Several images at a time, the next when the last are answered."""
SERVER = "server"
"""Images that arrive at random moments, so many a second, whether or not the last are answered."""
OFFLINE = "offline"
"""All images at once."""
SCENARIOS = (SINGLE_STREAM, MULTI_STREAM, SERVER, OFFLINE)
STREAM_IMAGES = 8  # MLPerf's own number
BOUND_SHARE = 0.99  # of a server's answers: MLPerf's own number for pictures


@dataclass(frozen=True)
class Run:
    """One run of LoadGen."""

    scenario: str
    seconds: float
    """Shortest length."""
    min_queries: int
    """Fewest queries; fewest images of an offline one, which is a single query."""
    most_images: int
    """In one call of the engine."""
    longest_wait_ms: float
    """How long an image waits for others before the engine is called with fewer."""
    latency_bound_ms: float
    """Of the server scenario."""
    seed: int
    queries_per_second: float | None = None
    """Of the server scenario; None elsewhere."""

    @property
    def images_per_query(self) -> int:
        return STREAM_IMAGES if self.scenario == MULTI_STREAM else 1
