import type { Command } from 'commander';

/** Lines of a runbook that are to be typed: those of its console blocks. */
export function commandLinesIn(page: string): string[] {
  const blocks = [...page.matchAll(/```console\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
  return blocks.flatMap((block) => block.split('\n').filter((line) => line.trim() !== ''));
}

/** Commands within sentences, `tributary ...`: shortened there, so they are only looked at as far as they go. */
export function commandsInText(page: string): string[] {
  return [...page.replace(/```[\s\S]*?```/g, '').matchAll(/`(tributary [^`]+)`/g)].map((match) => match[1] ?? '');
}

/** Why the command line would not take it; undefined: it would. */
export function whyNotACommand(line: string, program: Command, isWhole = true): string | undefined {
  const [name, ...words] = wordsOf(line);
  if (name !== 'tributary') return `${line}: begins with ${name}, not with tributary`;
  let command = program;
  let at = 0;
  for (; at < words.length; at++) {
    const next = command.commands.find((one) => one.name() === words[at]);
    if (!next) break;
    command = next;
  }
  if (command.commands.length > 0) return `${line}: ${words[at] ?? 'nothing'} is no command of ${command.name()}`;
  const problem = optionProblem(command, words.slice(at), isWhole);
  return problem && `${line}: ${problem}`;
}

function optionProblem(command: Command, words: readonly string[], isWhole: boolean): string | undefined {
  let operands = 0;
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? '';
    if (!word.startsWith('-')) {
      operands += 1;
      continue;
    }
    const option = command.options.find(({ long, short }) => long === word || short === word);
    if (!option) return `${command.name()} has no option ${word}`;
    if (!option.required) continue;
    if (words[at + 1] === undefined || words[at + 1]?.startsWith('-')) return `${word} needs a value`;
    at += 1;
    while (option.variadic && words[at + 1] !== undefined && !words[at + 1]?.startsWith('-')) at += 1;
  }
  const wanted = command.registeredArguments;
  const least = wanted.filter(({ required }) => required).length;
  const most = wanted.some(({ variadic }) => variadic) ? Number.POSITIVE_INFINITY : wanted.length;
  if (operands > most || (isWhole && operands < least)) return `${operands} words are too many or too few`;
  return undefined;
}

/** As a shell would take them apart; `<event id>` stands for one word. */
const wordsOf = (line: string): string[] =>
  (line.trim().match(/'[^']*'|<[^>]*>|\S+/g) ?? []).map((word) => word.replace(/^'(.*)'$/, '$1'));
