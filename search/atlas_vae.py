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
    published_training="100 epochs",
    # The paper's 100 epochs saw 30 times as many showers as ours do. Without a GPU: weights and learning rates with
    # which so few showers are enough.
    laptop=Preset(
        epochs=500,
        evaluate_every=20,
        trials=32,
        limits={"learning_rate": (1e-4, 5e-3), "kl_weight": (1e-5, 1e-2), "reconstruction_weight": (0.1, 3.0)},
    ),
    paper=Preset(epochs=3000, evaluate_every=50, trials=64),
)

if __name__ == "__main__":
    main(STUDY)
