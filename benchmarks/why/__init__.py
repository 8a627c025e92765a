"""Why residual nets learn: `settings` says what to measure, `measure` does, `stored` keeps it."""
