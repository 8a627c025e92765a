"""Attacks that run for minutes: `python -m tests.endurance`. CI runs a short form of each.

They lie among the tests because they are tests, with the tests' oracles and requirements; they
are a program because what they find depends on how long they run. What a long run found is kept in
`studies/reliability`, with its command, environment and commit, and told in `docs/reliability.md`.
"""
