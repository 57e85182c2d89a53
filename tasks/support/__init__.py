"""Modules that tasks share: resources, caching, settings, plans, requests, types of outputs, lines of the summary."""
