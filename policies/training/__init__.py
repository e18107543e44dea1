"""Making of data and models: what is learnt here is used by `spatialmem` and by agents, which never import this."""
