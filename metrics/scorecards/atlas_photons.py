"""ATLAS-like photons: what ATL-SOFT-PUB-2018-001 shows in figures 3 and 4, in every layer and at every energy."""

from __future__ import annotations

from metrics.scorecard import Scorecard

ATLAS_PHOTONS_V1 = Scorecard(
    name="atlas-photons-v1",
    version=1,
    title="ATLAS-like photons: energies, shower depth and lateral shapes at nine energies",
    detector="atlas-photons",
    distributions=(
        "response",
        "energy_presampler",
        "energy_front",
        "energy_middle",
        "energy_back",
        "shower_depth",
    ),
    profiles=(
        "lateral_eta_presampler",
        "lateral_phi_presampler",
        "lateral_eta_front",
        "lateral_phi_front",
        "lateral_eta_middle",
        "lateral_phi_middle",
        "lateral_eta_back",
        "lateral_phi_back",
    ),
    condition_bins=tuple(float(2**power) for power in range(10, 19)),  # 1.02 … 262 GeV, in MeV
    smallest_sample=50,
    quantile_bins=10,
    smallest_count=10,
    smallest_profile_fraction=0.01,
    weights={"bmre": 1.0, "response": 1.0, "wasserstein": 1.0, "correlation": 1.0},
    # Mean of each component over the injected faults (metrics.faults), validation split of
    # atlas-photons-geant4; measured by metrics.scales, frozen here.
    scales={
        "bmre": 0.4952848073566687,
        "response": 0.012677247730813839,
        "wasserstein": 0.5541732636399525,
        "correlation": 0.28433976403481886,
    },
    reported=("gromov_wasserstein", "chi2_ndf"),
)
