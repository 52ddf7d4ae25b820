"""The pod that runs the service: hardened as its container on Docker is, and probed for liveness and readiness."""

from collections.abc import Mapping

import pulumi
from pulumi_kubernetes import core, meta

from infra.config.container_hosts import KubernetesConfig, ResourcesConfig
from infra.paths import SECRETS

PORT = 8080
USER = 10001
CPU_REQUEST = "100m"
TMP = "/tmp"  # noqa: S108 - inside the container
PRE_STOP_SECONDS = 10
"""Longer than a gateway takes to send nothing more to a pod that is going: Kong looks for changes every 5 s."""

GRACE_SECONDS = PRE_STOP_SECONDS + 35
"""The kubelet counts the wait before the stop as well; the service itself takes up to 30 s for open requests."""

LOST_NODE_SECONDS = 5
"""Pods of a node that is lost are replaced after this, not after Kubernetes' default of 300 s."""


def _probe(path: str, *, period: int, failures: int) -> core.v1.ProbeArgs:
    return core.v1.ProbeArgs(
        http_get=core.v1.HTTPGetActionArgs(path=path, port=PORT),
        period_seconds=period,
        timeout_seconds=3,
        failure_threshold=failures,
    )


def _container(
    image: pulumi.Input[str], variables: Mapping[str, str], resources: ResourcesConfig
) -> core.v1.ContainerArgs:
    memory = {"memory": f"{resources.memory_mb}Mi"}
    return core.v1.ContainerArgs(
        name="api",
        image=image,
        env=[core.v1.EnvVarArgs(name=name, value=value) for name, value in variables.items()],
        ports=[core.v1.ContainerPortArgs(name="http", container_port=PORT)],
        security_context=core.v1.SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=core.v1.CapabilitiesArgs(drop=["ALL"]),
        ),
        # By default without a limit on CPU time, which would throttle a replica beside idle cores.
        resources=core.v1.ResourceRequirementsArgs(
            requests={"cpu": CPU_REQUEST, **memory},
            limits=memory | ({"cpu": resources.cpus} if resources.cpus else {}),
        ),
        startup_probe=_probe("/livez", period=1, failures=60),
        liveness_probe=_probe("/livez", period=5, failures=3),
        readiness_probe=_probe("/readyz", period=2, failures=2),
        lifecycle=core.v1.LifecycleArgs(
            pre_stop=core.v1.LifecycleHandlerArgs(sleep=core.v1.SleepActionArgs(seconds=PRE_STOP_SECONDS))
        ),
        volume_mounts=[
            core.v1.VolumeMountArgs(name="secrets", mount_path=SECRETS, read_only=True),
            core.v1.VolumeMountArgs(name="tmp", mount_path=TMP),
        ],
    )


def _leave_lost_nodes() -> list[core.v1.TolerationArgs]:
    return [
        core.v1.TolerationArgs(
            key=f"node.kubernetes.io/{condition}",
            operator="Exists",
            effect="NoExecute",
            toleration_seconds=LOST_NODE_SECONDS,
        )
        for condition in ("not-ready", "unreachable")
    ]


def _spread(labels: dict[str, str]) -> core.v1.TopologySpreadConstraintArgs:
    return core.v1.TopologySpreadConstraintArgs(
        topology_key="kubernetes.io/hostname",
        max_skew=1,
        when_unsatisfiable="ScheduleAnyway",
        label_selector=meta.v1.LabelSelectorArgs(match_labels=labels),
        # Else the pods of the old generation count, and the new one ends up on one node.
        match_label_keys=["pod-template-hash"],
    )


def _volumes(secret: pulumi.Input[str]) -> list[core.v1.VolumeArgs]:
    return [
        core.v1.VolumeArgs(
            name="secrets", secret=core.v1.SecretVolumeSourceArgs(secret_name=secret, default_mode=0o440)
        ),
        core.v1.VolumeArgs(
            name="tmp", empty_dir=core.v1.EmptyDirVolumeSourceArgs(medium="Memory", size_limit="16Mi")
        ),
    ]


def pod_template(
    *,
    image: pulumi.Input[str],
    secret: pulumi.Input[str],
    host: KubernetesConfig,
    variables: Mapping[str, str],
    labels: dict[str, str],
) -> core.v1.PodTemplateSpecArgs:
    """Return the template of the Deployment's pods. Pod Security's level `restricted` admits them."""
    pull_secret = host.image_pull_secret
    pull_secrets = [core.v1.LocalObjectReferenceArgs(name=pull_secret)] if pull_secret else None
    return core.v1.PodTemplateSpecArgs(
        metadata=meta.v1.ObjectMetaArgs(labels=labels),
        spec=core.v1.PodSpecArgs(
            automount_service_account_token=False,
            enable_service_links=False,
            image_pull_secrets=pull_secrets,
            security_context=core.v1.PodSecurityContextArgs(
                run_as_non_root=True,
                run_as_user=USER,
                run_as_group=USER,
                fs_group=USER,
                seccomp_profile=core.v1.SeccompProfileArgs(type="RuntimeDefault"),
            ),
            termination_grace_period_seconds=GRACE_SECONDS,
            tolerations=_leave_lost_nodes(),
            topology_spread_constraints=[_spread(labels)],
            containers=[_container(image, variables, host.resources)],
            volumes=_volumes(secret),
        ),
    )
