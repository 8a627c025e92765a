"""Depth against work: what nets for photos hold and compute, beside those that came before."""
