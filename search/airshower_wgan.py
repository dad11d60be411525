"""Search the hyperparameters of the air-shower WGAN.

python search/airshower_wgan.py --trials 24
"""

from search.engine.cli import main
from search.engine.study import Preset, Study
from search.spaces import SPACES

STUDY = Study(
    name="airshower-wgan",
    title="WGAN-GP with constrainer for signal patterns of air showers, 9×9 stations",
    dataset="airshower-data-patterns",
    model="airshower-wgan",
    space=SPACES["airshower-wgan"],  # section 2.3, tables 1 and 2 of the paper
    scorecard="airshower-pattern-v1",
    budget_label="{epochs} epochs (the paper's 100 are of a sample a hundred times as large)",
    # Without a GPU: a quarter of the maps or less, fewer critic steps, higher learning rates, averaged weights.
    laptop=Preset(
        epochs=100,
        evaluate_every=5,
        trials=18,
        limits={
            "generator_maps": (8, 16),
            "generator_layers": (3, 4),
            "critic_maps": (8, 16),
            "critic_layers": (3, 4),
            "training_ratio": (2, 3, 4),
            "learning_rate": (3e-4, 5e-3),
            "average_decay": (0.9, 0.95, 0.99),
        },
        defaults={
            "generator_maps": 16,
            "critic_maps": 16,
            "training_ratio": 2,
            "learning_rate": 1e-3,
            "average_decay": 0.95,
        },
    ),
    paper=Preset(epochs=10_000, evaluate_every=100, trials=64),
)

if __name__ == "__main__":
    main(STUDY)
