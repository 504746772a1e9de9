/** The fields of business that canonical events belong to; the first part of every event type. */
export const domains = ['people', 'payroll', 'recruiting', 'crm', 'commerce', 'billing', 'work', 'identity'] as const;
export type Domain = (typeof domains)[number];

export const isDomain = (word: string): word is Domain => (domains as readonly string[]).includes(word);
