// SPDX-License-Identifier: Apache-2.0
// Worker threads of Node.js: each has a JavaScript engine of its own, whose compiler and collector have threads too. They
// share memory (SharedArrayBuffer, Atomics), send messages, and use the pool of libuv for files, hashes and compression.
'use strict';
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const crypto = require('crypto');
const fs = require('fs');
const zlib = require('zlib');

const kWorkers = 4;

function collatz(from, to) {
  let longest = 0;
  for (let n = from; n < to; n++) {
    let length = 0;
    for (let x = n; x !== 1; x = x % 2 === 0 ? x / 2 : 3 * x + 1) length++;
    if (length > longest) longest = length;
  }
  return longest;
}

function objects(rounds) {
  const kept = [];
  let sum = 0;
  for (let i = 0; i < rounds; i++) {
    const o = { id: i, name: 'object ' + i, list: [i, i + 1, i + 2], more: { deep: { value: i % 97 } } };
    sum += JSON.parse(JSON.stringify(o)).more.deep.value + o.list.length;
    if (i % 10 === 0) kept.push(o);
    if (kept.length > 3000) kept.splice(0, 1500);
  }
  return sum + kept.length;
}

function exceptions(rounds) {
  let caught = 0;
  for (let i = 0; i < rounds; i++) {
    try {
      if (i % 2) null.field; else throw new RangeError('number ' + i);
    } catch (e) {
      caught += e instanceof RangeError ? 1 : 2;
    }
  }
  const overflow = () => overflow() + 1;
  try { overflow(); } catch (e) { caught += 1000; }
  return caught;
}

function work({ shared, number, scale }) {
  const view = new Int32Array(shared);
  const digest = crypto.createHash('sha256');
  for (let i = 0; i < 3000 * scale; i++) {
    Atomics.add(view, 0, 1);
    for (;;) {  // a lock of futexes
      if (Atomics.compareExchange(view, 1, 0, 1) === 0) break;
      Atomics.wait(view, 1, 1, 100);
    }
    view[2] = view[2] + 1;
    Atomics.store(view, 1, 0);
    Atomics.notify(view, 1, 1);
  }
  digest.update(Buffer.alloc(1 << 20, number + 1));
  const matches = ('abcab'.repeat(5000).match(/(a|b)+c?a/g) || []).length;
  const sorted = Array.from({ length: 50000 }, (_, i) => (i * 7919 + number) % 50021).sort((a, b) => a - b);
  let wide = 1n;
  for (let i = 1n; i < 400n; i++) wide *= i;
  parentPort.postMessage({
    number, collatz: collatz(1 + 50000 * number, 50000 * (number + 1) * scale), objects: objects(20000 * scale),
    exceptions: exceptions(3000 * scale), digest: digest.digest('hex'), matches, sorted: sorted[25000],
    wide: wide.toString().length, packed: zlib.inflateSync(zlib.deflateSync(Buffer.alloc(200000, number))).length,
  });
}

async function main() {
  const scale = Number(process.argv[2] || 1);
  const shared = new SharedArrayBuffer(64);
  const workers = [];
  for (let number = 0; number < kWorkers; number++) {
    workers.push(new Promise((resolve, reject) => {
      const worker = new Worker(__filename, { workerData: { shared, number, scale } });
      let answer;
      worker.on('message', (m) => { answer = m; });
      worker.on('error', reject);
      worker.on('exit', (code) => (code ? reject(new Error('exit ' + code)) : resolve(answer)));
    }));
  }
  const file = 'busy.js.tmp';
  const jobs = [];
  for (let i = 0; i < 8; i++) {
    jobs.push(new Promise((resolve, reject) => crypto.pbkdf2('word', 'salt' + i, 4000 * scale, 32, 'sha512',
      (e, key) => (e ? reject(e) : resolve(key.toString('hex').slice(0, 16))))));
    jobs.push(new Promise((resolve, reject) => zlib.gzip(Buffer.alloc(1 << 18, 'text ' + i),
      (e, data) => (e ? reject(e) : resolve(zlib.gunzipSync(data).length)))));
    jobs.push(fs.promises.writeFile(file + i, 'x'.repeat(10000 + i)).then(() => fs.promises.readFile(file + i))
      .then((data) => fs.promises.unlink(file + i).then(() => data.length)));
  }
  for (const answer of await Promise.all(workers)) console.log(JSON.stringify(answer));
  console.log(JSON.stringify(await Promise.all(jobs)));
  const view = new Int32Array(shared);
  console.log('counted', view[0], view[2], 'own', collatz(1, 10000), objects(5000));
}

if (isMainThread) main().catch((e) => { console.error(e); process.exit(1); });
else work(workerData);
