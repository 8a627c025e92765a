"""The Speed tab: what was measured, measuring here, and the planner."""
