"""ALICE-like tracks: distances of the points to the helix, the helix against the momentum, and where points lie."""

from __future__ import annotations

from metrics.scorecard import ConditionAxis, Scorecard

ALICE_TRACKS_V1 = Scorecard(
    name="alice-tracks-v1",
    version=1,
    title="ALICE-like tracks: residuals, helix against momentum, points, in bins of transverse momentum",
    detector="alice-tracks",
    distributions=(
        "helix_residual_mean",
        "helix_residual_rms",
        "curvature_ratio",
        "azimuth_difference",
        "dip_difference",
        "impact_parameter",
        "num_points",
        "spacing_mean",
        "spacing_deviation",
    ),
    profiles=(
        "helix_residual",
        "point_occupancy",
    ),
    condition_bins=(),
    cells=(ConditionAxis("transverse_momentum", 0.05),),
    smallest_sample=100,
    quantile_bins=10,
    smallest_count=10,
    smallest_profile_fraction=0.01,
    weights={"bmre": 1.0, "helix_residual": 1.0, "wasserstein": 1.0, "correlation": 1.0},
    # Mean of each component over the injected faults (metrics.faults), validation split of
    # alice-tracks-geant4; measured by metrics.scales, frozen here.
    scales={
        "bmre": 0.42864382289402575,
        "helix_residual": 3.4541879488214984,
        "wasserstein": 1.4255517326360554,
        "correlation": 0.3314249048205367,
    },
    reported=("gromov_wasserstein", "chi2_ndf", "separation_power"),
)
