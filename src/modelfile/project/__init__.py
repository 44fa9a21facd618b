"""A folder of Modelfiles: configuration, targets and their files."""
