// The framework loads a library for end-to-end encryption, whose binary is fetched from a place of its own when it is
// installed, and is not there where that is not allowed. Nothing here is encrypted: then it gets something that loads.
"use strict";

const Module = require("node:module");

const name = "@matrix-org/matrix-sdk-crypto-nodejs";

function nothing() {
  return new Proxy(function () {}, {
    get: (target, key) => (key === Symbol.toPrimitive ? () => "" : key === "prototype" ? target.prototype : nothing()),
  });
}

try {
  require(name);
} catch {
  const load = Module._load;
  Module._load = (request, ...others) => (request === name ? nothing() : load.call(Module, request, ...others));
}
