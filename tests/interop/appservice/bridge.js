// A bridge to a network that does not exist: whoever it hears of on Matrix, it answers as the user of the other side.
"use strict";

const assert = require("node:assert");
const path = require("node:path");
require("./without_crypto.js");
const { AppServiceRegistration, Bridge, Logger } = require("matrix-appservice-bridge");
const { Person, Sandbox, eventually, freePort } = require("./sandbox.js");

function registration(url) {
  const made = new AppServiceRegistration(url);
  made.setId("relay");
  made.setHomeserverToken(AppServiceRegistration.generateToken());
  made.setAppServiceToken(AppServiceRegistration.generateToken());
  made.setSenderLocalpart("_relay_bot");
  made.addRegexPattern("users", "@_relay_.*:alpha\\.test", true);
  made.addRegexPattern("aliases", "#_relay_.*:alpha\\.test", true);
  return made;
}

// The bridge, as its framework's users write one.
function makeBridge(homeserverUrl, registered, seen) {
  const bridge = new Bridge({
    homeserverUrl,
    domain: "alpha.test",
    registration: registered,
    disableStores: true,
    controller: {
      onUserQuery: (user) => {
        seen.users.push(user.getId());
        return { name: `${user.localpart.replace("_relay_", "")} (relay)` };
      },
      onAliasQuery: (alias, localpart) => {
        seen.aliases.push(alias);
        return { creationOpts: { room_alias_name: localpart, name: "Over there", preset: "public_chat" } };
      },
      onEvent: (request) => {
        const event = request.getData();
        seen.events.push(event);
        answer(bridge, event).catch((error) => seen.errors.push(error));
      },
    },
  });
  return bridge;
}

// Joins where a user of its is invited, and answers what others say there as that user.
async function answer(bridge, event) {
  const ours = (id) => id.startsWith("@_relay_") && id.endsWith(":alpha.test");
  if (event.type === "m.room.member" && event.content.membership === "invite" && ours(event.state_key)) {
    const intent = bridge.getIntent(event.state_key);
    await intent.join(event.room_id);
    await intent.sendText(event.room_id, "here I am");
  }
  if (event.type !== "m.room.message" || ours(event.sender)) return;
  const [, name, text] = /^(\w+): (.*)$/.exec(event.content.body) ?? [];
  if (name === undefined) return;
  const intent = bridge.getIntent(`@_relay_${name}:alpha.test`);
  await intent.sendText(event.room_id, `you said "${text}"`);
}

async function play(sandbox, bridge, seen) {
  console.log("- an alias that is not there is made by the bridge, for somebody on another server");
  const bob = new Person(sandbox, "bob@bravo.test");
  const alias = "#_relay_over_there:alpha.test";
  const { room_id: portal } = await bob.call("POST", `/join/${encodeURIComponent(alias)}`);
  assert.deepStrictEqual(seen.aliases, [alias]);

  console.log("- what bob says reaches the bridge, and its user, registered only now, answers");
  await bob.say(portal, "anna: good morning");
  await bob.hears(portal, "@_relay_anna:alpha.test", 'you said "good morning"');
  const profile = await bob.call("GET", `/profile/${encodeURIComponent("@_relay_anna:alpha.test")}`);
  assert.strictEqual(typeof profile, "object");

  console.log("- a user who is not there is made when somebody on another server invites them");
  const { room_id: room } = await bob.call("POST", "/createRoom", { invite: ["@_relay_carl:alpha.test"] });
  assert.ok(seen.users.includes("@_relay_carl:alpha.test"));
  await bob.hears(room, "@_relay_carl:alpha.test", "here I am");
  await bob.say(room, "carl: and you?");
  await bob.hears(room, "@_relay_carl:alpha.test", 'you said "and you?"');

  console.log("- users of the bridge's own server do the same");
  const alice = new Person(sandbox, "alice@alpha.test");
  const { room_id: home } = await alice.call("POST", "/createRoom", { invite: ["@_relay_dora:alpha.test"] });
  await alice.hears(home, "@_relay_dora:alpha.test", "here I am");
  assert.throws(() => new Person(sandbox, "_relay_eve@alpha.test"), /M_EXCLUSIVE/);

  console.log("- the bridge finds its way to itself by a room");
  const { room_id: checked } = await bridge.getIntent().matrixClient.doRequest(
    "POST",
    "/_matrix/client/v3/createRoom",
    undefined,
    {},
  );
  assert.strictEqual(typeof (await bridge.pingAppserviceRoute(checked, 30_000)), "number");

  console.log("- what is said while the bridge is away comes when it is back, in order");
  await bridge.appservice.close();
  for (let i = 0; i < 20; ++i) await bob.say(portal, `number ${i}`);
  await bridge.listen(sandbox.port, "127.0.0.1");
  const numbers = () =>
    seen.events.map((event) => event.content.body ?? "").filter((body) => body.startsWith("number "));
  await eventually("all are there", () => numbers().length >= 20);
  assert.deepStrictEqual(numbers(), [...Array(20).keys()].map((i) => `number ${i}`));

  assert.deepStrictEqual(seen.errors, []);
}

async function main() {
  Logger.configure({ console: process.env.SKERRY_INTEROP_LOG ?? "off" });
  const sandbox = new Sandbox();
  let bridge;
  try {
    sandbox.port = await freePort();
    const registered = registration(`http://127.0.0.1:${sandbox.port}`);
    const file = path.join(sandbox.folder, "relay.yaml");
    registered.outputAsYaml(file);
    sandbox.up("--appservice", file);
    const seen = { users: [], aliases: [], events: [], errors: [] };
    bridge = makeBridge(sandbox.urls["alpha.test"], registered, seen);
    await bridge.run(sandbox.port, undefined, "127.0.0.1");
    await play(sandbox, bridge, seen);
    console.log("all held");
  } finally {
    if (bridge) await bridge.close().catch(() => {});
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
