"""The networks: `config` says what a model is, `network` builds it, `saved` stores it."""
