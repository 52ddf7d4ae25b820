"""What `make status` looks up: the deployed stack, and each part of it as it is now."""

import json
from functools import cache
from typing import Any

import requests

from local import backup, pods, pulumi_stack, route53, stack_config, tls
from local.console import capture
from local.docker_cli import docker, find_containers
from local.kubectl import kubectl
from local.workspace import PROJECT, STACKS, Workspace

Facts = dict[str, Any]
TIMEOUT_SECONDS = 5
_READ_SEQUENCER = """\
import json, urllib.request
try:
    with urllib.request.urlopen("http://127.0.0.1:8080/readyz", timeout=5) as response:
        print(json.load(response)["sequencer"])
except OSError:
    print("unknown")
"""
MINIMUM_DAYS = 14


def read_deployed(workspace: Workspace) -> tuple[Facts, Facts]:
    """Return the stack's outputs and its last update. Raises `LocalError` if nothing is deployed."""
    pulumi_stack.require_deployed(workspace)
    return _read_state(workspace, (STACKS / f"{workspace.stack}.json").stat().st_mtime_ns)


@cache
def _read_state(workspace: Workspace, _modified: int) -> tuple[Facts, Facts]:
    """Ask Pulumi's CLI, which takes a second, only once for each version of the state."""
    history = ["stack", "history", "--json", "--page-size", "1", "--stack", workspace.stack]
    done = capture(["pulumi", "--non-interactive", *history])
    updates = json.loads(done.stdout) if done.returncode == 0 else []
    return pulumi_stack.read_outputs(workspace), updates[0] if updates else {}


@cache
def _read_key(workspace: Workspace) -> dict[str, str] | None:
    return stack_config.api_key_header(workspace)


def probe_api(workspace: Workspace, outputs: Facts) -> Facts:
    """Read at most one session, as a client does; over HTTPS if plain HTTP is not served."""
    key, hostname = _read_key(workspace), outputs["record"]["name"]
    is_plain = stack_config.plain_http(workspace) == "serve"
    url = workspace.proxy_url if is_plain else workspace.tls_url
    with requests.Session() if is_plain else tls.open_session(workspace, hostname) as session:
        response = session.get(
            f"{url}/sessions?limit=1",
            headers={"Host": hostname, **(key or {})},
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    return {
        "ok": response.status_code == (requests.codes.unauthorized if key is None else requests.codes.ok),
        "url": url,
        "hostname": hostname,
        "status": response.status_code,
        "milliseconds": round(response.elapsed.total_seconds() * 1000),
    }


def probe_replicas(workspace: Workspace, outputs: Facts) -> Facts:
    """Inspect the containers or pods of the service; `version` is the tag or digest of their image."""
    if stack_config.on_kubernetes(workspace):
        return _probe_pods(workspace, outputs)
    inspected: list[Facts] = json.loads(docker(workspace, ["inspect", *find_containers(workspace)]))
    containers = [
        _describe(container, outputs)
        for container in sorted(inspected, key=lambda container: str(container["Name"]))
        if container["State"]["Status"] != "created"  # as that with the secrets, which is never started
    ]
    names = {container["name"] for container in containers}
    missing = sorted(set(outputs["containers"]) - names)
    return {
        "ok": not missing and all(container["ok"] for container in containers),
        "containers": containers,
        "missing": missing,
    }


def _probe_pods(workspace: Workspace, outputs: Facts) -> Facts:
    found = [pods.describe(pod, outputs["image"]) for pod in pods.list_pods(workspace)]
    missing = [outputs["workload"]] * (pods.count_wanted(workspace) - len(found))
    return {
        "ok": not missing and all(pod["ok"] for pod in found),
        "containers": found,
        "missing": missing,
    }


def _describe(container: Facts, outputs: Facts) -> Facts:
    state = container["State"]
    image = container["Config"]["Image"]
    health = (state.get("Health") or {}).get("Status", "") if state["Status"] == "running" else state["Status"]
    return {
        "ok": health == "healthy" and image == outputs["image"],
        "name": container["Name"].lstrip("/"),
        "health": health,
        "version": image.rpartition(":")[2][:16],
        "deployed": image == outputs["image"],
        "restarts": container["RestartCount"],
        "startedAt": state["StartedAt"],
    }


def probe_gateway(workspace: Workspace, outputs: Facts) -> Facts:
    """Ask Kong's Admin API for its version and the health of the service's targets."""
    upstream = f"{workspace.admin_url}/upstreams/{outputs['kong']['upstream']}/health"
    kong = _get_json(workspace.admin_url)
    targets = [{"target": row["target"], "health": row["health"]} for row in _get_json(upstream)["data"]]
    # On Kubernetes the targets are nodes, and one without a pod is not healthy, as it should be.
    enough = any if stack_config.on_kubernetes(workspace) else all
    return {
        "ok": bool(targets) and enough(target["health"] in ("HEALTHY", "HEALTHCHECKS_OFF") for target in targets),
        "adminUrl": workspace.admin_url,
        "version": kong["version"],
        "standIn": "stand-in" in kong["tagline"],
        "targets": targets,
    }


def _get_json(url: str) -> Any:  # noqa: ANN401 - JSON
    response = requests.get(url, timeout=TIMEOUT_SECONDS)
    response.raise_for_status()
    return response.json()


def probe_record(workspace: Workspace, outputs: Facts) -> Facts:
    """Look up where the record points, and compare it with what is declared; with `dns: none` there is none."""
    name, declared = outputs["record"]["name"], outputs["record"]["addresses"]
    config = stack_config.read_config(workspace)
    if config.get(f"{PROJECT}:dns") == "none":
        return {"ok": True, "name": name, "declared": declared, "targets": None}
    if alias := config.get(f"{PROJECT}:gatewayAlias"):
        declared = [str(alias["name"]).lower().rstrip(".")]
    targets = route53.find_targets(workspace, name)
    return {"ok": sorted(targets) == sorted(declared), "name": name, "declared": declared, "targets": targets}


def probe_certificate(workspace: Workspace, outputs: Facts) -> Facts:
    """Read the certificate that the gateway presents for the hostname."""
    presented = tls.read_presented(workspace, outputs["record"]["name"])
    days = tls.remaining_days(presented)
    own = f"{PROJECT}:tlsCertificate" in stack_config.read_config(workspace)
    return {"ok": days >= MINIMUM_DAYS, "days": days, "source": "tlsCertificate" if own else "self-signed"}


def probe_sequencer(workspace: Workspace, _: Facts) -> Facts:
    """Ask each replica how its last call of the Central Sequence Service went, if the stack has one."""
    if not stack_config.read_config(workspace).get(f"{PROJECT}:sequenceServiceUrl"):
        return {"ok": True, "states": {}}
    ask = ["python3", "-c", _READ_SEQUENCER]
    if stack_config.on_kubernetes(workspace):
        names = [pod["metadata"]["name"] for pod in pods.list_pods(workspace)]
        states = {name: kubectl(workspace, "exec", name, "--", *ask).strip() for name in names}
    else:
        states = {name: docker(workspace, ["exec", name, *ask]) for name in find_containers(workspace, "running")}
    return {"ok": not {"unavailable", "unknown"} & set(states.values()), "states": states}


def probe_sessions(workspace: Workspace, _: Facts) -> Facts:
    """Count the sessions in the volume; a database at `databaseUrl` is not asked."""
    if stack_config.read_config(workspace).get(f"{PROJECT}:databaseUrl"):
        return {"ok": True, "count": None}
    return {"ok": True, "count": backup.count_sessions(workspace)}
