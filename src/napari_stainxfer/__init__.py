"""Few-shot stain transfer for histology slides."""
