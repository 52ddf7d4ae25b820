"""What `make up` prints of Pulumi's output: everything that matters, once."""

from local.pulumi_output import filter_output, find_build_step

OFFICIAL = """\
warning: using pulumi-language-python from $PATH at /opt/bin/pulumi-language-python
Updating (dev):
    pulumi:pulumi:Stack session-context-dev  warning: using pulumi-resource-docker from $PATH at /opt/bin/p
@ updating....

@ updating.....
 +  pulumi:pulumi:Stack session-context-dev creating (0s) warning: using pulumi-resource-docker from $PATH at /p
 +  pulumi:pulumi:Stack session-context-dev creating (1s) warning: using pulumi-resource-aws from $PATH at /p
    docker:index:Image session-context  Building your image for linux/amd64 architecture.
 ~  docker:index:Image other updating (0s) [diff: ~build]; Building your image for linux/amd64 architecture.
 +  docker:index:Image session-context creating (0s) Building your image for linux/amd64 architecture.
 +  docker:index:Image session-context creating (0s) digest: sha256:114c0f4b334150f468e486b5
 +  docker:index:Image session-context creating (12s) Collecting error-lib==1.0
@ updating....
 +  docker:index:Image session-context created (44s) Image built successfully, local id "sha256:1fbd7e"
 +  docker:index:Container session-context-1 created (6s)
 ~  kong:index:KongUpstream session-context refreshing (0s) [diff: ~healthchecks,tags]
 ~  docker:index:Container session-context-1 refresh (0s) [diff: -mustRun,name]
 +  pulumi:pulumi:Stack session-context-dev created (52s) 5 warnings; 1 message
Diagnostics:
  docker:index:Image (session-context):
    Building your image for linux/amd64 architecture.
    To ensure you are building for the correct platform, consider explicitly setting the `platform` field on X.

  pulumi:pulumi:Stack (session-context-dev):
    warning: using pulumi-resource-aws from $PATH at /p

    a stand-in serves for pulumi-language-python (offline/language_host.py)

Outputs:
    image: "session-context-api:34c7afcc76d41b72"

Resources:
    + 18 created

The resources in the stack have been deleted, but the history and configuration are still maintained.
If you want to remove the stack completely, run `pulumi stack rm dev`.
"""

FAILED = """\
 ~  docker:index:Image session-context updating (3s) error: the image does not build
 ~  docker:index:Image session-context **updating failed** error: the image does not build
 +  pulumi:pulumi:Stack session-context-dev **creating failed (3.00s)** 1 error; 5 warnings
Diagnostics:
  pulumi:pulumi:Stack (session-context-dev):
    warning: using pulumi-resource-aws from $PATH at /p
    error: update failed

  kong:index:KongRoute (session-context):
    warning: Kong's Admin API does not answer. 3 messages

  docker:index:Image (session-context):
    Building your image for linux/amd64 architecture.
    error: the image does not build: exit code 1

    Step 3/9 : RUN pip install
    ERROR: No matching distribution found
"""


def printed(text: str) -> str:
    return "\n".join(filter_output(text.splitlines(keepends=True))) + "\n"


def test_noise_and_the_build_log_are_left_out() -> None:
    assert (
        printed(OFFICIAL)
        == """\
Updating (dev):

 +  pulumi:pulumi:Stack session-context-dev creating (0s)
 ~  docker:index:Image other updating (0s)
 +  docker:index:Image session-context creating (0s)
 +  docker:index:Image session-context created (44s)
 +  docker:index:Container session-context-1 created (6s)
 +  pulumi:pulumi:Stack session-context-dev created (52s)

Outputs:
    image: "session-context-api:34c7afcc76d41b72"

Resources:
    + 18 created
"""
    )


def test_errors_and_warnings_are_printed_once_and_unchanged() -> None:
    assert (
        printed(FAILED)
        == """\
 ~  docker:index:Image session-context updating (3s)
 ~  docker:index:Image session-context **updating failed**
 +  pulumi:pulumi:Stack session-context-dev **creating failed (3.00s)** 1 error
Diagnostics:
  pulumi:pulumi:Stack (session-context-dev):
    error: update failed

  kong:index:KongRoute (session-context):
    warning: Kong's Admin API does not answer. 3 messages

  docker:index:Image (session-context):
    error: the image does not build: exit code 1

    Step 3/9 : RUN pip install
    ERROR: No matching distribution found
"""
    )


def test_the_steps_of_a_build_are_its_progress() -> None:
    steps = [find_build_step(line) for line in OFFICIAL.splitlines() if " docker:index:Image " in line]
    assert list(filter(None, steps)) == [
        "digest: sha256:114c0f4b334150f468e486b5",
        "Collecting error-lib==1.0",
        'Image built successfully, local id "sha256:1fbd7e"',
    ]
    row = " +  docker:index:Image session-context creating (3s) "
    assert find_build_step(f"{row}Step 3/9 : \x1b[2JRUN pip install") == "Step 3/9 : [2JRUN pip install"
    assert find_build_step(f"{row}error: the image does not build") == ""
