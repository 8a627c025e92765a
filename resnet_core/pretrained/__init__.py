"""Trained weights that others publish: which there are, and how one file is fetched safely."""
