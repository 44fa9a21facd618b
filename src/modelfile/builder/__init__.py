"""Build plans, their execution, and what a build must give."""
