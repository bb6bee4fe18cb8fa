"""People who speak the client-server API, over the standard library alone."""

import http.client
import itertools
import json
import time
import urllib.parse

DEADLINE = 60  # seconds for what has to happen; a busy machine is slow

transaction_ids = itertools.count(1)


class Refused(Exception):
    def __init__(self, status, body, what):
        super().__init__(f"{what}: {status} {body.get('errcode')} {body.get('error')}")
        self.status = status
        self.errcode = body.get("errcode")
        self.body = body


def quoted(text):
    return urllib.parse.quote(text, safe="")


def call(url, method, path, body=None, token=None, timeout=DEADLINE):
    """One request; the object it answers. Raises Refused for any status but 200."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=timeout)
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = "Bearer " + token
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        answer = json.loads(response.read() or b"{}")
    finally:
        connection.close()
    if response.status != 200:
        raise Refused(response.status, answer, f"{method} {path}")
    return answer


def eventually(holds, what):
    """Waits until `holds()` answers something true, and answers that."""
    end = time.monotonic() + DEADLINE
    while True:
        found = holds()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError("did not happen in time: " + what)
        time.sleep(0.05)


class Person:
    def __init__(self, url, registered):
        self.url = url
        self.id = registered["user_id"]
        self.server = self.id.split(":", 1)[1]
        self.token = registered["access_token"]
        self.since = None
        self.timeline = {}  # room: events as they came
        self.ephemeral = []  # (room, event)
        self.invites = {}  # room: stripped state
        self.presence = []

    def call(self, method, path, body=None):
        return call(self.url, method, "/_matrix/client/v3" + path, body, self.token)

    def room(self, method, room, path, body=None):
        return self.call(method, f"/rooms/{quoted(room)}{path}", body)

    # What a person does.

    def creates(self, **what):
        return self.call("POST", "/createRoom", what)["room_id"]

    def invites_to(self, room, other):
        self.room("POST", room, "/invite", {"user_id": other.id})

    def joins(self, room_or_alias, via=()):
        query = "?" + urllib.parse.urlencode([("server_name", name) for name in via] + [("via", name) for name in via])
        return self.call("POST", f"/join/{quoted(room_or_alias)}{query if via else ''}", {})["room_id"]

    def knocks(self, room, via):
        return self.call("POST", f"/knock/{quoted(room)}?server_name={via}&via={via}", {"reason": "please"})["room_id"]

    def leaves(self, room):
        self.room("POST", room, "/leave", {})

    def sends(self, room, content, kind="m.room.message"):
        return self.room("PUT", room, f"/send/{kind}/t{next(transaction_ids)}", content)["event_id"]

    def says(self, room, text):
        return self.sends(room, {"msgtype": "m.text", "body": text})

    def edits(self, room, event, text):
        return self.sends(
            room,
            {
                "msgtype": "m.text",
                "body": "* " + text,
                "m.new_content": {"msgtype": "m.text", "body": text},
                "m.relates_to": {"rel_type": "m.replace", "event_id": event},
            },
        )

    def redacts(self, room, event):
        return self.room("PUT", room, f"/redact/{quoted(event)}/t{next(transaction_ids)}", {})["event_id"]

    def sets(self, room, kind, content, key=""):
        return self.room("PUT", room, f"/state/{kind}/{quoted(key)}", content)["event_id"]

    # What a person sees.

    def syncs(self, timeout_ms=0):
        query = {"timeout": timeout_ms}
        if self.since:
            query["since"] = self.since
        got = self.call("GET", "/sync?" + urllib.parse.urlencode(query))
        self.since = got["next_batch"]
        rooms = got.get("rooms", {})
        for part in ("join", "leave"):
            for room, news in rooms.get(part, {}).items():
                self.timeline.setdefault(room, []).extend(news.get("timeline", {}).get("events", []))
                self.ephemeral += [(room, event) for event in news.get("ephemeral", {}).get("events", [])]
        for room, news in rooms.get("invite", {}).items():
            self.invites[room] = news["invite_state"]["events"]
        self.presence += got.get("presence", {}).get("events", [])

    def waits(self, holds, what):
        """Syncs until `holds()` answers something true."""
        end = time.monotonic() + DEADLINE
        self.syncs()
        while True:
            found = holds()
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(f"{self.id} waited in vain for {what}")
            self.syncs(1_000)

    def hears(self, room, event_id):
        return self.waits(
            lambda: next((e for e in self.timeline.get(room, []) if e["event_id"] == event_id), None), event_id
        )

    def is_invited(self, room):
        self.waits(lambda: room in self.invites, "an invitation to " + room)

    def sees_event(self, room, event_id):
        """By asking for it, whenever it came."""

        def ask():
            try:
                return self.event(room, event_id)
            except Refused:
                return None

        return eventually(ask, f"{self.id} gets {event_id}")

    def event(self, room, event_id):
        return self.room("GET", room, "/event/" + quoted(event_id))

    def state(self, room):
        """(type, state_key): event."""
        return {(e["type"], e["state_key"]): e for e in self.room("GET", room, "/state")}

    def membership(self, room, other):
        try:
            return self.room("GET", room, "/state/m.room.member/" + quoted(other.id))["membership"]
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    def sees_membership(self, room, other, wanted):
        eventually(lambda: self.membership(room, other) == wanted, f"{self.id} sees {other.id} as {wanted} in {room}")

    def history(self, room):
        """All events, the latest first, however many pages that takes."""
        events, query = [], {"dir": "b", "limit": 50}
        while True:
            page = self.room("GET", room, "/messages?" + urllib.parse.urlencode(query))
            events += page["chunk"]
            if "end" not in page or page["end"] == query.get("from"):
                return events
            query["from"] = page["end"]


def agree(room, *people):
    """Waits until all of them see the same state."""

    def same():
        states = [{key: e["event_id"] for key, e in person.state(room).items()} for person in people]
        return all(state == states[0] for state in states)

    eventually(same, f"{', '.join(person.id for person in people)} see the same state in {room}")
