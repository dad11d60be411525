"""Search the hyperparameters of calorimeter image refinement of LHCb.

python search/lhcb_refinement.py --trials 32
"""

from search import lhcb_single_track
from search.engine.cli import main
from search.engine.study import Preset, Study
from search.lhcb_tracker_image import LAPTOP_DEFAULTS, LAPTOP_LIMITS
from search.spaces import SPACES

STUDY = Study(
    name="lhcb-refinement",
    title="BicycleGAN on sums of single tracks for full events in the hadronic calorimeter of LHCb, 52 × 64 cells",
    dataset="lhcb-events-geant4",
    model="lhcb-refinement",
    space=SPACES["lhcb-refinement"],  # appendices B and C.2 of the thesis
    scorecard="lhcb-events-v1",  # energy, hits, maximum and trigger rates in bins of transverse energy
    budget_label="{epochs} epochs (the thesis gives no number)",
    # Without a GPU: as for drawn tracks (lhcb_tracker_image.py), with fewer trials: the single-track model that it
    # is built on is trained first.
    laptop=Preset(epochs=8, evaluate_every=2, trials=4, limits=LAPTOP_LIMITS, defaults=LAPTOP_DEFAULTS),
    paper=Preset(epochs=500, evaluate_every=10, trials=64),
    built_on=lhcb_single_track.STUDY,
)

if __name__ == "__main__":
    main(STUDY)
