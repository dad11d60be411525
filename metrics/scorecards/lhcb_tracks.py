"""LHCb-like single tracks: image quantities of the thesis, and the shower relative to the point of impact."""

from __future__ import annotations

from metrics.scorecard import ConditionAxis, Scorecard

LHCB_TRACKS_V1 = Scorecard(
    name="lhcb-tracks-v1",
    version=1,
    title="LHCb-like single tracks: energy, hits, maximum, position and trigger in bins of transverse energy",
    detector="lhcb-tracks",
    distributions=(
        "response",
        "hits",
        "maximum",
        "width_x",
        "width_y",
        "offset_x",
        "offset_y",
        "centre_distance",
        "maximum_distance",
    ),
    profiles=("trigger_thresholds",),
    condition_bins=(),
    cells=(ConditionAxis("transverse_energy", 200.0),),
    smallest_sample=100,
    quantile_bins=10,
    smallest_count=10,
    smallest_profile_fraction=0.01,
    weights={"bmre": 1.0, "response": 1.0, "wasserstein": 1.0, "correlation": 1.0},
    # Mean of each component over the injected faults (metrics.faults), validation split of
    # lhcb-pions-geant4; measured by metrics.scales, frozen here.
    scales={
        "bmre": 0.3615402352811087,
        "response": 0.052482869854391385,
        "wasserstein": 0.38112353391770587,
        "correlation": 0.21853781088637175,
    },
    reported=("gromov_wasserstein", "chi2_ndf", "separation_power"),
)
