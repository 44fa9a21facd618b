"""Registries over the network: manifests and small layers of models, without their weights."""
