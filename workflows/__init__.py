"""Tasks composed into workflows. No logic."""
