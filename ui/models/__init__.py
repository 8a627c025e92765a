"""The Models tab: cards, downloads, deletion, and nets to fetch."""
