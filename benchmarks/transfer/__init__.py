"""How few pictures of new classes suffice where the features are there already."""
