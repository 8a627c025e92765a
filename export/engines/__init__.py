"""Everything that can run an exported model, behind one small interface."""
