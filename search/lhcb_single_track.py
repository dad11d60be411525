"""Search the hyperparameters of the LHCb single-track GAN.

python search/lhcb_single_track.py --trials 32
"""

from search.engine.cli import main
from search.engine.study import Preset, Study
from search.spaces import SPACES

STUDY = Study(
    name="lhcb-single-track",
    title="WGAN-GP for single pions in the hadronic calorimeter of LHCb, 52 × 64 cells",
    dataset="lhcb-pions-geant4",
    model="lhcb-single-track",
    space=SPACES["lhcb-single-track"],  # appendices B and C.1 of the thesis
    scorecard="lhcb-tracks-v1",  # energy, hits, maximum, position and trigger in bins of transverse energy
    budget_label="{epochs} epochs (the thesis gives no number)",
    # Without a GPU: a sixteenth of the filters; dense layers that know the place before the image begins; cells as
    # square roots, so that the critic sees faint ones too; learning rates that a budget of minutes can use, a weaker
    # penalty for the same reason, and the average of the weights. Only what such a budget can tell apart is searched.
    laptop=Preset(
        epochs=21,
        evaluate_every=3,
        trials=8,
        limits={
            "objective": ("wasserstein",),
            "critic_steps": (1, 3),
            "batch_size": (16, 32),
            "latent_dim": (8, 16, 32),
            "feature_matching": ("off",),
            "critic_learning_rate": (1e-3, 5e-3),
            "generator_learning_rate": (1e-3, 5e-3),
            "label_smoothing": (0.9,),
            "optimizer": ("adam",),
            "beta_2": (0.9, 0.99),
            "random_labels": (0.0,),
            "decay": (0.0, 1e-4, 1e-3),
            "gradient_penalty_weight": (1.0, 10.0),
            "spectral_norm": ("off",),
            "minibatch_kernels": (0,),
            "batch_norm": ("off",),
            "critic_batch_norm": ("off",),
            "dropout": (0.0,),
            "hidden_layers": (1, 2),
            "hidden_units": (64, 128, 256),
            "generator_layers": (3,),
            "generator_filters": (32, 64),
            "critic_layers": (2,),
            "critic_filters": (8, 16),
            "kernel": (2,),
            "average_decay": (0.99,),
        },
        defaults={
            "critic_steps": 2,
            "batch_size": 16,
            "latent_dim": 8,
            "critic_learning_rate": 5e-3,
            "generator_learning_rate": 3e-3,
            "gradient_penalty_weight": 1.0,
            "cell_scale": "square_root",
            "hidden_layers": 2,
            "generator_filters": 32,
            "critic_filters": 16,
            "average_decay": 0.99,
        },
    ),
    paper=Preset(epochs=500, evaluate_every=10, trials=64),
)

if __name__ == "__main__":
    main(STUDY)
