"""One canonical style for Modelfiles."""
