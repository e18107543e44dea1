"""Training of the encoder `tiny`: rendered houses, captions from their truth, losses, and the artefact.

Read in this order: `held_out` (what is never trained on), `poses` and `views` (pictures with the truth about what they
show), `nouns`, `claims` and `captions` (words that are true of a thing, and which are not), `shards` (the cache on
disk), `batches` and `augment`, `losses`, `loop`, `export`. The command is `spatialmem train encoder`.
"""
