"""The studies of arXiv:1802.03325 for generated patterns and refined traces, with figures."""
