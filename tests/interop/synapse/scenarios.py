"""What happens between ours and Synapse. Each scenario is played for every room version with the room made on ours and
made on Synapse: `home` is the server that makes it, `guest` the other."""

import concurrent.futures

from matrix import Refused, agree, call, eventually, quoted


def members(world, home, guest, version, **what):
    """alice on `home` makes a room, and bob on `guest` is in it."""
    alice, bob = world.person("alice", home), world.person("bob", guest)
    room = alice.creates(room_version=version, preset="public_chat", **what)
    bob.joins(room, via=[home])
    alice.sees_membership(room, bob, "join")
    return alice, bob, room


def refused(action, status=403):
    try:
        action()
    except Refused as refusal:
        assert refusal.status == status, refusal
        return refusal
    raise AssertionError("was allowed")


def invite_join_and_talk(world, home, guest, version):
    alice, bob = world.person("alice", home), world.person("bob", guest)
    room = alice.creates(room_version=version, preset="private_chat", name="Kitchen")
    refused(lambda: bob.joins(room, via=[home]))
    alice.invites_to(room, bob)
    bob.is_invited(room)
    assert any(e["type"] == "m.room.name" for e in bob.invites[room]), bob.invites[room]
    bob.joins(room, via=[home])
    alice.sees_membership(room, bob, "join")
    assert bob.hears(room, alice.says(room, "hello"))["content"]["body"] == "hello"
    assert alice.hears(room, bob.says(room, "hello, alice"))["content"]["body"] == "hello, alice"
    agree(room, alice, bob)


def decline_an_invitation(world, home, guest, version):
    alice, bob = world.person("alice", home), world.person("bob", guest)
    room = alice.creates(room_version=version, preset="private_chat")
    alice.invites_to(room, bob)
    bob.is_invited(room)
    bob.leaves(room)
    alice.sees_membership(room, bob, "leave")
    refused(lambda: bob.joins(room, via=[home]))


def join_by_alias_and_read_the_past(world, home, guest, version):
    alice, bob = world.person("alice", home), world.person("bob", guest)
    alias = f"town{alice.id.split(':')[0][6:]}"
    room = alice.creates(room_version=version, preset="public_chat", room_alias_name=alias)
    said = [alice.says(room, f"line {i}") for i in range(60)]
    assert bob.joins(f"#{alias}:{home}") == room
    # Synapse answers before it has fetched everything, so it is asked more than once.
    past = eventually(lambda: whole_history(bob, room, said), "bob reads everything that was said before he came")
    assert [event["event_id"] for event in reversed(past) if event["event_id"] in said] == said
    assert "m.room.create" in [event["type"] for event in past]
    agree(room, alice, bob)


def whole_history(person, room, wanted):
    past = person.history(room)
    return past if set(wanted) <= {event["event_id"] for event in past} else None


def edit_and_redact(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    for speaker, hearer in ((alice, bob), (bob, alice)):
        first = speaker.says(room, "frist")
        hearer.hears(room, first)
        edit = speaker.edits(room, first, "first")
        hearer.hears(room, edit)
        bundled = eventually(
            lambda: hearer.event(room, first).get("unsigned", {}).get("m.relations", {}).get("m.replace"),
            f"{hearer.id} sees the edit beside the message",
        )
        assert bundled["event_id"] == edit
        secret = speaker.says(room, "secret")
        hearer.hears(room, secret)
        speaker.redacts(room, secret)
        eventually(lambda: hearer.event(room, secret)["content"] == {}, f"{hearer.id} sees the message redacted")
    agree(room, alice, bob)


def kick_ban_and_unban(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    bob.syncs()  # a first sync does not show rooms that were left before it
    alice.room("POST", room, "/kick", {"user_id": bob.id, "reason": "out"})
    bob.waits(lambda: bob_left(bob, room, "leave"), "his kick")
    refused(lambda: bob.says(room, "still here?"))
    bob.joins(room, via=[home])
    alice.sees_membership(room, bob, "join")
    alice.room("POST", room, "/ban", {"user_id": bob.id})
    bob.waits(lambda: bob_left(bob, room, "ban"), "his ban")
    refused(lambda: bob.joins(room, via=[home]))
    alice.room("POST", room, "/unban", {"user_id": bob.id})
    eventually(lambda: joins_again(bob, room, home), "bob joins again")
    alice.sees_membership(room, bob, "join")
    agree(room, alice, bob)


def bob_left(bob, room, membership):
    return any(
        e["type"] == "m.room.member" and e["state_key"] == bob.id and e["content"]["membership"] == membership
        for e in bob.timeline.get(room, [])
    )


def joins_again(person, room, home):
    try:
        return person.joins(room, via=[home])
    except Refused:
        return None


def power_changes(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    carol = world.person("carol", guest)
    carol.joins(room, via=[home])
    for person in (alice, bob):
        person.sees_membership(room, carol, "join")
    refused(lambda: bob.sets(room, "m.room.name", {"name": "Bob's"}))
    levels = alice.room("GET", room, "/state/m.room.power_levels/")
    levels.setdefault("users", {})[bob.id] = 50
    change = alice.sets(room, "m.room.power_levels", levels)
    bob.hears(room, change)
    alice.hears(room, bob.sets(room, "m.room.name", {"name": "Bob's"}))
    bob.room("POST", room, "/kick", {"user_id": carol.id})
    alice.sees_membership(room, carol, "leave")
    levels["users"].pop(bob.id)
    bob.hears(room, alice.sets(room, "m.room.power_levels", levels))
    refused(lambda: bob.sets(room, "m.room.name", {"name": "Still Bob's"}))
    agree(room, alice, bob)


def leave_and_rejoin(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    bob.leaves(room)
    alice.sees_membership(room, bob, "leave")
    unheard = alice.says(room, "while bob was away")
    bob.joins(room, via=[home])
    alice.sees_membership(room, bob, "join")
    bob.hears(room, alice.says(room, "welcome back"))
    alice.hears(room, bob.says(room, "thank you"))
    eventually(lambda: whole_history(bob, room, [unheard]), "bob reads what was said while he was away")
    agree(room, alice, bob)


def restricted_join(world, home, guest, version):
    alice, bob = world.person("alice", home), world.person("bob", guest)
    carol = world.person("carol", guest)
    club = alice.creates(room_version=version, preset="public_chat")
    rule = {"join_rule": "restricted", "allow": [{"type": "m.room_membership", "room_id": club}]}
    room = alice.creates(
        room_version=version,
        preset="private_chat",
        power_level_content_override={"invite": 50},
        initial_state=[{"type": "m.room.join_rules", "state_key": "", "content": rule}],
    )
    refused(lambda: bob.joins(room, via=[home]))
    bob.joins(club, via=[home])
    alice.sees_membership(club, bob, "join")
    bob.joins(room, via=[home])
    alice.sees_membership(room, bob, "join")
    # Now bob's server has a member, but nobody who may invite.
    refused(lambda: carol.joins(room, via=[home]))
    carol.joins(club, via=[home])
    alice.sees_membership(club, carol, "join")
    carol.joins(room, via=[home])
    alice.sees_membership(room, carol, "join")
    member = alice.state(room)[("m.room.member", carol.id)]
    assert member["content"]["join_authorised_via_users_server"] == alice.id, member
    agree(room, alice, bob, carol)


def knock_and_be_let_in(world, home, guest, version):
    alice, bob = world.person("alice", home), world.person("bob", guest)
    room = alice.creates(
        room_version=version,
        preset="private_chat",
        name="Attic",
        initial_state=[{"type": "m.room.join_rules", "state_key": "", "content": {"join_rule": "knock"}}],
    )
    refused(lambda: bob.joins(room, via=[home]))
    bob.knocks(room, home)
    alice.sees_membership(room, bob, "knock")
    alice.invites_to(room, bob)
    bob.is_invited(room)
    bob.joins(room, via=[home])
    alice.sees_membership(room, bob, "join")
    carol = world.person("carol", guest)
    carol.knocks(room, home)
    alice.sees_membership(room, carol, "knock")
    carol.leaves(room)
    alice.sees_membership(room, carol, "leave")
    agree(room, alice, bob)


def typing_and_receipts(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    for one, other in ((alice, bob), (bob, alice)):
        other.syncs()
        one.room("PUT", room, f"/typing/{one.id}", {"typing": True, "timeout": 30_000})
        other.waits(
            lambda: any(
                r == room and e["type"] == "m.typing" and one.id in e["content"]["user_ids"]
                for r, e in other.ephemeral
            ),
            f"{one.id} types",
        )
        said = other.says(room, "read me")
        one.hears(room, said)
        one.room("POST", room, f"/receipt/m.read/{said}", {})
        other.waits(
            lambda: any(
                r == room and e["type"] == "m.receipt" and one.id in e["content"].get(said, {}).get("m.read", {})
                for r, e in other.ephemeral
            ),
            f"{one.id} has read it",
        )


def conflict_after_a_partition(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    levels = alice.room("GET", room, "/state/m.room.power_levels/")
    levels.setdefault("users", {})[bob.id] = 50
    bob.hears(room, alice.sets(room, "m.room.power_levels", levels))
    dave = world.person("dave", guest)
    dave.joins(room, via=[home])
    alice.sees_membership(room, dave, "join")
    with world.apart(guest, bob, dave):
        said = []
        for i in range(3):
            said += [alice.says(room, f"alice alone {i}"), bob.says(room, f"bob alone {i}")]
        bob.sets(room, "m.room.name", {"name": "as bob has it"})
        alice.sets(room, "m.room.name", {"name": "as alice has it"})
        # alice takes bob's power; what bob does meanwhile, with the power that he had, has to give way.
        levels["users"].pop(bob.id)
        alice.sets(room, "m.room.power_levels", levels)
        alice.sets(room, "m.room.topic", {"topic": "as alice has it"})
        bob.sets(room, "m.room.topic", {"topic": "as bob has it"})
        alice.room("POST", room, "/ban", {"user_id": dave.id})
        said.append(dave.says(room, "dave alone"))
    # Something new makes each side notice the other's.
    alice.says(room, "back, says alice")
    for event in said[:-1]:
        alice.sees_event(room, event)
        bob.sees_event(room, event)
    agree(room, alice, bob)
    assert alice.membership(room, dave) == "ban"
    bob.hears(room, alice.says(room, "together"))
    alice.hears(room, bob.says(room, "together again"))
    agree(room, alice, bob)


def catch_up_after_being_down(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    alice.hears(room, bob.says(room, "good night"))
    world.skerry("kill", guest)
    said = [alice.says(room, f"night line {i}") for i in range(55)]
    named = alice.sets(room, "m.room.name", {"name": "Night"})
    world.skerry("start", guest)
    alice.says(room, "good morning")
    for event in (said[-1], named):
        bob.sees_event(room, event)
    eventually(
        lambda: set(said) <= {event["event_id"] for event in bob.history(room)}, "bob's server has the whole night"
    )
    alice.hears(room, bob.says(room, "good morning, alice"))
    agree(room, alice, bob)


def presence(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    for one, other in ((alice, bob), (bob, alice)):
        other.syncs()
        status = f"{one.id} is at sea"
        one.call("PUT", f"/presence/{one.id}/status", {"presence": "online", "status_msg": status})
        other.waits(
            lambda: any(
                e["sender"] == one.id
                and e["content"]["presence"] == "online"
                and e["content"].get("status_msg") == status
                for e in other.presence
            ),
            f"{one.id}'s presence",
        )


def key_rotation(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    said = alice.says(room, "by the old key")
    bob.hears(room, said)
    before = world.server_keys(home)
    world.rotate_key(home)
    after = world.server_keys(home)
    assert not set(before["verify_keys"]) & set(after["verify_keys"]), after
    for key, value in before["verify_keys"].items():
        assert after["old_verify_keys"][key]["key"] == value["key"], after
    bob.hears(room, alice.says(room, "by the new key"))
    alice.hears(room, bob.says(room, "believed"))
    # A server that never saw the old key in use believes what it signed.
    for server in (world.third, guest):
        carol = world.person("carol", server)
        carol.joins(room, via=[home])
        assert said in [event["event_id"] for event in carol.history(room)]
    agree(room, alice, bob)


def notary(world, home, guest, version):
    own = world.server_keys(home)
    told = world.federation(guest, "GET", f"/_matrix/key/v2/query/{home}")["server_keys"]
    assert len(told) == 1, told
    assert told[0]["verify_keys"] == own["verify_keys"], told
    assert set(told[0]["signatures"]) == {home, guest}, told
    # The specification lets the time be left out; Synapse does not.
    wanted = {home: {key: {"minimum_valid_until_ts": 0} for key in own["verify_keys"]}}
    told = world.federation(guest, "POST", "/_matrix/key/v2/query", {"server_keys": wanted})["server_keys"]
    assert told and told[0]["verify_keys"] == own["verify_keys"], told


def public_rooms_and_profiles(world, home, guest, version):
    alice, bob = world.person("alice", home), world.person("bob", guest)
    alice.call("PUT", f"/profile/{alice.id}/displayname", {"displayname": "Alice at sea"})
    assert bob.call("GET", f"/profile/{alice.id}")["displayname"] == "Alice at sea"
    room = alice.creates(room_version=version, preset="public_chat", visibility="public", name="Harbour")

    def listed():
        rooms = bob.call("POST", f"/publicRooms?server={home}", {"limit": 1_000})["chunk"]
        return any(entry["room_id"] == room and entry.get("name") == "Harbour" for entry in rooms)

    # Synapse lists a room once it has counted its members, which it does in its own time.
    eventually(listed, "bob finds alice's room")


def profile_and_redacted_state(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    bob.call("PUT", f"/profile/{bob.id}/displayname", {"displayname": "Bob at sea"})
    eventually(
        lambda: alice.state(room)[("m.room.member", bob.id)]["content"].get("displayname") == "Bob at sea",
        "alice sees bob's new name",
    )
    topic = alice.sets(room, "m.room.topic", {"topic": "not for everyone"})
    bob.hears(room, topic)
    alice.redacts(room, topic)
    eventually(lambda: bob.state(room)[("m.room.topic", "")]["content"] == {}, "bob sees the topic redacted")
    agree(room, alice, bob)


def upgrade(world, home, guest, version):
    alice, bob, room = members(world, home, guest, "10")
    successor = alice.room("POST", room, "/upgrade", {"new_version": version})["replacement_room"]
    bob.waits(lambda: any(e["type"] == "m.room.tombstone" for e in bob.timeline.get(room, [])), "the tombstone")
    assert bob.state(room)[("m.room.tombstone", "")]["content"]["replacement_room"] == successor
    bob.joins(successor, via=[home])
    alice.sees_membership(successor, bob, "join")
    assert bob.state(successor)[("m.room.create", "")]["content"]["predecessor"]["room_id"] == room
    agree(successor, alice, bob)


def server_acl(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    bob.hears(room, alice.sets(room, "m.room.server_acl", {"allow": ["*"], "deny": [guest]}))
    denied = bob.says(room, "can you hear me?")
    other = bob.creates(room_version=version, preset="public_chat")
    alice.joins(other, via=[guest])
    alice.hears(other, bob.says(other, "here you can"))  # and so the other, sent before, was refused
    refused(lambda: alice.event(room, denied), 404)
    alice.sets(room, "m.room.server_acl", {"allow": ["*"], "deny": []})
    eventually(lambda: bob.state(room)[("m.room.server_acl", "")]["content"]["deny"] == [], "bob sees it lifted")
    alice.hears(room, bob.says(room, "and now?"))


def three_servers_and_a_partition(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    carol = world.person("carol", world.third)
    carol.joins(room, via=[guest])
    for person in (alice, bob):
        person.sees_membership(room, carol, "join")
    with world.apart(guest, bob):
        theirs = [each.says(room, f"without bob {i}") for i in range(3) for each in (alice, carol)]
        his = [bob.says(room, f"alone {i}") for i in range(3)]
        alice.sets(room, "m.room.topic", {"topic": "without bob"})
    alice.says(room, "together")
    for event in theirs:
        bob.sees_event(room, event)
    for event in his:
        alice.sees_event(room, event)
        carol.sees_event(room, event)
    agree(room, alice, bob, carol)
    # An invitation by a server that did not make the room.
    den = bob.creates(room_version=version, preset="private_chat")
    for inviter, invited in ((bob, alice), (alice, carol)):
        inviter.invites_to(den, invited)
        invited.is_invited(den)
        invited.joins(den)
    for person in (alice, bob):
        person.sees_membership(den, carol, "join")
    agree(den, alice, bob, carol)


def all_talk_at_once(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    with concurrent.futures.ThreadPoolExecutor() as threads:
        talks = [threads.submit(lambda who=who: [who.says(room, f"{i}") for i in range(20)]) for who in (alice, bob)]
        said = [event for talk in talks for event in talk.result()]
    for person in (alice, bob):
        eventually(lambda: whole_history(person, room, said), f"{person.id} has heard all")
    agree(room, alice, bob)


def history_only_of_ones_own_time(world, home, guest, version):
    alice, bob = world.person("alice", home), world.person("bob", guest)
    rule = {"history_visibility": "joined"}
    room = alice.creates(
        room_version=version,
        preset="public_chat",
        initial_state=[{"type": "m.room.history_visibility", "state_key": "", "content": rule}],
    )
    hidden = [alice.says(room, "before bob")]
    bob.joins(room, via=[home])
    bob.hears(room, alice.says(room, "with bob"))
    bob.leaves(room)
    alice.sees_membership(room, bob, "leave")
    hidden.append(alice.says(room, "without bob"))
    bob.joins(room, via=[home])
    bob.hears(room, alice.says(room, "with bob again"))
    assert not set(hidden) & {event["event_id"] for event in bob.history(room)}
    refused(lambda: bob.event(room, hidden[0]), 404)


def threads_and_relations(world, home, guest, version):
    alice, bob, room = members(world, home, guest, version)
    root = alice.says(room, "a thread")
    bob.hears(room, root)
    thread = {"rel_type": "m.thread", "event_id": root}
    reply = bob.sends(room, {"msgtype": "m.text", "body": "in it", "m.relates_to": thread})
    reaction = bob.sends(
        room, {"m.relates_to": {"rel_type": "m.annotation", "event_id": root, "key": "👍"}}, "m.reaction"
    )
    alice.hears(room, reaction)
    for person in (alice, bob):
        rooms = f"/_matrix/client/v1/rooms/{quoted(room)}"
        threads = call(person.url, "GET", rooms + "/threads", token=person.token)["chunk"]
        assert [event["event_id"] for event in threads] == [root], threads
        related = call(person.url, "GET", f"{rooms}/relations/{quoted(root)}", token=person.token)["chunk"]
        assert {event["event_id"] for event in related} == {reply, reaction}, related
    alice.room("POST", room, f"/receipt/m.read/{quoted(reply)}", {"thread_id": root})
    bob.waits(
        lambda: any(
            e["content"].get(reply, {}).get("m.read", {}).get(alice.id, {}).get("thread_id") == root
            for r, e in bob.ephemeral
            if r == room and e["type"] == "m.receipt"
        ),
        "alice's receipt in the thread",
    )


EVERY_VERSION = [
    invite_join_and_talk,
    decline_an_invitation,
    join_by_alias_and_read_the_past,
    edit_and_redact,
    kick_ban_and_unban,
    power_changes,
    leave_and_rejoin,
    restricted_join,
    knock_and_be_let_in,
    typing_and_receipts,
    conflict_after_a_partition,
]
ONE_VERSION = [
    profile_and_redacted_state,
    public_rooms_and_profiles,
    history_only_of_ones_own_time,
    threads_and_relations,
    all_talk_at_once,
    upgrade,
    server_acl,
    three_servers_and_a_partition,
    presence,
    notary,
    catch_up_after_being_down,
    key_rotation,
]
# They cut, kill or restart servers, so that nothing else can be played meanwhile.
ALONE = {conflict_after_a_partition, three_servers_and_a_partition, catch_up_after_being_down, key_rotation}
