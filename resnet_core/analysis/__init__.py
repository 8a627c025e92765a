"""Why a net behaves as it does: gradients, responses, skip surgery, loss surfaces, ensembles."""
