"""Kubernetes' own schemas, and the fields of KubeRay's API ray.io/v1 (KubeRay 1.5.1 and newer)."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import ray.scripts.scripts
import yaml

import search.atlas_gan
from search.engine.cli import parser

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "cluster" / "kubernetes"
VERSION = kubernetes_validate.latest_version()
# Fields of KubeRay's reference that are required, and those that these files may have.
CLUSTER_FIELDS = ({"headGroupSpec"}, {"authOptions", "rayVersion", "headGroupSpec", "workerGroupSpecs"})
HEAD_FIELDS = ({"template"}, {"template", "rayStartParams"})
WORKER_FIELDS = (
    {"groupName", "template", "minReplicas", "maxReplicas"},
    {"groupName", "template", "replicas", "minReplicas", "maxReplicas", "rayStartParams"},
)
JOB_FIELDS = (
    {"entrypoint", "rayClusterSpec"},
    {"entrypoint", "rayClusterSpec", "backoffLimit", "shutdownAfterJobFinishes", "ttlSecondsAfterFinished"},
)


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def check_fields(content: dict[str, Any], fields: tuple[set[str], set[str]]) -> None:
    required, possible = fields
    assert required <= content.keys() <= possible


def check_template(template: dict[str, Any]) -> None:
    pod = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "pod"}, "template": template}
    kubernetes_validate.validate(pod, VERSION, strict=True)


def kuberay(name: str, kind: str) -> dict[str, Any]:
    """The specification in a file of KubeRay's API."""
    (document,) = documents(name)
    assert (document["apiVersion"], document["kind"]) == ("ray.io/v1", kind)
    assert document.keys() == {"apiVersion", "kind", "metadata", "spec"}
    spec: dict[str, Any] = document["spec"]
    return spec


@pytest.fixture
def cluster() -> dict[str, Any]:
    return kuberay("raycluster.yaml", "RayCluster")


@pytest.fixture
def job() -> dict[str, Any]:
    return kuberay("rayjob.yaml", "RayJob")


def test_storage_and_mlflow_are_what_kubernetes_expects() -> None:
    for document in documents("storage-and-mlflow.yaml"):
        kubernetes_validate.validate(document, VERSION, strict=True)


def test_the_schemas_notice_a_mistake() -> None:
    (document, *_) = documents("storage-and-mlflow.yaml")
    document["spec"]["storageClass"] = document["spec"].pop("storageClassName")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, VERSION, strict=True)


def test_the_cluster_has_the_fields_of_kuberay(cluster: dict[str, Any]) -> None:
    check_fields(cluster, CLUSTER_FIELDS)
    check_fields(cluster["headGroupSpec"], HEAD_FIELDS)
    check_template(cluster["headGroupSpec"]["template"])
    for group in cluster["workerGroupSpecs"]:
        check_fields(group, WORKER_FIELDS)
        check_template(group["template"])
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_ray_start_takes_the_parameters(cluster: dict[str, Any]) -> None:
    known = {name for option in ray.scripts.scripts.start.params for name in option.opts}
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert {f"--{name}" for name in group["rayStartParams"]} <= known
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


def test_token_authentication_is_on_and_the_version_is_the_pinned_one(cluster: dict[str, Any]) -> None:
    assert cluster["authOptions"] == {"mode": "token"}
    assert f"\nray=={cluster['rayVersion']}\n" in (ROOT / "constraints.txt").read_text(encoding="utf-8")


def test_workers_have_gpus(cluster: dict[str, Any]) -> None:
    (group,) = cluster["workerGroupSpecs"]
    (container,) = group["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_all_pods_see_the_results(cluster: dict[str, Any]) -> None:
    claims = {
        d["metadata"]["name"]: d for d in documents("storage-and-mlflow.yaml") if d["kind"] == "PersistentVolumeClaim"
    }
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        (volume,) = pod["volumes"]
        claim = claims[volume["persistentVolumeClaim"]["claimName"]]
        assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
        assert pod["containers"][0]["volumeMounts"] == [{"name": volume["name"], "mountPath": "/results"}]


def test_the_job_has_the_fields_of_kuberay_and_the_same_cluster(job: dict[str, Any], cluster: dict[str, Any]) -> None:
    check_fields(job, JOB_FIELDS)
    assert job["rayClusterSpec"] == cluster


def test_the_job_waits_for_all_nodes_and_then_searches(job: dict[str, Any], cluster: dict[str, Any]) -> None:
    bash, option, script = shlex.split(job["entrypoint"])
    assert (bash, option) == ("bash", "-c")
    (nodes,) = re.findall(r"python cluster/wait_for_nodes\.py (\d+) &&", script)
    assert int(nodes) == 1 + sum(group["replicas"] for group in cluster["workerGroupSpecs"])
    _, _, output, study, *flags = shlex.split(script[script.index("bash cluster/start_or_resume.sh") :])
    assert Path(output).parent == Path("/results")
    assert study == "search/atlas_gan.py"
    given = parser(search.atlas_gan.STUDY).parse_args(flags)
    (service,) = [d for d in documents("storage-and-mlflow.yaml") if d["kind"] == "Service"]
    assert given.tracking_uri == f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_mlflow_takes_the_arguments_of_its_server() -> None:
    from mlflow.cli import cli

    (deployment,) = [d for d in documents("storage-and-mlflow.yaml") if d["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["python", "-m", "mlflow", "server"]
    context = cli.commands["server"].make_context("server", list(container["args"]))
    assert context.params["port"] == container["ports"][0]["containerPort"]
