"""Numbers from samples and files: claims held against what a file really holds, fitted lines."""
