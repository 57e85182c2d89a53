"""Mixture: how often each document is in the training data, by quality bins, topics and a budget, as references."""
