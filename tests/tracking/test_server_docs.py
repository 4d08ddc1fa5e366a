"""What docs/server.md has to copy from, tried as far as that goes without containers."""

import re
import shutil
import subprocess

import mlflow
import mlflow.cli
import pytest
import requests
import yaml

from sidebyside.config.schema import Tracking
from sidebyside.errors import UserError
from sidebyside.tracking.client import Tracker
from support.projects import SOURCE
from support.servers import free_port, wait_for

FOLDER = SOURCE / "docs" / "server"
LOGIN = ("anna", "of the tests")
NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; user {user};
events {{}}
http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
include {folder}/server.conf; }}
"""


@pytest.fixture(scope="module")
def composed():
    return yaml.safe_load((FOLDER / "compose.yaml").read_text())


def test_the_composed_services_are_those_that_depend_on_each_other(composed):
    services = composed["services"]
    assert services.keys() == {"database", "mlflow", "proxy"}
    for service in services.values():
        assert set(service.get("depends_on", ())) <= services.keys()
        assert service["restart"] == "unless-stopped"
        for volume in service["volumes"]:
            source = volume.partition(":")[0]
            assert source.startswith("./") or source in composed["volumes"]
    assert [name for name in services if "ports" in services[name]] == ["proxy"]
    assert "mlflow:5000" in (FOLDER / "nginx.conf").read_text()


def test_the_composed_command_is_one_of_mlflow(composed):
    program, command, *options = composed["services"]["mlflow"]["command"]
    assert (program, command) == ("mlflow", "server")
    known = {name for option in mlflow.cli.server.params for name in option.opts}
    assert {option.partition("=")[0] for option in options} <= known
    built = composed["services"]["mlflow"]["build"]["dockerfile_inline"]
    assert f"mlflow=={mlflow.__version__} " in built


def test_every_secret_is_in_the_example(composed):
    text = (FOLDER / "compose.yaml").read_text()
    example = (FOLDER / "secrets.env.example").read_text()
    named = {line.partition("=")[0] for line in example.splitlines() if "=" in line}
    assert named == {part.partition("}")[0].partition(":")[0] for part in text.split("${")[1:]}
    ignored = (SOURCE / ".gitignore").read_text()
    assert "docs/server/secrets.env\n" in ignored


def test_every_command_for_the_containers_is_given_their_secrets():
    commands = re.findall(r"docker compose[^\n`]*", (SOURCE / "docs" / "server.md").read_text())
    assert len(commands) == 2
    for command in commands:  # compose.yaml refuses to be read without them
        assert command.startswith("docker compose --env-file secrets.env ")


@pytest.fixture
def proxied(server, tmp_path):
    """The address of nginx with the documented config before a server, and its certificate."""
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin") or not shutil.which("openssl"):
        pytest.skip("nginx or openssl isn't installed")
    port = free_port()
    certify = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    certify += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    certify += ["-keyout", str(tmp_path / "server.key"), "-out", str(tmp_path / "server.crt")]
    subprocess.run(certify, check=True, capture_output=True)
    hashing = ["openssl", "passwd", "-apr1", LOGIN[1]]
    hashed = subprocess.run(hashing, check=True, capture_output=True, text=True).stdout
    (tmp_path / "logins").write_text(f"{LOGIN[0]}:{hashed}")
    text = (FOLDER / "nginx.conf").read_text()
    text = text.replace("listen 443", f"listen 127.0.0.1:{port}")
    text = text.replace("mlflow:5000", server.uri.removeprefix("http://"))
    text = text.replace("/etc/nginx/certificates", str(tmp_path))
    (tmp_path / "server.conf").write_text(text.replace("/etc/nginx/logins", f"{tmp_path}/logins"))
    user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path, user=user))
    options = ["-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
    with subprocess.Popen([program, *options]) as process:
        address = f"https://localhost:{port}"

        def answers():
            assert process.poll() is None, (tmp_path / "error.log").read_text()
            try:
                return requests.get(address, verify=tmp_path / "server.crt", timeout=5).status_code
            except requests.RequestException:
                return False

        wait_for(answers)
        yield address, tmp_path / "server.crt"
        process.terminate()


@pytest.mark.slow
def test_the_proxy_lets_in_who_has_a_login(proxied, home, monkeypatch, tmp_path):
    address, certificate = proxied
    monkeypatch.setenv("MLFLOW_TRACKING_SERVER_CERT_PATH", str(certificate))
    tracker = Tracker(Tracking(uri=address, experiment="proxied"))
    with pytest.raises(UserError, match=r"refuses the login \(401\)"):
        tracker.prepare()
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", LOGIN[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", LOGIN[1])
    tracker.prepare()
    parent = tracker.open_study("proxied", "mnist5k")
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(3_000_000))  # more than nginx takes unless told
    tracker.log_file(parent, large)
    tracker.finish(parent, "FINISHED")
    (found,) = mlflow.MlflowClient(address).list_artifacts(parent)
    assert (found.path, found.file_size) == ("large.bin", 3_000_000)
