"""Licensing facts: product keys, KMS client setup keys, KMS settings, token stores, Office."""
