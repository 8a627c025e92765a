"""Classifying by the thousand: files found, decoded ahead of the engine, and told in a CSV that can go on."""
