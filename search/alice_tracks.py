"""Search the hyperparameters of the generators of ALICE tracks: six methods, with or without the momentum.

python search/alice_tracks.py --trials 64
"""

from search.engine.cli import main
from search.engine.study import Preset, Study
from search.spaces import SPACES

STUDY = Study(
    name="alice-tracks",
    title="Tracks in the time projection chamber of ALICE, up to 159 points",
    dataset="alice-tracks-geant4",
    model="alice-tracks",
    space=SPACES["alice-tracks"],
    scorecard="alice-tracks-v1",  # residuals of the helix, helix against momentum, points
    budget_label="{epochs} epochs (the paper does not say how long it trained, of 60\N{NO-BREAK SPACE}000 tracks)",
    # Without a GPU: the score asks for the momentum, so that all trials are told it; small convolutions, larger
    # learning rates and averaged weights for minutes of training.
    laptop=Preset(
        epochs=80,
        evaluate_every=5,
        trials=20,
        limits={
            "conditioning": ("momentum",),
            "latent_dim": (5, 10, 20),
            "dense_units": (128, 256, 512),
            "lstm_layers": (1,),
            "lstm_units": (16,),
            "conv_layers": (2, 3, 4),
            "channels": (4, 8),
            "kernel": (3, 4, 5),
            "growth_epochs": (0.5, 5.0),
            "fade_epochs": (0.5, 5.0),
            "dropout": (0.0, 0.1),
            "kl_weight": (0.1, 10.0),
            "learning_rate": (3e-4, 5e-3),
            "critic_learning_rate": (3e-4, 5e-3),
            "batch_size": (64, 128),
            "average_decay": (0.99, 0.999),
        },
        defaults={
            "conditioning": "momentum",
            "latent_dim": 10,
            "dense_units": 256,
            "lstm_units": 16,
            "channels": 4,
            "growth_epochs": 1.0,
            "fade_epochs": 2.0,
            "dropout": 0.0,
            "batch_norm": "off",
            "learning_rate": 1e-3,
            "critic_learning_rate": 1e-3,
            "average_decay": 0.99,
        },
    ),
    paper=Preset(epochs=1000, evaluate_every=20, trials=64),
)

if __name__ == "__main__":
    main(STUDY)
