import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { nodeFlags } from '../start/services.js';
import { findDockerfileProblems, parseDockerfile } from './dockerfile.js';

const root = join(import.meta.dirname, '../..');
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');

const good = `ARG BASE=node:24-slim
FROM \${BASE} AS build
RUN npm ci \\
  --ignore-scripts
FROM \${BASE}
COPY --from=build /app ./
USER 65532:65532
ENTRYPOINT ["node", "main.js"]
`;

describe('the Dockerfile', () => {
  it('keeps every rule', () => {
    expect(findDockerfileProblems(dockerfile)).toEqual([]);
  });

  it('starts a service as everything else does', () => {
    const flags = nodeFlags.map((flag) => JSON.stringify(flag)).join(', ');
    const starts = parseDockerfile(dockerfile).filter(
      ({ word, rest }) => /^(RUN|ENTRYPOINT)$/.test(word) && rest.startsWith('["/nodejs'),
    );
    expect(starts.map(({ rest }) => rest.includes(flags))).toEqual([true, true]);
  });

  it('leaves out what no image needs', () => {
    const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
    for (const name of ['.git', '**/node_modules', 'dist', 'test', 'k8s', '.local', '**/.env*'])
      expect(ignored).toContain(name);
  });
});

describe('the rules', () => {
  it('accept what is as it should be', () => {
    expect(findDockerfileProblems(good)).toEqual([]);
  });

  it.each<[string, string, string, RegExp]>([
    ['ADD', 'COPY --from=build /app ./', 'ADD https://example.com/x.tgz /', /ADD is not used/],
    ['a base that nobody can pin', `FROM \${BASE}\n`, 'FROM node:24\n', /cannot be pinned/],
    ['the tag latest', 'node:24-slim', 'node:latest', /may change/],
    ['a base without a tag', 'node:24-slim', 'node', /may change/],
    ['root', 'USER 65532:65532', 'USER 0', /runs as 0/],
    ['a user by name, which Kubernetes cannot check', 'USER 65532:65532', 'USER node', /runs as node/],
    ['no user', 'USER 65532:65532\n', '', /runs as root/],
    ['a shell around the program', '["node", "main.js"]', 'node main.js', /keeps SIGTERM/],
    ['no program', 'ENTRYPOINT ["node", "main.js"]\n', '', /starts nothing/],
    ['scripts of packages', ' \\\n  --ignore-scripts', '', /runs scripts/],
    ['packages that are not locked', 'npm ci', 'npm install', /not locked/],
    ['a fetched program', 'npm ci', 'curl https://example.com', /not locked/],
    ['the build context in the image', '--from=build /app', '.', /build context/],
    ['a secret', 'USER 65532', 'ENV DATABASE_URL=postgres://x\nUSER 65532', /secret/],
    ['a shell in the last stage', 'USER 65532', 'RUN touch x\nUSER 65532', /no shell/],
  ])('refuse %s', (_, from, to, message) => {
    expect(good).toContain(from);
    const at = good.lastIndexOf(from);
    expect(findDockerfileProblems(good.slice(0, at) + to + good.slice(at + from.length)).join('\n')).toMatch(message);
  });
});
