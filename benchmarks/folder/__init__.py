"""Classifying a folder against the loop that anyone would write first: how much faster, in how much memory."""
