"""Users of the network that `skerry exec` made, each with a matrix-nio client."""

import asyncio
import inspect
import os
import time

from nio import (
    AsyncClient,
    EphemeralEvent,
    Event,
    InviteMemberEvent,
    PresenceEvent,
)

DEADLINE = 60


async def eventually(what, look):
    """Waits until look() gives something, at once or by waiting itself, and returns that."""
    end = time.monotonic() + DEADLINE
    while True:
        found = look()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < end, f"never: {what}"
        await asyncio.sleep(0.01)


def good(response):
    """The response, which is none of nio's errors."""
    assert "Error" not in type(response).__name__, f"{type(response).__name__}: {response}"
    return response


def refused(response, errcode):
    assert getattr(response, "status_code", None) == errcode, f"{errcode} expected, got {response}"


class Person:
    """Looks at their rooms all the time, and remembers what was shown."""

    def __init__(self, name):
        prefix = f"SKERRY_{name.upper()}_"
        self.password = os.environ[prefix + "PASSWORD"]
        self.client = AsyncClient(os.environ[prefix + "URL"], os.environ[prefix + "USER_ID"])
        self.client.restore_login(
            os.environ[prefix + "USER_ID"], os.environ[prefix + "DEVICE_ID"], os.environ[prefix + "TOKEN"]
        )
        self.id = self.client.user_id
        self.events, self.ephemeral, self.invitations, self.presences, self.account_data = [], [], [], [], []

    async def __aenter__(self):
        def keep(where):
            async def callback(room, event):
                where.append((room.room_id, event))

            return callback

        async def keep_presence(event):
            self.presences.append(event)

        self.client.add_event_callback(keep(self.events), Event)
        self.client.add_event_callback(keep(self.invitations), InviteMemberEvent)
        self.client.add_ephemeral_callback(keep(self.ephemeral), EphemeralEvent)
        self.client.add_room_account_data_callback(keep(self.account_data), (object,))
        self.client.add_presence_callback(keep_presence, PresenceEvent)
        good(await self.client.sync(timeout=0, full_state=True))
        self.looking = asyncio.create_task(self.client.sync_forever(timeout=30_000))
        return self

    async def __aexit__(self, *_):
        self.looking.cancel()
        await asyncio.wait([self.looking])
        await self.client.close()

    async def eventually(self, what, look):
        """The same of what this person's client shows, which must go on looking."""

        def looking():
            if self.looking.done():
                self.looking.result()
            return look()

        return await eventually(f"{self.id} sees {what}", looking)

    async def sees(self, room_id, what, wanted):
        """Waits for an event in a room that is as wanted."""
        return await self.eventually(
            what,
            lambda: next((event for room, event in self.events if room == room_id and wanted(event)), None),
        )

    async def hears(self, room_id, text):
        return await self.sees(room_id, repr(text), lambda event: getattr(event, "body", None) == text)

    async def says(self, room_id, text, **more):
        content = {"msgtype": "m.text", "body": text, **more}
        return good(await self.client.room_send(room_id, "m.room.message", content)).event_id

    def room(self, room_id):
        return self.client.rooms[room_id]
