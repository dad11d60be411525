"""Search the hyperparameters of the air-shower refiner.

python search/airshower_refiner.py --trials 24
"""

from search.engine.cli import main
from search.engine.study import Preset, Study
from search.spaces import SPACES

STUDY = Study(
    name="airshower-refiner",
    title="Refiner of simulated signal traces of air showers, 9×9 stations, 80 time bins",
    dataset="airshower-refinement",
    model="airshower-refiner",
    space=SPACES["airshower-refiner"],  # section 2.4 and table 3 of the paper
    scorecard="airshower-array-v1",
    budget_label="{epochs} epochs of the paper's 1\N{NO-BREAK SPACE}000, of ten refiner iterations each",
    # Without a GPU: an eighth of the maps, half the blocks, fewer critic steps, higher learning rates, averaged
    # weights, and the trigger of the data, which the refiner need not learn then.
    laptop=Preset(
        epochs=70,
        evaluate_every=5,
        trials=10,
        limits={
            "residual_blocks": (1, 2),
            "refiner_maps": (4, 8),
            "kernel": (5, 7),
            "training_ratio": (2, 3),
            "learning_rate": (3e-4, 5e-3),
            "batch_size": (16, 32),
            "iterations_per_epoch": (10,),
            "encoder_maps": (8, 16),
            "critic_maps": (2, 4),
            "critic_layers": (2, 3),
            "average_decay": (0.9, 0.95, 0.99),
        },
        defaults={
            "residual_blocks": 2,
            "refiner_maps": 8,
            "trigger": "data",
            "training_ratio": 2,
            "learning_rate": 1e-3,
            "batch_size": 16,
            "encoder_maps": 16,
            "critic_maps": 4,
            "critic_layers": 3,
            "average_decay": 0.95,
            "dropout": 0.0,
        },
    ),
    paper=Preset(epochs=1_000, evaluate_every=10, trials=64),
)

if __name__ == "__main__":
    main(STUDY)
