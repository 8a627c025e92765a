"""All parsers under attack."""

from __future__ import annotations

from tests.endurance.fuzz import archives, endpoint, models, pictures, records, words

TARGETS = {
    target.name: target
    for room in (pictures, archives, models, records, words, endpoint)
    for target in room.TARGETS
}
