"""Measurements, side by side with peers and physical limits, always as ratios of one run."""
