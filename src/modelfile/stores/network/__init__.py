"""Deadlines, connections, retries and redaction, which all clients of the network share."""
