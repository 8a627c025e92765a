"""Every plotly figure of the lab: one style, then one file for each thing that is drawn."""
