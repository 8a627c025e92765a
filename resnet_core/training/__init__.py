"""Training: recipes as data, a loop that yields events, and the choice of hardware."""
