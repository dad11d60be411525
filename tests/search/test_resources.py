"""Trials on nodes: what fits, what cannot, and what joins later."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import ray
from ray.cluster_utils import Cluster

from search.engine.resources import Places, Request, check_request, largest_request, nodes, request_for, wait_for_nodes
from search.engine.study import MoreGpus, StudyError
from search.spaces import SPACES
from search.spaces.space import When
from search.studies import STUDIES

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)

NODE = {"CPU": 16.0, "GPU": 8.0}


@pytest.mark.parametrize(
    ("request_", "places"),
    [
        (Request(1), 16),
        (Request(3), 5),
        (Request(1, 0.25), 16),  # 32 by GPU, 16 by CPU
        (Request(1, 0.3), 16),
        (Request(1, 0.6), 8),  # one a GPU: shares do not add up across GPUs
        (Request(1, 1), 8),
        (Request(2, 3), 2),
        (Request(17), 0),
        (Request(1, 9), 0),
        (Request(1, 1, processes=4), 8),
    ],
    ids=str,
)
def test_places_on_a_node(request_: Request, places: int) -> None:
    assert request_.processes_on(NODE) == places


def test_a_trial_of_several_processes_may_span_nodes() -> None:
    request = Request(2, 1, processes=6)
    assert len(request.bundles) == 6
    assert request.places([NODE]) == 1
    assert request.places([{"CPU": 8.0, "GPU": 4.0}, {"CPU": 8.0, "GPU": 2.0}]) == 1
    with pytest.raises(StudyError, match="2 CPUs and 1 GPUs on one node, for each of its 6 processes"):
        check_request(request, [{"CPU": 8.0, "GPU": 4.0}, {"CPU": 2.0, "GPU": 2.0}])


def test_a_node_without_gpus_has_no_place_for_a_share() -> None:
    assert Request(1, 0.1).places([{"CPU": 8.0}]) == 0


MORE = (MoreGpus(When(("units",), minimum=512), 2.0), MoreGpus(When(("batch_size",), values=(1024,)), 3.0))


@pytest.mark.parametrize(
    ("config", "gpus"),
    [
        ({"units": 128, "batch_size": 64}, 0.25),
        ({"units": 512, "batch_size": 64}, 0.5),
        ({"units": 1024, "batch_size": 1024}, 2.0),  # 1.5, and above one Ray gives whole GPUs
    ],
    ids=["small", "wide", "wide and large batches"],
)
def test_larger_networks_take_more_gpus(config: dict[str, int], gpus: float) -> None:
    assert request_for(Request(2, 0.25), MORE, config) == Request(2, gpus)


def test_the_largest_request_is_that_of_the_space_and_not_of_the_rules() -> None:
    space = SPACES["atlas-gan"]
    assert largest_request(Request(1, 0.25), MORE, space).gpus == 2.0
    assert largest_request(Request(1, 0.25), MORE, space.limit({"units": (64, 128)})).gpus == 0.75
    assert largest_request(Request(1), MORE, space).gpus == 0


@pytest.mark.parametrize("study", STUDIES.values(), ids=lambda study: study.name)
def test_rules_of_studies_name_hyperparameters_that_can_reach_them(study) -> None:
    for rule in study.more_gpus:
        assert study.space.allows(rule.when)
        assert rule.factor > 1


def test_what_no_node_can_give_is_an_error_that_names_the_nodes() -> None:
    check_request(Request(4, 2), [{"CPU": 2.0}, {"CPU": 4.0, "GPU": 2.0}])
    with pytest.raises(StudyError, match=r"8 CPUs and 1 GPUs on one node: .*1 with 4 CPUs and 2 GPUs.*--wait-minutes"):
        check_request(Request(8, 1), [{"CPU": 6.0}, {"CPU": 4.0, "GPU": 2.0}])
    with pytest.raises(StudyError, match="nodes: none"):
        check_request(Request(1), [])


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head without resources, to which nodes are added."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0, "include_dashboard": False})
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def gpu_of_a_trial() -> tuple[str, str]:
    """Where a trial runs, and which GPUs it sees."""
    import os
    import time

    time.sleep(3)
    return ray.get_runtime_context().get_node_id(), os.environ["CUDA_VISIBLE_DEVICES"]


@pytest.mark.slow
def test_trials_spread_over_nodes_and_shares_of_their_gpus(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.engine.resources.LOOK_EVERY", 0.1)
    places = Places(Request(1, 0.5), None)
    with pytest.raises(StudyError, match="0 CPUs and 0 GPUs"):
        check_request(Request(1, 0.5), nodes())
    for count in (1, 2):
        cluster.add_node(num_cpus=8, num_gpus=2)
        cluster.wait_for_nodes()
        time.sleep(0.2)
        assert places() == 4 * count
    trial = ray.remote(gpu_of_a_trial).options(num_cpus=1, num_gpus=0.5)
    seen = ray.get([trial.remote() for _ in range(8)])
    assert len(set(seen)) == 4  # two nodes, two GPUs each
    assert all(seen.count(place) == 2 for place in seen)
    assert Places(Request(1, 0.5), 3)() == 3
    assert Places(Request(1, 0.5), 20)() == 8
    assert Places(Request(1, 0.5), 20, beyond=True)() == 20


def test_waiting_ends_with_the_node_or_with_the_time(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("search.engine.resources.LOOK_EVERY", 0.5)
    with pytest.raises(StudyError, match="the nodes do not have them"):
        wait_for_nodes(Request(1), minutes=0.02)
    cluster.add_node(num_cpus=1)
    wait_for_nodes(Request(1), minutes=1)
