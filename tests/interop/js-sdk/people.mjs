// People with a real matrix-js-sdk client each, and what the plays need around them.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// From NODE_PATH or the working directory's node_modules: where this file lies nothing is installed.
const require = createRequire(import.meta.url);
const paths = [process.cwd(), ...(process.env.NODE_PATH ?? "").split(":").filter(Boolean)];
const installed = (name) => import(pathToFileURL(require.resolve(name, { paths })));

// What the client tells goes where it does not hide what the plays tell.
if (!process.env.LOG_OF_SDK) console.debug = console.trace = console.info = console.warn = console.error = () => {};
export const sdk = await installed("matrix-js-sdk");

// A client that ends cuts off what it was asking; the SDK does not always catch that.
process.on("unhandledRejection", (error) => {
    if (error?.name !== "AbortError") throw error;
});

// Each client that was started, with what cuts off its requests.
const started = new Map();

export function stopAll() {
    for (const client of started.keys()) client.stopClient();
}

// The end of a session. What the client still asks by itself, such as the edits of an old message, is cut off before: the
// SDK does not catch that the server no longer knows the token.
export async function logOut(client) {
    client.stopClient();
    started.get(client).abort();
    await sdk.createClient({ baseUrl: client.baseUrl, accessToken: client.getAccessToken() }).logout();
}

// Waits until `look` gives something that is not undefined, null or false.
export async function until(what, look, timeoutMs = 30_000) {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
        const seen = await look();
        if (seen) return seen;
        if (Date.now() > deadline) throw new Error(`did not happen: ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

export function check(condition, what) {
    if (!condition) throw new Error(`is not so: ${what}`);
}

export function same(seen, wanted, what) {
    const [a, b] = [JSON.stringify(seen), JSON.stringify(wanted)];
    if (a !== b) throw new Error(`${what}: ${a} instead of ${b}`);
}

export async function refused(promise, errcode, what) {
    try {
        await promise;
    } catch (error) {
        same(error.errcode, errcode, what);
        return;
    }
    throw new Error(`was not refused: ${what}`);
}

// A new account on the server at this URL, synced once, and syncing on.
export async function person(name, url) {
    const visitor = sdk.createClient({ baseUrl: url });
    const made = await visitor.registerRequest({
        username: name, password: "correct horse", auth: { type: "m.login.dummy" }, refresh_token: false,
    });
    return session(made, url);
}

export async function session(made, url, options = {}) {
    const end = new AbortController();
    const client = sdk.createClient({
        baseUrl: url, userId: made.user_id, deviceId: made.device_id, accessToken: made.access_token,
        timelineSupport: true,
        fetchFn: (what, how) => fetch(what, { ...how, signal: AbortSignal.any([end.signal, how?.signal].filter(Boolean)) }),
    });
    started.set(client, end);
    await client.startClient({ initialSyncLimit: 10, lazyLoadMembers: true, threadSupport: true, pendingEventOrdering: "detached", ...options });
    await until(`${made.user_id} is prepared`, () => client.isInitialSyncComplete());
    return client;
}

export const messages = (room) =>
    room.getLiveTimeline().getEvents().filter((event) => event.getType() === "m.room.message");

export async function hears(client, roomId, text) {
    return until(`${client.getUserId()} hears '${text}'`, () => {
        const room = client.getRoom(roomId);
        return room && messages(room).find((event) => event.getContent().body === text && !event.status);
    });
}

export async function joined(client, roomId) {
    return until(`${client.getUserId()} is in ${roomId}`, () => {
        const room = client.getRoom(roomId);
        return room?.getMyMembership() === "join" ? room : undefined;
    });
}

export const event = (client, roomId, eventId) => client.getRoom(roomId)?.findEventById(eventId);

export const via = (client) => ({ viaServers: [client.getDomain()] });

// A public room of the first, which the others join.
export async function roomOf(first, ...others) {
    const { room_id: roomId } = await first.createRoom({ preset: "public_chat", name: "Quay" });
    await joined(first, roomId);
    for (const other of others) {
        await other.joinRoom(roomId, via(first));
        await joined(other, roomId);
    }
    return roomId;
}

export const say = async (client, roomId, text) => (await client.sendTextMessage(roomId, text)).event_id;
