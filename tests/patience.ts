/**
 * How long a test waits for what must come: only one that fails waits as long, however busy the machine is.
 */
export const PATIENCE_MS = 180_000;
