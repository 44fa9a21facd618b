"""What bases and files a project's models are made of, on record."""
