/** Lets everything run that is due, timers aside. */
export const anotherTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
