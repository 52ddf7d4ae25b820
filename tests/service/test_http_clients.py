"""Clients that request an upgrade to HTTP/2 by default: the JDK's, and curl."""

import json
import subprocess
from pathlib import Path

from local.debian import find_program
from tests.service.processes import Service

JAVA = """\
import java.net.URI;
import java.net.http.*;

public class Client {
    public static void main(String[] words) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (String context : new String[] {"first", "x".repeat(200_000), "last"}) {
            String body = "{\\"userId\\": 1, \\"context\\": \\"" + context + "\\"}";
            HttpRequest create = HttpRequest.newBuilder(URI.create(words[0]))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body))
                .build();
            HttpResponse<String> answer = client.send(create, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.body());
        }
    }
}
"""


def test_the_jdks_client_works(service: Service, tmp_path: Path) -> None:
    source = tmp_path / "Client.java"
    source.write_text(JAVA)
    command = [find_program("java", "default-jdk-headless"), str(source), f"{service.url}/sessions"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    answers = [line.partition(" ") for line in done.stdout.splitlines()]
    assert [status for status, _, _ in answers] == ["201"] * 3
    assert [len(json.loads(body)["context"]) for _, _, body in answers] == [5, 200_000, 4]


def test_curl_works_with_http2(service: Service) -> None:
    command = [find_program("curl"), "--silent", "--http2", "--json", '{"userId": 1, "context": "kept"}']
    done = subprocess.run([*command, f"{service.url}/sessions"], capture_output=True, timeout=60, check=True)
    assert json.loads(done.stdout)["context"] == "kept"
