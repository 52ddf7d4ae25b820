"""The objects of the Kubernetes host as they are declared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.gateway import DRAIN_SECONDS
from infra.host.docker import STOP_SECONDS
from infra.paths import ROOT
from infra.plan.recorder import PlannedResource, record_plan


def resources(folder: Path, changes: Mapping[str, object] | None = None) -> dict[str, PlannedResource]:
    """Return what the example stack declares with changes of its config, by kind."""
    stack = yaml.safe_load((ROOT / "Pulumi.kubernetes.yaml").read_text())
    stack["config"] |= {f"session-context:{key}": value for key, value in (changes or {}).items()}
    stack["config"]["session-context:databaseUrl"] = {"secure": "v1:"}
    stack["config"]["session-context:consumers"] = {"mobile-app": {"secure": "v1:"}}
    file = folder / "Pulumi.kubernetes.yaml"
    file.write_text(yaml.safe_dump(stack))
    return {resource.type.rpartition(":")[2]: resource for resource in record_plan(file)[0]}


def pod(resource: PlannedResource) -> dict[str, Any]:
    spec: dict[str, Any] = resource.inputs["spec"]["template"]["spec"]
    return spec


def test_the_plugin_waits_for_no_object_for_ever(tmp_path: Path) -> None:
    objects = [each for each in resources(tmp_path).values() if each.type.startswith("kubernetes:")]
    assert len(objects) == 6
    for each in objects:
        assert int(each.inputs["metadata"]["annotations"]["pulumi.com/timeoutSeconds"]) > 0


def test_a_pod_serves_until_the_gateway_has_let_go_of_it_and_then_ends_in_order(tmp_path: Path) -> None:
    spec = pod(resources(tmp_path)["Deployment"])
    wait = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert wait > DRAIN_SECONDS
    assert spec["terminationGracePeriodSeconds"] > wait + STOP_SECONDS


def test_a_pod_that_is_only_unready_is_not_killed(tmp_path: Path) -> None:
    container = pod(resources(tmp_path)["Deployment"])["containers"][0]
    paths = {
        name: container[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}


def test_another_secret_is_another_object_and_its_content_is_a_secret_of_pulumi(tmp_path: Path) -> None:
    secret = resources(tmp_path)["Secret"]
    assert secret.inputs["immutable"] is True
    assert "name" not in secret.inputs["metadata"]
    assert secret.inputs["stringData"] == "[secret]"


def test_each_generation_is_spread_over_the_nodes_by_itself(tmp_path: Path) -> None:
    [spread] = pod(resources(tmp_path)["Deployment"])["topologySpreadConstraints"]
    assert spread["matchLabelKeys"] == ["pod-template-hash"]


@pytest.mark.parametrize("max_replicas", ["12", ""])
def test_only_an_autoscaler_keeps_its_number_of_pods(tmp_path: Path, max_replicas: str) -> None:
    found = resources(tmp_path, {"maxReplicas": max_replicas})
    assert ("HorizontalPodAutoscaler" in found) == bool(max_replicas)
    assert found["Deployment"].options.get("ignoreChanges", []) == ["spec.replicas"] * bool(max_replicas)


def test_a_gateway_outside_has_a_target_for_each_node(tmp_path: Path) -> None:
    found = resources(tmp_path, {"nodeAddresses": ["10.0.1.11"]})
    assert found["KongTarget"].inputs["target"] == "10.0.1.11:30080"
    assert found["Service"].inputs["spec"]["externalTrafficPolicy"] == "Local"
    [rule] = found["NetworkPolicy"].inputs["spec"]["ingress"]
    assert rule["from"] == [{"ipBlock": {"cidr": "10.0.9.0/24"}}]


def test_a_gateway_inside_has_the_service_for_its_target(tmp_path: Path) -> None:
    inside: dict[str, object] = {"nodeAddresses": [], "nodePort": "", "gatewaySources": ["kong"]}
    found = resources(tmp_path, inside)
    target = "session-context-kubernetes.session-context.svc.cluster.local:8080"
    assert found["KongTarget"].inputs["target"] == target
    assert found["Service"].inputs["spec"]["type"] == "ClusterIP"
    [rule] = found["NetworkPolicy"].inputs["spec"]["ingress"]
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kong"}}}]
