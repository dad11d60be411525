"""Search the hyperparameters of tracker image propagation of LHCb.

python search/lhcb_tracker_image.py --trials 32
"""

from collections.abc import Mapping

from search.engine.cli import main
from search.engine.study import Preset, Study
from search.spaces import SPACES
from search.spaces.space import Limits, Value

# Without a GPU, here and for the refinement: a smaller U-Net with a quarter of the filters, an eighth of the critic's;
# cells as logarithms, so that the critic sees faint ones too; Wasserstein distances, which need no balance of the two
# networks; weights of the cycles that suit sums over cells of that size; learning rates that a budget of minutes can
# use and that fall, and the average of the weights.
LAPTOP_DEFAULTS: Mapping[str, Value] = {
    "objective": "wasserstein",
    "batch_size": 8,
    "latent_dim": 16,
    "critic_learning_rate": 4e-3,
    "generator_learning_rate": 2e-3,
    "lambda_vae": 0.01,
    "lambda_x": 0.002,
    "lambda_z": 0.01,
    "beta_1": 0.0,
    "beta_2": 0.9,
    "decay": 1e-3,
    "gradient_penalty_weight": 1.0,
    "generator_layers": 3,
    "generator_filters": 16,
    "residual_blocks": 0,
    "encoder_filters": 4,
    "encoder_units": 32,
    "critic_filters": 4,
    "cell_scale": "logarithmic",
    "average_decay": 0.99,
}
# Only what such a budget can tell apart is searched.
LAPTOP_LIMITS: Mapping[str, Limits] = {
    "objective": ("js", "wasserstein"),
    "critic_steps": (1,),
    "batch_size": (8, 16),
    "latent_dim": (8, 16, 32),
    "feature_matching": ("off",),
    "critic_learning_rate": (5e-4, 5e-3),
    "generator_learning_rate": (5e-4, 5e-3),
    "label_smoothing": (0.9,),
    "optimizer": ("adam",),
    "random_labels": (0.0,),
    "lambda_vae": (0.0, 0.1),
    "lambda_x": (0.0, 0.01),
    "lambda_z": (0.0, 0.05),
    "beta_2": (0.9, 0.999),
    "decay": (1e-4, 1e-3),
    "gradient_penalty_weight": (1.0, 10.0),
    "spectral_norm": ("off",),
    "minibatch_kernels": (0,),
    "dropout": (0.0,),
    "batch_norm": ("on",),
    "kernel": (4,),
    "generator_layers": (3, 4),
    "generator_filters": (8, 16),
    "residual_blocks": (0,),
    "encoder_layers": (3,),
    "encoder_filters": (4,),
    "encoder_units": (32,),
    "critic_layers": (3,),
    "critic_filters": (4, 8),
    "cell_scale": ("square_root", "logarithmic"),
    "average_decay": (0.99,),
}

STUDY = Study(
    name="lhcb-tracker-image",
    title="BicycleGAN on drawn tracks for full events in the hadronic calorimeter of LHCb, 52 × 64 cells",
    dataset="lhcb-events-geant4",
    model="lhcb-tracker-image",
    space=SPACES["lhcb-tracker-image"],  # appendices B and C.3 of the thesis
    scorecard="lhcb-events-v1",  # energy, hits, maximum and trigger rates in bins of transverse energy
    budget_label="{epochs} epochs (the thesis gives no number)",
    laptop=Preset(epochs=8, evaluate_every=1, trials=6, limits=LAPTOP_LIMITS, defaults=LAPTOP_DEFAULTS),
    paper=Preset(epochs=500, evaluate_every=10, trials=64),
)

if __name__ == "__main__":
    main(STUDY)
