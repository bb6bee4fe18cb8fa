"""What people do with a client that is built on matrix-nio, on two servers; each thing asserted."""

import asyncio
import os
import time

from nio import (
    AsyncClient,
    MessageDirection,
    PushRuleKind,
    ReceiptType,
    RedactedEvent,
    RedactionEvent,
    RoomMemberEvent,
    RoomMessageText,
    RoomNameEvent,
    RoomPreset,
    RoomTopicEvent,
    RoomVisibility,
)

from nio.api import RelationshipType
from people import Person, eventually, good, refused


def content(event):
    return event.source["content"]


async def make_room(alice, *others, **options):
    """A public room of alice's on alpha, with the others in it, all of whom see all."""
    options = {"preset": RoomPreset.public_chat, "visibility": RoomVisibility.public, **options}
    room_id = good(await alice.client.room_create(**options)).room_id
    people = (alice, *others)
    for person in others:
        good(await alice.client.room_invite(room_id, person.id))
        await eventually("an invitation", lambda: room_id in person.client.invited_rooms)
        good(await person.client.join(room_id))
    for person in people:
        await eventually(
            f"{person.id} sees everybody",
            lambda: room_id in person.client.rooms
            and {each.id for each in people} <= set(person.room(room_id).users),
        )
    return room_id


async def accounts(alice, bob, carol):
    client = AsyncClient(os.environ["SKERRY_BRAVO_URL"])
    registered = good(await client.register("dora", "correct horse", device_name="first"))
    assert registered.user_id == "@dora:bravo.test"
    assert good(await client.whoami()).device_id == registered.device_id
    second = AsyncClient(os.environ["SKERRY_BRAVO_URL"], "dora")
    refused(await second.login("wrong horse"), "M_FORBIDDEN")
    assert "m.login.password" in good(await second.login_info()).flows
    good(await second.login("correct horse", device_name="second"))
    assert second.user_id == registered.user_id
    good(await second.set_displayname("Dora D."))
    assert good(await alice.client.get_profile(second.user_id)).displayname == "Dora D."
    good(await second.update_device(second.device_id, {"display_name": "renamed"}))
    names = {device.display_name for device in good(await client.devices()).devices}
    assert names == {"first", "renamed"}, names
    third = AsyncClient(os.environ["SKERRY_BRAVO_URL"])
    refused(await third.register("dora", "x"), "M_USER_IN_USE")
    good(await second.logout())
    assert len(good(await client.devices()).devices) == 1
    good(await client.logout(all_devices=True))
    for each in (client, second, third):
        await each.close()


async def joins_across_servers(alice, bob, carol):
    room_id = good(
        await alice.client.room_create(
            preset=RoomPreset.public_chat, alias="square", name="Town square", topic="All of it"
        )
    ).room_id
    found = good(await bob.client.room_resolve_alias("#square:alpha.test"))
    assert found.room_id == room_id and "alpha.test" in found.servers
    good(await bob.client.join("#square:alpha.test"))
    await eventually("bob is in", lambda: room_id in bob.client.rooms)
    await eventually("bob knows its name", lambda: bob.room(room_id).display_name == "Town square")
    assert bob.room(room_id).topic == "All of it"
    assert bob.room(room_id).canonical_alias == "#square:alpha.test"
    await alice.sees(room_id, "bob join", lambda e: isinstance(e, RoomMemberEvent) and e.state_key == bob.id)
    for person in (alice, bob):
        members = good(await person.client.joined_members(room_id)).members
        assert {member.user_id for member in members} == {alice.id, bob.id}
        assert room_id in good(await person.client.joined_rooms()).rooms

    private = good(await alice.client.room_create(name="Private", invite=[bob.id])).room_id
    await eventually("bob is invited", lambda: private in bob.client.invited_rooms)
    assert bob.client.invited_rooms[private].inviter == alice.id
    assert bob.client.invited_rooms[private].name == "Private"
    refused(await carol.client.join(private), "M_FORBIDDEN")
    good(await bob.client.join(private))
    await alice.says(private, "welcome")
    await bob.hears(private, "welcome")


async def messages(alice, bob, carol):
    room_id = await make_room(alice, bob, carol)
    for speaker, listeners in ((alice, (bob, carol)), (bob, (alice, carol)), (carol, (bob, alice))):
        event_id = await speaker.says(room_id, f"from {speaker.id} 👋")
        for listener in (*listeners, speaker):
            heard = await listener.hears(room_id, f"from {speaker.id} 👋")
            assert heard.sender == speaker.id and heard.event_id == event_id
            assert abs(heard.server_timestamp / 1000 - time.time()) < 600
        assert heard.transaction_id  # the speaker's own
    html = {"format": "org.matrix.custom.html", "formatted_body": "<b>bold</b>"}
    await alice.says(room_id, "bold", **html)
    assert (await bob.hears(room_id, "bold")).formatted_body == "<b>bold</b>"

    text = {"msgtype": "m.text", "body": "once"}
    first = good(await alice.client.room_send(room_id, "m.room.message", text, tx_id="the same"))
    second = good(await alice.client.room_send(room_id, "m.room.message", text, tx_id="the same"))
    assert first.event_id == second.event_id
    await alice.says(room_id, "after")
    await bob.hears(room_id, "after")
    assert sum(getattr(event, "body", "") == "once" for _, event in bob.events) == 1


async def relations(alice, bob, carol):
    room_id = await make_room(alice, bob)
    root = await alice.says(room_id, "a thougt")
    edit = {"m.new_content": {"msgtype": "m.text", "body": "a thought"}}
    relates = {"m.relates_to": {"rel_type": "m.replace", "event_id": root}}
    await alice.says(room_id, "* a thought", **edit, **relates)
    await bob.says(room_id, "a reply", **{"m.relates_to": {"m.in_reply_to": {"event_id": root}}})
    reaction = {"m.relates_to": {"rel_type": "m.annotation", "event_id": root, "key": "👍"}}
    await bob.hears(room_id, "* a thought")
    reacted = good(await bob.client.room_send(room_id, "m.reaction", reaction)).event_id
    thread = {"m.relates_to": {"rel_type": "m.thread", "event_id": root}}
    in_thread = await bob.says(room_id, "in a thread", **thread)
    seen = await alice.sees(room_id, "a reaction", lambda event: event.event_id == reacted)
    assert seen.reacts_to == root and seen.key == "👍"
    assert (await alice.hears(room_id, "a reply")).source["content"]["m.relates_to"]["m.in_reply_to"]["event_id"] == root
    await alice.hears(room_id, "in a thread")

    for person in (alice, bob):
        by = {
            rel_type: [event.event_id async for event in person.client.room_get_event_relations(room_id, root, rel_type)]
            for rel_type in (RelationshipType.annotation, RelationshipType.thread)
        }
        assert by == {RelationshipType.annotation: [reacted], RelationshipType.thread: [in_thread]}, by
        threads = [event.event_id async for event in person.client.room_get_threads(room_id)]
        assert threads == [root], threads
        shown = good(await person.client.room_get_event(room_id, root)).event.source["unsigned"]["m.relations"]
        assert shown["m.replace"]["content"]["m.new_content"]["body"] == "a thought"
        assert shown["m.thread"]["count"] == 1


async def receipts(alice, bob, carol):
    room_id = await make_room(alice, bob)
    event_id = await alice.says(room_id, "read me")
    await bob.hears(room_id, "read me")
    await eventually("one is unread", lambda: bob.room(room_id).unread_notifications == 1)
    good(await bob.client.update_receipt_marker(room_id, event_id, ReceiptType.read))
    await eventually("nothing is unread", lambda: bob.room(room_id).unread_notifications == 0)

    def read_by_bob():
        return [
            receipt
            for room, event in alice.ephemeral
            for receipt in getattr(event, "receipts", [])
            if room == room_id and receipt.user_id == bob.id and receipt.event_id == event_id
        ]

    receipt = (await eventually("alice sees bob's receipt", read_by_bob))[0]
    assert receipt.receipt_type == "m.read"
    assert abs(receipt.timestamp / 1000 - time.time()) < 600
    good(await bob.client.room_read_markers(room_id, event_id, event_id))
    await eventually("bob's marker", lambda: bob.room(room_id).fully_read_marker == event_id)


async def typing(alice, bob, carol):
    room_id = await make_room(alice, bob)
    good(await bob.client.room_typing(room_id, True, timeout=60_000))
    await eventually("bob types", lambda: alice.room(room_id).typing_users == [bob.id])
    good(await bob.client.room_typing(room_id, False))
    await eventually("bob stops", lambda: alice.room(room_id).typing_users == [])


async def presence(alice, bob, carol):
    await make_room(alice, bob)
    good(await bob.client.set_presence("unavailable", "at sea"))
    await eventually(
        "alice sees bob's presence",
        lambda: any(
            each.user_id == bob.id and each.presence == "unavailable" and each.status_msg == "at sea"
            for each in alice.presences
        ),
    )
    shown = good(await alice.client.get_presence(bob.id))
    assert shown.presence == "unavailable" and shown.status_msg == "at sea"


async def redactions(alice, bob, carol):
    room_id = await make_room(alice, bob)
    event_id = await alice.says(room_id, "a slip")
    await bob.hears(room_id, "a slip")
    redaction = good(await alice.client.room_redact(room_id, event_id, reason="never said")).event_id
    seen = await bob.sees(room_id, "the redaction", lambda event: event.event_id == redaction)
    assert isinstance(seen, RedactionEvent) and seen.redacts == event_id and seen.reason == "never said"
    for person in (alice, bob):
        left = good(await person.client.room_get_event(room_id, event_id)).event
        assert isinstance(left, RedactedEvent) and left.reason == "never said", left
        assert content(left) == {}


async def state(alice, bob, carol):
    room_id = await make_room(alice, bob, name="Before")
    good(await alice.client.room_put_state(room_id, "m.room.name", {"name": "After"}))
    good(await alice.client.update_room_topic(room_id, "Something else"))
    await bob.sees(room_id, "the name", lambda e: isinstance(e, RoomNameEvent) and e.name == "After")
    await bob.sees(room_id, "the topic", lambda e: isinstance(e, RoomTopicEvent) and e.topic == "Something else")
    assert bob.room(room_id).name == "After" and bob.room(room_id).topic == "Something else"
    for person in (alice, bob):
        assert good(await person.client.room_get_state_event(room_id, "m.room.name")).content == {"name": "After"}
        entries = {(e["type"], e["state_key"]) for e in good(await person.client.room_get_state(room_id)).events}
        assert {("m.room.create", ""), ("m.room.member", bob.id), ("m.room.topic", "")} <= entries
    refused(await bob.client.room_get_state_event(room_id, "org.example.none"), "M_NOT_FOUND")

    refused(await bob.client.room_put_state(room_id, "m.room.name", {"name": "Mine"}), "M_FORBIDDEN")
    levels = good(await alice.client.room_get_state_event(room_id, "m.room.power_levels")).content
    levels.setdefault("users", {})[bob.id] = 50
    good(await alice.client.room_put_state(room_id, "m.room.power_levels", levels))
    await eventually("bob has power", lambda: bob.room(room_id).power_levels.get_user_level(bob.id) == 50)
    good(await bob.client.room_put_state(room_id, "m.room.name", {"name": "Mine"}))
    await eventually("alice sees bob's name", lambda: alice.room(room_id).name == "Mine")
    good(await bob.client.set_displayname("Bob on bravo"))
    await eventually("bob's name in the room", lambda: alice.room(room_id).user_name(bob.id) == "Bob on bravo")


async def leaving(alice, bob, carol):
    room_id = await make_room(alice, bob, carol)

    async def alice_sees(user, membership):
        await eventually(
            f"{user.id}: {membership}",
            lambda: [
                e.membership
                for room, e in alice.events
                if room == room_id and isinstance(e, RoomMemberEvent) and e.state_key == user.id
            ][-1:]
            == [membership],
        )

    good(await bob.client.room_leave(room_id))
    await alice_sees(bob, "leave")
    good(await bob.client.room_forget(room_id))
    good(await alice.client.room_invite(room_id, bob.id))
    await eventually("bob is invited again", lambda: room_id in bob.client.invited_rooms)
    good(await bob.client.join(room_id))
    await alice_sees(bob, "join")
    refused(await bob.client.room_kick(room_id, alice.id), "M_FORBIDDEN")
    good(await alice.client.room_kick(room_id, bob.id, reason="for a moment"))


    async def bob_is_out():
        return room_id not in good(await bob.client.joined_rooms()).rooms

    await eventually("bob's server knows that he is out", bob_is_out)
    good(await alice.client.room_ban(room_id, bob.id, reason="for longer"))
    refused(await bob.client.join(room_id), "M_FORBIDDEN")
    refused(await bob.client.room_send(room_id, "m.room.message", {"msgtype": "m.text", "body": "no"}), "M_FORBIDDEN")
    good(await alice.client.room_unban(room_id, bob.id))
    await alice_sees(bob, "leave")
    good(await alice.client.room_invite(room_id, bob.id))
    await eventually("bob is invited once more", lambda: room_id in bob.client.invited_rooms)
    good(await bob.client.join(room_id))
    await alice.says(room_id, "back again")
    await bob.hears(room_id, "back again")


async def pagination(alice, bob, carol):
    room_id = await make_room(alice)
    expected = [f"message {i}" for i in range(25)]
    for text in expected:
        await alice.says(room_id, text)
    good(await alice.client.room_invite(room_id, bob.id))
    await eventually("an invitation", lambda: room_id in bob.client.invited_rooms)
    good(await bob.client.join(room_id))
    await eventually("bob is in", lambda: room_id in bob.client.rooms)
    for person in (alice, bob):  # bob's server gets the history from alice's
        for direction in (MessageDirection.back, MessageDirection.front):
            bodies, start, pages = [], None, 0
            while True:
                page = good(await person.client.room_messages(room_id, start, direction=direction, limit=7))
                bodies += [event.body for event in page.chunk if isinstance(event, RoomMessageText)]
                pages += 1
                if page.end is None:
                    break
                assert pages < 30 and page.end != start
                start = page.end
            in_order = bodies if direction == MessageDirection.front else bodies[::-1]
            assert in_order == expected, (person.id, direction, bodies)
    middle = next(event for _, event in alice.events if getattr(event, "body", None) == "message 12")
    context = good(await bob.client.room_context(room_id, middle.event_id, limit=4))
    assert context.event.body == "message 12"
    assert [event.body for event in context.events_before] == ["message 11", "message 10"]
    assert [event.body for event in context.events_after] == ["message 13", "message 14"]


async def filters_and_catching_up(alice, bob, carol):
    room_id = await make_room(alice, bob)
    token = good(await bob.client.sync(timeout=0)).next_batch
    for i in range(15):
        await alice.says(room_id, f"while you were away {i}")
    await bob.hears(room_id, "while you were away 14")
    again = AsyncClient(bob.client.homeserver, bob.id)
    again.restore_login(bob.id, bob.client.device_id, bob.client.access_token)
    limited = good(await again.upload_filter(room={"timeline": {"limit": 5, "types": ["m.room.message"]}}))
    caught_up = good(await again.sync(timeout=0, since=token, sync_filter=limited.filter_id))
    timeline = caught_up.rooms.join[room_id].timeline
    assert timeline.limited
    assert [event.body for event in timeline.events] == [f"while you were away {i}" for i in range(10, 15)]
    gap = good(await again.room_messages(room_id, timeline.prev_batch, end=token, limit=50))
    missed = [event.body for event in gap.chunk if isinstance(event, RoomMessageText)]
    assert missed == [f"while you were away {i}" for i in range(9, -1, -1)], missed
    await again.close()


async def directory(alice, bob, carol):
    room_id = await make_room(alice, name="Harbour", topic="Ships")
    good(await alice.client.room_put_alias("#harbour:alpha.test", room_id))
    assert good(await bob.client.room_resolve_alias("#harbour:alpha.test")).room_id == room_id
    assert good(await alice.client.room_get_visibility(room_id)).visibility == "public"
    listed = {room.room_id: room for room in good(await alice.client.list_public_rooms()).public_rooms}
    assert listed[room_id].name == "Harbour" and listed[room_id].topic == "Ships"
    good(await alice.client.room_delete_alias("#harbour:alpha.test"))
    refused(await bob.client.room_resolve_alias("#harbour:alpha.test"), "M_NOT_FOUND")


async def push_rules(alice, bob, carol):
    room_id = await make_room(alice, bob)
    kind, rule = PushRuleKind.content, "ships"
    good(await bob.client.set_pushrule("global", kind, rule, pattern="ship", actions=[]))
    good(await bob.client.enable_pushrule("global", kind, rule, False))
    good(await bob.client.enable_pushrule("global", kind, rule, True))
    good(await bob.client.delete_pushrule("global", kind, rule))
    refused(await bob.client.delete_pushrule("global", kind, rule), "M_NOT_FOUND")
    await alice.says(room_id, "bob: a word", **{"m.mentions": {"user_ids": [bob.id]}})
    await eventually("bob is mentioned", lambda: bob.room(room_id).unread_highlights == 1)
    assert good(await bob.client.get_openid_token(bob.id)).matrix_server_name == "bravo.test"


async def upgrades(alice, bob, carol):
    """nio replaces rooms by itself, and gives the new one power levels that version 12 refuses: they name the creator."""
    room_id = await make_room(alice, bob, name="To be replaced", room_version="10")
    upgraded = await alice.client.room_upgrade(room_id, "11")
    replacement = good(upgraded).room_id
    tombstone = await bob.sees(room_id, "the tombstone", lambda e: e.source["type"] == "m.room.tombstone")
    assert content(tombstone)["replacement_room"] == replacement
    created = good(await alice.client.room_get_state_event(replacement, "m.room.create")).content
    assert created["room_version"] == "11" and created["predecessor"]["room_id"] == room_id
    await eventually("its name came along", lambda: alice.client.rooms[replacement].name == "To be replaced")


SCENARIOS = (
    accounts,
    joins_across_servers,
    messages,
    relations,
    receipts,
    typing,
    presence,
    redactions,
    state,
    leaving,
    pagination,
    filters_and_catching_up,
    directory,
    push_rules,
    upgrades,
)


async def main():
    async with Person("alice") as alice, Person("bob") as bob, Person("carol") as carol:
        for scenario in SCENARIOS:
            began = time.monotonic()
            await scenario(alice, bob, carol)
            print(f"{scenario.__name__}: {time.monotonic() - began:.2f} s", flush=True)


asyncio.run(main())
