// dockerode against a daemon: attach, exec, logs, stats, wait, events and the verbs around them.
//
//     DOCKER_HOST=unix:///run/lighter.sock node dockerode.js
//
// The daemon must have the image busybox:latest. Prints one line a scenario; the exit status is the number of failures.

const assert = require('node:assert/strict');
const { PassThrough } = require('node:stream');
const Docker = require('dockerode');

const docker = new Docker({ socketPath: process.env.DOCKER_HOST.replace(/^unix:\/\//, ''), timeout: 20000 });
const Image = 'busybox:latest';

async function box(options, use) {
  const container = await docker.createContainer({ Image, Cmd: ['sleep', '1000'], ...options });
  try {
    return await use(container);
  } finally {
    await container.remove({ force: true }).catch(() => {});
  }
}

function text(stream) {
  return new Promise((resolve, reject) => {
    let all = '';
    stream.on('data', (piece) => (all += piece)).on('error', reject);
    stream.on('end', () => resolve(all)).on('close', () => resolve(all));
  });
}

/** What a multiplexed stream carries. */
function demultiplexed(stream) {
  const [out, err] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, err);
  const both = Promise.all([text(out), text(err)]);
  for (const end of ['end', 'close']) stream.on(end, () => { out.end(); err.end(); });
  return both;
}

function refused(status) {
  return (error) => { assert.equal(error.statusCode, status, String(error)); return true; };
}

const scenarios = {
  async run() {
    const out = new PassThrough();
    const seen = text(out);
    const [data] = await docker.run(Image, ['sh', '-c', 'echo hi; exit 3'], out, { HostConfig: { AutoRemove: true } });
    assert.deepEqual([data.StatusCode, (await seen).trim()], [3, 'hi']);
  },

  async attach() {
    await box({ Cmd: ['sh', '-c', 'read x; echo got $x; echo bad >&2'], OpenStdin: true, StdinOnce: true, AttachStdin: true }, async (c) => {
      const stream = await c.attach({ stream: true, hijack: true, stdin: true, stdout: true, stderr: true });
      const both = demultiplexed(stream);
      await c.start();
      stream.write('a line\n');
      assert.deepEqual(await both, ['got a line\n', 'bad\n']);
    });
  },

  async attach_terminal() {
    await box({ Cmd: ['cat'], Tty: true, OpenStdin: true }, async (c) => {
      const stream = await c.attach({ stream: true, hijack: true, stdin: true, stdout: true });
      await c.start();
      await c.resize({ h: 30, w: 90 });
      const seen = new Promise((resolve) => {
        let all = '';
        stream.on('data', (piece) => { all += piece; if (all.split('hello').length > 2) resolve(all); });
      });
      stream.write('hello\n');
      await seen;
      stream.destroy();
    });
  },

  async exec() {
    await box({}, async (c) => {
      await c.start();
      const exec = await c.exec({ Cmd: ['sh', '-c', 'cat; echo err >&2; exit 4'], AttachStdin: true, AttachStdout: true, AttachStderr: true });
      const stream = await exec.start({ hijack: true, stdin: true });
      const both = demultiplexed(stream);
      stream.end('through\n');
      assert.deepEqual(await both, ['through\n', 'err\n']);
      const state = await exec.inspect();
      assert.deepEqual([state.Running, state.ExitCode], [false, 4]);
      const detached = await c.exec({ Cmd: ['true'] });
      await detached.start({ Detach: true });
    });
  },

  async logs() {
    await box({ Cmd: ['sh', '-c', 'echo one; echo two >&2; sleep 0.2; echo three'] }, async (c) => {
      await c.start();
      const [out, err] = await demultiplexed(await c.logs({ follow: true, stdout: true, stderr: true }));
      assert.deepEqual([out, err], ['one\nthree\n', 'two\n']);
      const all = await c.logs({ stdout: true, tail: 1 });
      assert.equal(all.subarray(8).toString(), 'three\n');
      const stamped = await c.logs({ stdout: true, timestamps: true });
      assert.match(stamped.subarray(8).toString(), /^\d{4}-\d\d-\d\dT/);
    });
  },

  async stats() {
    await box({ HostConfig: { Memory: 64 << 20 } }, async (c) => {
      await c.start();
      const once = await c.stats({ stream: false });
      assert.deepEqual([once.memory_stats.limit, once.pids_stats.current], [64 << 20, 1]);
      assert.ok(once.precpu_stats.system_cpu_usage > 0);
      const stream = await c.stats({ stream: true });
      const first = await new Promise((resolve) => stream.once('data', resolve));
      assert.equal(JSON.parse(first).id, c.id);
      stream.destroy();
      const shot = await c.stats({ stream: false, 'one-shot': true });
      assert.equal(shot.preread, '0001-01-01T00:00:00Z');
    });
  },

  async wait() {
    await box({ Cmd: ['sh', '-c', 'sleep 0.2; exit 5'] }, async (c) => {
      const next = c.wait({ condition: 'next-exit' });
      await c.start();
      assert.equal((await next).StatusCode, 5);
      assert.equal((await c.wait()).StatusCode, 5);
      const removed = c.wait({ condition: 'removed' });
      await c.remove();
      assert.equal((await removed).StatusCode, 5);
    });
  },

  async events() {
    const stream = await docker.getEvents({ filters: { type: ['container'], event: ['create', 'start', 'die', 'destroy'] } });
    const actions = [];
    let id;
    const destroyed = new Promise((resolve) => {
      let rest = '';
      stream.on('data', (piece) => {
        rest += piece;
        const lines = rest.split('\n');
        rest = lines.pop();
        for (const line of lines.filter(Boolean)) {
          const event = JSON.parse(line);
          actions.push([event.Actor.ID, event.Action]);
          if (event.Action === 'destroy' && event.Actor.ID === id) resolve();
        }
      });
    });
    await box({ Cmd: ['true'] }, async (c) => { id = c.id; await c.start(); await c.wait(); });
    await destroyed;
    stream.destroy();
    assert.deepEqual(actions.filter(([of]) => of === id).map(([, action]) => action), ['create', 'start', 'die', 'destroy']);
  },

  async verbs() {
    await box({ Labels: { node: '1' } }, async (c) => {
      await c.start();
      await assert.rejects(c.start(), refused(304));
      await c.pause();
      assert.equal((await c.inspect()).State.Status, 'paused');
      await c.unpause();
      await c.restart({ t: 0 });
      let top = await c.top({ ps_args: '-o pid,comm' });
      // restarted it may not have executed its program yet
      for (let i = 0; i < 50 && top.Processes[0][1] !== 'sleep'; i++) top = await c.top({ ps_args: '-o pid,comm' });
      assert.deepEqual([top.Titles, top.Processes[0][1]], [['PID', 'COMMAND'], 'sleep']);
      await c.rename({ name: 'node-renamed' });
      await c.update({ Memory: 32 << 20, MemorySwap: 64 << 20 });
      assert.equal((await c.inspect()).HostConfig.Memory, 32 << 20);
      const listed = await docker.listContainers({ filters: { label: ['node=1'] } });
      assert.deepEqual(listed.map((one) => one.Names[0]), ['/node-renamed']);
      await c.kill({ signal: 'SIGKILL' });
      await assert.rejects(c.kill(), refused(409));
      await assert.rejects(docker.getContainer('nope').inspect(), refused(404));
    });
  },

  async archive() {
    await box({ Cmd: ['touch', '/new'] }, async (c) => {
      assert.ok((await text(await c.getArchive({ path: '/bin/busybox' }))).length > 100000);
      assert.ok((await text(await c.export())).length > 100000);
      await c.start();
      await c.wait();
      assert.deepEqual(await c.changes(), [{ Path: '/new', Kind: 1 }]);
    });
  },

  async prune() {
    await docker.createContainer({ Image, Labels: { 'node-prune': '' } });
    const pruned = await docker.pruneContainers({ filters: { label: ['node-prune'] } });
    assert.equal(pruned.ContainersDeleted.length, 1);
  },
};

(async () => {
  let failures = 0;
  for (const [name, scenario] of Object.entries(scenarios)) {
    try {
      const late = new Promise((_, reject) => setTimeout(() => reject(new Error('not within 30 seconds')), 30000).unref());
      await Promise.race([scenario(), late]);
      console.log(`ok    ${name}`);
    } catch (error) {
      failures += 1;
      console.log(`FAIL  ${name}\n${error.stack}`);
    }
  }
  console.log(`${Object.keys(scenarios).length} scenarios, ${failures} failed; dockerode ${require('dockerode/package.json').version}`);
  process.exit(failures);
})();
