"""One package or module per step of the pipeline; stages never import each other."""
