/** One instruction of a Dockerfile, its continuation lines joined. */
export interface Instruction {
  readonly word: string;
  readonly rest: string;
  readonly line: number;
}

export function parseDockerfile(text: string): Instruction[] {
  const instructions: Instruction[] = [];
  let open: { line: number; text: string } | undefined;
  text.split('\n').forEach((line, index) => {
    if (/^\s*(#|$)/.test(line)) return;
    open = { line: open?.line ?? index + 1, text: `${open?.text ?? ''}${line.replace(/\\\s*$/, ' ')}` };
    if (/\\\s*$/.test(line)) return;
    const [, word = '', rest = ''] = /^\s*(\S+)\s*(.*)$/.exec(open.text) ?? [];
    instructions.push({ word: word.toUpperCase(), rest: rest.trim(), line: open.line });
    open = undefined;
  });
  return instructions;
}

const words = new Set(['ARG', 'FROM', 'WORKDIR', 'COPY', 'RUN', 'ENV', 'USER', 'EXPOSE', 'ENTRYPOINT', 'CMD', 'LABEL']);

/** What is wrong with it, one sentence each, with its line. */
export function findDockerfileProblems(text: string): string[] {
  const instructions = parseDockerfile(text);
  const last = instructions.slice(instructions.findLastIndex(({ word }) => word === 'FROM'));
  return [
    ...instructions.flatMap((one) => instructionProblems(one).map((problem) => `line ${one.line}: ${problem}`)),
    ...baseProblems(instructions),
    ...finalProblems(last),
  ];
}

function instructionProblems({ word, rest }: Instruction): string[] {
  if (!words.has(word))
    return [`${word} is not used here: ADD unpacks and fetches, the others hide what an image does`];
  if (word === 'RUN' && /\b(apt-get|apk|curl|wget)\b/.test(rest)) return ['fetches something that is not locked'];
  if (word === 'RUN' && /\bnpm (install|i)\b/.test(rest)) return ['installs what is not locked: use npm ci'];
  if (word === 'RUN' && rest.includes('npm ci') && !rest.includes('--ignore-scripts'))
    return ['runs scripts of packages'];
  if ((word === 'CMD' || word === 'ENTRYPOINT') && !isExecForm(rest))
    return [`${word} starts a shell, which keeps SIGTERM`];
  if (word === 'ENV' && /(PASSWORD|SECRET|TOKEN|DATABASE_URL)/.test(rest)) return ['puts a secret into the image'];
  return [];
}

/** Everything a stage begins with is an argument, so that it can be pinned by digest, and has a tag by default. */
function baseProblems(instructions: readonly Instruction[]): string[] {
  const stages = new Set(instructions.flatMap(({ rest }) => / AS (\S+)$/i.exec(rest)?.[1] ?? []));
  const defaults = new Map(
    instructions
      .filter(({ word }) => word === 'ARG')
      .map(({ rest }) => rest.split('=', 2) as [string, string | undefined]),
  );
  return instructions
    .filter(({ word }) => word === 'FROM')
    .flatMap(({ rest, line }) => {
      const base = rest.split(' ')[0] ?? '';
      if (stages.has(base)) return [];
      const name = /^\$\{(\w+)\}$/.exec(base)?.[1];
      if (name === undefined) return [`line ${line}: ${base} cannot be pinned from outside: make it an ARG`];
      const image = defaults.get(name) ?? '';
      return /:(?!latest$)[\w.-]+$/.test(image)
        ? []
        : [`line ${line}: ${name} is ${image || 'empty'}, which may change`];
    });
}

function finalProblems(stage: readonly Instruction[]): string[] {
  const user = stage.findLast(({ word }) => word === 'USER')?.rest ?? '';
  return [
    ...(/^[1-9]\d*(:[1-9]\d*)?$/.test(user)
      ? []
      : [`the image runs as ${user || 'root'}: USER must be a number other than 0`]),
    ...(stage.some(({ word }) => word === 'ENTRYPOINT') ? [] : ['the image starts nothing']),
    ...stage
      .filter(({ word, rest }) => word === 'RUN' && !isExecForm(rest))
      .map(({ line }) => `line ${line}: there is no shell in the image`),
    ...stage
      .filter(({ word, rest }) => word === 'COPY' && !rest.startsWith('--from='))
      .map(({ line }) => `line ${line}: copies from the build context into the image`),
  ];
}

const isExecForm = (rest: string): boolean => /^\[.*\]$/.test(rest);
