"""Exported models as NVIDIA Triton serves them: a repository is written, and checked by itself."""
