"""The config of a study, read, checked and filled."""
