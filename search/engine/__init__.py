"""How a study is run: Ray Tune, Optuna, the ledger, MLflow, and the command line."""
