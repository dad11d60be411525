"""Search the hyperparameters of the ATLAS variational autoencoder.

python search/atlas_vae.py --trials 64
"""

from search.engine.cli import main
from search.engine.study import Preset, Study
from search.spaces import SPACES

STUDY = Study(
    name="atlas-vae",
    title="Variational autoencoder for photon showers in the ATLAS electromagnetic barrel, 266 cells",
    dataset="atlas-photons-geant4",
    model="atlas-vae",
    space=SPACES["atlas-vae"],  # table 1 of the paper
    scorecard="atlas-photons-v1",  # bin-mean relative error, response, Wasserstein-1, correlations
    budget_label="{epochs} epochs (the paper: 100, of about 90\N{NO-BREAK SPACE}000 showers)",
    # Without a GPU: what learns from so few showers within minutes.
    laptop=Preset(
        epochs=500,
        evaluate_every=20,
        trials=32,
        limits={
            "latent_dim": (2, 30),
            "reconstruction_weight": (0.3, 3.0),
            "kl_weight": (1e-4, 1e-2),
            "total_energy_weight": (0.0, 0.3),
            "encoder_layers": (3, 4, 5),
            "decoder_layers": (3, 4, 5),
            "kernel_initializer": ("truncated_normal", "variance_scaling", "glorot_normal"),
            "bias_initializer": ("zeros", "ones", "random_normal"),
            "optimizer": ("rmsprop", "adam", "nadam"),
            "learning_rate": (1e-4, 3e-3),
            "batch_size": (50, 100, 150),
        },
    ),
    paper=Preset(epochs=3000, evaluate_every=50, trials=64),
)

if __name__ == "__main__":
    main(STUDY)
