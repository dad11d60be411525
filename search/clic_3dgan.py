"""Search the hyperparameters of 3DGAN.

python search/clic_3dgan.py --trials 24
"""

from search.engine.cli import main
from search.engine.study import MoreGpus, Preset, Study
from search.spaces import SPACES
from search.spaces.space import When

STUDY = Study(
    name="clic-3dgan",
    title="3DGAN for electron showers in the CLIC electromagnetic calorimeter",
    dataset="clic-electrons-two-steps",  # trained on 100 to 200 GeV first, judged on 2 to 500 GeV
    model="clic-3dgan",
    space=SPACES["clic-3dgan"],
    scorecard="clic-electrons-v1",  # bin-mean relative error, sampling fraction, Wasserstein-1, correlations
    budget_label="{epochs} epochs (the paper: 130 and 30, of hundreds of thousands of showers)",
    # Without a GPU: the central part of the detector in coarser cells, at 100 to 200 GeV alone; networks and
    # mini-batches that a CPU trains on 477 showers in a minute; a smaller power p, with which 3DGAN learns faster;
    # Adam at learning rates that fall, one generator step a batch, more weight on the energy sum, averaged weights.
    laptop=Preset(
        epochs=70,
        evaluate_every=2,
        trials=12,
        limits={
            "power": (0.3, 0.7),
            "latent_dim": (16, 64),
            "generator_convolutions": (4, 5),
            "discriminator_convolutions": (2, 3),
            "upsampling": (2, 3),
            "coarse_filters": (4, 8),
            "generator_first_filters": (4, 8),
            "generator_filters": (6, 8),
            "generator_kernel_change": (-3, -2),
            "discriminator_first_filters": (4, 8),
            "discriminator_filters": (8, 16),
            "discriminator_kernel_change": (-3, -2),
            "adversarial_weight": (1.0, 10.0),
            "sum_weight": (0.2, 1.0),
            "generator_steps": (1, 2),
            "batch_size": (16, 32),
            "optimizer": ("adam",),
            "beta_1": (0.5,),
            "generator_learning_rate": (2e-3, 8e-3),
            "discriminator_learning_rate": (2e-3, 8e-3),
            "decay": (1e-3,),
            "first_step_epochs": (0,),
            "average_decay": (0.98, 0.99),
            "precision": ("float32",),
        },
        defaults={
            "power": 0.4,
            "latent_dim": 16,
            "generator_convolutions": 5,
            "discriminator_convolutions": 3,
            "upsampling": 3,
            "generator_filters": 8,
            "generator_kernel_change": -2,
            "discriminator_first_filters": 8,
            "discriminator_filters": 16,
            "discriminator_kernel_change": -2,
            "sum_weight": 0.6,
            "generator_steps": 1,
            "batch_size": 16,
            "optimizer": "adam",
            "generator_learning_rate": 5e-3,
            "discriminator_learning_rate": 5e-3,
            "decay": 1e-3,
            "first_step_epochs": 0,
            "average_decay": 0.99,
        },
        dataset="clic-electrons-coarse",
        scorecard="clic-electrons-coarse-v1",
    ),
    paper=Preset(epochs=160, evaluate_every=10, trials=64),
    more_gpus=(MoreGpus(When(("generator_filters",), minimum=12), factor=2),),  # twice the activations, and more
    checkpoint_rule="best_sampling_fraction_of_last_ten",
)

if __name__ == "__main__":
    main(STUDY)
