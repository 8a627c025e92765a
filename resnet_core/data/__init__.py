"""Data sets as whole uint8 tensors, and the augmentation that runs on them in batches."""
