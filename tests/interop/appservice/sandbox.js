// A sandbox of two servers for a suite, and people with ordinary clients in it.
"use strict";

const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");

const deadlineMs = 60_000;

async function eventually(what, look) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

class Sandbox {
  constructor() {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "skerry-interop-"));
    this.dir = path.join(this.folder, "sandbox");
  }
  skerry(...words) {
    return execFileSync(process.env.SKERRY, [...words, "--dir", this.dir], { encoding: "utf8" });
  }
  up(...words) {
    const status = JSON.parse(this.skerry("up", "--servers", "2", "--json", ...words));
    this.urls = Object.fromEntries(status.servers.map((server) => [server.name, server.client_url]));
  }
  end() {
    try {
      this.skerry("reset");
    } finally {
      fs.rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

// Somebody with an ordinary client.
class Person {
  constructor(sandbox, name) {
    const account = JSON.parse(sandbox.skerry("register", name, "--json"));
    Object.assign(this, { id: account.user_id, url: account.client_url, token: account.access_token, count: 0 });
  }
  async call(method, target, body) {
    const answer = await fetch(this.url + "/_matrix/client/v3" + target, {
      method,
      headers: { Authorization: `Bearer ${this.token}`, "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const json = await answer.json();
    if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${JSON.stringify(json)}`);
    return json;
  }
  say(room, text) {
    const target = `/rooms/${encodeURIComponent(room)}/send/m.room.message/${++this.count}`;
    return this.call("PUT", target, { msgtype: "m.text", body: text });
  }
  // Waits for a message of somebody's.
  hears(room, sender, text) {
    return eventually(`${this.id} hears "${text}" of ${sender}`, async () => {
      const page = await this.call("GET", `/rooms/${encodeURIComponent(room)}/messages?dir=b&limit=50`);
      return page.chunk.find((event) => event.sender === sender && event.content.body === text);
    });
  }
}

module.exports = { Person, Sandbox, eventually, freePort };
