"""The depth study: the same recipe at every depth, with skip connections and without."""
