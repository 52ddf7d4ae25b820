"""`make status`, `logs` and `drift` of a stack on a cluster."""

import json

from tests.cluster.deployment import SAME, Deployment
from tests.waiting import wait_for


def test_the_status_shows_each_pod(deployment: Deployment) -> None:
    status = json.loads(deployment.make("-s", "status", "JSON=1").splitlines()[-1])
    assert status["ok"], status
    replicas = {(each["name"], each["health"], each["deployed"]) for each in status["replicas"]["containers"]}
    assert replicas == {(pod["metadata"]["name"], "healthy", True) for pod in deployment.pods()}


def test_the_logs_of_all_pods_are_shown(deployment: Deployment) -> None:
    wait_for(lambda: not deployment.has_old_pods())
    for number in range(20):
        deployment.request("GET", "/sessions?limit=1", headers={"X-Request-ID": f"look-{number}"})
    lines = deployment.make("-s", "logs", "FOLLOW=0", "JSON=1").splitlines()
    read = [line for line in map(json.loads, lines) if str(line.get("requestId")).startswith("look-")]
    assert len(read) == 20
    assert {line["replica"] for line in read} <= {pod["metadata"]["name"] for pod in deployment.pods()}


CHANGED = {
    "deployment": {
        "spec": {
            "replicas": 1,
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "api",
                            "image": "127.0.0.1:15000/pause:1.34.4",
                            "env": [{"name": "MAX_CONTEXT_BYTES", "value": "1"}],
                            "readinessProbe": {"periodSeconds": 77},
                        }
                    ]
                }
            },
        }
    },
    "service": {"spec": {"ports": [{"port": 8080, "name": "http", "nodePort": 30123}]}},
    "networkpolicy": {"spec": {"ingress": [{"ports": [{"port": 1, "protocol": "TCP"}]}]}},
    "poddisruptionbudget": {"spec": {"maxUnavailable": 2}},
}
"""What is changed of each object by hand."""

SHOWN = (
    "spec.replicas is 1, and 2 in the state",
    "image is ",
    "env",
    "periodSeconds is 77, and 2 in the state",
    "nodePort is 30123, and 30080 in the state",
    "spec.ingress[0].ports[0].port is 1, and 8080 in the state",
    "maxUnavailable is 2, and 1 in the state",
)


def test_what_is_changed_by_hand_is_shown_and_reverted(deployment: Deployment) -> None:
    assert "Nothing differs" in deployment.make("drift")
    images = deployment.images()
    for kind, patch in CHANGED.items():
        deployment.kubectl("patch", kind, deployment.objects, f"--patch={json.dumps(patch)}")
    printed = deployment.make("drift", fails=True)
    assert [part for part in SHOWN if part not in printed] == [], printed
    deployment.make("up")
    deployment.pulumi(SAME)
    assert deployment.images() == images
    assert len(deployment.pods()) == 2
    assert "Nothing differs" in deployment.make("drift")
