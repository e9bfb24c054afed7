"""Footage to train on: two endless procedural scenes, rendered by torch on any device.

attributes.py says what a scene can be told, render.py makes frames of it. alley.py and
metropolis.py are the two families; the rest are their parts. See docs/scenes.md.
"""
