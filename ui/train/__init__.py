"""The Train tab: settings, runs to watch, and what can be done to them."""
