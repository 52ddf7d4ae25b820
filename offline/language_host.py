"""Stand-in for `pulumi-language-python`, for machines that can't download it.

It runs a Python program by the SDK's language server, and a policy pack as a process. It can't install
dependencies or generate code.
"""

import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from pulumi.automation._server import LanguageServer
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from infra.plugin import exit_with_engine


class LanguageHost(LanguageServer):
    """The SDK's language server, adapted to run a program's folder instead of a function."""

    def __init__(self, engine_address: str) -> None:  # the program comes with each run
        self._engine_address = engine_address

    def Handshake(  # noqa: N802 - gRPC's name
        self, _request: language_pb2.LanguageHandshakeRequest, _context: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        return language_pb2.LanguageHandshakeResponse()

    def Run(  # noqa: N802 - gRPC's name
        self, request: language_pb2.RunRequest, context: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        folder = request.info.program_directory or request.pwd
        os.chdir(request.pwd)
        sys.path.insert(0, folder)
        entry = Path(folder, request.info.entry_point)

        async def program() -> None:
            runpy.run_path(str(entry), run_name="__main__")

        self.program = program
        # The SDK's server takes the engine's address from the first argument.
        del request.args[:]
        request.args.append(self._engine_address)
        answer: language_pb2.RunResponse = super().Run(request, context)  # type: ignore[no-untyped-call]
        # The error has been printed; `bail` keeps the engine from printing it again.
        return language_pb2.RunResponse(bail=True) if answer.error else answer

    def RunPlugin(  # noqa: N802 - gRPC's name
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run the folder of a policy pack, and forward its output until it ends or the engine is done."""
        process = subprocess.Popen(
            [sys.executable, request.info.program_directory, *request.args],
            cwd=request.pwd,
            env=dict(item.split("=", 1) for item in request.env),
            stdout=subprocess.PIPE,
        )
        context.add_callback(process.kill)
        for line in process.stdout or ():
            yield language_pb2.RunPluginResponse(stdout=line)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())


def main() -> None:
    """Serve until the engine ends; as it expects, the first line of output is the port."""
    print("a stand-in serves for pulumi-language-python (offline/language_host.py)", file=sys.stderr)
    exit_with_engine(poll_seconds=300)  # as Pulumi's own, which outlives a killed engine as well
    server = grpc.server(ThreadPoolExecutor(4))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(sys.argv[-1]), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
