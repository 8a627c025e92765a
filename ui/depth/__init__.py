"""The Depth tab: studies of depth against error, and what they show."""
