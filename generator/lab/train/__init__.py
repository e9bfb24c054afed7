"""Trains the small model of our own: footage, data, losses, loops."""
