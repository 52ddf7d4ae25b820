"""HTTPS on this machine: the command that `make up` prints works as it is."""

import re
import shlex
import subprocess

from cryptography import x509

from local import tls
from local.workspace import Workspace
from tests.certificates import HOSTNAME, certificate
from tests.stack.clone import Clone


def test_the_printed_command_works_with_a_redirect_and_with_a_certificate_of_the_stack(redeployed: Clone) -> None:
    clone = redeployed
    clone.set("plainHttp", "redirect")
    printed = clone.make("up")
    assert "plain HTTP gets 308" in printed
    assert "Without TLS" not in printed
    assert run_printed(clone, printed) == 201

    own = certificate(HOSTNAME)
    for key, value in zip(("tlsCertificate", "tlsKey"), own, strict=True):
        (clone.folder / key).write_text(value)
        clone.pulumi(f"config set --secret {key} < {key}")
    assert run_printed(clone, clone.make("up")) == 201
    workspace = Workspace(stack=clone.stack, tls_port=clone.ports["TLS_PORT"])
    assert tls.read_presented(workspace, HOSTNAME) == x509.load_pem_x509_certificate(own[0].encode())


def run_printed(clone: Clone, printed: str) -> int:
    """Run the command in the clone's folder and return the status of the response: of HTTP/2 from a Kong."""
    command = re.search(r"^  (curl (?:.*\\\n)*.*)$", printed, re.MULTILINE)
    assert command, printed
    response = subprocess.run(
        shlex.split(command[1].replace("\\\n", " ")), cwd=clone.folder, capture_output=True, text=True, check=True
    ).stdout
    return int(response.split()[1])
