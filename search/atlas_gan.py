"""Search the hyperparameters of the ATLAS WGAN-GP.

python search/atlas_gan.py --trials 64
"""

from search.engine.cli import main
from search.engine.study import Preset, Study
from search.spaces import SPACES

STUDY = Study(
    name="atlas-gan",
    title="WGAN-GP for photon showers in the ATLAS electromagnetic barrel, 266 cells",
    dataset="atlas-photons-geant4",
    model="atlas-gan",
    space=SPACES["atlas-gan"],  # table 2 of the paper
    scorecard="atlas-photons-v1",  # bin-mean relative error, response, Wasserstein-1, correlations
    budget_label="{epochs} of the paper's 50\N{NO-BREAK SPACE}000 epochs",
    # Without a GPU: networks that a CPU trains in minutes, learning rates that such a budget can use, and without the
    # logarithmic preprocessings and large mini-batches, which need far more epochs.
    laptop=Preset(
        epochs=1000,
        evaluate_every=25,
        trials=24,
        limits={
            "hidden_layers": (1, 3, 5),
            "units": (64, 128),
            "learning_rate": (5e-5, 3e-3),
            "batch_size": (64,),
            "preprocessing": ("fraction",),
        },
    ),
    paper=Preset(epochs=50_000, evaluate_every=500, trials=64),
)

if __name__ == "__main__":
    main(STUDY)
