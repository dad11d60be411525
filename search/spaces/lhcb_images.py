"""Hyperparameters of image-to-image translation of LHCb events: appendices B, C.2 and C.3 of T. Neuer's thesis."""

from __future__ import annotations

from search.spaces.lhcb import APPENDIX_B, appendix_b, further_adversarial, structure, weight
from search.spaces.space import Parameter, Space, Value, When, choice

LAMBDAS = (0.0, 0.5, 1.0, 5.0, 10.0)
ACTIVATIONS = ("leaky_relu", "relu", "elu", "swish")
DEFAULTS: dict[str, Value] = {
    "objective": "js",
    "critic_steps": 1,
    "batch_size": 16,
    "latent_dim": 64,
    "feature_matching": "off",
    "critic_learning_rate": 1e-6,
    "generator_learning_rate": 1e-5,
    "label_smoothing": 0.9,
    "optimizer": "adam",
    "patch_critic": "on",
    "random_labels": 0.0,
    "beta_1": 0.5,
    "beta_2": 0.999,
    "batch_norm": "on",
    "critic_batch_norm": "on",
}


def image_space(model: str, residual_blocks: int) -> Space:
    """The space of a model; the two differ in the residual blocks of their generators alone."""
    return Space(
        model,
        (
            choice(
                "LHCb thesis, section 4.2",
                "kind",
                "Kind of translation",
                "bicycle_gan",
                ("pix2pix", "vae_gan", "clr_gan", "bicycle_gan"),
            ),
            *appendix_b(DEFAULTS),
            *_lambdas(),
            *further_adversarial(DEFAULTS),
            structure("activation", "Activation of encoder, critic and contraction", "leaky_relu", ACTIVATIONS),
            structure("expanding_activation", "Activation of the generator's expansion", "relu", ACTIVATIONS),
            structure("kernel", "Kernel of the generator's halvings and doublings", 4, (2, 3, 4, 5)),
            structure("generator_layers", "Halvings of the generator", 5, (3, 4, 5)),
            structure("generator_filters", "Channels of its first two", 64, (8, 16, 32, 64)),
            structure("residual_blocks", "Residual blocks of the generator", residual_blocks, (0, 1, 2, 4)),
            structure("encoder_layers", "Convolutions of the encoder", 3, (2, 3, 4)),
            structure("encoder_filters", "Channels of its first, doubled by each", 16, (4, 8, 16)),
            structure("encoder_units", "Units of its first dense layer, halved by the second", 128, (32, 64, 128)),
            structure("critic_layers", "Blocks of the critic", 3, (2, 3)),
            structure("critic_filters", "Channels of its first, doubled by each", 32, (4, 8, 16, 32)),
        ),
    )


def _lambdas() -> tuple[Parameter, ...]:
    final = "The thesis chose 0.1, which is none of its options"
    vae = weight(
        APPENDIX_B,
        "lambda_vae",
        "Weight of the divergence",
        0.1,
        (*LAMBDAS, 0.1),
        When(("kind",), values=("vae_gan", "bicycle_gan")),
        final,
    )
    return (
        vae,
        weight(
            APPENDIX_B,
            "lambda_x",
            "Weight of the image cycle",
            0.5,
            LAMBDAS,
            When(("kind",), values=("pix2pix", "vae_gan", "bicycle_gan")),
        ),
        weight(
            APPENDIX_B,
            "lambda_z",
            "Weight of the latent cycle",
            1.0,
            LAMBDAS,
            When(("kind",), values=("clr_gan", "bicycle_gan")),
        ),
    )
