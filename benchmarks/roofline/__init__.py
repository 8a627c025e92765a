"""Where the time goes: work and bytes of a net counted, this machine's limits measured, the two compared."""
