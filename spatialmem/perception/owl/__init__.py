"""Things by name, from the models OWLv2 and SAM 2 of the package transformers."""
