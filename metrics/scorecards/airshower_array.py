"""Air showers on a surface array: what the papers show of patterns and traces, in bins of energy."""

from __future__ import annotations

from dataclasses import replace

from metrics.scorecard import ConditionAxis, Scorecard

AIRSHOWER_ARRAY_V1 = Scorecard(
    name="airshower-array-v1",
    version=1,
    title="Air showers: signals, core, fall-off and trace shape in bins of energy",
    detector="airshower-array",
    distributions=(
        "shower_size",
        "total_signal",
        "hottest_signal",
        "hottest_fraction",
        "hottest_distance",
        "num_triggered",
        "neighbour_correlation",
        "rise_time",
        "fall_time",
    ),
    profiles=(
        "lateral_falloff",
        "trace_shape",
        "rise_time_profile",
    ),
    condition_bins=(),
    cells=(ConditionAxis("incident_energy", 1.0),),
    smallest_sample=50,
    quantile_bins=10,
    smallest_count=10,
    smallest_profile_fraction=0.01,
    weights={"bmre": 1.0, "shower_size": 1.0, "wasserstein": 1.0, "correlation": 1.0},
    # Mean of each component over the injected faults (metrics.faults), validation split of
    # airshower-data; measured by metrics.scales, frozen here.
    scales={
        "bmre": 0.43069265991459893,
        "shower_size": 0.2099531380285028,
        "wasserstein": 0.7162127192143669,
        "correlation": 0.25216712102620203,
    },
    reported=("gromov_wasserstein", "chi2_ndf", "separation_power"),
)
# The same of signals summed over time, as the generator of patterns gives them.
AIRSHOWER_PATTERN_V1 = replace(
    AIRSHOWER_ARRAY_V1,
    name="airshower-pattern-v1",
    title="Air showers, signals over all time: signals, core and fall-off in bins of energy",
    detector="airshower-pattern",
    distributions=AIRSHOWER_ARRAY_V1.distributions[:-2],
    profiles=AIRSHOWER_ARRAY_V1.profiles[:1],
    # Mean of each component over the injected faults (metrics.faults), validation split of
    # airshower-data-patterns; measured by metrics.scales, frozen here.
    scales={
        "bmre": 0.546354486730113,
        "shower_size": 0.23820473747784948,
        "wasserstein": 0.7182895610358382,
        "correlation": 0.3080509497194094,
    },
)
