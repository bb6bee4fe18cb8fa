// What a client on matrix-js-sdk does, on two servers that federate: alice on one, bob and carol on the other.
// SKERRY_ALPHA_URL and SKERRY_BRAVO_URL say where they are.
import { check, event, hears, joined, logOut, messages, person, refused, roomOf, same, say, sdk, session, stopAll, until, via }
    from "./people.mjs";

const { RelationType, EventType, MsgType, TimelineWindow, EventTimeline, ReceiptType, Direction } = sdk;
const [alphaUrl, bravoUrl] = [process.env.SKERRY_ALPHA_URL, process.env.SKERRY_BRAVO_URL];
const [alice, bob, carol] = await Promise.all([
    person("alice", alphaUrl), person("bob", bravoUrl), person("carol", bravoUrl),
]);

const plays = {
    async "a name for oneself is seen by the others"() {
        await alice.setDisplayName("Alice");
        same((await bob.getProfileInfo(alice.getUserId())).displayname, "Alice", "her name, asked from bravo");
        const roomId = await roomOf(alice, bob);
        await bob.getRoom(roomId).loadMembersIfNeeded();
        await until("bob sees her name in the room", () => bob.getRoom(roomId).getMember(alice.getUserId())?.name === "Alice");
        same(bob.getRoom(roomId).name, "Quay", "the room's name");
    },

    async "an invitation is seen, accepted, and refused"() {
        const { room_id: roomId } = await alice.createRoom({ preset: "private_chat", name: "Cabin", is_direct: true });
        await alice.invite(roomId, bob.getUserId());
        await until("bob is invited", () => bob.getRoom(roomId)?.getMyMembership() === "invite");
        same(bob.getRoom(roomId).name, "Cabin", "the name of the room of an invitation");
        same(bob.getRoom(roomId).getDMInviter() ?? null, null, "a plain invitation is no direct chat");
        await bob.joinRoom(roomId);
        await joined(bob, roomId);
        await alice.invite(roomId, carol.getUserId());
        await until("carol is invited", () => carol.getRoom(roomId)?.getMyMembership() === "invite");
        await carol.leave(roomId);
        await until("alice sees that carol does not come",
            () => alice.getRoom(roomId).getMember(carol.getUserId())?.membership === "leave");
        await refused(carol.joinRoom(roomId, via(alice)), "M_FORBIDDEN", "joining uninvited");
    },

    async "messages of all kinds arrive in their order, each once"() {
        const roomId = await roomOf(alice, bob);
        for (let n = 0; n < 5; ++n) {
            await say(n % 2 ? alice : bob, roomId, `message ${n}`);
            await hears(n % 2 ? bob : alice, roomId, `message ${n}`);
        }
        await alice.sendEmoteMessage(roomId, "waves");
        await alice.sendNotice(roomId, "low water at six");
        await alice.sendHtmlMessage(roomId, "plain", "<b>bold</b>");
        await hears(bob, roomId, "plain");
        await hears(alice, roomId, "message 4");
        const wanted = ["message 0", "message 1", "message 2", "message 3", "message 4", "waves", "low water at six", "plain"];
        same(messages(bob.getRoom(roomId)).map((one) => one.getContent().body), wanted, "what bob sees");
        same(messages(alice.getRoom(roomId)).map((one) => one.getContent().body), wanted, "what alice sees");
        same(messages(bob.getRoom(roomId)).at(-1).getContent().formatted_body, "<b>bold</b>", "the formatted text");
    },

    async "a reply names what it answers"() {
        const roomId = await roomOf(alice, bob);
        const asked = await say(alice, roomId, "Is it deep?");
        await hears(bob, roomId, "Is it deep?");
        await bob.sendMessage(roomId, {
            "msgtype": MsgType.Text, "body": "Very.", "m.relates_to": { "m.in_reply_to": { event_id: asked } },
        });
        same((await hears(alice, roomId, "Very.")).replyEventId, asked, "what it answers");
    },

    async "an edit replaces the text, on both servers and for who comes later"() {
        const roomId = await roomOf(alice, bob);
        const id = await say(alice, roomId, "tpyo");
        await hears(bob, roomId, "tpyo");
        await alice.sendMessage(roomId, {
            "msgtype": MsgType.Text, "body": "* typo",
            "m.new_content": { msgtype: MsgType.Text, body: "typo" },
            "m.relates_to": { rel_type: RelationType.Replace, event_id: id },
        });
        for (const client of [alice, bob]) {
            await until("the edit shows", () => event(client, roomId, id).getContent().body === "typo");
            check(event(client, roomId, id).replacingEventId(), "the event knows that it was edited");
        }
        await carol.joinRoom(roomId, via(alice));
        await joined(carol, roomId);
        const fetched = await carol.fetchRoomEvent(roomId, id);
        same(fetched.unsigned["m.relations"]["m.replace"].content["m.new_content"].body, "typo", "the bundled edit");
    },

    async "reactions are counted, and taken back"() {
        const roomId = await roomOf(alice, bob);
        const id = await say(alice, roomId, "Tea?");
        await hears(bob, roomId, "Tea?");
        const react = (client) => client.sendEvent(roomId, EventType.Reaction, {
            "m.relates_to": { rel_type: RelationType.Annotation, event_id: id, key: "👍" },
        });
        const { event_id: bobs } = await react(bob);
        await react(alice);
        await refused(react(bob), "M_DUPLICATE_ANNOTATION", "the same reaction twice");
        bob.getRoom(roomId).getPendingEvents().forEach((pending) => bob.cancelPendingEvent(pending));
        const counted = (client) => client.getRoom(roomId).relations
            .getChildEventsForEvent(id, RelationType.Annotation, EventType.Reaction)?.getSortedAnnotationsByKey()
            ?.find(([key]) => key === "👍")?.[1].size;
        await until("both reactions are counted", () => counted(alice) === 2 && counted(bob) === 2);
        await bob.redactEvent(roomId, bobs);
        await until("one is left", () => counted(alice) === 1 && counted(bob) === 1);
        const { events } = await alice.relations(roomId, id, RelationType.Annotation, EventType.Reaction);
        same(events.length, 1, "relations that the server tells");
    },

    async "a redaction empties a message everywhere"() {
        const roomId = await roomOf(alice, bob);
        const id = await say(bob, roomId, "I should not have said this");
        await hears(alice, roomId, "I should not have said this");
        await alice.redactEvent(roomId, id, undefined, { reason: "she may" });
        for (const client of [alice, bob]) {
            await until("it is redacted", () => event(client, roomId, id).isRedacted());
            same(event(client, roomId, id).getContent(), {}, "its content");
        }
        await say(alice, roomId, "hers");
        const hers = await hears(bob, roomId, "hers");
        await refused(bob.redactEvent(roomId, hers.getId()), "M_FORBIDDEN", "redacting another's");
    },

    async "read receipts and unread counts go together"() {
        const roomId = await roomOf(alice, bob);
        const first = await say(alice, roomId, "one");
        await say(alice, roomId, "two");
        const last = await hears(bob, roomId, "two");
        await until("two are unread", () => bob.getRoom(roomId).getUnreadNotificationCount() === 2);
        await alice.sendMessage(roomId, {
            "msgtype": MsgType.Text, "body": "bob!", "m.mentions": { user_ids: [bob.getUserId()] },
        });
        await until("one is loud", () => bob.getRoom(roomId).getUnreadNotificationCount("highlight") === 1);
        await bob.sendReadReceipt(await hears(bob, roomId, "bob!"));
        await until("all is read", () => bob.getRoom(roomId).getUnreadNotificationCount() === 0);
        await until("alice sees how far bob has read",
            () => alice.getRoom(roomId).hasUserReadEvent(bob.getUserId(), last.getId()));
        check(alice.getRoom(roomId).hasUserReadEvent(bob.getUserId(), first), "and so all before it");
        await bob.setRoomReadMarkers(roomId, last.getId());
        await until("the marker comes back",
            () => bob.getRoom(roomId).getAccountData("m.fully_read")?.getContent().event_id === last.getId());
        const secret = await say(alice, roomId, "psst");
        await bob.sendReadReceipt(await hears(bob, roomId, "psst"), ReceiptType.ReadPrivate);
        await until("a private receipt counts", () => bob.getRoom(roomId).getUnreadNotificationCount() === 0);
        await say(alice, roomId, "after");
        await hears(bob, roomId, "after");
        check(!alice.getRoom(roomId).getUsersReadUpTo(event(alice, roomId, secret)).includes(bob.getUserId()),
            "a private receipt stays private");
    },

    async "typing is seen while it lasts"() {
        const roomId = await roomOf(alice, bob);
        await bob.getRoom(roomId).loadMembersIfNeeded();
        const types = () => bob.getRoom(roomId).getMember(alice.getUserId())?.typing;
        await alice.sendTyping(roomId, true, 20_000);
        await until("bob sees her type", types);
        await alice.sendTyping(roomId, false, 0);
        await until("she has stopped", () => !types());
    },

    async "presence is seen across servers"() {
        await roomOf(alice, bob);
        const seen = () => bob.getUser(alice.getUserId());
        await alice.setPresence({ presence: "unavailable", status_msg: "in the harbour" });
        await until("bob sees that she is idle",
            () => seen()?.presence === "unavailable" && seen().presenceStatusMsg === "in the harbour");
        await alice.setPresence({ presence: "online", status_msg: "at sea" });
        await until("and back", () => seen().presence === "online" && seen().presenceStatusMsg === "at sea");
        check(seen().currentlyActive, "and active");
        same((await bob.getPresence(alice.getUserId())).presence, "online", "her presence, asked for");
    },

    async "a timeline window reads a long history back, across servers"() {
        const { room_id: roomId } = await alice.createRoom({ preset: "public_chat", name: "Log" });
        for (let n = 0; n < 45; ++n) await say(alice, roomId, `entry ${n}`);
        await bob.joinRoom(roomId, via(alice));
        const room = await joined(bob, roomId);
        const window = new TimelineWindow(bob, room.getUnfilteredTimelineSet(), { windowLimit: 200 });
        await window.load(undefined, 10);
        while (window.canPaginate(Direction.Backward)) await window.paginate(Direction.Backward, 10);
        const seen = window.getEvents().filter((one) => one.getType() === "m.room.message").map((one) => one.getContent().body);
        same(seen, Array.from({ length: 45 }, (_, n) => `entry ${n}`), "the whole history, in order, each once");
        same(window.getEvents()[0].getType(), "m.room.create", "its beginning");
    },

    async "a permalink into the past opens there and reads both ways"() {
        const roomId = await roomOf(alice);
        const ids = [];
        for (let n = 0; n < 30; ++n) ids.push(await say(alice, roomId, `line ${n}`));
        const fresh = await session(await alice.loginRequest({
            type: "m.login.password", identifier: { type: "m.id.user", user: "alice" }, password: "correct horse",
        }), alphaUrl, { initialSyncLimit: 3 });
        const set = fresh.getRoom(roomId).getUnfilteredTimelineSet();
        const window = new TimelineWindow(fresh, set, { windowLimit: 100 });
        await window.load(ids[10], 6);
        check(window.getEvents().some((one) => one.getId() === ids[10]), "the event is there");
        while (window.canPaginate(Direction.Forward)) await window.paginate(Direction.Forward, 10);
        while (window.canPaginate(Direction.Backward)) await window.paginate(Direction.Backward, 10);
        const seen = window.getEvents().filter((one) => one.getType() === "m.room.message").map((one) => one.getId());
        same(seen, ids, "every line, each once");
        await logOut(fresh);
    },

    async "threads have their own timelines, receipts and counts"() {
        const roomId = await roomOf(alice, bob);
        const root = await say(alice, roomId, "Where to?");
        await hears(bob, roomId, "Where to?");
        // The SDK puts an answer of one's own behind what came while it was sent, so each waits for the one before. It makes
        // no thread for a first answer of one's own.
        const answer = async (client, body) => {
            const { event_id: id } = await client.sendMessage(roomId, root, { msgtype: MsgType.Text, body });
            for (const one of [alice, bob]) {
                await until(`${one.getUserId()} has '${body}' in the thread`, () => {
                    const thread = one.getRoom(roomId).getThread(root);
                    return thread ? thread.events.some((each) => each.getId() === id && !each.status) : one === client;
                });
            }
            return id;
        };
        await answer(bob, "North");
        await answer(alice, "South");
        const last = await answer(bob, "West then");
        for (const client of [alice, bob]) {
            const thread = await until("the thread is there", () => client.getRoom(roomId).getThread(root));
            // Its length is not asked: the SDK counts an answer twice that comes while it asks the server for their number.
            const answers = () => thread.events.filter((one) => one.getId() !== root).map((one) => one.getContent().body);
            await until("with its three answers", () => answers().length === 3 && thread.replyToEvent?.getId() === last);
            same(answers(), ["North", "South", "West then"], "their order");
            check(!messages(client.getRoom(roomId)).some((one) => one.getContent().body === "North"),
                "answers stay out of the main timeline");
        }
        const count = (kind) => alice.getRoom(roomId).getThreadUnreadNotificationCount(root, kind);
        await until("what alice has not read is counted by thread", () => count("total") >= 1);
        await alice.sendReadReceipt(event(alice, roomId, last) ?? alice.getRoom(roomId).getThread(root).replyToEvent);
        await until("a receipt in the thread clears it", () => count("total") === 0);
        const list = await alice.createThreadListMessagesRequest(roomId, null, 10, Direction.Backward);
        same(list.chunk.map((one) => one.event_id), [root], "the list of threads");
        same(list.chunk[0].unsigned["m.relations"]["m.thread"].count, 3, "the bundled count");
        await carol.joinRoom(roomId, via(alice));
        await joined(carol, roomId);
        await carol.getRoom(roomId).createThreadsTimelineSets();
        await carol.getRoom(roomId).fetchRoomThreads();
        check(carol.getRoom(roomId).getThread(root), "who comes later finds the thread");
    },

    async "an upgraded room leads to its successor"() {
        const { room_id: roomId } = await alice.createRoom({ preset: "public_chat", name: "Old pier", room_version: "10" });
        await bob.joinRoom(roomId, via(alice));
        await joined(bob, roomId);
        const { replacement_room: next } = await alice.upgradeRoom(roomId, "12");
        const tombstone = await until("bob sees the tombstone",
            () => bob.getRoom(roomId).getLiveTimeline().getState(EventTimeline.FORWARDS).getStateEvents("m.room.tombstone", ""));
        same(tombstone.getContent().replacement_room, next, "where it leads");
        await bob.joinRoom(next, via(alice));
        const room = await joined(bob, next);
        same(room.name, "Old pier", "the name came along");
        same(room.getVersion(), "12", "its version");
        same(room.findPredecessor()?.roomId, roomId, "where it comes from");
        await until("and is known as the newest", () => bob.getRoomUpgradeHistory(roomId).at(-1)?.roomId === next);
    },

    async "kicks, bans and power are as their room says"() {
        const roomId = await roomOf(alice, bob, carol);
        await refused(bob.kick(roomId, carol.getUserId()), "M_FORBIDDEN", "kicking without power");
        await alice.setPowerLevel(roomId, bob.getUserId(), 50);
        await until("bob has power", () => bob.getRoom(roomId).getMember(bob.getUserId()).powerLevel === 50);
        await bob.kick(roomId, carol.getUserId(), "mutiny");
        await until("carol is out", () => carol.getRoom(roomId)?.getMyMembership() === "leave");
        await alice.ban(roomId, carol.getUserId());
        await until("bob's server knows of the ban",
            () => bob.getRoom(roomId).getMember(carol.getUserId())?.membership === "ban");
        await refused(carol.joinRoom(roomId, via(alice)), "M_FORBIDDEN", "joining when banned");
        await alice.unban(roomId, carol.getUserId());
        await until("the ban is over", () => bob.getRoom(roomId).getMember(carol.getUserId())?.membership === "leave");
        await carol.joinRoom(roomId, via(alice));
        await joined(carol, roomId);
    },

    async "tags, account data and push rules follow the account to another session"() {
        const roomId = await roomOf(bob);
        await bob.setRoomTag(roomId, "m.favourite", { order: 0.25 });
        await bob.setAccountData("org.example.mood", { sea: "calm" });
        await bob.addPushRule("global", "room", roomId, { actions: [] });
        const other = await session(await bob.loginRequest({
            type: "m.login.password", identifier: { type: "m.id.user", user: "bob" }, password: "correct horse",
        }), bravoUrl);
        same(other.getRoom(roomId).tags["m.favourite"], { order: 0.25 }, "the tag");
        same(other.getAccountData("org.example.mood")?.getContent(), { sea: "calm" }, "the account data");
        check(other.getRoomPushRule("global", roomId), "the push rule");
        same((await other.getDevices()).devices.length, 2, "the sessions");
        await logOut(other);
        same((await bob.getDevices()).devices.length, 1, "the sessions after one ended");
    },

    async "a space shows its rooms, and people are found, across servers"() {
        const { room_id: space } = await alice.createRoom({
            preset: "public_chat", name: "Archipelago", creation_content: { type: "m.space" },
        });
        const { room_id: island } = await alice.createRoom({ preset: "public_chat", name: "Island" });
        await alice.sendStateEvent(space, EventType.SpaceChild, { via: [alice.getDomain()] }, island);
        await bob.joinRoom(space, via(alice));
        check((await joined(bob, space)).isSpaceRoom(), "bob knows that it is a space");
        const { rooms } = await bob.getRoomHierarchy(space);
        same(rooms.map((room) => room.name), ["Archipelago", "Island"], "the rooms of the space");
        const { results } = await bob.searchUserDirectory({ term: "alice" });
        same(results.map((one) => one.user_id), [alice.getUserId()], "who is found");
    },

    async "leaving and forgetting ends a room for who does it"() {
        const roomId = await roomOf(alice, bob);
        await bob.leave(roomId);
        await until("alice sees that bob left", () => alice.getRoom(roomId).getMember(bob.getUserId())?.membership === "leave");
        await refused(say(bob, roomId, "still here?"), "M_FORBIDDEN", "speaking after leaving");
        await bob.forget(roomId);
        check(!bob.getRoom(roomId), "the room is gone");
        await bob.joinRoom(roomId, via(alice));
        await joined(bob, roomId);
        await say(alice, roomId, "welcome back");
        await hears(bob, roomId, "welcome back");
    },

    async "a client that was away catches up"() {
        const roomId = await roomOf(alice, bob);
        bob.stopClient();
        for (let n = 0; n < 25; ++n) await say(alice, roomId, `while away ${n}`);
        await bob.startClient({ initialSyncLimit: 10, lazyLoadMembers: true, threadSupport: true, pendingEventOrdering: "detached" });
        await hears(bob, roomId, "while away 24");
        same(bob.getSyncState() !== "ERROR", true, "the sync goes on");
    },
};

// In a thread the SDK fails when /sync brings an event before the answer to sending it, which servers cannot rule out.
const isRaceOfSdk = (error) => String(error).includes("not a local echo");

async function passes(name, play, tries) {
    const begin = Date.now();
    try {
        await play();
    } catch (error) {
        if (tries > 1 && isRaceOfSdk(error)) return passes(name, play, tries - 1);
        console.log(`FAILED  ${name}: ${error.stack ?? error}`);
        return false;
    }
    console.log(`ok      ${name} (${Date.now() - begin} ms)`);
    return true;
}

let failed = 0;
const only = process.argv[2];
for (const [name, play] of Object.entries(plays)) {
    if (only && !name.includes(only)) continue;
    if (!(await passes(name, play, 5))) ++failed;
}
stopAll();
console.log(failed ? `${failed} failed` : "all is well");
process.exit(failed ? 1 : 0);
