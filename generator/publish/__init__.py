"""Texts and files to site/: fingerprinted assets, checked links, written beside, swapped whole."""
