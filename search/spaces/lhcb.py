"""What the adversarial models of T. Neuer's thesis have in common: appendix B, and what its chapter 4 speaks of."""

from __future__ import annotations

from collections.abc import Mapping

from optuna.distributions import CategoricalDistribution as Choice
from optuna.distributions import FloatDistribution as Real
from optuna.distributions import IntDistribution as Whole

from search.spaces.space import Branch, Parameter, Value, When, choice

APPENDIX_B = "LHCb thesis, appendix B"
SECTION_4_3 = "LHCb thesis, section 4.3"
APPENDIX_C = "LHCb thesis, appendix C"
OURS = "Not in the thesis"
SWITCH = ("off", "on")
LEARNING_RATES = Real(1e-6, 5e-3, log=True)
SHORT = "Searched up to 5e-3, which short trainings need"
CROSS_ENTROPY = When(("objective",), values=("js", "kl"))
WASSERSTEIN = When(("objective",), values=("wasserstein",))

Defaults = Mapping[str, Value]


def choice_where(
    source: str, name: str, title: str, default: Value, values: tuple[Value, ...], when: When, note: str = ""
) -> Parameter:
    """A parameter that takes listed values where a condition holds."""
    return Parameter(name, title, default, (Branch(Choice(values), values, when),), source, note)


def weight(
    source: str, name: str, title: str, default: float, published: tuple[float, ...], when: When, note: str = ""
) -> Parameter:
    """A weight of appendix B, which gives points from 0 to 10; anything between is searched."""
    branch = Branch(Real(min(published), max(published)), published, when)
    return Parameter(name, title, default, (branch,), source, note)


def appendix_b(defaults: Defaults) -> tuple[Parameter, ...]:
    """The rows of the table that all models have, in its order."""
    return (
        choice(APPENDIX_B, "objective", "Loss", defaults["objective"], ("js", "kl", "wasserstein")),
        Parameter(
            "critic_steps",
            "Adversarial steps: critic steps per generator step",
            defaults["critic_steps"],
            (Branch(Whole(1, 10), (1, 5, 10)),),
            APPENDIX_B,
        ),
        choice(APPENDIX_B, "batch_size", "Mini-batch size", defaults["batch_size"], (1, 4, 8, 16, 32, 64)),
        choice(APPENDIX_B, "latent_dim", "Latent dimension", defaults["latent_dim"], (4, 8, 16, 32, 64, 128)),
        choice(APPENDIX_B, "feature_matching", "Feature matching (4.3.6)", defaults["feature_matching"], SWITCH),
        _learning_rate("critic", defaults, (1e-3, 5e-4, 1e-4, 5e-5, 1e-5, 1e-6)),
        _learning_rate("generator", defaults, (1e-3, 5e-4, 1e-4, 5e-5, 1e-5)),
        choice_where(
            APPENDIX_B,
            "label_smoothing",
            "Label of real events, one-sided smoothing",
            defaults["label_smoothing"],
            (0.8, 0.9, 0.95),
            CROSS_ENTROPY,
        ),
        choice(APPENDIX_B, "optimizer", "Optimiser", defaults["optimizer"], ("rmsprop", "adam")),
        choice(APPENDIX_B, "patch_critic", "PatchGAN", defaults["patch_critic"], SWITCH),
        choice(
            APPENDIX_B,
            "random_labels",
            "Random labels: share of the critic's labels that are exchanged",
            defaults["random_labels"],
            (0.0, 0.05, 0.1),
        ),
    )


def further_adversarial(defaults: Defaults) -> tuple[Parameter, ...]:
    """What section 4.3 names without values, and what an optimiser has beside."""
    adam = When(("optimizer",), values=("adam",))
    return (
        choice_where(OURS, "beta_1", "β₁ of Adam", defaults["beta_1"], (0.0, 0.5, 0.9), adam),
        choice_where(OURS, "beta_2", "β₂ of Adam", defaults["beta_2"], (0.9, 0.99, 0.999), adam),
        choice(OURS, "decay", "Decay of the learning rates, a step", 0.0, (0.0, 1e-4, 1e-3)),
        choice_where(
            SECTION_4_3,
            "gradient_penalty_weight",
            "Gradient penalty weight",
            10.0,
            (0.0, 1.0, 10.0),
            WASSERSTEIN,
            "The thesis gives no weight; 10 is that of Gulrajani et al., whom it follows",
        ),
        choice_where(
            SECTION_4_3, "gradient_penalty", "Gradient penalty", "two_sided", ("one_sided", "two_sided"), WASSERSTEIN
        ),
        choice(SECTION_4_3, "spectral_norm", "Spectral normalisation of the critic", "off", SWITCH),
        choice_where(
            SECTION_4_3,
            "minibatch_kernels",
            "Kernels of minibatch discrimination",
            0,
            (0, 16),
            CROSS_ENTROPY,
            "The thesis names it without numbers",
        ),
        choice(SECTION_4_3, "dropout", "Dropout of the critic", 0.0, (0.0, 0.25, 0.5)),
        choice(SECTION_4_3, "batch_norm", "Batch normalisation of the generator", defaults["batch_norm"], SWITCH),
        choice_where(
            SECTION_4_3,
            "critic_batch_norm",
            "Batch normalisation of the critic",
            defaults["critic_batch_norm"],
            SWITCH,
            CROSS_ENTROPY,
        ),
        choice(
            OURS,
            "cell_scale",
            "Scale in which networks see cells",
            "linear",
            ("linear", "square_root", "logarithmic"),
            "The thesis has them linear",
        ),
        choice(OURS, "average_decay", "Decay of the average of the generator's weights", 0.0, (0.0, 0.99, 0.999)),
    )


def structure(name: str, title: str, default: Value, values: tuple[Value, ...]) -> Parameter:
    """A part of a network: the thesis varied all of them, and gives those that it chose."""
    return choice(APPENDIX_C, name, title, default, values, "The thesis varied it without saying how; others are ours")


def _learning_rate(network: str, defaults: Defaults, published: tuple[float, ...]) -> Parameter:
    name = f"{network}_learning_rate"
    branch = Branch(LEARNING_RATES, published)
    return Parameter(name, f"Learning rate of the {network}", defaults[name], (branch,), APPENDIX_B, SHORT)
