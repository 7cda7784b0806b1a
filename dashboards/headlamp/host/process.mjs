// Node's global, which libraries of the page read.
export const process = { env: {}, versions: {}, platform: 'browser' };
