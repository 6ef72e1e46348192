// The official JavaScript packages, driven from another process.
//
// Each line of stdin is one operation, a JSON array of its name and its arguments; each is answered
// by one line of stdout: {"result": ...} or {"error": {...}}. They are done one after the other:
//
//   ["connect", "a", "Endpoint=http://...;Id=...;Secret=..."]
//   ["call", "a", "getConfigurationSetting", {"key": "k"}, {"acceptDateTime": {"date": "2030-01-01"}}]
//   ["vault", "c", "https://...", "/path/of/ca.pem", {"disableChallengeResourceVerification": true}]
//   ["load", "b", "Endpoint=...", {"refreshOptions": {"enabled": true}}]
//   ["call", "b", "get", "k"]
//   ["methods", "a"]
//   ["advance", 30000]
//
// A listing answers with its pages; {"date": ...} stands for a Date. Milliseconds are what
// "advance" moves the provider's clock by.

import { webcrypto } from "node:crypto";
import dns from "node:dns";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { AppConfigurationClient } from "@azure/app-configuration";
import { load } from "@azure/app-configuration-provider";
import { SecretClient } from "@azure/keyvault-secrets";

globalThis.crypto ??= webcrypto; // node 18, which Debian 12 has, keeps it in a module

const plain = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };
const named = new Map();

// Names under localhost are this machine, which not every system knows.
const lookup = dns.lookup;
dns.lookup = (name, ...rest) => lookup(name.endsWith(".localhost") ? "localhost" : name, ...rest);

// A token that nobody signed, for the audience of the scope.
const credential = {
  async getToken(scopes) {
    const claims = { aud: [scopes].flat()[0].replace("/.default", "") };
    const parts = [{ alg: "none" }, claims].map((part) => JSON.stringify(part));
    const token = parts.map((part) => Buffer.from(part).toString("base64url")).join(".") + ".";
    return { token, expiresOnTimestamp: Date.now() + 3_600_000 };
  },
};

const operations = {
  connect(name, connectionString) {
    named.set(name, new AppConfigurationClient(connectionString, plain));
  },

  vault(name, url, caFile, options) {
    const tlsOptions = { ca: readFileSync(caFile) };
    named.set(name, new SecretClient(url, credential, { ...plain, ...options, tlsOptions }));
  },

  async load(name, connectionString, options) {
    named.set(name, await load(connectionString, { ...options, clientOptions: plain }));
  },

  async call(name, method, ...given) {
    const result = await named.get(name)[method](...given);
    return result?.byPage ? pagesOf(result) : result;
  },

  methods(name) {
    return Object.getOwnPropertyNames(Object.getPrototypeOf(named.get(name)));
  },

  // The provider takes its time from Date.now alone; requests are dated by new Date(), which stays
  // right, so that their signatures stay valid.
  advance(milliseconds) {
    const now = Date.now;
    Date.now = () => now() + milliseconds;
  },
};

async function pagesOf(listing) {
  const pages = [];
  for await (const page of listing.byPage()) {
    pages.push({ etag: page.etag, status: Number(page._response.status), items: page.items });
  }
  return pages;
}

function described(error) {
  const problem = error.details ?? {};
  return { message: error.message, status: error.statusCode ?? null, problem };
}

// What begins with an underscore is the raw response.
const shown = (name, value) => (name.startsWith("_") ? undefined : value);
const revived = (_, value) => (value?.date ? new Date(value.date) : value);

for await (const line of createInterface({ input: process.stdin })) {
  const [operation, ...given] = JSON.parse(line, revived);
  let answer;
  try {
    answer = { result: (await operations[operation](...given)) ?? null };
  } catch (error) {
    answer = { error: described(error) };
  }
  console.log(JSON.stringify(answer, shown));
}
