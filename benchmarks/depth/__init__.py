"""The depth study: the same training at many depths, families and seeds, on one machine or many."""
