"""Why it happens: looks inside the nets, at the foot of the Depth tab."""
