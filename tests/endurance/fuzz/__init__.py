"""Bad input to every parser of outside data: a good result or one sentence, and nothing else."""
