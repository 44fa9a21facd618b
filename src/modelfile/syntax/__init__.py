"""The Modelfile language: text to typed, lossless tree."""
