"""The tasks of the card, one file per section. A new file here is found without being named anywhere."""
