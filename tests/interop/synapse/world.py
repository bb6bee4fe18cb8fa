"""A sandbox with servers of ours and a Synapse, gone at the end."""

import base64
import contextlib
import http.client
import itertools
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

from matrix import DEADLINE, Person

OURS = "alpha.test"
THIRD = "bravo.test"
SYNAPSE = "syn.test"


class CannotBeHad(Exception):
    """Synapse's packages could not be installed."""


class World:
    third = THIRD  # of ours, which no room is made on

    def __init__(self):
        self.program = os.environ.get("SKERRY", "skerry")
        self.folder = tempfile.mkdtemp(prefix="skerry-synapse-")
        self.people = itertools.count(1)
        if "PYTHON" in os.environ:  # tools/interop has installed requirements.txt for it
            os.environ["SKERRY_SYNAPSE_PYTHON"] = os.environ["PYTHON"]

    def start(self):
        self.skerry("up", "--servers", "2")
        added = subprocess.run(self.words("add", "synapse", SYNAPSE), capture_output=True, text=True)
        if "Synapse cannot be installed" in added.stderr:
            raise CannotBeHad(added.stderr.strip())
        if added.returncode != 0:
            raise RuntimeError(added.stderr)

    def end(self):
        subprocess.run(self.words("down"), capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def words(self, *words):
        return [self.program, *words, "--dir", self.folder]

    def skerry(self, *words):
        ran = subprocess.run(self.words(*words), capture_output=True, text=True)
        if ran.returncode != 0:
            raise RuntimeError(f"skerry {' '.join(words)}: {ran.stderr}")
        return ran.stdout

    def status(self, server):
        servers = json.loads(self.skerry("status", "--json"))["servers"]
        return next(each for each in servers if each["name"] == server)

    def url(self, server):
        return self.status(server)["client_url"]

    def person(self, name, server):
        """A new account, whose name begins with `name`."""
        user = f"{name}{next(self.people)}@{server}"
        registered = json.loads(self.skerry("register", user, "--json"))
        return Person(registered["client_url"], registered)

    @contextlib.contextmanager
    def apart(self, guest, *people):
        """`guest` is cut from everyone; these people sit beside it, and reach it past the gateway."""
        self.skerry("block", guest)
        urls = [person.url for person in people]
        for person in people:
            person.url = person.url.replace(".100.", ".0.")
        try:
            yield
        finally:
            for person, url in zip(people, urls):
                person.url = url
            self.skerry("unblock", guest)

    def federation(self, server, method, path, body=None):
        """A request that needs no signature, over HTTPS that is verified by the sandbox's authority."""
        sandbox = json.loads(self.skerry("status", "--json"))
        places = {each["name"]: each["federation_address"] for each in sandbox["servers"]}
        address, port = places[server].split(":")
        trust = ssl.create_default_context(cafile=sandbox["ca_file"])
        connection = http.client.HTTPSConnection(server, int(port), timeout=DEADLINE)
        with socket.create_connection((address, int(port)), timeout=DEADLINE) as plain:
            connection.sock = trust.wrap_socket(plain, server_hostname=server)
            headers = {"Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = json.loads(connection.getresponse().read())
            connection.close()
        return answer

    def server_keys(self, server):
        return self.federation(server, "GET", "/_matrix/key/v2/server")

    def rotate_key(self, server):
        """As the one who runs the server does it, by its documentation."""
        folder = os.path.join(self.folder, "servers", server)
        old = self.server_keys(server)["verify_keys"]
        self.skerry("kill", server)
        if server == SYNAPSE:
            config = os.path.join(folder, "homeserver.yaml")
            with open(config) as file:
                settings = json.load(file)
            expired_ms = int(time.time() * 1_000)
            settings["old_signing_keys"] = {
                key: {"key": value["key"], "expired_ts": expired_ms} for key, value in old.items()
            }
            with open(config, "w") as file:
                json.dump(settings, file)
            seed = base64.b64encode(os.urandom(32)).decode().rstrip("=")
            with open(os.path.join(folder, "signing.key"), "w") as file:
                file.write(f"ed25519 a_rotated {seed}\n")
        else:
            program = os.path.join(os.path.dirname(self.program), "skerry-homeserver")
            rotate = [program, "--config", os.path.join(folder, "homeserver.toml"), "--rotate-key"]
            subprocess.run(rotate, check=True, capture_output=True)
        self.skerry("start", server)

    def logs(self, server, lines=40):
        return self.skerry("logs", server, "--lines", str(lines))
