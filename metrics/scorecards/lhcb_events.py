"""LHCb-like full events: image quantities of the thesis, and the rates of the hadronic trigger."""

from __future__ import annotations

from metrics.scorecard import ConditionAxis, Scorecard

LHCB_EVENTS_V1 = Scorecard(
    name="lhcb-events-v1",
    version=1,
    title="LHCb-like full events: energy, hits, maximum and trigger rates in bins of transverse energy",
    detector="lhcb-events",
    distributions=(
        "response",
        "hits",
        "maximum",
        "centre_x",
        "centre_y",
        "width_x",
        "width_y",
    ),
    profiles=(
        "profile_x",
        "profile_y",
        "trigger_thresholds",
        "htos_thresholds",
        "htis_thresholds",
    ),
    condition_bins=(),
    cells=(ConditionAxis("transverse_energy", 1000.0),),
    smallest_sample=100,
    quantile_bins=10,
    smallest_count=10,
    smallest_profile_fraction=0.01,
    weights={"bmre": 1.0, "response": 1.0, "wasserstein": 1.0, "correlation": 1.0},
    # Mean of each component over the injected faults (metrics.faults), validation split of
    # lhcb-events-geant4; measured by metrics.scales, frozen here.
    scales={
        "bmre": 0.315514620229875,
        "response": 0.036690515307629394,
        "wasserstein": 0.5058266110850013,
        "correlation": 0.1250992660376777,
    },
    reported=("gromov_wasserstein", "chi2_ndf", "separation_power"),
)
