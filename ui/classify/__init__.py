"""The Classify tab: pictures in, answers out, and what the net saw."""
