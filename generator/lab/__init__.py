"""Runs the pipelines themselves and records what came of it. The only home of torch."""
