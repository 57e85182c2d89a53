"""Workflows: tasks and the order in which they run, without logic of their own."""
