"""The checkpoint doctor: a stranger's weights made a model of this kit, wholly or not at all."""
