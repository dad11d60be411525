"""Studies: one short script each, the engine below, the hyperparameter spaces as data."""
