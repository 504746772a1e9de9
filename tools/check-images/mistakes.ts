/** A change of a file that makes it wrong, and what must be said about it. A tool that accepts these would accept anything of ours. */
export interface Mistake {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly said: RegExp;
}

/** @throws Error when the file no longer has what would be changed: then the mistake would be none. */
export function withMistake(text: string, { name, from, to }: Mistake): string {
  if (!text.includes(from)) throw new Error(`"${name}" changes ${JSON.stringify(from)}, which the file no longer has`);
  return text.replace(from, () => to);
}

export const composeMistakes: readonly Mistake[] = [
  { name: 'a misspelt key', from: '    healthcheck:\n', to: '    helthcheck:\n', said: /helthcheck/ },
  {
    name: 'a dependency on a service that there is not',
    from: 'kafka: { condition: service_healthy }',
    to: 'kafak: { condition: service_healthy }',
    said: /kafak/,
  },
  {
    name: 'a condition that there is not',
    from: 'kafka: { condition: service_healthy }',
    to: 'kafka: { condition: service_ready }',
    said: /condition/,
  },
  {
    name: 'a circle of dependencies',
    from: '  kafka:\n    <<: *infrastructure\n',
    to: '  kafka:\n    <<: *infrastructure\n    depends_on: [setup]\n',
    said: /cycle/,
  },
  { name: 'a volume that there is not', from: 'volumes: ["kafka:/', to: 'volumes: ["kafaka:/', said: /kafaka/ },
  {
    name: 'a configuration that there is not',
    from: 'source: registry-database',
    to: 'source: registry',
    said: /registry/,
  },
  { name: 'an anchor that there is not', from: '<<: *infrastructure', to: '<<: *infra', said: /infra/ },
  { name: 'a port that is none', from: '-5432}:5432"', to: '-5432}:70000"', said: /70000|port/i },
  {
    name: 'a variable that nothing sets',
    from: 'POSTGRES_DB: tributary',
    to: 'POSTGRES_DB: $' + '{DATABASE}',
    said: /DATABASE/,
  },
];

/** Rules of BuildKit, by name. */
export const buildkitMistakes: readonly Mistake[] = [
  {
    name: 'a misspelt variable',
    from: `FROM $\{BUILD_IMAGE}`,
    to: `FROM $\{BUILD_IMGE}`,
    said: /UndefinedArgInFrom|BuildError/,
  },
  {
    name: 'a variable that the stage does not know',
    from: 'WORKDIR /tributary',
    to: 'WORKDIR /$TRIBUTARY',
    said: /UndefinedVar/,
  },
  {
    name: 'a program in a shell',
    from: 'ENTRYPOINT ["/nodejs/bin/node", ',
    to: 'ENTRYPOINT exec ("/nodejs/bin/node", ',
    said: /JSONArgsRecommended/,
  },
  {
    name: 'a secret in the image',
    from: 'ENV NODE_ENV=production',
    to: 'ENV API_TOKEN=x NODE_ENV=production',
    said: /SecretsUsedInArgOrEnv/,
  },
  {
    name: 'a stage that there is not',
    from: 'COPY --from=compiled',
    to: 'COPY --from=9',
    said: /BuildError: invalid stage/,
  },
  {
    name: 'an instruction that there is not',
    from: 'WORKDIR /tributary',
    to: 'WORKDIRS /tributary',
    said: /BuildError: .*unknown instruction/,
  },
  {
    name: 'a flag that there is not',
    from: 'COPY --from=compiled',
    to: 'COPY --form=compiled',
    said: /BuildError: .*unknown flag/,
  },
  { name: 'two stages of one name', from: 'FROM build AS tree', to: 'FROM build AS build', said: /DuplicateStageName/ },
];

/** Rules of hadolint, and of the ShellCheck in it. */
export const hadolintMistakes: readonly Mistake[] = [
  {
    name: 'a base without a tag',
    from: `FROM $\{BUILD_IMAGE}`,
    to: 'FROM debian',
    said: /DL3006/,
  },
  {
    name: 'a folder that is changed by cd',
    from: 'RUN npm ci --ignore-scripts',
    to: 'RUN cd /tributary',
    said: /DL3003/,
  },
  { name: 'sudo', from: 'RUN npm ci --ignore-scripts', to: 'RUN sudo npm ci', said: /DL3004/ },
  {
    name: 'what a shell would split',
    from: 'RUN npm ci --omit=dev',
    to: 'RUN ls $(date) && npm ci --omit=dev',
    said: /SC2046/,
  },
  { name: 'root at the end', from: 'USER 65532:65532\nEXPOSE', to: 'USER root\nEXPOSE', said: /DL3002/ },
];
