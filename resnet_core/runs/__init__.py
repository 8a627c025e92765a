"""Run folders: what a run writes, how it is read while it lives, and where it resumes."""
