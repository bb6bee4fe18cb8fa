// A bot on matrix-bot-sdk: it joins where it is invited, says again what it hears, and knows a network beside Matrix.
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
require("./without_crypto.js");
const { Appservice, AutojoinRoomsMixin, LogLevel, LogService } = require("@vector-im/matrix-bot-sdk");
const { Person, Sandbox, eventually, freePort } = require("./sandbox.js");

const bot = "@echo:bravo.test";
const ghost = "@echo_ghost:bravo.test";

function registration(port) {
  return {
    id: "echo",
    url: `http://127.0.0.1:${port}`,
    as_token: "the token of the bot",
    hs_token: "the token of the server",
    sender_localpart: "echo",
    "de.sorunome.msc2409.push_ephemeral": true, // the only name by which it finds them
    protocols: ["valley"],
    namespaces: { users: [{ regex: "@echo_.*:bravo\\.test", exclusive: true }], aliases: [], rooms: [] },
  };
}

function makeBot(homeserverUrl, registered, port, seen) {
  const appservice = new Appservice({
    homeserverName: "bravo.test",
    homeserverUrl,
    port,
    bindAddress: "127.0.0.1",
    registration: registered,
  });
  AutojoinRoomsMixin.setupOnAppservice(appservice);
  appservice.on("room.message", async (room, event) => {
    if (event.sender.startsWith("@echo")) return;
    seen.messages.push(event.content.body);
    await appservice.botIntent.sendText(room, `${event.content.body}, ${event.content.body}`);
  });
  appservice.on("ephemeral.event", (event) => seen.passing.push(event));
  appservice.on("thirdparty.protocol", (name, give) =>
    give({ user_fields: ["name"], location_fields: ["hill"], icon: "", field_types: {}, instances: [] }),
  );
  appservice.on("thirdparty.user.remote", (name, fields, give) =>
    give([{ userid: `@echo_${fields.name}:bravo.test`, protocol: "valley", fields }]),
  );
  return appservice;
}

async function play(sandbox, appservice, seen) {
  console.log("- the bot is invited from another server, joins, and says again what it hears");
  const alice = new Person(sandbox, "alice@alpha.test");
  const { room_id: room } = await alice.call("POST", "/createRoom", { preset: "public_chat", invite: [bot] });
  await eventually("the bot joins", async () => {
    const { joined } = await alice.call("GET", `/rooms/${encodeURIComponent(room)}/joined_members`);
    return bot in joined;
  });
  await alice.say(room, "hello");
  await alice.hears(room, bot, "hello, hello");

  console.log("- a user of the bot's own comes along, with a name");
  const intent = appservice.getIntentForUserId(ghost);
  await intent.ensureRegistered();
  await intent.underlyingClient.setDisplayName("The echo's ghost");
  await intent.ensureJoined(room);
  await intent.sendText(room, "boo");
  await alice.hears(room, ghost, "boo");
  const { joined } = await alice.call("GET", `/rooms/${encodeURIComponent(room)}/joined_members`);
  assert.strictEqual(joined[ghost].display_name, "The echo's ghost");

  console.log("- the bot is told who types and who has read what");
  await alice.call("PUT", `/rooms/${encodeURIComponent(room)}/typing/${encodeURIComponent(alice.id)}`, {
    typing: true,
    timeout: 30_000,
  });
  const event = await alice.hears(room, ghost, "boo");
  await alice.call("POST", `/rooms/${encodeURIComponent(room)}/receipt/m.read/${encodeURIComponent(event.event_id)}`, {});
  const types = (one) => one.type === "m.typing" && one.content.user_ids.includes(alice.id);
  const reads = (one) => one.type === "m.receipt" && alice.id in (one.content[event.event_id]?.["m.read"] ?? {});
  await eventually("typing comes", () => seen.passing.some(types));
  await eventually("the receipt comes", () => seen.passing.some(reads));

  console.log("- people of the bot's server look up users of the network beside Matrix");
  const bob = new Person(sandbox, "bob@bravo.test");
  assert.ok("valley" in (await bob.call("GET", "/thirdparty/protocols")));
  const found = await bob.call("GET", "/thirdparty/user/valley?name=heidi");
  assert.deepStrictEqual(
    found.map((user) => user.userid),
    ["@echo_heidi:bravo.test"],
  );

  console.log("- the bot asks its server to ping it");
  const pong = await appservice.pingHomeserver();
  assert.strictEqual(typeof pong.duration_ms, "number");

  console.log("- a server that was down sends the bot what it missed");
  sandbox.skerry("kill", "bravo.test");
  await alice.say(room, "while it is down");
  sandbox.skerry("start", "bravo.test");
  await alice.hears(room, bot, "while it is down, while it is down");
  assert.deepStrictEqual(seen.messages, ["hello", "while it is down"]);
}

async function main() {
  if (!process.env.SKERRY_INTEROP_LOG) LogService.setLevel(LogLevel.fromString("error"));
  const sandbox = new Sandbox();
  let appservice;
  try {
    const port = await freePort();
    const registered = registration(port);
    const file = path.join(sandbox.folder, "echo.yaml");
    fs.writeFileSync(file, JSON.stringify(registered)); // which is YAML
    sandbox.up("--appservice", `bravo=${file}`);
    const seen = { messages: [], passing: [] };
    appservice = makeBot(sandbox.urls["bravo.test"], registered, port, seen);
    await appservice.begin();
    await play(sandbox, appservice, seen);
    console.log("all held");
  } finally {
    if (appservice) appservice.stop();
    sandbox.end();
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
