"""Networks that judge: a classifier that tells samples apart, a regression of the energy. All of torch in metrics."""
